"""Which enrolments and months of emissions there are, and asking for one page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Page, Partition, Request
from ogf.paging import CursorPages
from ogf.window import Month
from ogf_azure import arm
from ogf_azure.pages import keep, list_in, parsed, text_in, unexpected

if TYPE_CHECKING:
    from ogf.hookspecs import Context
    from ogf.window import Window
    from ogf_azure.settings import AzureSettings

_URL = "https://api.mcfs.microsoft.com"
_SCOPE = "c3163bf1-092f-436b-b260-7ade5973e5b9/.default"
_KEY = "Ocp-Apim-Subscription-Key"
_NEXT = "@odata.nextLink"
_PAGES = CursorPages("next")


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months that each enrolment has figures for."""
    return [
        _partition(enrollment, month)
        for enrollment in sorted({name.strip() for name in ctx.settings.mcfs.enrollments})
        for month in _months(ctx, enrollment)
        if month in window
    ]


def fetch(ctx: Context, request: Request) -> Page:
    """Ask for one page."""
    params = request.params
    where = _source(params["enrollment"], params["month"])
    key = params["month"].replace("-", "") + "01"
    got = _get(ctx.settings, params["enrollment"], params.get("next"), {"$filter": f"dateKey eq {key}"})
    if got is None:
        return Page(None)
    answer = parsed(got.body, where)
    list_in(answer, "value", where)
    return Page(keep(ctx, got.body, where, next=text_in(answer, _NEXT, where)))


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the page that follows, or None at the end: for the hook `paginate`."""
    return None if page.data is None else _PAGES.next(request, page.data.next)


def server(settings: AzureSettings) -> arm.Server:
    """Give the API's server, with its own auth resource and, where one is set, the subscription key."""
    key = settings.mcfs.subscription_key
    headers = {} if key is None else {_KEY: key.get_secret_value()}
    return arm.Server(settings.mcfs.endpoint_url or _URL, _SCOPE, headers)


def _get(
    settings: AzureSettings, enrollment: str, link: str | None, query: dict[str, str]
) -> arm.Answer | None:
    path = (
        f"/api/v1.0/instances/{quote(settings.mcfs.instance_id or '', safe='')}"
        f"/enrollments/{quote(enrollment, safe='')}/emissions"
    )
    return arm.call(settings, "GET", link or path, params=None if link else query, server=server(settings))


def _months(ctx: Context, enrollment: str) -> list[Month]:
    """Ask for the distinct months of an enrolment."""
    where = f"azure-mcfs://{enrollment}"
    months: set[Month] = set()
    link: str | None = None
    seen: set[str] = set()
    while True:
        got = ctx.call(_get, ctx.settings, enrollment, link, {"$apply": "groupby((dateKey))"})
        if got is None:
            return sorted(months)
        answer = parsed(got.body, where)
        months.update(_month(item, where) for item in list_in(answer, "value", where))
        link = text_in(answer, _NEXT, where)
        if link is None:
            return sorted(months)
        if link in seen:
            raise SourceError(
                "the list of months names the same next page twice",
                error_class=ErrorClass.UNKNOWN,
                where=where,
            )
        seen.add(link)


def _month(item: Any, where: str) -> Month:
    key = str(item.get("dateKey")) if isinstance(item, dict) else ""
    try:
        return Month.parse(f"{key[:4]}-{key[4:6]}")
    except ValueError:
        raise unexpected(f"`dateKey` is {key or 'missing'}", where) from None


def _partition(enrollment: str, month: Month) -> Partition:
    return Partition(
        stream="mcfs",
        key=f"{enrollment}/{month}",
        version=None,  # figures are restated, and nothing tells
        requests=(
            Request(
                f"{enrollment} {month}", {"stream": "mcfs", "enrollment": enrollment, "month": str(month)}
            ),
        ),
        month=month,
        source=_source(enrollment, str(month)),
    )


def _source(enrollment: str, month: str) -> str:
    return f"azure-mcfs://{enrollment}/{month}"
