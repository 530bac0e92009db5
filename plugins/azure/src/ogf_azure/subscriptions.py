"""Which subscriptions are read: those that are configured, or all that ARM lists for the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf_azure import arm
from ogf_azure.pages import list_in, parsed, text_in, unexpected

if TYPE_CHECKING:
    from ogf.hookspecs import Context

_VERSION = {"api-version": "2022-12-01"}
_PATH = "/subscriptions"


def subscriptions(ctx: Context) -> tuple[str, ...]:
    """Give the ids in lower case, sorted, each once; none at all if the caller may see none.

    A disabled subscription is among them: its past months are still there.
    """
    return tuple(sorted(ctx.settings.subscription_ids or set(_listed(ctx))))


def _listed(ctx: Context) -> list[str]:
    where = f"{arm.arm(ctx.settings).url}{_PATH}"
    found: list[str] = []
    seen: set[str] = set()
    target, params = _PATH, dict(_VERSION)
    while True:
        got = ctx.call(arm.call, ctx.settings, "GET", target, params=params)
        if got is None:
            return found
        answer = parsed(got.body, where)
        found += [_id(item, where) for item in list_in(answer, "value", where)]
        link = text_in(answer, "nextLink", where)
        if link is None:
            return found
        if link in seen:
            raise SourceError(
                "the list of subscriptions goes round in a circle: its next page was there before",
                error_class=ErrorClass.FATAL,
                where=where,
                hint="name the subscriptions in ingestion.azure.subscription_id",
            )
        if 0 < ctx.settings.max_pages <= len(seen) + 1:
            raise SourceError(
                f"the list of subscriptions has more pages than max_pages ({ctx.settings.max_pages}) allows",
                error_class=ErrorClass.BAD_REQUEST,
                where=where,
                hint="raise ingestion.azure.max_pages, or name the subscriptions in subscription_id",
            )
        seen.add(link)
        target, params = link, {}


def _id(item: object, where: str) -> str:
    found = item.get("subscriptionId") if isinstance(item, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise unexpected("a subscription has no `subscriptionId`", where)
    return found.strip().lower()
