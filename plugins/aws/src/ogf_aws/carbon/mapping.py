"""From a carbon file's header to the one SQL statement that maps its rows to activities.

Columns are found by name, file by file: those of the scopes came with model version 3, and older files keep theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.columns import find, raw_row, raw_value, require, typed, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_COLUMNS = wanted("ogf_aws.carbon")
_FIGURES = tuple(item.column for item in _COLUMNS if item.kind == "double")
_HINT = "check that this is an export of the table CARBON_EMISSIONS, with its accounts, period and figures"
# Loose files are divided by payer and model version together, and by month.
_DIVISION = Division(
    account="coalesce(payer_account_id, 'unknown') || '@' || coalesce(model_version, 'unknown')",
    month="coalesce(strftime(usage_month, '%Y-%m'), 'unknown')",
)


def activities_sql(
    table: Table,
    *,
    only: tuple[str, str] | None = None,
    month: str | None = None,
    version: str | None = None,
    payer: str | None = None,
) -> str:
    """Write the SELECT that maps a file's rows to activities.

    Args:
        only: read only the rows of this (payer@version, month), as `months_sql` names them.
        month, version, payer: what every row must be of; others are refused.

    Raises:
        SourceError: `bad_request` naming the required columns that the file lacks.
    """
    return statement(
        _DIVISION.part(_rows(table), only), uri=table.uri, month=month, version=version, payer=payer
    )


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (payer@version, month). Raises as `activities_sql`."""
    return _DIVISION.listed(_rows(table))


def statement(
    rows: str, *, uri: str, month: str | None = None, version: str | None = None, payer: str | None = None
) -> str:
    """Write the SELECT that maps rows with the columns of columns.csv, `usage_month` and `figure_unreadable`."""
    markers = {"month": month, "version": version, "payer": payer}
    return filled(
        "ogf_aws.carbon",
        source=rows,
        uri=literal(uri),
        **{
            name: "CAST(NULL AS VARCHAR)" if text is None else literal(text) for name, text in markers.items()
        },
    )


def _rows(table: Table) -> str:
    found = find(table, _COLUMNS)
    require(table, _COLUMNS, found, hint=_HINT)
    if not any(name in found for name in _FIGURES):
        raise SourceError(
            "there is no column of emissions", error_class=ErrorClass.BAD_REQUEST, where=table.uri, hint=_HINT
        )
    given = ", ".join(f"{raw_value(found, name)} IS NOT NULL" for name in _FIGURES)
    unread = " OR ".join(f"(given[{nth}] AND {name} IS NULL)" for nth, name in enumerate(_FIGURES, 1))
    # In two steps: a name means the typed column only outside of where the file's own are in sight.
    return (
        "SELECT * EXCLUDE (given),\n        "
        "CAST(date_trunc('month', timezone('UTC', usage_period_start)) AS DATE) AS usage_month,"
        f"\n        {unread} AS figure_unreadable\n        FROM (SELECT {', '.join(typed(_COLUMNS, found))},"
        f"\n        {raw_row(_COLUMNS, found)} AS raw_row,\n        [{given}] AS given"
        f"\n        FROM {table.source})"
    )
