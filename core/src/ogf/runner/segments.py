"""Turning one page into one segment: a single COPY, whatever the plugin's mapping returned."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import duckdb

from ogf.errors import ErrorClass, SourceError
from ogf.files.table import literal, parquet
from ogf.runner.failpoints import passing
from ogf.schema import REJECT_COLUMNS, plugin_columns

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.runner.context import TaskContext
    from ogf.runner.spool import Footer

_DISK_FULL = 8 << 20

# Refused whatever the plugin says: such rows would spoil every sum.
_CORE_RULES = (
    ({"quantity"}, "NOT isfinite(quantity)", "the quantity is not a finite number"),
    ({"emissions_kgco2e"}, "NOT isfinite(emissions_kgco2e)", "the emissions are not a finite number"),
    ({"period_start", "period_end"}, "period_end < period_start", "the period ends before it starts"),
)


def write_segment(ctx: TaskContext, activities: Any, path: Path, *, footer: Footer, where: str) -> None:
    """Write a page's activities as a segment. It is complete when it has its name.

    Raises:
        SourceError: `fatal` for columns outside the schema, `bad_request` for a file that cannot be read.
    """
    relation = _relation(ctx.duckdb, activities)
    select = _select(dict(zip(relation.columns, map(str, relation.types), strict=True)), where)
    unfinished = path.with_suffix(".unfinished")
    # Smaller row groups than DuckDB's own: two threads hold one each, and spill where a worker's memory is too small.
    options = f"(FORMAT parquet, COMPRESSION snappy, WRITE_BLOOM_FILTER false, ROW_GROUP_SIZE 40960, {footer.option()})"
    try:
        ctx.duckdb.execute(f"COPY ({select}) TO {literal(str(unfinished))} {options}")
    except duckdb.Error as error:
        unfinished.unlink(missing_ok=True)
        ctx.close_tables()  # a damaged file explains more than what DuckDB made of it
        raise unreadable(error, path.parent, where) from error
    passing("segment.written")
    refused = _refused_lines(ctx, unfinished, options)
    ctx.close_tables()
    refused.replace(path)
    passing("segment.renamed")


def _relation(connection: duckdb.DuckDBPyConnection, activities: Any) -> duckdb.DuckDBPyRelation:
    if isinstance(activities, duckdb.DuckDBPyRelation):
        return activities
    connection.register("page", activities)
    return connection.table("page")


def _select(have: dict[str, str], where: str) -> str:
    allowed = plugin_columns()
    unknown = [name for name in have if name not in allowed and name not in REJECT_COLUMNS]
    if unknown:
        raise SourceError(
            f"the mapping gives columns that activities do not have: {', '.join(unknown)}",
            error_class=ErrorClass.FATAL,
            where=where,
            hint="this is a bug of the plugin; the columns are listed in ogf/activities.csv",
        )
    own = [name for name in allowed if name in have]
    values = [
        name if have[name] == allowed[name] else f"CAST({name} AS {allowed[name]}) AS {name}" for name in own
    ]
    extras = [f"CAST({name} AS {REJECT_COLUMNS[name]}) AS {name}" for name in REJECT_COLUMNS if name in have]
    rules = " ".join(
        f"WHEN {condition} THEN {literal(reason)}"
        for needed, condition, reason in _CORE_RULES
        if needed <= have.keys()
    )
    reject = "_reject" if "_reject" in have else "CAST(NULL AS VARCHAR)"
    if rules:
        reject = f"coalesce({reject}, CASE {rules} END)"
    raw = "_raw, " if "_raw" in have else ""
    packed = ", ".join(f"{name} := {name}" for name in own)
    return (
        f"SELECT {', '.join(own)}, refused AS _reject, CASE WHEN refused IS NOT NULL THEN "
        f"coalesce({raw}CAST(to_json(struct_pack({packed})) AS VARCHAR)) END AS _raw "
        f"FROM (SELECT *, {reject} AS refused FROM (SELECT {', '.join([*values, *extras])} FROM relation))"
    )


def _refused_lines(ctx: TaskContext, path: Path, options: str) -> Path:
    """Add the lines that DuckDB's CSV reader refused (too few or too many fields) to the segment's rejects."""
    text = [table for table in ctx.tables if table.is_text]
    if not text:
        return path
    connection = ctx.duckdb
    (lines,) = connection.execute("SELECT count(*) FROM reject_errors").fetchone() or (0,)
    if lines:
        both = path.with_suffix(".both")
        connection.execute(
            f"COPY (FROM {parquet(path)} UNION ALL BY NAME "
            f"SELECT {literal(text[0].uri)} AS source, any_value(csv_line) AS _raw, "
            "'line ' || (line + 1) || ': ' || lower(any_value(error_type::VARCHAR)) AS _reject "
            f"FROM reject_errors GROUP BY line) TO {literal(str(both))} {options}"
        )
        path.unlink()
        path = both
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    return path


def unreadable(error: duckdb.Error, folder: Path, where: str) -> SourceError:
    """What a DuckDB error means for a page: the disk, the memory, or else the data."""
    free = shutil.disk_usage(folder).free
    if free < _DISK_FULL:  # DuckDB gives a full disk no code of its own
        return SourceError(
            f"the disk is full: {free:,} bytes are left in {folder}",
            error_class=ErrorClass.FATAL,
            where=where,
            hint="free space beside the warehouse and run again; finished pages are resumed from",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return SourceError(
            "DuckDB ran out of memory while mapping this page",
            error_class=ErrorClass.FATAL,
            where=where,
            hint="raise runner.memory_limit, or run with fewer --workers",
        )
    return SourceError(
        f"DuckDB cannot read the data: {str(error).splitlines()[0]}",
        error_class=ErrorClass.BAD_REQUEST,
        where=where,
        hint="check the file; download or export it again",
    )
