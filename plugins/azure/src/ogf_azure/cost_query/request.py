"""Which scopes and months of cost there are, and asking for one page of one.

Every request spends a query unit of the tenant's small budget. A `nextLink` is POSTed again with the same body.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ogf.hookspecs import Page, Partition, Request
from ogf.paging import CursorPages
from ogf.window import Month
from ogf_azure import arm
from ogf_azure.cost_query.budget import budget_of
from ogf_azure.pages import digits_kept, keep, list_in, parsed, text_in, unexpected
from ogf_azure.subscriptions import subscriptions

if TYPE_CHECKING:
    from ogf.hookspecs import Context
    from ogf.window import Window

_VERSION = {"api-version": "2025-03-01"}
_MONTHS = 13  # as far back as the portal shows, the current one included; `--since` asks for more
_PAGES = CursorPages("next")


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months of each scope: of the configured ones, else of every subscription."""
    scopes = ctx.settings.cost_query.scopes or [f"/subscriptions/{name}" for name in subscriptions(ctx)]
    wanted = {_normal(scope): scope.strip().strip("/") for scope in scopes}
    return [
        _partition(ctx, scope, key, month)
        for key, scope in sorted(wanted.items())
        for month in _months(window)
    ]


def fetch(ctx: Context, request: Request) -> Page:
    """Ask for one page; no data at all (204) is an empty one."""
    params = request.params
    where = _source(params["scope"], params["month"])
    budget_of(ctx.settings.tenant_id or "").spend(where)
    link = params.get("next")
    target = link or f"/{params['scope']}/providers/Microsoft.CostManagement/query"
    got = arm.call(ctx.settings, "POST", target, params=None if link else _VERSION, body=_body(params))
    if got is None:
        return Page(None)
    properties = parsed(got.body, where).get("properties")
    if not isinstance(properties, dict):
        raise unexpected("it has no `properties`", where)
    list_in(properties, "rows", where)
    columns = list_in(properties, "columns", where)
    names = tuple(str(column["name"]) for column in columns if isinstance(column, dict) and "name" in column)
    if len(names) != len(columns):
        raise unexpected("a column has no name", where)
    following = text_in(properties, "nextLink", where)
    return Page(keep(ctx, digits_kept(got.body), where, next=following, columns=names))


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the page that follows, or None at the end: for the hook `paginate`."""
    return None if page.data is None else _PAGES.next(request, page.data.next)


def _months(window: Window) -> list[Month]:
    now = Month.of(dt.datetime.now(dt.UTC).date())
    month = min(window.since or now, now.plus(1 - _MONTHS))
    found = []
    while month <= now:
        if month in window:
            found.append(month)
        month = month.plus(1)
    return found


def _partition(ctx: Context, scope: str, key: str, month: Month) -> Partition:
    section = ctx.settings.cost_query
    params = {
        "stream": "cost_query",
        "scope": scope,
        "month": str(month),
        "cost": section.cost,
        "groupings": list(section.groupings),
    }
    return Partition(
        stream="cost_query",
        key=f"{key}/{month}",
        version=None,  # costs change until after the invoice, and nothing tells
        requests=(Request(f"{scope} {month}", params),),
        month=month,
        source=_source(scope, str(month)),
    )


def _body(params: Any) -> dict[str, Any]:
    month = Month.parse(params["month"])
    last = month.plus(1).first_day - dt.timedelta(days=1)
    return {
        "type": params["cost"],
        "timeframe": "Custom",
        "timePeriod": {"from": f"{month.first_day}T00:00:00Z", "to": f"{last}T23:59:59Z"},
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
            "grouping": [_grouping(name) for name in params["groupings"]],
        },
    }


def _grouping(name: str) -> dict[str, str]:
    kind, colon, tag = name.partition(":")
    if colon and kind.lower() in ("tag", "tagkey"):
        return {"type": "TagKey", "name": tag}
    return {"type": "Dimension", "name": name}


def _normal(scope: str) -> str:
    return scope.strip().strip("/").lower()


def _source(scope: str, month: str) -> str:
    return f"azure-cost://{_normal(scope)}/{month}"
