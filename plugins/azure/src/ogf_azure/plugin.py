"""The Azure provider: its hooks, and which module does the work for each stream."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.hookspecs import Page, Provider, Stream, hookimpl
from ogf_azure.settings import AzureSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ogf.hookspecs import ArrowStream, Check, Context, Partition, Request, Verdict
    from ogf.window import Window

_TABLES = ("regions", "services", "instance_types", "tiers")
_FILES = ("focus", "actual_cost")


def _demo(folder: Path) -> Mapping[str, Any]:
    from ogf_azure.demo import write_exports

    return write_exports(folder)


@hookimpl
def provider() -> Provider:
    return Provider(
        name="azure",
        title="Microsoft Azure",
        settings=AzureSettings,
        streams=(
            Stream(
                "carbon",
                description="Carbon Optimization, by resource and scope",
                keeps_history=True,
                unique_ids=True,
                title="Azure carbon emissions",
                span="azure.ingest_emissions_api",
                page_event="emissions page processed",
            ),
            Stream(
                "focus",
                description="Cost Management exports in the FOCUS format",
                billing=True,
                title="Azure FOCUS export",
            ),
            Stream(
                "actual_cost",
                description="Cost Management exports of actual or amortized cost",
                billing=True,
                title="Azure cost export",
            ),
            Stream(
                "cost_query",
                description="cost by day from the Query API, where there is no export",
                billing=True,
                unique_ids=True,
                # The first of its budgets as a rate: while one is spent, this stream alone waits.
                rate_limit_per_sec=1.2,
                title="Azure cost query",
                span="azure.ingest_cost_management",
                page_event="azure cost page processed",
            ),
            Stream(
                "mcfs",
                description="Microsoft Cloud for Sustainability (preview)",
                keeps_history=True,
                title="Microsoft Cloud for Sustainability",
                page_event="emissions page processed",
            ),
        ),
        lookups={
            f"azure_{name}": Path(str(files("ogf_azure").joinpath(f"data/{name}.csv"))) for name in _TABLES
        },
        demo=_demo,
    )


@hookimpl
def partitions(ctx: Context, stream: str, window: Window) -> Iterable[Partition]:
    if stream in _FILES:
        from ogf_azure.exports import discovery

        found: Iterable[Partition] = discovery.partitions(ctx, stream, window)
        return found
    listed: Iterable[Partition] = _asked(stream).partitions(ctx, window)
    return listed


@hookimpl
def fetch(ctx: Context, request: Request) -> Page:
    stream = request.params["stream"]
    if stream in _FILES:
        from ogf_azure.blob import open_store

        store = open_store(ctx.settings, getattr(ctx.settings, stream).location)
        return Page(store.download(request.params["key"], request.params["etag"], ctx.scratch))
    page: Page = _asked(stream).fetch(ctx, request)
    return page


@hookimpl
def paginate(request: Request, page: Page) -> Request | None:
    stream = request.params["stream"]
    if stream in _FILES:
        return None
    following: Request | None = _asked(stream).following(request, page)
    return following


@hookimpl
def to_activities(ctx: Context, request: Request, page: Page) -> ArrowStream:
    stream = request.params["stream"]
    if stream in _FILES:
        from ogf_azure.exports import rows

        rows.check(ctx, request, page.data)
        table = ctx.rows(page.data)
        if not table.names:  # not even a header
            return _nothing(ctx)
        params = request.params
        only = (params["account"], params["month"]) if "account" in params else None
        return ctx.duckdb.sql(_of_files(stream).activities_sql(table, only=only))
    if page.data is None:  # 204
        return _nothing(ctx)
    return ctx.duckdb.sql(_of_pages(stream).activities_sql(page.data, request.params))


@hookimpl
def classify_error(error: BaseException) -> Verdict | None:
    from ogf_azure.errors import classify

    return classify(error)


@hookimpl
def confirm(ctx: Context, partition: Partition) -> bool:
    if partition.stream not in _FILES:
        return True
    from ogf_azure.exports import rows

    return rows.confirm(ctx, partition)


@hookimpl
def check(ctx: Context, stream: str) -> Iterable[Check]:
    from ogf_azure.doctor import check as checks

    return checks(ctx, stream)


def _nothing(ctx: Context) -> ArrowStream:
    return ctx.duckdb.sql("SELECT CAST(NULL AS UUID) AS activity_id WHERE false")


def _asked(stream: str) -> Any:
    """The module that lists and asks for the pages of a stream that comes from an API."""
    match stream:
        case "carbon":
            from ogf_azure.carbon import request as carbon

            return carbon
        case "cost_query":
            from ogf_azure.cost_query import request as cost_query

            return cost_query
        case _:
            from ogf_azure.mcfs import request as mcfs

            return mcfs


def _of_pages(stream: str) -> Any:
    """The module with the `activities_sql` of a stream's JSON pages."""
    match stream:
        case "carbon":
            from ogf_azure.carbon import mapping as carbon

            return carbon
        case "cost_query":
            from ogf_azure.cost_query import mapping as cost_query

            return cost_query
        case _:
            from ogf_azure.mcfs import mapping as mcfs

            return mcfs


def _of_files(stream: str) -> Any:
    """The module with the `activities_sql` of a stream's files."""
    if stream == "actual_cost":
        from ogf_azure.actual_cost import mapping as actual_cost

        return actual_cost
    from ogf_azure import focus

    return focus
