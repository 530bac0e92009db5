"""Which carbon reports there are, and asking for one page of one.

Azure offers twelve months, each published until about the 19th of the next one, and restates them silently: all of
them are read again each time, and kept where their content is the same.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Notice, Page, Partition, Request
from ogf.paging import CursorPages
from ogf.window import Month
from ogf_azure import arm
from ogf_azure.pages import keep, list_in, parsed, text_in, unexpected
from ogf_azure.subscriptions import subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ogf.hookspecs import Context
    from ogf.window import Window

_VERSION = {"api-version": "2025-04-01"}
ROLE = "Carbon Optimization Reader"
SCOPES = (1, 2, 3)
BATCH = 100  # subscriptions in one request, at most
PUBLISHED_ON = 19
_PROVIDER = "/providers/Microsoft.Carbon"
_REPORTS = f"{_PROVIDER}/carbonEmissionReports"
_RANGE = f"{_PROVIDER}/queryCarbonEmissionDataAvailableDateRange"
_PAGES = CursorPages("skipToken")


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months that Azure offers in the window, three scopes each: one answer would sum them up.

    Raises:
        SourceError: `not_found` without any subscription.
    """
    first, last = offered(ctx)
    _say_what_is_not_offered(ctx, first, last, window)
    months = [month for month in _months(first, last) if month in window]
    if not months:
        return []
    wanted = sorted({subscription.strip().lower() for subscription in subscriptions(ctx)} - {""})
    gone = _gone(ctx, wanted)
    if not wanted:
        raise SourceError(
            "no subscription can be seen",
            error_class=ErrorClass.NOT_FOUND,
            where="azure carbon",
            hint=f"grant the role {ROLE} on the subscriptions, or name them in ingestion.azure.subscription_id",
        )
    return [_partition(ctx, month, scope, wanted, gone) for month in months for scope in SCOPES]


