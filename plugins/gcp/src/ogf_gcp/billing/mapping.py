"""From a billing export's columns to the one SQL statement that maps its rows to activities."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.files.columns import find, raw_row, raw_value, require, typed, unreadable, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_COLUMNS = wanted("ogf_gcp.billing")
_DIVISION = Division(
    account="billing_account_id",
    started="coalesce(invoice_month, CAST(timezone('UTC', usage_start_time) AS DATE))",
)


def top_level() -> list[str]:
    """The table's columns that are read: a query that names them bills no others."""
    names = [(item.spellings or (item.column,))[0].partition(".")[0] for item in _COLUMNS]
    return list(dict.fromkeys(names))


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps an export's rows to activities.

    Args:
        only: read only the rows of this (billing account, invoice month), as `months_sql` names them.

    Raises:
        SourceError: `bad_request` naming the required columns that the export lacks.
    """
    return filled(
        "ogf_gcp.billing",
        source=_DIVISION.part(_rows(table), only),
        physical=files("ogf_gcp.billing").joinpath("physical.sql").read_text(encoding="utf-8"),
        uri=literal(table.uri),
    )


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (billing account, invoice month). Raises as `activities_sql`."""
    return _DIVISION.listed(_rows(table))


def _rows(table: Table) -> str:
    found = find(table, _COLUMNS)
    require(table, _COLUMNS, found, hint="check that this is a Cloud Billing export")
    columns = dict(zip((item.column for item in _COLUMNS), typed(_COLUMNS, found), strict=True))
    if "cost_type" not in found:  # a NULL would say that the row's is unknown
        columns["cost_type"] = "'regular' AS cost_type"
    return (
        f"SELECT {', '.join(columns.values())},\n        {raw_value(found, 'cost')} AS raw_cost,"
        f"\n        {raw_value(found, 'amount')} AS raw_amount,\n        {raw_row(_COLUMNS, found)} AS raw_row,"
        f"\n        {unreadable(_COLUMNS, found)} AS list_unreadable\n        FROM {table.source}"
    )
