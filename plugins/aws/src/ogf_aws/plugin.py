"""The AWS provider: its hooks, and which module does the work for each stream."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.hookspecs import Page, Provider, Stream, hookimpl
from ogf_aws.settings import AwsSettings, location_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ogf.files import ObjectStore
    from ogf.hookspecs import ArrowStream, Check, Context, Found, Partition, Request, Verdict
    from ogf.window import Window

# Streams that are files at a location; the others ask an API. Each stream is a package with `source` and `mapping`.
_FILES = ("carbon", "cur", "focus")
# Streams whose rows may name accounts by their ids alone.
_NAMELESS = ("carbon", "carbon_api", "cur")
_TABLES = (
    "regions",
    "region_names",
    "region_prefixes",
    "services",
    "line_item_types",
    "emission_units",
    "meters",
    "instance_types",
)


def _demo(folder: Path) -> Mapping[str, Any]:
    from ogf_aws.demo import write_exports

    return write_exports(folder)


def _policy(missing: Iterable[tuple[str, str]]) -> tuple[str, str]:
    from ogf_aws.policy import document

    return "AWS: an IAM policy that grants what is missing", document(missing)


@hookimpl
def provider() -> Provider:
    return Provider(
        name="aws",
        title="Amazon Web Services",
        settings=AwsSettings,
        streams=(
            Stream(
                "carbon",
                description="data exports of AWS's carbon figures, every model version",
                keeps_history=True,
                unique_ids=True,
                editions=True,
                title="S3 carbon export",
                span="aws.ingest_carbon_footprint",
                page_event="s3 file processed",
            ),
            Stream(
                "carbon_api",
                description="AWS's carbon figures from the Sustainability API, where there is no export",
                keeps_history=True,
                unique_ids=True,
                title="AWS Sustainability",
                page_event="sustainability page processed",
            ),
            Stream(
                "cur",
                description="Cost and Usage Reports (legacy CUR and CUR 2.0 data exports)",
                billing=True,
                title="S3 CUR",
                span="aws.ingest_s3_cur",
                page_event="s3 file processed",
            ),
            Stream(
                "focus",
                description="data exports in the FOCUS format, 1.0 and 1.2",
                billing=True,
                title="S3 FOCUS export",
                page_event="s3 file processed",
            ),
            Stream(
                "cost_explorer",
                description="cost by usage type from Cost Explorer, where there is no export; AWS charges for it",
                unique_ids=True,
                billing=True,
                rate_limit_per_sec=1.0,  # AWS publishes no rate, and asks for few requests
                page_price=Decimal("0.01"),
                title="AWS Cost Explorer",
                page_event="cost explorer page processed",
            ),
        ),
        lookups={f"aws_{name}": Path(str(files("ogf_aws").joinpath(f"data/{name}.csv"))) for name in _TABLES},
        demo=_demo,
        policy=_policy,
    )


@hookimpl
def partitions(ctx: Context, stream: str, window: Window) -> Iterable[Partition]:
    from ogf_aws.organization import learn_names

    listed: list[Partition] = list(_source(stream).partitions(ctx, window))
    if stream in _NAMELESS and any(not partition.local for partition in listed):
        learn_names(ctx)
    return listed


@hookimpl
def fetch(ctx: Context, request: Request) -> Page:
    from ogf_aws.organization import with_names

    stream = request.params["stream"]
    if stream in _FILES:
        store = _store(ctx, stream)
        file = store.download(request.params["key"], request.params["etag"], ctx.scratch)
        return Page(with_names(ctx, file) if store.remote else file)
    page: Page = _source(stream).fetch(ctx, request)
    return page


@hookimpl
def paginate(request: Request, page: Page) -> Request | None:
    stream = request.params["stream"]
    if stream in _FILES:
        return None
    following: Request | None = _source(stream).following(request, page)
    return following


@hookimpl
def to_activities(ctx: Context, request: Request, page: Page) -> ArrowStream:
    from ogf_aws.organization import named

    params = request.params
    stream = params["stream"]
    if stream not in _FILES:
        return named(ctx.duckdb.sql(_mapping(stream).activities_sql(page.data, params)), page.data)
    table = ctx.rows(page.data)
    if not table.names:  # not even a header: a delivery without rows
        return ctx.duckdb.sql("SELECT CAST(NULL AS UUID) AS activity_id WHERE false")
    only = (params["account"], params["month"]) if "account" in params else None
    expected = params.get("expected", {})
    return named(ctx.duckdb.sql(_mapping(stream).activities_sql(table, only=only, **expected)), page.data)


@hookimpl
def classify_error(error: BaseException) -> Verdict | None:
    from ogf_aws.errors import classify

    return classify(error)


@hookimpl
def confirm(ctx: Context, partition: Partition) -> bool:
    if partition.stream not in _FILES:
        return True
    from ogf_aws.exports.discovery import still_current

    return still_current(ctx, _store(ctx, partition.stream), partition)


@hookimpl
def check(ctx: Context, stream: str) -> Iterable[Check]:
    from ogf_aws.doctor import check as checks

    return checks(ctx, stream)


@hookimpl
def discover(ctx: Context) -> Iterable[Found | Check]:
    from ogf_aws.discover import discover as discovered

    return discovered(ctx)


def _store(ctx: Context, stream: str) -> ObjectStore:
    from ogf_aws.s3 import open_store

    return open_store(ctx.settings, location_of(ctx.settings, stream))


def _source(stream: str) -> Any:
    """The module that lists a stream's partitions; of an API, it asks for the pages too."""
    return import_module(f"ogf_aws.{stream}.source")


def _mapping(stream: str) -> Any:
    """The module with a stream's `activities_sql`."""
    return import_module(f"ogf_aws.{stream}.mapping")
