"""The AWS provider: its hooks, and which module does the work for each stream."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.hookspecs import Page, Provider, Stream, hookimpl
from ogf_aws.settings import AwsSettings, cur_location

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ogf.files import ObjectStore
    from ogf.hookspecs import ArrowStream, Check, Context, Partition, Request, Verdict
    from ogf.window import Window

_TABLES = (
    "regions",
    "region_names",
    "region_prefixes",
    "services",
    "line_item_types",
    "meters",
    "instance_types",
)


def _demo(folder: Path) -> Mapping[str, Any]:
    from ogf_aws.demo import write_exports

    return write_exports(folder)


@hookimpl
def provider() -> Provider:
    return Provider(
        name="aws",
        title="Amazon Web Services",
        settings=AwsSettings,
        streams=(
            Stream(
                "cur",
                description="Cost and Usage Reports (legacy CUR and CUR 2.0 data exports)",
                billing=True,
                title="S3 CUR",
                page_event="s3 file processed",
            ),
        ),
        lookups={f"aws_{name}": Path(str(files("ogf_aws").joinpath(f"data/{name}.csv"))) for name in _TABLES},
        demo=_demo,
    )


@hookimpl
def partitions(ctx: Context, stream: str, window: Window) -> Iterable[Partition]:  # noqa: ARG001
    from ogf_aws.cur import discovery

    return discovery.partitions(ctx, _store(ctx), window)


@hookimpl
def fetch(ctx: Context, request: Request) -> Page:
    return Page(_store(ctx).download(request.params["key"], request.params["etag"], ctx.scratch))


@hookimpl
def to_activities(ctx: Context, request: Request, page: Page) -> ArrowStream:
    from ogf_aws.cur.mapping import activities_sql

    table = ctx.rows(page.data)
    if not table.names:  # not even a header: a delivery without rows
        return ctx.duckdb.sql("SELECT CAST(NULL AS UUID) AS activity_id WHERE false")
    params = request.params
    only = (params["account"], params["month"]) if "account" in params else None
    return ctx.duckdb.sql(activities_sql(table, only=only))


@hookimpl
def classify_error(error: BaseException) -> Verdict | None:
    from ogf_aws.errors import classify

    return classify(error)


@hookimpl
def confirm(ctx: Context, partition: Partition) -> bool:
    from ogf_aws.cur import discovery

    return discovery.still_current(ctx, _store(ctx), partition)


@hookimpl
def check(ctx: Context, stream: str) -> Iterable[Check]:
    from ogf_aws.doctor import check as checks

    return checks(ctx, stream)


def _store(ctx: Context) -> ObjectStore:
    from ogf_aws.s3 import open_store

    return open_store(ctx.settings, cur_location(ctx.settings))
