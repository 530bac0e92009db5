"""The Google Cloud provider: its hooks, and which module does the work for each stream."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.hookspecs import Page, Provider, Stream, hookimpl
from ogf_gcp.settings import GcpSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ogf.hookspecs import ArrowStream, Check, Context, Partition, Request, Verdict
    from ogf.window import Window

_TABLES = ("regions", "services", "instance_types", "machine_families")


def _demo(folder: Path) -> Mapping[str, Any]:
    from ogf_gcp.demo import write_exports

    return write_exports(folder)


@hookimpl
def provider() -> Provider:
    return Provider(
        name="gcp",
        title="Google Cloud",
        settings=GcpSettings,
        streams=(
            Stream(
                "carbon",
                description="Carbon Footprint export",
                keeps_history=True,
                unique_ids=True,
                title="BigQuery carbon footprint",
                span="gcp.ingest_bigquery",
                page_event="bigquery page processed",
            ),
            Stream(
                "billing",
                description="Cloud Billing export, standard or detailed",
                billing=True,
                title="BigQuery billing export",
                span="gcp.ingest_billing_api",
                page_event="bigquery page processed",
            ),
            Stream(
                "focus",
                description="Cloud Billing export in the FOCUS format",
                billing=True,
                title="BigQuery FOCUS export",
                page_event="bigquery page processed",
            ),
        ),
        lookups={f"gcp_{name}": Path(str(files("ogf_gcp").joinpath(f"data/{name}.csv"))) for name in _TABLES},
        demo=_demo,
    )


@hookimpl
def partitions(ctx: Context, stream: str, window: Window) -> Iterable[Partition]:
    location = getattr(ctx.settings, stream).location
    if location:
        from ogf.files.loose import Months
        from ogf_gcp.listing import partitions_of_files

        months = Months(stream, _mapping(stream).months_sql, overlap=True)
        return partitions_of_files(ctx, location, window, months)
    listed: Iterable[Partition] = _table(stream).partitions(ctx, window)
    return listed


@hookimpl
def fetch(ctx: Context, request: Request) -> Page:
    if "sql" in request.params:
        from ogf_gcp.query import fetch_page

        return fetch_page(ctx, request)
    from ogf_gcp.gs import open_store

    store = open_store(ctx.settings, getattr(ctx.settings, request.params["stream"]).location)
    return Page(store.download(request.params["key"], request.params["etag"], ctx.scratch))


@hookimpl
def paginate(request: Request, page: Page) -> Request | None:
    if "sql" not in request.params:
        return None
    from ogf_gcp.query import following

    return following(request, page)


@hookimpl
def to_activities(ctx: Context, request: Request, page: Page) -> ArrowStream:
    table = ctx.rows(page.data)
    if not table.names:  # not even a header
        return ctx.duckdb.sql("SELECT CAST(NULL AS UUID) AS activity_id WHERE false")
    params = request.params
    only = (params["account"], params["month"]) if "account" in params else None
    return ctx.duckdb.sql(_mapping(params["stream"]).activities_sql(table, only=only))


@hookimpl
def classify_error(error: BaseException) -> Verdict | None:
    from ogf_gcp.errors import classify

    return classify(error)


@hookimpl
def check(ctx: Context, stream: str) -> Iterable[Check]:
    from ogf_gcp.doctor import check as checks

    return checks(ctx, stream)


def _mapping(stream: str) -> Any:
    """The module with a stream's `activities_sql` and `months_sql`."""
    match stream:
        case "carbon":
            from ogf_gcp.carbon import mapping as carbon

            return carbon
        case "billing":
            from ogf_gcp.billing import mapping as billing

            return billing
        case _:
            from ogf_gcp import focus

            return focus


def _table(stream: str) -> Any:
    """The module that lists the partitions of a stream's table."""
    match stream:
        case "carbon":
            from ogf_gcp.carbon import table as carbon

            return carbon
        case "billing":
            from ogf_gcp.billing import table as billing

            return billing
        case _:
            from ogf_gcp import focus

            return focus
