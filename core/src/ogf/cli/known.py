"""Names that were asked for and that the warehouse does not have: a slip of the pen is no empty answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb


def loaded(connection: duckdb.DuckDBPyConnection, column: str) -> list[str]:
    """Every value of `provider` or `org_id` that anything was ever loaded of, in order."""
    rows = connection.execute(f"SELECT DISTINCT {column} FROM loads ORDER BY ALL").fetchall()
    return [name for (name,) in rows]


def require_loaded(
    connection: duckdb.DuckDBPyConnection, *, providers: Sequence[str], orgs: Sequence[str]
) -> None:
    """Raise ConfigError for a provider or organisation that nothing was ever loaded of, with those that there are.

    A warehouse into which nothing was loaded yet has no names to be wrong about.
    """
    for column, what, names in (("provider", "provider", providers), ("org_id", "organisation", orgs)):
        there = loaded(connection, column)
        missing = [name for name in dict.fromkeys(names) if name not in there]
        if missing and there:
            raise ConfigError(
                f"nothing is loaded of the {what} {', '.join(missing)}",
                hint=f"there is {', '.join(there)}; `ogf run` loads what is configured",
            )
