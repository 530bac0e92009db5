"""From a Carbon Footprint table's columns to the one SQL statement that maps its rows to activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.columns import find, raw_row, raw_value, require, typed, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_COLUMNS = wanted("ogf_gcp.carbon")
_FIGURES = "carbon_footprint_kgco2e"
_DIVISION = Division(account="billing_account_id", started="usage_month")


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps a table's rows to activities.

    Args:
        only: read only the rows of this (billing account, month), as `months_sql` names them.

    Raises:
        SourceError: `bad_request` for a table without scopes, or that lacks a required column.
    """
    return filled("ogf_gcp.carbon", source=_DIVISION.part(_rows(table), only), uri=literal(table.uri))


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (billing account, month). Raises as `activities_sql`."""
    return _DIVISION.listed(_rows(table))


def scalar_table(where: str) -> SourceError:
    return SourceError(
        "the table has one figure for each row and no scopes: it is from before July 2022",
        error_class=ErrorClass.BAD_REQUEST,
        where=where,
        hint="read the table `carbon_footprint` that the export writes now, and backfill the months you need there",
    )


def _rows(table: Table) -> str:
    kinds = dict(zip((name.casefold() for name in table.names), table.types, strict=True))
    if kinds.get(_FIGURES, "STRUCT").partition("(")[0] not in ("STRUCT", "JSON"):
        raise scalar_table(table.uri)
    found = find(table, _COLUMNS)
    require(table, _COLUMNS, found, hint="check that this is the table of a Carbon Footprint export")
    figures = [item.column for item in _COLUMNS if item.kind == "double"]
    unread = " OR ".join(f"({raw_value(found, name)} IS NOT NULL AND {name} IS NULL)" for name in figures)
    return (
        f"SELECT {', '.join(typed(_COLUMNS, found))},\n        {raw_row(_COLUMNS, found)} AS raw_row"
        f",\n        {unread} AS figure_unreadable"
        f"\n        FROM {table.source}"
    )
