"""Columns by name: from a file's header to typed SQL, however the file spells, types or nests them.

A mapping keeps a table (`columns.csv`: column, kind, required, spellings) of what it reads and how that is spelled.
A spelling may be a path, `project.id`: a column of that name, a field of a STRUCT, or a key of a JSON object.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files.table import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ogf.files.table import Table

SQL_TYPES = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "month": "DATE",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,18)",
    "map": "MAP(VARCHAR, VARCHAR)",
    "pairs": "STRUCT(k VARCHAR, v VARCHAR)[]",
}
_FLOATS = ("DOUBLE", "FLOAT")
_NESTED = ("map", "pairs", "structs")
_SEPARATOR = "its fields are not separated by commas: export it again with commas between them"


class Wanted(NamedTuple):
    """One row of a `columns.csv`. `spellings` are the other names it goes by, best first.

    Kinds: text, timestamp (UTC), month (its first day), double, decimal (exact), map (of texts), pairs (the same as a
    list of (k, v) structs: cheaper to join and sort) and `structs a b c`: a list of structs with these text fields.
    """

    column: str
    kind: str
    required: bool
    spellings: tuple[str, ...]


class Field(NamedTuple):
    """Where a wanted column is in a file: what to write in SQL, and its DuckDB type there."""

    sql: str
    type: str


Found = dict[str, list[Field]]


@cache
def wanted(package: str) -> tuple[Wanted, ...]:
    """Read a mapping's `columns.csv`."""
    with files(package).joinpath("columns.csv").open(encoding="utf-8") as table:
        return tuple(
            Wanted(row["column"], row["kind"], row["required"] == "yes", tuple(row["spellings"].split()))
            for row in csv.DictReader(table)
        )


def find(table: Table, columns: tuple[Wanted, ...]) -> Found:
    """Wanted column → the fields that carry it, best first. Names are matched without case."""
    have = _fields(table)
    found = {}
    for item in columns:
        fields = [field for name in (item.column, *item.spellings) if (field := _lookup(have, name))]
        if fields:
            found[item.column] = fields
    return found


def require(table: Table, columns: tuple[Wanted, ...], found: Found, *, hint: str) -> None:
    """Raise SourceError (`bad_request`) naming every required column that the file lacks."""
    missing = [item for item in columns if item.required and item.column not in found]
    if missing:
        raise SourceError(
            "required columns are missing: "
            + ", ".join(
                item.column + (f" ({item.spellings[0]})" if item.spellings else "") for item in missing
            ),
            error_class=ErrorClass.BAD_REQUEST,
            where=table.uri,
            hint=_SEPARATOR if len(table.names) == 1 and re.search(r"[;\t|]", table.names[0]) else hint,
        )


def typed(columns: tuple[Wanted, ...], found: Found) -> list[str]:
    """One `… AS column` for each wanted column; NULL where the file has none."""
    return [f"{_typed(item, found.get(item.column, []))} AS {item.column}" for item in columns]


def value(kind: str, field: Field) -> str:
    """One field as a kind. NULL where it cannot be, never an error."""
    column, source = field
    if source == "JSON" and kind.split(maxsplit=1)[0] not in _NESTED:
        column, source = f"({column} ->> '$')", "VARCHAR"
    text = source == "VARCHAR"
    match kind.split():
        case ["text"]:
            return f"ogf_text({column})" if text else f"CAST({column} AS VARCHAR)"
        case ["timestamp"]:
            if source in ("TIMESTAMP", "DATE"):
                return f"ogf_utc(CAST({column} AS TIMESTAMP))" if source == "DATE" else f"ogf_utc({column})"
            if text:
                return f"ogf_timestamp({column})"
            return f"TRY_CAST({column} AS TIMESTAMPTZ)"
        case ["month"]:
            return f"ogf_month(CAST({column} AS VARCHAR))"
        case ["double"]:
            return f"TRY_CAST({column} AS DOUBLE)"
        case ["decimal"]:
            if text:
                return f"ogf_decimal_of_text({column})"
            if source in _FLOATS:
                return f"ogf_decimal_of_double({column})"
            return f"TRY_CAST({column} AS DECIMAL(38,18))"
        case ["map"]:
            if text or source == "JSON":
                return f"ogf_map_of_json({column})"
            if source.endswith("[]"):
                return f"ogf_map_of_pairs({_pairs(column, source)})"
            return f"TRY_CAST({column} AS MAP(VARCHAR, VARCHAR))"
        case ["pairs"]:
            return _pairs(column, source)
        case ["structs", *names]:
            return _structs(column, source, names)
    raise ValueError(f"columns.csv names a kind that does not exist: {kind}")


