"""From a CUR file's header to the one SQL statement that maps its rows to activities.

Columns are found by name, file by file: they come, go and move between months and even between deliveries.
`columns.csv` lists what is read and how it is spelled; `activities.sql` says what becomes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.files.columns import find, raw_row, raw_value, require, typed, unreadable, wanted
from ogf.files.statement import Division, filled
from ogf.files.table import literal
from ogf.physical import metered_sql
from ogf_aws.meters import CATALOGUE

if TYPE_CHECKING:
    from ogf.files import Table
    from ogf.files.columns import Found

_TAG_PREFIXES = ("resourcetags/", "resource_tags_")
_COLUMNS = wanted("ogf_aws.cur")
_DIVISION = Division(
    account="bill_payer_account_id",
    started="coalesce(bill_billing_period_start_date, line_item_usage_start_date)",
)
# CUR 2.0 has these among the product's attributes.
_IN_THE_MAP = {
    "product_product_name": ("product['product_name']",),
    "product_instance_type": ("product['instance_type']",),
    "product_vcpu": ("product['vcpu']",),
    "product_memory": ("product['memory']", "product['memory_gib']"),
}


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps a file's rows to activities.

    Args:
        only: read only the rows of this (payer, billing period), as `billing_periods_sql` names them.

    Raises:
        SourceError: `bad_request` naming the required columns that the file lacks.
    """
    rows = filled("ogf_aws.cur", source=_source(table, only), uri=literal(table.uri))
    return metered_sql(rows, CATALOGUE)


def billing_periods_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (payer, billing period); `unknown` where a row names none.

    Raises:
        SourceError: as `activities_sql`.
    """
    return _DIVISION.listed(_source(table, None))


def _required(table: Table) -> Found:
    found = find(table, _COLUMNS)
    require(
        table,
        _COLUMNS,
        found,
        hint="add them to the report or export, or check that this really is a Cost and Usage Report",
    )
    return found


def _source(table: Table, only: tuple[str, str] | None) -> str:
    found = _required(table)
    region = (
        "coalesce(product_region, product['region_code'], product['region'])"
        if "product" in found
        else "product_region"
    )
    select = (
        f"SELECT {', '.join(typed(_COLUMNS, found))},"
        f"\n        {raw_value(found, 'line_item_unblended_cost')} AS raw_cost,"
        f"\n        {raw_value(found, 'line_item_usage_amount')} AS raw_amount,"
        f"\n        {raw_row(_COLUMNS, found)} AS raw_row,\n        {_tags(table, found)} AS tags_map,"
        f"\n        {unreadable(_COLUMNS, found)} AS map_unreadable"
        f"\n        FROM {table.source}"
    )
    named = ", ".join(
        f"coalesce({column}, {', '.join(keys)}) AS {column}" if "product" in found else column
        for column, keys in _IN_THE_MAP.items()
    )
    part = _DIVISION.part(select, only)
    return f"SELECT * EXCLUDE ({', '.join(_IN_THE_MAP)}), {named}, {region} AS region_reported FROM ({part})"


def _tags(table: Table, found: Found) -> str:
    """The tags as a MAP with sorted keys and no empty values, NULL without any."""
    for column in ("resource_tags", "tags"):
        if column in found:
            return (
                f"nullif(map_from_entries(list_sort(list_filter(map_entries({column}), "
                "lambda tag: tag.value <> ''))), MAP {})"
            )
    flat: dict[str, str] = {}
    for name, column, kind in zip(table.names, table.columns, table.types, strict=True):
        if (tag := _tag_name(name)) is not None:
            value = f"ogf_text({column})" if kind == "VARCHAR" else f"CAST({column} AS VARCHAR)"
            flat[tag] = f"coalesce({flat[tag]}, {value})" if tag in flat else value
    if not flat:
        return "CAST(NULL AS MAP(VARCHAR, VARCHAR))"
    any_set = f"coalesce({', '.join(flat.values())})"
    pairs = ", ".join(f"{{'k': {literal(tag)}, 'v': {flat[tag]}}}" for tag in sorted(flat))
    return (
        f"CASE WHEN {any_set} IS NOT NULL THEN "
        f"map_from_entries(list_filter([{pairs}], lambda tag: tag.v IS NOT NULL)) END"
    )


def _tag_name(name: str) -> str | None:
    for prefix in _TAG_PREFIXES:
        if name.casefold().startswith(prefix):
            return name[len(prefix) :]
    return None
