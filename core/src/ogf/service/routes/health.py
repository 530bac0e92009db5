"""Whether the service lives, whether it can answer, and its metrics. Asked by machines, without a credential."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from ogf import __version__
from ogf.service.auth.gate import Bearer, KeyHeader, address_of, require, require_own_name
from ogf.service.network import is_loopback
from ogf.service.routes.asked import Wired, errors
from ogf.telemetry import metrics

router = APIRouter(tags=["health"])
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Health(BaseModel):
    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


@router.get("/healthz")
@router.head("/healthz", include_in_schema=False)
async def alive() -> Health:
    """Liveness: the process answers."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", responses={503: errors()[503]})
@router.head("/readyz", include_in_schema=False)
def ready(service: Wired) -> Health:
    """Readiness: the warehouse can be asked."""
    with service.answers.connection(seconds=5) as connection:
        connection.execute("SELECT count(*) FROM connectors").fetchone()
    return Health(status="ok", version=__version__)


def _scraper(request: Request, bearer: Bearer, header: KeyHeader) -> None:
    """Let whoever is on this machine read, and others with a credential; what a proxy forwards comes from elsewhere."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    if forwarded or not is_loopback(address_of(request)):
        require("read")(request, bearer, header)
    elif bearer is None and header is None:
        require_own_name(request, request.app.state.service.config.settings.server.host)


@router.get(
    "/metrics",
    dependencies=[Depends(_scraper)],
    response_class=Response,
    responses={200: {"content": {metrics.CONTENT_TYPE: {"schema": {"type": "string"}}}}, **errors()},
)
def prometheus() -> Response:
    """The metrics of runs, as Prometheus reads them. Without a credential from this machine only."""
    body, kind = metrics.exposition()
    return Response(body, headers={"Content-Type": kind})
