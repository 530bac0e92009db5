"""The ingestion days of a billing export. A day's version is its newest `export_time` and how many rows it has.

The export only ever appends: late usage and corrections arrive in the partition of the day on which they arrive, with
their own, older, usage dates. A day's rows may still grow for some days. So all days are looked at, each by one column.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Partition
from ogf.window import Month
from ogf_gcp.billing.mapping import top_level
from ogf_gcp.listing import ask, table_of, uri, within
from ogf_gcp.query import request
from ogf_gcp.settings import billing_table, query_project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from ogf.hookspecs import Context
    from ogf.window import Window
    from ogf_gcp.names import TableName


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the table's ingestion days in the window.

    Raises:
        SourceError: `not_found` without the table, `bad_request` for one without `export_time` or `credits`.
    """
    name = billing_table(ctx.settings)
    table = table_of(ctx, name)
    columns = {field.name for field in table.schema}
    # Without the first there is no version; without the second the sum of cost would silently not be net.
    lost = [column for column in ("export_time", "credits") if column not in columns]
    if lost:
        raise SourceError(
            f"the table has no column {' and no column '.join(lost)}",
            error_class=ErrorClass.BAD_REQUEST,
            where=uri(name),
            hint="check billing.dataset and billing.table: they should name a Cloud Billing export",
        )
    chosen = ", ".join(column for column in top_level() if column in columns)
    condition, bounds = within(_day(table), window)
    days = ask(
        ctx,
        f"SELECT FORMAT_TIMESTAMP('%Y-%m-%d', {_day(table)}) AS day, MAX(export_time) AS exported, COUNT(*) AS n "
        f"FROM {name.quoted} WHERE {condition} GROUP BY day ORDER BY day",
        bounds,
        name=name,
        project=query_project(ctx.settings),
        location=table.location,
    )
    return [
        _partition(
            ctx,
            name,
            day,
            f"{exported.astimezone(dt.UTC).isoformat()}/{count}",
            f"SELECT {chosen} FROM {name.quoted} WHERE {_day(table)}",
            table,
        )
        for day, exported, count in days
        if Month.parse(day[:7]) in window
    ]


def _day(table: bigquery.Table) -> str:
    """What tells the day on which a row arrived: the pseudo column, or in a copy of the table, the time of export."""
    by_ingestion = table.time_partitioning is not None and table.time_partitioning.field is None
    return "_PARTITIONTIME" if by_ingestion else "TIMESTAMP_TRUNC(export_time, DAY)"


def _partition(
    ctx: Context, name: TableName, day: str, version: str, select: str, table: bigquery.Table
) -> Partition:
    source = uri(name, day)
    return Partition(
        stream="billing",
        key=f"{name}/{day}",
        version=version,
        requests=(
            request(
                day,
                f"{select} = TIMESTAMP(@day)",
                [("day", "DATE", day)],
                project=query_project(ctx.settings),
                location=table.location,
                job="ogf_billing_" + "".join(letter for letter in f"{day}_{version}" if letter.isalnum()),
                source=source,
                stream="billing",
            ),
        ),
        month=Month.parse(day[:7]),
        source=source,
    )
