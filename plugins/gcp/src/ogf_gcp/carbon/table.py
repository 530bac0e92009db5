"""The months of a Carbon Footprint table. A month's version is when its table partition was last changed.

Google writes month M on the 15th of M+1, and rewrites months only when their owner asks for a backfill. The model
version does not tell: some corrections keep it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from ogf.hookspecs import Partition
from ogf.window import Month
from ogf_gcp.carbon.mapping import scalar_table
from ogf_gcp.listing import ask, table_of, uri
from ogf_gcp.query import request
from ogf_gcp.settings import carbon_table, query_project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import bigquery

    from ogf.hookspecs import Context
    from ogf.window import Window
    from ogf_gcp.names import TableName

PUBLISHED_ON = 15


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the table's months in the window.

    Raises:
        SourceError: `not_found` without the table, `bad_request` for a table of before July 2022.
    """
    name = carbon_table(ctx.settings)
    table = table_of(ctx, name)
    figures = next((field for field in table.schema if field.name == "carbon_footprint_kgCO2e"), None)
    if figures is not None and figures.field_type not in ("RECORD", "STRUCT"):
        raise scalar_table(uri(name))
    versions = _versions(ctx, name, table)
    _say_if_unpublished(ctx, versions.keys(), window)
    return [
        _partition(ctx, name, month, version, location=table.location)
        for month, version in sorted(versions.items())
        if month in window
    ]


def _versions(ctx: Context, name: TableName, table: bigquery.Table) -> dict[Month, str | None]:
    project = query_project(ctx.settings)
    divided = table.time_partitioning
    if (
        divided is None or divided.field != "usage_month"
    ):  # a view or a copy gives no sign of a change: it is hashed
        rows = ask(
            ctx,
            f"SELECT DISTINCT FORMAT_DATE('%Y-%m', usage_month) FROM {name.quoted} WHERE usage_month IS NOT NULL",
            name=name,
            project=project,
            location=table.location,
        )
        return {Month.parse(month): None for (month,) in rows}
    rows = ask(
        ctx,
        f"SELECT partition_id, last_modified_time FROM {name.dataset_quoted}.INFORMATION_SCHEMA.PARTITIONS "
        "WHERE table_name = @table_name",
        [("table_name", "STRING", name.table)],
        name=name,
        project=project,
        location=table.location,
    )
    newest: dict[Month, dt.datetime] = {}
    if any(part == "__NULL__" for part, _ in rows):
        ctx.note("the table has rows without a usage_month: they belong to no month and are not read")
    for part, changed in rows:
        if part and part[:6].isdigit():  # not __NULL__ or __UNPARTITIONED__
            month = Month.parse(f"{part[:4]}-{part[4:6]}")
            newest[month] = max(changed, newest.get(month, changed))
    return {month: changed.astimezone(dt.UTC).isoformat() for month, changed in newest.items()}


def _partition(
    ctx: Context, name: TableName, month: Month, version: str | None, *, location: str
) -> Partition:
    changed = "".join(letter for letter in version or uuid.uuid4().hex if letter.isalnum())
    source = uri(name, str(month))
    return Partition(
        stream="carbon",
        key=f"{name}/{month}",
        version=version,
        requests=(
            request(
                str(month),
                f"SELECT * FROM {name.quoted} WHERE usage_month = @usage_month",
                [("usage_month", "DATE", f"{month}-01")],
                project=query_project(ctx.settings),
                location=location,
                job=f"ogf_carbon_{str(month).replace('-', '')}_{changed}",
                source=source,
                stream="carbon",
            ),
        ),
        month=month,
        source=source,
    )


def _say_if_unpublished(ctx: Context, months: Iterable[Month], window: Window) -> None:
    today = dt.datetime.now(dt.UTC).date()
    last = Month.of(today.replace(day=1) - dt.timedelta(days=1))
    if last in window and last not in set(months) and today.day < PUBLISHED_ON:
        ctx.note(f"{last} is not published yet: Google writes it on the {PUBLISHED_ON}th of this month")
    elif last in window and last not in set(months):
        ctx.note(
            f"{last} is not in the table, though Google writes it on the {PUBLISHED_ON}th: look at the export's "
            "transfer in the console of BigQuery"
        )
