"""Which months the Sustainability API has, and asking for one page of one.

GetEstimatedCarbonEmissions (API version 2018-05-10) gives every month in its newest model version, and restates months
without a sign: all of them are read again each time, and kept where their content is the same.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.files import pages
from ogf.hookspecs import Page, Partition, Request
from ogf.paging import CursorPages
from ogf.window import Month, Window
from ogf_aws.caller import calling_account
from ogf_aws.errors import located
from ogf_aws.organization import NamedPage, names_of
from ogf_aws.published import say_if_unpublished
from ogf_aws.session import client

if TYPE_CHECKING:
    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings

EMISSIONS = (
    "TOTAL_LBM_CARBON_EMISSIONS",
    "TOTAL_MBM_CARBON_EMISSIONS",
    "TOTAL_SCOPE_1_CARBON_EMISSIONS",
    "TOTAL_SCOPE_2_LBM_CARBON_EMISSIONS",
    "TOTAL_SCOPE_2_MBM_CARBON_EMISSIONS",
    "TOTAL_SCOPE_3_LBM_CARBON_EMISSIONS",
    "TOTAL_SCOPE_3_MBM_CARBON_EMISSIONS",
)
GROUPING = ("USAGE_ACCOUNT_ID", "REGION", "SERVICE")
FIRST = Month(2022, 1)  # AWS has no earlier figures
_PAGES = CursorPages("NextToken")


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months in the window of which AWS has figures for the caller's account.

    Raises:
        SourceError: `bad_request` where the account is another than the configured one.
    """
    account = calling_account(ctx, "carbon_api")
    months = offered(ctx, window)
    say_if_unpublished(ctx, months, window)
    return [_partition(account, month) for month in sorted(months)]


def fetch(ctx: Context, request: Request) -> Page:
    """Ask for one page."""
    params = request.params
    month = Month.parse(params["month"])
    answer = _ask(
        ctx.settings,
        params["source"],
        month,
        month.plus(1),
        EmissionsTypes=list(EMISSIONS),
        GroupBy=list(GROUPING),
        **({"NextToken": params["NextToken"]} if "NextToken" in params else {}),
    )
    body = json.dumps({"Results": answer["Results"]}, default=_text).encode()
    return Page(
        pages.keep(ctx, body, params["source"], NamedPage, next=answer.get("NextToken"), names=names_of(ctx))
    )


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the page that follows, or None at the end: for the hook `paginate`."""
    return _PAGES.next(request, page.data.next)


def offered(ctx: Context, window: Window) -> set[Month]:
    """Ask which months in the window have figures."""
    start = max(window.since or FIRST, FIRST)
    this_month = Month.of(dt.datetime.now(dt.UTC).date())
    end = min(window.until or this_month, this_month)
    months: set[Month] = set()
    token: str | None = None
    while start < end:
        going_on = {"NextToken": token} if token else {}
        answer = ctx.call(
            _ask, ctx.settings, "sustainability", start, end, EmissionsTypes=[*EMISSIONS[:2]], **going_on
        )
        months |= {Month.of(_utc(row["TimePeriod"]["Start"]).date()) for row in answer["Results"]}
        before, token = token, answer.get("NextToken")
        if not token:
            break
        if token == before:
            raise SourceError(
                "the list of months names the same next page twice",
                error_class=ErrorClass.UNKNOWN,
                where="sustainability",
            )
    return {month for month in months if start <= month < end}


def _ask(settings: AwsSettings, where: str, start: Month, end: Month, **parameters: Any) -> dict[str, Any]:
    with located(where):
        answer: dict[str, Any] = client(settings, "sustainability").get_estimated_carbon_emissions(
            TimePeriod={"Start": _midnight(start), "End": _midnight(end)},
            Granularity="MONTHLY",
            MaxResults=settings.page_size,
            **parameters,
        )
    return answer


def _partition(account: str, month: Month) -> Partition:
    source = f"aws-sustainability://{account}/{month}"
    params = {"stream": "carbon_api", "month": str(month), "source": source}
    return Partition(
        stream="carbon_api",
        key=source.partition("://")[2],
        version=None,  # AWS gives no sign of a restatement
        requests=(Request(str(month), params),),
        month=month,
        source=source,
    )


def _midnight(month: Month) -> dt.datetime:
    return dt.datetime.combine(month.first_day, dt.time(), dt.UTC)


def _utc(moment: dt.datetime) -> dt.datetime:
    """In UTC: botocore gives timestamps in this machine's zone."""
    return moment.astimezone(dt.UTC)


def _text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return _utc(value).isoformat()
    raise TypeError(f"the answer holds a {type(value).__name__}")