def fetch(ctx: Context, request: Request) -> Page:
    """Ask for one page."""
    params = request.params
    where = _source(ctx, params["month"], params["scope"])
    body = {
        "reportType": "ItemDetailsReport",
        "subscriptionList": params["subscriptions"],
        "carbonScopeList": [f"Scope{params['scope']}"],
        "dateRange": {"start": f"{params['month']}-01", "end": f"{params['month']}-01"},
        "categoryType": "Resource",
        "orderBy": "ItemName",  # stays the same from page to page, as emissions may not
        "sortDirection": "Asc",
        "pageSize": params["page_size"],
        "skipToken": params.get("skipToken"),
    }
    got = arm.call(ctx.settings, "POST", _REPORTS, params=_VERSION, body=body)
    gone = () if "denied" in params else tuple(params.get("gone", ()))
    if got is None:
        return Page(None, notices=_lost(gone), withheld=gone)
    answer = parsed(got.body, where)
    denied = _denied(answer, params, where)
    if denied != params.get("denied", denied):
        raise SourceError(
            "the access to subscriptions changed while they were being read",
            error_class=ErrorClass.TRANSIENT,
            where=where,
            restart=True,
        )
    page = keep(ctx, got.body, where, next=text_in(answer, "skipToken", where), denied=tuple(denied))
    return Page(page, notices=(*_notices(denied), *_lost(gone)), withheld=(*denied, *gone))


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the page that follows, or None at the end: for the hook `paginate`."""
    if page.data is None:
        return None
    request = Request(request.key, {**request.params, "denied": list(page.data.denied)})
    return _PAGES.next(request, page.data.next)


def offered(ctx: Context) -> tuple[Month, Month]:
    """Ask which months Azure offers: the first and the last one."""
    got = ctx.call(arm.call, ctx.settings, "POST", _RANGE, params=_VERSION)
    where = f"azure-carbon:/{_RANGE}"
    answer = parsed(b"{}" if got is None else got.body, where)
    try:
        first, last = (
            Month.of(dt.date.fromisoformat(str(answer[end])[:10])) for end in ("startDate", "endDate")
        )
    except (KeyError, ValueError):
        raise unexpected("it names no range of months", where) from None
    if last < first:
        raise unexpected(f"its range ends in {last}, before it starts in {first}", where)
    return first, last


def _months(first: Month, last: Month) -> Iterator[Month]:
    while first <= last:
        yield first
        first = first.plus(1)


def _gone(ctx: Context, listed: list[str]) -> list[str]:
    """Name the subscriptions that ARM listed in an earlier run and does not list now: nobody denies those."""
    if ctx.settings.subscription_ids:
        return []
    fact = f"azure subscriptions of {ctx.settings.tenant_id or 'azure'}"
    known: set[str] = {*ctx.cache.get(fact, ()), *listed}
    ctx.cache[fact] = sorted(known)
    return sorted(known - set(listed))


def _partition(ctx: Context, month: Month, scope: int, wanted: list[str], gone: list[str]) -> Partition:
    source = _source(ctx, str(month), scope)
    size = ctx.settings.page_size
    return Partition(
        stream="carbon",
        key=source.partition("://")[2],
        version=None,  # Azure gives no sign of a restatement
        requests=tuple(
            Request(
                f"{month} scope {scope}, subscriptions {number * BATCH + 1} to {number * BATCH + len(batch)}",
                {
                    "stream": "carbon",
                    "month": str(month),
                    "scope": scope,
                    "subscriptions": list(batch),
                    "page_size": size,
                    **({"gone": gone} if gone and number == 0 else {}),
                },
            )
            for number, batch in enumerate(_batches(wanted))
        ),
        month=month,
        source=source,
    )


def _batches(wanted: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(wanted), BATCH):
        yield wanted[start : start + BATCH]


def _source(ctx: Context, month: str, scope: int) -> str:
    return f"azure-carbon://{ctx.settings.tenant_id or 'azure'}/{month}/scope{scope}"


def _denied(answer: dict[str, Any], params: Mapping[str, Any], where: str) -> list[str]:
    """Name the subscriptions that were asked for and that nobody allowed."""
    if not answer.get("subscriptionAccessDecisionList"):
        if "denied" in params:
            return list(params["denied"])  # what the first page said
        if not list_in(answer, "value", where) and not answer.get("skipToken"):
            raise unexpected("there are no rows, and no word on which subscriptions may be read", where)
        return []
    list_in(answer, "value", where)
    decisions: dict[str, str] = {}
    for decision in answer.get("subscriptionAccessDecisionList") or []:
        if not isinstance(decision, dict):
            raise unexpected("a decision about access is no object", where)
        decisions[str(decision.get("subscriptionId")).strip().lower()] = str(decision.get("decision")).lower()
    return [name for name in params["subscriptions"] if decisions.get(name) != "allowed"]


def _notices(denied: list[str]) -> tuple[Notice, ...]:
    if not denied:
        return ()
    one = len(denied) == 1
    return (
        Notice(
            "denied",
            f"the emissions of the subscription{'' if one else 's'} {', '.join(denied)} may not be read; "
            f"grant the role {ROLE} on {'it' if one else 'each of them'}",
        ),
    )


def _lost(gone: tuple[str, ...]) -> tuple[Notice, ...]:
    if not gone:
        return ()
    return (
        Notice(
            "gone",
            f"Azure does not list {', '.join(gone)} any more (deleted, or the role was taken away); the rows that were "
            "loaded stay. Name the subscriptions in ingestion.azure.subscription_id to leave it out",
        ),
    )


def _say_what_is_not_offered(ctx: Context, first: Month, last: Month, window: Window) -> None:
    if window.since is not None and window.since < first:
        ctx.note(f"Azure offers the months {first} to {last}; earlier ones are not to be had any more")
    today = dt.datetime.now(dt.UTC).date()
    before = Month.of(today).plus(-1)
    if before not in window or before <= last:
        return
    if today.day < PUBLISHED_ON:
        ctx.note(f"{before} is not published yet: Azure does so by the {PUBLISHED_ON}th of this month")
    else:
        ctx.note(f"{before} is not published, though Azure does so by the {PUBLISHED_ON}th: run again later")
