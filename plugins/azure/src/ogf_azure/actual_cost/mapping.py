"""From the header of cost details to the one SQL statement that maps their rows to activities."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.files.columns import find, raw_row, raw_value, require, typed, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_COLUMNS = wanted("ogf_azure.actual_cost")
_TRANSLATED = re.compile(r".*\(([A-Za-z0-9 ]+)\)\s*")  # `Ressourcengruppe (ResourceGroup)`
_NOBODY = "00000000-0000-0000-0000-000000000000"


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps a file's rows to activities.

    Args:
        only: read only the rows of this (billing account or subscription, month), as `months_sql` names them.

    Raises:
        SourceError: `bad_request` naming the required columns that the file lacks.
    """
    return filled(
        "ogf_azure.actual_cost",
        source=_DIVISION.part(_rows(table), only),
        physical=files("ogf_azure.actual_cost").joinpath("physical.sql").read_text(encoding="utf-8"),
        uri=literal(table.uri),
    )


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (billing account or subscription, month). Raises as `activities_sql`."""
    return _DIVISION.listed(_rows(table))


def _rows(table: Table) -> str:
    table = replace(table, names=tuple(_plain(name) for name in table.names))
    found = find(table, _COLUMNS)
    require(table, _COLUMNS, found, hint="check that this is an export of actual or amortized cost")
    usage_only = "true" if "charge_type" not in found else "false"
    return (
        f"SELECT {', '.join(typed(_COLUMNS, found))},"
        f"\n        {raw_value(found, 'billed_cost')} AS raw_cost,"
        f"\n        {raw_value(found, 'usage_quantity')} AS raw_quantity,"
        f"\n        {usage_only} AS usage_only,"
        f"\n        {raw_row(_COLUMNS, found)} AS raw_row"
        f"\n        FROM {table.source}"
    )


def _plain(name: str) -> str:
    """The column's own name where the header says it in another language first."""
    match = _TRANSLATED.fullmatch(name)
    return match[1] if match else name


def _day(column: str) -> str:
    """A day written as 2026-01-31, 1/31/2026 or 01/31/2026, with or without a time; NULL for anything else."""
    return (
        f"CASE WHEN contains({column}, '/') "
        f"THEN try_strptime({column}, ['%m/%d/%Y', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y %I:%M:%S %p']) "
        f"ELSE timezone('UTC', TRY_CAST({column} AS TIMESTAMPTZ)) END"
    )


# By the billing period's month, or where the row names none, the month of use.
_DIVISION = Division(
    account=f"lower(coalesce(billing_account_id, nullif(subscription_id, '{_NOBODY}')))",
    started=f"coalesce({_day('billing_period_start')}, {_day('usage_date')})",
)