def raw_value(found: Mapping[str, list[Field]], column: str) -> str:
    """The column as the file has it, to tell what is missing from what could not be read."""
    if column not in found:
        return "CAST(NULL AS VARCHAR)"
    name, kind = found[column][0]
    if kind == "JSON":
        return f"nullif({name} ->> '$', '')"  # of an object or a list, its text
    return f"nullif({name}, '')" if kind == "VARCHAR" else name


def raw_row(columns: tuple[Wanted, ...], found: Found) -> str:
    """A struct of every wanted column as the file has it, for the quarantine."""
    pairs = [f"{item.column} := {found[item.column][0].sql}" for item in columns if item.column in found]
    return f"struct_pack({', '.join(pairs)})"


def unreadable(columns: tuple[Wanted, ...], found: Found) -> str:
    """Whether a map or list that is written as JSON text is no such thing."""
    checks = [
        f"{'ogf_is_no_list' if item.kind.startswith('structs') else 'ogf_is_no_map'}({raw_value(found, item.column)})"
        for item in columns
        if item.kind.split()[0] in _NESTED
        and item.column in found
        and found[item.column][0].type in ("VARCHAR", "JSON")
    ]
    return " OR ".join(checks) or "false"


def _typed(item: Wanted, fields: list[Field]) -> str:
    if not fields:
        kind, *names = item.kind.split()
        nothing = SQL_TYPES.get(kind) or _struct_type(names)
        return f"CAST(NULL AS {nothing})"
    values = [value(item.kind, field) for field in fields]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _fields(table: Table) -> dict[str, Field]:
    """Every column, and every field inside a STRUCT, by its path in lower case."""
    have: dict[str, Field] = {}
    for name, column, kind in zip(table.names, table.columns, table.types, strict=True):
        have.setdefault(name.casefold(), Field(column, kind))
    for name, field in list(have.items()):
        for path, inner in _inside(name, field):
            have.setdefault(path, inner)
    return have


def _inside(path: str, field: Field) -> Iterator[tuple[str, Field]]:
    if not field.type.startswith("STRUCT(") or field.type.endswith("]"):
        return
    import duckdb

    for name, kind in duckdb.sqltype(field.type).children:
        inner = Field(f"{field.sql}.{quoted(name)}", str(kind))
        yield f"{path}.{name.casefold()}", inner
        yield from _inside(f"{path}.{name.casefold()}", inner)


def _lookup(have: dict[str, Field], path: str) -> Field | None:
    if path.casefold() in have:
        return have[path.casefold()]
    column, dot, rest = path.partition(".")
    outer = have.get(column.casefold())
    if dot and outer is not None and outer.type == "JSON":
        steps = "".join(f'."{step}"' for step in rest.split("."))
        return Field(f"({outer.sql} -> {literal('$' + steps)})", "JSON")
    return None


def _pairs(column: str, source: str) -> str:
    if source in ("VARCHAR", "JSON"):
        return f"ogf_pairs_of_json({column})"
    if source.endswith("[]") and (names := _pair_names(source)):
        key, entry = names
        return (
            f"list_transform({column}, lambda pair: {{'k': pair.{key}, 'v': CAST(pair.{entry} AS VARCHAR)}})"
        )
    entries = f"map_entries(TRY_CAST({column} AS MAP(VARCHAR, VARCHAR)))"
    return f"list_transform({entries}, lambda entry: {{'k': entry.key, 'v': entry.value}})"


def _pair_names(source: str) -> tuple[str, str] | None:
    """How a list of structs spells `key` and `value`."""
    import duckdb

    names = {name.casefold(): quoted(name) for name, _ in duckdb.sqltype(source[:-2]).children}
    return (names["key"], names["value"]) if {"key", "value"} <= names.keys() else None


def _structs(column: str, source: str, names: list[str]) -> str:
    if source in ("VARCHAR", "JSON"):
        return f"TRY_CAST(ogf_json({column}) AS {_struct_type(names)})"
    import duckdb

    have = {name.casefold(): quoted(name) for name, _ in duckdb.sqltype(source.removesuffix("[]")).children}
    fields = ", ".join(
        f"{literal(name)}: " + (f"CAST(item.{have[name]} AS VARCHAR)" if name in have else "NULL::VARCHAR")
        for name in names
    )
    return f"list_transform({column}, lambda item: {{{fields}}})"


def _struct_type(names: list[str]) -> str:
    return "STRUCT(" + ", ".join(f"{quoted(name)} VARCHAR" for name in names) + ")[]"
