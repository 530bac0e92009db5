"""The stream `focus`: the months of Google's FOCUS table. What becomes of a row is the core's mapping, `ogf.focus`.

The table only ever grows; a billing period's version is its newest `x_ExportTime`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from ogf import focus
from ogf.hookspecs import Partition
from ogf.window import Month
from ogf_gcp.listing import ask, table_of, uri
from ogf_gcp.query import request
from ogf_gcp.settings import focus_table, query_project

if TYPE_CHECKING:
    from ogf.files import Table
    from ogf.hookspecs import Context
    from ogf.window import Window

_OURS = "google|gcp"
months_sql = focus.months_sql


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps rows to activities; rows of other providers are refused."""
    return focus.activities_sql(
        table, services="gcp_services", regions="gcp_regions", provider=_OURS, only=only
    )


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the table's billing periods in the window. Raises SourceError `not_found` without the table."""
    name = focus_table(ctx.settings)
    table = table_of(ctx, name)
    project = query_project(ctx.settings)
    exported = "MAX(x_ExportTime)" if any(field.name == "x_ExportTime" for field in table.schema) else "NULL"
    rows = ask(
        ctx,
        f"SELECT FORMAT_TIMESTAMP('%Y-%m', BillingPeriodStart) AS month, {exported} AS exported "
        f"FROM {name.quoted} WHERE BillingPeriodStart IS NOT NULL GROUP BY month ORDER BY month",
        name=name,
        project=project,
        location=table.location,
    )
    found = []
    for text, newest in rows:
        month = Month.parse(text)
        if month not in window:
            continue
        version = None if newest is None else newest.astimezone(dt.UTC).isoformat()
        changed = "".join(letter for letter in version or uuid.uuid4().hex if letter.isalnum())
        source = uri(name, text)
        asked = request(
            text,
            f"SELECT * FROM {name.quoted} WHERE TIMESTAMP_TRUNC(BillingPeriodStart, MONTH) = TIMESTAMP(@month)",
            [("month", "DATE", f"{text}-01")],
            project=project,
            location=table.location,
            job=f"ogf_focus_{text.replace('-', '')}_{changed}",
            source=source,
            stream="focus",
        )
        found.append(
            Partition(
                stream="focus",
                key=f"{name}/{text}",
                version=version,
                requests=(asked,),
                month=month,
                source=source,
            )
        )
    return found
