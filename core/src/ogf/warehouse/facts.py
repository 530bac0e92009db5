"""The statements that move facts: segments into `activity_log`, duplicates out, old loads away.

All run on a connection whose transaction the caller holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ogf.files.loose import SHARD
from ogf.files.table import literal, parquet
from ogf.schema import DEFAULT_CATEGORY, DEFAULT_LOCATION, plugin_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import duckdb

DIFFERING = "several different rows have this activity_id"
_DEFAULTS = {"category": DEFAULT_CATEGORY, "location": DEFAULT_LOCATION}


def append(
    connection: duckdb.DuckDBPyConnection,
    *,
    load_id: int,
    paths: Sequence[Path],
    columns: Collection[str],
    rejected: int,
) -> None:
    """Append segments' rows to a load, their refused rows to the load's quarantine.

    One statement for all of them: each INSERT of a transaction holds on to memory until the end.

    Args:
        columns: every column that any of the segments has.
        rejected: how many rows they refuse; none, and the second look at them is saved.
    """
    source = parquet(*paths)
    values = [name for name in columns if name in plugin_columns() and name not in _DEFAULTS]
    values += [
        f"coalesce({name if name in columns else 'NULL'}, {literal(default)}) AS {name}"
        for name, default in _DEFAULTS.items()
    ]
    connection.execute(
        f"INSERT INTO activity_log BY NAME SELECT {load_id} AS load_id, {', '.join(values)} FROM {source} "
        "WHERE _reject IS NULL"
    )
    if not rejected:
        return
    where = "source" if "source" in columns else "NULL"
    connection.execute(
        f"INSERT INTO quarantine_log SELECT {load_id}, _reject, {where}, _raw FROM {source} "
        "WHERE _reject IS NOT NULL"
    )


def count(connection: duckdb.DuckDBPyConnection, load_id: int) -> int:
    row = connection.execute("SELECT count(*) FROM activity_log WHERE load_id = ?", [load_id]).fetchone()
    return int(row[0]) if row else 0


def carry_over(connection: duckdb.DuckDBPyConnection, *, old: int, new: int, accounts: Sequence[str]) -> int:
    """Copy the rows of accounts that the source withheld this time from the old load; returns how many."""
    row = connection.execute(
        "INSERT INTO activity_log SELECT * REPLACE (?::BIGINT AS load_id) FROM activity_log "
        "WHERE load_id = ? AND list_contains(?, account_id)",
        [new, old, list(accounts)],
    ).fetchone()
    return int(row[0]) if row else 0


def copy(connection: duckdb.DuckDBPyConnection, *, old: int, new: int) -> None:
    """Give a new load the rows of an old one, the refused ones too."""
    for table in ("activity_log", "quarantine_log", "monthly_log"):
        connection.execute(
            f"INSERT INTO {table} SELECT * REPLACE (?::BIGINT AS load_id) FROM {table} WHERE load_id = ?",
            [new, old],
        )


class Duplicates(NamedTuple):
    """Rows of equal `activity_id`: how many were dropped, how many quarantined, and the files of the latter."""

    collapsed: int
    differing: int
    sources: list[str]


def collapse_duplicates(connection: duckdb.DuckDBPyConnection, load_id: int) -> Duplicates:
    """Enforce one row per `activity_id`: equal rows collapse, differing ones go to quarantine."""
    # The ids that occur twice first: few, as a rule, so that the windows are over few rows.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE twins AS "
        "WITH several AS (SELECT activity_id FROM activity_log WHERE load_id = $load_id GROUP BY ALL "
        "    HAVING count(*) > 1), "
        "rows AS (SELECT rowid AS twin, activity_id, source, hash(a) AS content FROM activity_log AS a "
        "    WHERE load_id = $load_id AND activity_id IN (FROM several)) "
        "SELECT *, row_number() OVER (PARTITION BY activity_id, content ORDER BY twin) AS nth, "
        "min(content) OVER (PARTITION BY activity_id) <> max(content) OVER (PARTITION BY activity_id) AS differ "
        "FROM rows",
        {"load_id": load_id},
    )
    connection.execute(
        f"INSERT INTO quarantine_log SELECT load_id, {literal(DIFFERING)}, source, "
        "to_json(a) FROM activity_log AS a WHERE rowid IN (SELECT twin FROM twins WHERE differ)"
    )
    connection.execute(
        "DELETE FROM activity_log WHERE rowid IN (SELECT twin FROM twins WHERE differ OR nth > 1)"
    )
    row = connection.execute(
        "SELECT count(*) FILTER (NOT differ AND nth > 1), count(*) FILTER (differ), "
        "coalesce(list_sort(list(DISTINCT source) FILTER (differ AND source IS NOT NULL)), []) FROM twins"
    ).fetchone()
    connection.execute("DROP TABLE twins")
    return Duplicates(*row) if row else Duplicates(0, 0, [])


# What one usage has in common in two exports that tell it with other columns, names or labels.
_LIKENESS = (
    "billing_account_id, account_id, service, usage_type, operation, charge_category, period_start, period_end, "
    "quantity, cost, currency, emissions_kgco2e, provider_scope, accounting"
)
_EXPORT = f"regexp_replace(source, {literal(SHARD)}, '')"


def count_alike(connection: duckdb.DuckDBPyConnection, load_id: int) -> int:
    """Count the rows of a load that look like rows of another export in it, and may count twice."""
    row = connection.execute(
        "SELECT coalesce(sum(total - most), 0) FROM ("
        "SELECT sum(n) AS total, max(n) AS most FROM ("
        f"SELECT {_LIKENESS}, {_EXPORT} AS export, count(*) AS n FROM activity_log "
        "WHERE load_id = ? AND (cost <> 0 OR emissions_kgco2e <> 0) GROUP BY ALL"
        f") GROUP BY {_LIKENESS} HAVING count(*) > 1)",
        [load_id],
    ).fetchone()
    return int(row[0]) if row else 0


def collapse_overlap(connection: duckdb.DuckDBPyConnection, load_id: int) -> int:
    """Drop the rows that another export of the load has too; each stays as often as in the one that has it most.

    The numbered files of one export are one source: they never repeat each other, and equal rows in them are genuine.

    Returns:
        rows dropped
    """
    told = ", ".join(name for name in plugin_columns() if name != "source")
    row = connection.execute(
        "DELETE FROM activity_log WHERE rowid IN ("
        "WITH several AS (SELECT activity_id FROM activity_log WHERE load_id = $load_id GROUP BY ALL "
        "    HAVING count(*) > 1), "
        f"rows AS (SELECT rowid AS twin, activity_id, {_EXPORT} AS export, hash({told}) AS content FROM activity_log "
        "    WHERE load_id = $load_id AND activity_id IN (FROM several)), "
        "counted AS (SELECT *, row_number() OVER (PARTITION BY activity_id, content, export ORDER BY twin) AS nth "
        "    FROM rows) "
        "SELECT twin FROM counted "
        "QUALIFY row_number() OVER (PARTITION BY activity_id, content, nth ORDER BY export, twin) > 1)",
        {"load_id": load_id},
    ).fetchone()
    return int(row[0]) if row else 0


def drop_zero_emissions(connection: duckdb.DuckDBPyConnection, load_id: int) -> int:
    """Delete a load's rows whose reported emissions are nought; returns how many. What is not reported stays."""
    row = connection.execute(
        "DELETE FROM activity_log WHERE load_id = ? AND emissions_kgco2e = 0", [load_id]
    ).fetchone()
    return int(row[0]) if row else 0


def prune(connection: duckdb.DuckDBPyConnection, load_ids: Sequence[int]) -> None:
    """Delete the rows of loads that nobody can see any more."""
    for table in ("activity_log", "quarantine_log", "segments", "monthly_log"):
        connection.execute(f"DELETE FROM {table} WHERE list_contains(?, load_id)", [list(load_ids)])
