"""The stream `focus`: the months of Google's FOCUS table. What becomes of a row is the core's mapping, `ogf.focus`.

The table only ever grows; a billing period's version is its newest `x_ExportTime` and how many rows
it has.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from ogf import focus
from ogf.hookspecs import Partition
from ogf.physical import Catalogue
from ogf.window import Month, Window
from ogf_gcp.listing import ask, table_of, uri, within
from ogf_gcp.query import request
from ogf_gcp.settings import focus_table, query_project

if TYPE_CHECKING:
    from ogf.files import Table
    from ogf.hookspecs import Context

_OURS = "google|gcp"
_CATALOGUE = Catalogue(instance_types="gcp_instance_types")
months_sql = focus.months_sql


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps rows to activities; rows of other providers are refused."""
    return focus.activities_sql(
        table, services="gcp_services", regions="gcp_regions", provider=_OURS, only=only, catalogue=_CATALOGUE
    )


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the table's billing periods in the window. Raises SourceError `not_found` without the table."""
    name = focus_table(ctx.settings)
    table = table_of(ctx, name)
    project = query_project(ctx.settings)
    columns = [field.name for field in table.schema]
    wanted = {name.casefold() for name in focus.columns_read()}
    chosen = ", ".join(column for column in columns if column.casefold() in wanted)
    exported = "MAX(x_ExportTime)" if "x_ExportTime" in columns else "NULL"
    condition, bounds = within("BillingPeriodStart", window)
    rows = ask(
        ctx,
        f"SELECT FORMAT_TIMESTAMP('%Y-%m', BillingPeriodStart) AS month, {exported} AS exported, "
        f"COUNT(*) AS n FROM {name.quoted} WHERE {condition} GROUP BY month ORDER BY month",
        bounds,
        name=name,
        project=project,
        location=table.location,
    )
    found = []
    for text, newest, count in rows:
        month = Month.parse(text)
        if month not in window:
            continue
        version = None if newest is None else f"{newest.astimezone(dt.UTC).isoformat()}/{count}"
        changed = "".join(letter for letter in version or uuid.uuid4().hex if letter.isalnum())
        source = uri(name, text)
        one, days = within("BillingPeriodStart", Window(month, month.plus(1)))
        asked = request(
            text,
            f"SELECT {chosen} FROM {name.quoted} WHERE {one}",
            days,
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
