"""What a browser asks for: the page, its files, a session for a key, and the report's sections."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import Match

from ogf.report.page import fragment, month_charts, style
from ogf.report.tables import Tables
from ogf.service.auth.gate import Reader, address_of
from ogf.service.auth.sessions import COOKIE, SECONDS
from ogf.service.envelope import ApiError
from ogf.service.routes.asked import STRICT, Filter, Wired, choose, errors, figures, key_of
from ogf.service.routes.figures import EmissionsPage, emissions

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from ogf.report.tables import Asked
    from ogf.service.auth.principal import Principal
    from ogf.service.service import Service

router = APIRouter(tags=["dashboard"])
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_MOST_CHOICES = 500


class HtmlRoute(APIRoute):
    """Matches only a client that would rather have HTML than JSON."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        found, child = super().matches(scope)
        if found is not Match.NONE and not _wants_html(dict(scope["headers"]).get(b"accept", b"")):
            return Match.NONE, {}
        return found, child


class Key(BaseModel):
    key: str = Field(min_length=1, max_length=4096, description="an API key, or a JSON web token")


class Session(BaseModel):
    """Who the session's key belongs to."""

    name: str
    org: str
    scopes: list[str]
    keyless: bool = Field(description="nobody needs a key here, so nobody can sign out")


class Choices(BaseModel):
    """What the dashboard's filters offer."""

    provider: list[str]
    stream: list[str]
    service: list[str]
    region: list[str]
    account_id: list[str]


def page() -> Response:
    """The dashboard. It holds no data: what it shows, it asks the API for."""
    return Response(_file("page.html"), media_type="text/html; charset=utf-8")


router.add_api_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
router.routes.append(HtmlRoute("/emissions", page, methods=["GET"], include_in_schema=False))
router.add_api_route(
    "/emissions",
    emissions,
    methods=["GET"],
    include_in_schema=False,
    dependencies=STRICT,
    responses={200: {"model": EmissionsPage}},
)


@router.get("/assets/{name}", include_in_schema=False)
def asset(name: Annotated[str, Path(pattern=r"^[a-z]+\.(css|js|svg)$")]) -> Response:
    """A file of the page. Its tables and charts look as the report's do."""
    try:
        body = style().encode() if name == "report.css" else _file(name)
    except FileNotFoundError:
        raise ApiError(404, "not_found", "there is no such file") from None
    return Response(body, media_type=_KINDS[name.rsplit(".", 1)[1]], headers={"Cache-Control": "no-cache"})


@router.get("/session", include_in_schema=False)
def session(service: Wired, who: Reader) -> Session:
    """Who is signed in."""
    return _session(service, who)


@router.post("/session", include_in_schema=False)
def sign_in(service: Wired, request: Request, response: Response, given: Annotated[Key, Body()]) -> Session:
    """Begin a session with a key. The cookie is worth nothing to another site, nor to a script."""
    key = given.key.strip()
    who = service.gate.check(key, address_of(request))
    cookie = service.gate.sessions.begin(lambda: service.gate.owner(key))
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return _session(service, who)


@router.delete("/session", include_in_schema=False, status_code=204)
def sign_out(service: Wired, request: Request) -> Response:
    """End the session."""
    service.gate.sessions.end(request.cookies.get(COOKIE, ""))
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get("/dashboard/report", include_in_schema=False, dependencies=STRICT, responses=errors())
def report(service: Wired, who: Reader, request: Request, asked: Filter) -> Response:
    """The report's sections, charts and tables, as a piece of HTML."""
    return _piece(service, who, request, asked, fragment)


@router.get("/dashboard/months", include_in_schema=False, dependencies=STRICT, responses=errors())
def months(service: Wired, who: Reader, request: Request, asked: Filter) -> Response:
    """The report's charts by month alone, as a piece of HTML: drawn in a fraction of its time."""
    return _piece(service, who, request, asked, month_charts)


@router.get(
    "/dashboard/choices",
    include_in_schema=False,
    dependencies=STRICT,
    responses={200: {"model": Choices}, **errors()},
)
def choices(service: Wired, who: Reader, request: Request) -> Response:
    """The values that activities can be filtered by, in order, no more of each than a list is good for."""

    def found(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
        return {
            name: [
                value
                for (value,) in connection.execute(
                    f"SELECT DISTINCT {name} FROM activities WHERE org_id = ? AND {name} IS NOT NULL "
                    f"ORDER BY ALL LIMIT {_MOST_CHOICES}",
                    [who.org_id],
                ).fetchall()
            ]
            for name in Choices.model_fields
        }

    return figures(service, who, request, found)


def _piece(
    service: Service, who: Principal, request: Request, asked: Asked, drawn: Callable[[Tables], str]
) -> Response:
    body = service.answers.kept(
        key_of(request, who), lambda connection: drawn(Tables(connection, asked)).encode()
    )
    return Response(body, media_type="text/html; charset=utf-8")


def _session(service: Service, who: Principal) -> Session:
    return Session(
        name=who.name, org=who.org_id, scopes=sorted(who.scopes), keyless=not service.gate.required
    )


def _wants_html(accept: bytes) -> bool:
    try:
        return choose(accept.decode("latin-1"), {"application/json": "json", "text/html": "html"}) == "html"
    except ApiError:
        return False


def _file(name: str) -> bytes:
    return files("ogf.service.dashboard").joinpath("assets", name).read_bytes()
