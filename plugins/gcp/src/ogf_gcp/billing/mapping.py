"""From a billing export's columns to the one SQL statement that maps its rows to activities."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.files.columns import find, raw_row, raw_value, require, typed, unreadable, wanted
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_COLUMNS = wanted("ogf_gcp.billing")
_ACCOUNT = "coalesce(billing_account_id, 'unknown')"
_INVOICED = "coalesce(invoice_month, CAST(timezone('UTC', usage_start_time) AS DATE))"
_MONTH = f"coalesce(strftime({_INVOICED}, '%Y-%m'), 'unknown')"


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
    statement = files("ogf_gcp.billing").joinpath("activities.sql").read_text(encoding="utf-8")
    head, rest = statement.split(":source")
    middle, tail = rest.split(":uri")
    return f"{head}{_source(table, only)}{middle}{literal(table.uri)}{tail}"


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (billing account, invoice month). Raises as `activities_sql`."""
    return f"SELECT DISTINCT {_ACCOUNT}, {_MONTH} FROM ({_source(table, None)}) ORDER BY ALL"


def _source(table: Table, only: tuple[str, str] | None) -> str:
    found = find(table, _COLUMNS)
    require(table, _COLUMNS, found, hint="check that this is a Cloud Billing export")
    select = (
        f"SELECT {', '.join(typed(_COLUMNS, found))},\n        {raw_value(found, 'cost')} AS raw_cost,"
        f"\n        {raw_value(found, 'amount')} AS raw_amount,\n        {raw_row(_COLUMNS, found)} AS raw_row,"
        f"\n        {unreadable(_COLUMNS, found)} AS list_unreadable\n        FROM {table.source}"
    )
    if only is None:
        return select
    account, month = only
    return f"SELECT * FROM ({select}) WHERE {_ACCOUNT} = {literal(account)} AND {_MONTH} = {literal(month)}"
