"""What a browser asks for: the page, its files, a session for a key, and the report's sections."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import Match

from ogf.report.page import fragment
from ogf.report.tables import Tables
from ogf.service.auth.gate import Reader, address_of
from ogf.service.auth.sessions import COOKIE, SECONDS
from ogf.service.envelope import ApiError
from ogf.service.routes.asked import Filter, Wired, choose, errors, key_of
from ogf.service.routes.figures import EmissionsPage, emissions

router = APIRouter(tags=["dashboard"])
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


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


def page() -> Response:
    """The dashboard. It holds no data: what it shows, it asks the API for."""
    return Response(_file("page.html"), media_type="text/html; charset=utf-8")


router.add_api_route("/", page, methods=["GET"], include_in_schema=False)
router.routes.append(HtmlRoute("/emissions", page, methods=["GET"], include_in_schema=False))
router.add_api_route(
    "/emissions",
    emissions,
    methods=["GET"],
    include_in_schema=False,
    responses={200: {"model": EmissionsPage}},
)


@router.get("/assets/{name}", include_in_schema=False)
def asset(name: Annotated[str, Path(pattern=r"^[a-z]+\.(css|js|svg)$")]) -> Response:
    """A file of the page."""
    try:
        body = _file(name)
    except FileNotFoundError:
        raise ApiError(404, "not_found", "there is no such file") from None
    return Response(body, media_type=_KINDS[name.rsplit(".", 1)[1]], headers={"Cache-Control": "no-cache"})


@router.get("/session", include_in_schema=False)
def session(who: Reader) -> Session:
    """Who is signed in."""
    return Session(name=who.name, org=who.org_id, scopes=sorted(who.scopes))


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
    return Session(name=who.name, org=who.org_id, scopes=sorted(who.scopes))


@router.delete("/session", include_in_schema=False, status_code=204)
def sign_out(service: Wired, request: Request) -> Response:
    """End the session."""
    service.gate.sessions.end(request.cookies.get(COOKIE, ""))
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get("/dashboard/report", include_in_schema=False, responses=errors())
def report(service: Wired, who: Reader, request: Request, asked: Filter) -> Response:
    """The report's sections, charts and tables, as a piece of HTML."""
    body = service.answers.kept(
        key_of(request, who.org_id), lambda connection: fragment(Tables(connection, asked)).encode()
    )
    return Response(body, media_type="text/html; charset=utf-8")


def _wants_html(accept: bytes) -> bool:
    try:
        return choose(accept.decode("latin-1"), {"application/json": "json", "text/html": "html"}) == "html"
    except ApiError:
        return False


def _file(name: str) -> bytes:
    return files("ogf.service.dashboard").joinpath("assets", name).read_bytes()
