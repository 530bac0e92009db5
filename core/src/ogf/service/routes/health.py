"""Whether the service lives, whether it can answer, and its metrics. Asked by machines, without a credential."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ogf import __version__
from ogf.service.routes.asked import Wired, errors

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


@router.get("/healthz")
def alive() -> Health:
    """Liveness: the process answers."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", responses={503: errors()[503]})
def ready(service: Wired) -> Health:
    """Readiness: the warehouse can be asked."""
    with service.answers.connection(seconds=5) as connection:
        connection.execute("SELECT count(*) FROM connectors").fetchone()
    return Health(status="ok", version=__version__)
