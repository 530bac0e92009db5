"""Parameters that several routes share, and how their answers are named in the OpenAPI document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter

from ogf.report.tables import ACCOUNTINGS, Asked
from ogf.service.answers import as_json
from ogf.service.auth.gate import Reader
from ogf.service.envelope import ApiError, Envelope
from ogf.service.service import Service
from ogf.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import duckdb

    from ogf.service.auth.principal import Principal

_WORDS = {
    400: "What was asked for is not there to be asked for.",
    401: "No credential, or a wrong one.",
    403: "The credential lacks the scope.",
    404: "There is none of this name.",
    405: "This method is not offered here.",
    406: "None of the formats in Accept is offered here.",
    408: "The request came too slowly.",
    409: "The Idempotency-Key was used for another request.",
    413: "The body is too large.",
    422: "A parameter is not valid; `fields` says which and why.",
    429: "Too many wrong credentials from this address; Retry-After says how long to wait.",
    501: "No schedule is configured.",
    503: "The warehouse is busy or cannot be used, or settings are missing; the message says which.",
}
_IGNORED = {"org_id"}  # the organisation is the credential's, whatever a request says
_WEIGHT = re.compile(r"[01](\.\d{0,3})?")
_ALWAYS = (401, 403, 422, 429, 503)


def _only_known(request: Request) -> None:
    """Refuse parameters that would be ignored: a total of everything looks like the answer to a narrower question."""
    parameters = get_flat_params(request.scope["route"].dependant)
    known = {each.alias for each in parameters if isinstance(each.field_info, QueryParameter)} | _IGNORED
    given = [name for name, _ in request.query_params.multi_items()]
    wrong = {name: f"there is no such parameter; there are {', '.join(sorted(known - _IGNORED)) or 'none'}"
             for name in given if name not in known}  # fmt: skip
    wrong |= {name: "it is there twice" for name in given if given.count(name) > 1}
    if wrong:
        name, what = next(iter(wrong.items()))
        fields = {f"query.{name}": what for name, what in wrong.items()}
        raise ApiError(422, "validation_failed", f"{name}: {what}", fields=fields)


STRICT = [Depends(_only_known)]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers that are no success, for the OpenAPI document: those of every route, and these."""
    return {
        status: {"model": Envelope, "description": _WORDS[status]} for status in sorted({*_ALWAYS, *statuses})
    }


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Wired = Annotated[Service, Depends(_service)]

MONTH = r"^[12][0-9]{3}-(0[1-9]|1[0-2])$"
FIRST_DAY = r"^[12][0-9]{3}-(0[1-9]|1[0-2])(-01)?$"
Since = Annotated[
    str | None,
    Query(
        alias="start_date",
        pattern=FIRST_DAY,
        description="First month: YYYY-MM, or its first day; carbon is reported by whole months",
        examples=["2026-01"],
    ),
]
Until = Annotated[
    str | None,
    Query(
        alias="end_date",
        pattern=FIRST_DAY,
        description="Month to stop before (exclusive): YYYY-MM, or its first day",
        examples=["2026-07"],
    ),
]
Provider = Annotated[
    str | None,
    Query(description="Only this provider", examples=["aws"], max_length=100, pattern=r"^[^\x00]+$"),
]
Accounting = Annotated[
    str | None,
    Query(
        description="`location` or `market`; the two are never added [location]",
        pattern="^(location|market)$",
        examples=["location"],
    ),
]


def window(since: str | None, until: str | None) -> Window:
    """The months asked for. Raises ApiError 422 where they end before they begin."""
    found = Window.of(since and since[:7], until and until[:7])
    if found.since and found.until and found.since >= found.until:
        raise ApiError(
            422,
            "validation_failed",
            "start_date is not before end_date",
            detail="end_date is exclusive",
            fields={"query.end_date": "it must be after start_date"},
        )
    return found


def some_of(words: Iterable[str]) -> str:
    """A pattern for some of these words, with commas between them."""
    one = "|".join(words)
    return f"^({one})(,({one}))*$"


def _asked(
    who: Reader,
    since: Since = None,
    until: Until = None,
    provider: Provider = None,
    accounting: Accounting = None,
) -> Asked:
    accountings = (accounting,) if accounting else ACCOUNTINGS
    return Asked(window(since, until), (provider,) if provider else (), (who.org_id,), accountings)


Filter = Annotated[Asked, Depends(_asked)]


def key_of(request: Request, who: Principal) -> tuple[object, ...]:
    """What tells two answers apart: the route, its parameters, and whose figures they are."""
    return request.url.path, tuple(sorted(request.query_params.multi_items())), who.org_id


def figures(
    service: Service,
    who: Principal,
    request: Request,
    make: Callable[[duckdb.DuckDBPyConnection], dict[str, Any]],
) -> Response:
    """Figures as JSON: what `make` asks the warehouse, or what it was told before if that still holds."""
    body = service.answers.kept(key_of(request, who), lambda connection: as_json(make(connection)))
    return Response(body, media_type="application/json")


def choose(accept: str | None, offered: Mapping[str, str]) -> str:
    """The first media type that Accept names and the route offers, as its short name. Raises ApiError 406."""
    if not accept:
        return next(iter(offered.values()))
    ranked = []
    for place, part in enumerate(accept.split(",")):
        kind, *parameters = (word.strip() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        quality = float(weight) if _WEIGHT.fullmatch(weight) else 1.0
        if quality:
            ranked.append((-quality, place, kind.lower()))
    for _, _, kind in sorted(ranked):
        for media, short in offered.items():
            if kind in (media, "*/*", f"{media.split('/')[0]}/*"):
                return short
    raise ApiError(
        406,
        "not_acceptable",
        "none of the formats in Accept is offered here",
        detail=f"ask for {', '.join(offered)}",
    )
