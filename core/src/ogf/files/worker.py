"""A worker's own in-memory DuckDB connection: bounded, UTC, with the core's macros and lookup tables."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import duckdb

from ogf.files.statement import data_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST_KEY_PARTS = 16


def connect(
    *, scratch: Path, threads: int, memory_mb: int, lookups: Mapping[str, Path]
) -> duckdb.DuckDBPyConnection:
    """Open a connection for mappings. `scratch` must be its own: two that spill into one folder crash."""
    connection = duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": str(scratch / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    # A CSV that comes through a pipe is believed to be short. Where a lookup table is longer than that, DuckDB would
    # turn the join round, hold all rows of the file in memory and look for each line of the table among them.
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    connection.execute(files("ogf").joinpath("sql/macros.sql").read_text(encoding="utf-8"))
    connection.execute(_id_macro())
    for name, path in lookups.items():
        connection.execute(f"CREATE TABLE {name} AS FROM {data_table(path)}")
    return connection


def _id_macro() -> str:
    """`ogf_id(a, b, …)`: the UUID of a natural key. NULL and '' differ, and no two keys run together."""
    overloads = []
    for count in range(1, _MOST_KEY_PARTS + 1):
        names = [f"k{index}" for index in range(count)]
        parts = ", ".join(f"coalesce(CAST({name} AS VARCHAR), chr(30))" for name in names)
        overloads.append(f"({', '.join(names)}) AS CAST(md5(concat_ws(chr(31), {parts})) AS UUID)")
    return f"CREATE MACRO ogf_id {', '.join(overloads)}"
