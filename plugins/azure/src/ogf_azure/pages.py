"""Pages of JSON: the body as it came, in scratch, and what the following request needs to know of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.files import pages

if TYPE_CHECKING:
    from ogf.hookspecs import Context


@dataclass(frozen=True)
class JsonPage(pages.JsonPage):
    """A page's body in scratch.

    Attributes:
        columns: names of the positional columns, where rows are lists.
        denied: subscriptions that were asked for and may not be read.
    """

    columns: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


def parsed(body: bytes, where: str) -> dict[str, Any]:
    """Read a body that must be one JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SourceError(
            "the answer is not a JSON object: it was cut short, or a proxy answered instead of Azure",
            error_class=ErrorClass.TRANSIENT,
            where=where,
            hint="if it stays, check endpoint_url and the proxy",
        )
    return found


def text_in(answer: dict[str, Any], name: str, where: str) -> str | None:
    """Read an optional text, such as a token; None where it is absent, null or empty."""
    found = answer.get(name)
    if found is not None and not isinstance(found, str):
        raise unexpected(f"`{name}` is no text", where)
    return found or None


def list_in(answer: dict[str, Any], name: str, where: str) -> list[Any]:
    """Read a list that must be there: without it, a refusal would pass for an empty page."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise unexpected(f"it has no list `{name}`", where)
    return found


def unexpected(what: str, where: str) -> SourceError:
    return SourceError(
        f"the answer is not as Azure documents it: {what}",
        error_class=ErrorClass.UNKNOWN,
        where=where,
        hint="run again; if it stays, the service has changed: report it to the plugin's author",
    )


def digits_kept(body: bytes) -> bytes:
    """Write a body's numbers as texts: money has digits that a double has not."""
    return json.dumps(json.loads(body, parse_float=str, parse_int=str)).encode()


def keep(ctx: Context, body: bytes, uri: str, **facts: Any) -> JsonPage:
    """Write a body to scratch as it came; the core deletes it after the page."""
    return pages.keep(ctx, body, uri, JsonPage, **facts)
