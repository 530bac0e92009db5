"""Which months of cost there are, and asking for one page of one: $0.01 each (AWS's price list, USE1-APIRequest).

GetCostAndUsage (API version 2017-10-25) keeps 13 months unless more are switched on, and refreshes them at least once a
day. A month is `Estimated` until its bill is final and may be corrected after that: it is asked again, at most once in
`refresh`, until two months have passed after its end; what was read later than that is final here.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from ogf.files import pages
from ogf.hookspecs import Notice, Page, Partition, Request
from ogf.paging import CursorPages
from ogf.window import Month
from ogf_aws.caller import calling_account
from ogf_aws.cost_explorer.grouping import definition
from ogf_aws.errors import located
from ogf_aws.session import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.hookspecs import Context
    from ogf.window import Window
    from ogf_aws.settings import AwsSettings, CostExplorerSettings

_MONTHS = 13  # the running one included
_OPEN = 3  # months from the first of a month until it is final: its own, and two after it
_PAGES = CursorPages("NextPageToken")


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months in the window, newest first: should the money not reach, the old ones wait.

    Raises:
        SourceError: `bad_request` where the account is another than the configured one.
    """
    account = calling_account(ctx, "cost_explorer")
    now = dt.datetime.now(dt.UTC)
    months = sorted(_months(window, Month.of(now.date())), reverse=True)
    return [_partition(ctx.settings.cost_explorer, account, month, now) for month in months]


def fetch(ctx: Context, request: Request) -> Page:
    """Ask for one page. A following one is asked with the very parameters of the first, and its token."""
    params = request.params
    token = params.get("NextPageToken")
    answer = ask(
        ctx.settings,
        params["source"],
        TimePeriod={"Start": params["start"], "End": params["end"]},
        Granularity=params["granularity"].upper(),
        GroupBy=[definition("USAGE_TYPE"), definition(params["group_by"])],
        **({"NextPageToken": token} if token else {}),
    )
    results = answer.get("ResultsByTime", [])
    body = {"ResultsByTime": results, "DimensionValueAttributes": answer.get("DimensionValueAttributes", [])}
    page = pages.keep(
        ctx,
        json.dumps(body).encode(),
        params["source"],
        pages.JsonPage,
        next=answer.get("NextPageToken") or None,
    )
    late = params["final"] and any(result.get("Estimated") for result in results)
    notice = Notice(
        "estimated", f"AWS still calls {params['start'][:7]} estimated, over two months after its end"
    )
    return Page(page, notices=(notice,) if late else ())


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the page that follows, or None at the end: for the hook `paginate`."""
    return _PAGES.next(request, page.data.next)


def ask(settings: AwsSettings, where: str, **parameters: Any) -> dict[str, Any]:
    """Make one request: there is no paginator for it in the SDK."""
    with located(where):
        answer: dict[str, Any] = client(settings, "ce").get_cost_and_usage(
            Metrics=["UnblendedCost", "UsageQuantity"], **parameters
        )
    return answer


def _months(window: Window, now: Month) -> Iterator[Month]:
    month = min(window.since or now, now.plus(1 - _MONTHS))
    while month <= now:
        if month in window:
            yield month
        month = month.plus(1)


def _partition(section: CostExplorerSettings, account: str, month: Month, now: dt.datetime) -> Partition:
    end = month.plus(1)
    final_from = dt.datetime.combine(month.plus(_OPEN).first_day, dt.time(), dt.UTC)
    final = now >= final_from
    source = f"aws-ce://{account}/{month}?granularity={section.granularity}&group_by={section.group_by}"
    params = {
        "stream": "cost_explorer",
        "account": account,
        "start": str(month.first_day),
        "end": str(end.first_day),
        "granularity": section.granularity,
        "group_by": section.group_by,
        "final": final,
        "source": source,
    }
    return Partition(
        stream="cost_explorer",
        key=f"{account}/{month}",  # not the grouping: another one tells the same money, and must replace it
        version=None,
        requests=(Request(str(month), params),),
        month=month,
        fresh_since=final_from if final else now - dt.timedelta(seconds=section.refresh),
        source=source,
    )
