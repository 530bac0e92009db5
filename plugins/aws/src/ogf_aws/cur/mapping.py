"""From a CUR file's header to the one SQL statement that maps its rows to activities.

Columns are found by name, file by file: they come, go and move between months and even between deliveries.
`columns.csv` lists what is read and how it is spelled; `activities.sql` says what becomes of it.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.files import Table

_TAG_PREFIXES = ("resourcetags/", "resource_tags_")
_SQL_TYPES = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,18)",
    "map": "MAP(VARCHAR, VARCHAR)",
}


class Wanted(NamedTuple):
    """One row of columns.csv. `spellings` are the other names it goes by, best first."""

    column: str
    kind: str
    required: bool
    spellings: tuple[str, ...]


@cache
def wanted() -> tuple[Wanted, ...]:
    with files("ogf_aws.cur").joinpath("columns.csv").open(encoding="utf-8") as table:
        return tuple(
            Wanted(row["column"], row["kind"], row["required"] == "yes", tuple(row["spellings"].split()))
            for row in csv.DictReader(table)
        )


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps a file's rows to activities.

    Args:
        only: read only the rows of this (payer, billing period), as `billing_periods_sql` names them.

    Raises:
        SourceError: `bad_request` naming the required columns that the file lacks.
    """
    found = _required(table)
    statement = files("ogf_aws.cur").joinpath("activities.sql").read_text(encoding="utf-8")
    # Split first: the projection holds names from the file, which may look like a marker.
    head, rest = statement.split(":source")
    middle, tail = rest.split(":uri")
    return f"{head}{_source(table, found, only)}{middle}{literal(table.uri)}{tail}"


def billing_periods_sql(table: Table) -> str:
    """Write the SELECT of a file's distinct (payer, billing period); `unknown` where a row names none.

    Raises:
        SourceError: as `activities_sql`.
    """
    if not table.names:
        return "SELECT '', '' WHERE false"
    source = _source(table, _required(table), None)
    return f"SELECT DISTINCT {_PAYER}, {_PERIOD} FROM ({source}) ORDER BY ALL"


_PAYER = "coalesce(bill_payer_account_id, 'unknown')"
_PERIOD = (
    "coalesce(strftime(timezone('UTC', coalesce(bill_billing_period_start_date, line_item_usage_start_date)), "
    "'%Y-%m'), 'unknown')"
)


def _required(table: Table) -> dict[str, list[tuple[str, str]]]:
    found = _find(table)
    missing = [item for item in wanted() if item.required and item.column not in found]
    if missing:
        raise SourceError(
            "required columns are missing: "
            + ", ".join(f"{item.column} ({item.spellings[0]})" for item in missing),
            error_class=ErrorClass.BAD_REQUEST,
            where=table.uri,
            hint="add them to the report or export, or check that this really is a Cost and Usage Report",
        )
    return found


def _find(table: Table) -> dict[str, list[tuple[str, str]]]:
    """Wanted column → the (SQL column, DuckDB type) pairs that carry it, best first."""
    have: dict[str, tuple[str, str]] = {}
    for name, column, kind in zip(table.names, table.columns, table.types, strict=True):
        have.setdefault(name.casefold(), (column, kind))
    return {
        item.column: pairs
        for item in wanted()
        if (
            pairs := [
                have[name.casefold()] for name in (item.column, *item.spellings) if name.casefold() in have
            ]
        )
    }


def _source(table: Table, found: dict[str, list[tuple[str, str]]], only: tuple[str, str] | None) -> str:
    typed = [f"{_typed(item, found.get(item.column, []))} AS {item.column}" for item in wanted()]
    raw = [f"{item.column} := {found[item.column][0][0]}" for item in wanted() if item.column in found]
    region = (
        "coalesce(product_region, product['region_code'], product['region'])"
        if "product" in found
        else "product_region"
    )
    select = (
        f"SELECT {', '.join(typed)},\n        {_raw(found, 'line_item_unblended_cost')} AS raw_cost,"
        f"\n        {_raw(found, 'line_item_usage_amount')} AS raw_amount,"
        f"\n        struct_pack({', '.join(raw)}) AS raw_row,\n        {_tags(table, found)} AS tags_map,"
        f"\n        {_map_unreadable(found)} AS map_unreadable"
        f"\n        FROM {table.source}"
    )
    if only is not None:
        payer, period = only
        select = (
            f"SELECT * FROM ({select}) WHERE {_PAYER} = {literal(payer)} AND {_PERIOD} = {literal(period)}"
        )
    named = (
        "coalesce(product_product_name, product['product_name'])"
        if "product" in found
        else "product_product_name"
    )
    return f"SELECT * REPLACE ({named} AS product_product_name), {region} AS region_reported FROM ({select})"


def _typed(item: Wanted, pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return f"CAST(NULL AS {_SQL_TYPES[item.kind]})"
    values = [_value(item.kind, column, kind) for column, kind in pairs]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _value(kind: str, column: str, source_type: str) -> str:
    """One source column as the kind that columns.csv wants. NULL where it cannot be, never an error."""
    text = source_type == "VARCHAR"
    match kind:
        case "text":
            return f"ogf_text({column})" if text else f"CAST({column} AS VARCHAR)"
        case "timestamp":
            if source_type == "TIMESTAMP":
                return f"ogf_utc({column})"
            return f"TRY_CAST({column} AS TIMESTAMPTZ)"
        case "double":
            return f"TRY_CAST({column} AS DOUBLE)"
        case "decimal":
            if text:
                return f"ogf_decimal_of_text({column})"
            if source_type in ("DOUBLE", "FLOAT"):
                return f"ogf_decimal_of_double({column})"
            return f"TRY_CAST({column} AS DECIMAL(38,18))"
        case _:
            return f"TRY_CAST(TRY_CAST({column} AS JSON) AS MAP(VARCHAR, VARCHAR))" if text else column


def _raw(found: dict[str, list[tuple[str, str]]], column: str) -> str:
    if column not in found:
        return "CAST(NULL AS VARCHAR)"
    name, kind = found[column][0]
    return f"nullif({name}, '')" if kind == "VARCHAR" else name


def _tags(table: Table, found: dict[str, list[tuple[str, str]]]) -> str:
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


def _map_unreadable(found: dict[str, list[tuple[str, str]]]) -> str:
    """Whether a map that is written as JSON text could not be read."""
    written = [found[item.column][0] for item in wanted() if item.kind == "map" and item.column in found]
    checks = [
        f"({raw} IS NOT NULL AND {_value('map', raw, kind)} IS NULL)"
        for raw, kind in written
        if kind == "VARCHAR"
    ]
    return " OR ".join(checks) or "false"


def _tag_name(name: str) -> str | None:
    for prefix in _TAG_PREFIXES:
        if name.casefold().startswith(prefix):
            return name[len(prefix) :]
    return None
