"""Creating the warehouse and bringing an older one up to date: numbered SQL files, each applied once."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.emissions.install import add_up, install
from ogf.errors import WarehouseError, WarehouseNewer
from ogf.files.table import literal
from ogf.schema import activity_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

_MONTHLY_SINCE = 5  # schema version since which monthly_log is as it is; loads are added up again for it


def shipped() -> dict[int, str]:
    """Schema version → the SQL that leads to it from the version before."""
    folder = files("ogf.warehouse").joinpath("migrations")
    return {
        int(file.name[:4]): file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """Version of the open file; 0 for one that ogf has never written."""
    exists = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'ogf_schema' AND NOT internal"
    ).fetchone()
    if exists == (0,):
        return 0
    row = connection.execute("SELECT max(version) FROM ogf_schema").fetchone()
    return int(row[0] or 0) if row else 0


def upgrade(
    connection: duckdb.DuckDBPyConnection, *, where: str, migrations: Mapping[int, str] | None = None
) -> None:
    """Bring the open warehouse to the newest schema and factors, in one transaction; nothing happens if it is there.

    Raises:
        WarehouseNewer: a newer ogf wrote it.
        WarehouseError: something else did.
    """
    steps = shipped() if migrations is None else migrations
    have, newest = schema_version(connection), max(steps)
    _refuse_newer(have, newest, where)
    if have == 0 and _has_tables(connection):
        raise _foreign(where)
    connection.begin()
    try:
        if have < newest:
            _migrate(connection, steps, have=have, newest=newest)
        install(connection)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _migrate(
    connection: duckdb.DuckDBPyConnection, steps: Mapping[int, str], *, have: int, newest: int
) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ogf_schema (version BIGINT NOT NULL, applied_at TIMESTAMPTZ NOT NULL)"
    )
    for version in range(have + 1, newest + 1):
        connection.execute(steps[version])
        connection.execute("INSERT INTO ogf_schema VALUES (?, now())", [version])
    connection.execute(files("ogf.warehouse").joinpath("views.sql").read_text(encoding="utf-8"))
    _comment(connection)
    if have < _MONTHLY_SINCE:
        add_up(connection, "SELECT load_id FROM loads")


def require_current(connection: duckdb.DuckDBPyConnection, *, where: str) -> None:
    """Refuse to read a file whose schema is not this ogf's: reading cannot upgrade it.

    Raises:
        WarehouseNewer: a newer ogf wrote it.
        WarehouseError: an older one did, or none.
    """
    have, newest = schema_version(connection), max(shipped())
    _refuse_newer(have, newest, where)
    if have == 0:
        raise _foreign(where) if _has_tables(connection) else _unmade(where)
    if have < newest:
        raise WarehouseError(
            f"this warehouse has schema {have}, older than this ogf's {newest}",
            where=where,
            hint="the next `ogf run` upgrades it",
        )


def _has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.execute("SELECT 1 FROM duckdb_tables() WHERE NOT internal LIMIT 1").fetchone())


def _unmade(where: str) -> WarehouseError:
    return WarehouseError(
        "the warehouse is empty: the run that made it was interrupted",
        where=where,
        hint="run `ogf run` again",
    )


def _foreign(where: str) -> WarehouseError:
    return WarehouseError(
        "this DuckDB file was not written by ogf", where=where, hint="point --db (or OGF_DB) at another file"
    )


def _refuse_newer(have: int, newest: int, where: str) -> None:
    if have > newest:
        raise WarehouseNewer(
            f"this warehouse has schema {have}, newer than the {newest} that this ogf knows",
            where=where,
            hint="upgrade ogf (pip install --upgrade ogf), or point --db at another file",
        )


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    for column in activity_columns():
        if column.name == "load_id" or column.owner == "plugin":
            connection.execute(f"COMMENT ON COLUMN activity_log.{column.name} IS {literal(column.comment)}")
