"""What every stream asks before it plans: a table's facts, small queries about it, and the files of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.files.loose import Months, data_files, loose_partitions
from ogf_gcp.errors import located
from ogf_gcp.gs import open_store
from ogf_gcp.jobs import LABELS, finished, once
from ogf_gcp.session import bigquery_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import bigquery

    from ogf.hookspecs import Context, Partition
    from ogf.window import Window
    from ogf_gcp.jobs import Parameter
    from ogf_gcp.names import TableName


def uri(name: TableName, part: str = "") -> str:
    """What auditors and errors call a table, or a part of it."""
    return f"bigquery://{name}" + (f"/{part}" if part else "")


def table_of(ctx: Context, name: TableName) -> bigquery.Table:
    """Ask for a table's schema, partitioning and location. Raises `not_found` if there is none."""

    def get() -> Any:
        with located(uri(name)):
            return bigquery_client(ctx.settings).get_table(str(name), **once(ctx.settings.request_timeout))

    table: bigquery.Table = ctx.call(get)
    return table


def ask(
    ctx: Context,
    sql: str,
    parameters: Sequence[Parameter] = (),
    *,
    name: TableName,
    project: str,
    location: str,
) -> list[tuple[Any, ...]]:
    """Run a small query now, never from a cache, and give its rows.

    One that outlasts `request_timeout` is waited for, not started again.
    """
    settings = ctx.settings
    started: list[bigquery.QueryJob] = []

    def start() -> bigquery.QueryJob:
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            query_parameters=[bigquery.ScalarQueryParameter(*parameter) for parameter in parameters],
            maximum_bytes_billed=settings.maximum_bytes_billed,
            use_query_cache=False,
            labels=LABELS,
        )
        return bigquery_client(settings).query(
            sql,
            job_config=config,
            project=project,
            location=location,
            job_retry=None,
            **once(settings.request_timeout),
        )

    def run() -> list[tuple[Any, ...]]:
        with located(uri(name)):
            if not started:
                started.append(start())
            try:
                return [tuple(row.values()) for row in finished(started[0], settings, uri(name))]
            except SourceError:  # still running
                raise
            except Exception:  # the job failed: another attempt needs another job
                started.clear()
                raise

    rows: list[tuple[Any, ...]] = ctx.call(run)
    return rows


def within(column: str, window: Window) -> tuple[str, list[Parameter]]:
    """Write the condition that a column of timestamps lies in a window, so that a query reads no other partitions."""
    bounds = [("since", ">=", window.since), ("until", "<", window.until)]
    conditions = [f"{column} {sign} TIMESTAMP(@{name})" for name, sign, month in bounds if month is not None]
    return (
        " AND ".join([f"{column} IS NOT NULL", *conditions]),
        [(name, "DATE", f"{month}-01") for name, _, month in bounds if month is not None],
    )


def partitions_of_files(ctx: Context, location: str, window: Window, months: Months) -> list[Partition]:
    """List the partitions of exported files, in Cloud Storage or a local folder.

    Raises:
        SourceError: `not_found` where there is no data file.
    """
    store = open_store(ctx.settings, location)
    files = list(data_files(ctx, store))
    if not files:
        raise SourceError(
            "there is no data file here",
            error_class=ErrorClass.NOT_FOUND,
            where=store.root,
            hint=f"check ingestion.gcp.{months.stream}.location: it should hold Parquet, CSV or JSON files",
        )
    return loose_partitions(ctx, store, files, window, months)
