"""From a FOCUS file's header to the one SQL statement that maps its rows to activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.columns import find, raw_row, raw_value, require, typed, unreadable, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal
from ogf.physical import Catalogue, metered_sql

if TYPE_CHECKING:
    from ogf.files import Table
    from ogf.files.columns import Found

_COLUMNS = wanted("ogf.focus")
_NO_CATALOGUE = Catalogue()
_DIVISION = Division(account="BillingAccountId", started="coalesce(BillingPeriodStart, ChargePeriodStart)")
# What a version brought that the one before had not; newest first.
_NEW_IN = (
    ("1.3", {"serviceprovidername", "hostprovidername", "allocatedmethodid", "contractapplied"}),
    ("1.2", {"billingaccounttype", "subaccounttype", "invoiceid", "pricingcurrency"}),
    ("1.1", {"skumeter", "skupricedetails", "servicesubcategory", "capacityreservationid"}),
)


def columns_read() -> list[str]:
    """Every column that the mapping reads, in all spellings: a query that names them bills no others."""
    return [name for item in _COLUMNS for name in (item.column, *item.spellings)]


def version_of(table: Table) -> str:
    """Tell the FOCUS version (1.0 to 1.3) by the newest columns that the file has."""
    names = {name.casefold() for name in table.names}
    return next((version for version, new in _NEW_IN if names & new), "1.0")


def activities_sql(
    table: Table,
    *,
    services: str,
    regions: str,
    provider: str = "",
    only: tuple[str, str] | None = None,
    catalogue: Catalogue = _NO_CATALOGUE,
) -> str:
    """Write the SELECT that maps a file's rows to activities.

    Args:
        services: the provider's lookup table of service names (lower case `name`, `category`).
        regions: its lookup table of regions (lower case `code`, `location`).
        provider: a regular expression, in lower case, of how the file names the provider; rows of others are
            refused. "": whoever it is.
        only: read only the rows of this (billing account, billing period), as `months_sql` names them.
        catalogue: its machine types and usage types, from which physical columns are derived where the SKU's details
            do not say enough.

    Raises:
        SourceError: `bad_request` naming the columns that the file lacks, or what it is if not cost and usage.
    """
    rows = filled(
        "ogf.focus",
        source=_DIVISION.part(_rows(table), only),
        services=services,
        regions=regions,
        provider=literal(provider),
        uri=literal(table.uri),
        prefixes=catalogue.prefixes or "(SELECT '' AS prefix WHERE false)",
        has_meters="true" if catalogue.meters else "false",
    )
    return metered_sql(rows, catalogue, more_meters="ogf_focus_meters")


def months_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (billing account, billing period). Raises as `activities_sql`."""
    return _DIVISION.listed(_rows(table))


def _required(table: Table) -> Found:
    names = {name.casefold() for name in table.names}
    if "contractcommitmentid" in names and "billedcost" not in names:
        raise SourceError(
            "this is a FOCUS contract commitment dataset, not cost and usage",
            error_class=ErrorClass.BAD_REQUEST,
            where=table.uri,
            hint="take it out of the folder; only cost and usage data are read",
        )
    found = find(table, _COLUMNS)
    require(
        table,
        _COLUMNS,
        found,
        hint="check that this is FOCUS cost and usage data, with all mandatory columns",
    )
    return found


def _rows(table: Table) -> str:
    found = _required(table)
    return (
        f"SELECT {', '.join(typed(_COLUMNS, found))},"
        f"\n        {raw_value(found, 'BilledCost')} AS raw_cost,"
        f"\n        {raw_value(found, 'ConsumedQuantity')} AS raw_consumed,"
        f"\n        {raw_row(_COLUMNS, found)} AS raw_row,\n        {unreadable(_COLUMNS, found)} AS map_unreadable"
        f"\n        FROM {table.source}"
    )
