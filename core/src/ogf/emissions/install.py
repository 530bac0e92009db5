"""Puts the factor tables and the carbon views into an open warehouse, so that any DuckDB client can ask them.

They are made anew when what they are made from has changed: the shipped data, a method, or the user's choice.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.emissions import comments
from ogf.emissions.choice import Choice, read
from ogf.emissions.methods import method, methods
from ogf.files.statement import data_table, put
from ogf.files.table import literal

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import duckdb

_TABLES = (
    "regions",
    "region_members",
    "region_aliases",
    "ember",
    "google",
    "pue",
    "processors",
    "processor_sets",
    "gpus",
    "machines",
    "service_spellings",
    "coefficients",
    "reported_services",
    "streams",
)


@cache
def shipped() -> str:
    """Hash of everything that the tables and views are made from, but for the user's choice."""
    digest = hashlib.sha256()
    for path in sorted(_files(files("ogf.emissions")), key=str):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _files(folder: Traversable) -> list[Traversable]:
    found = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _files(item)
        elif item.name.endswith((".csv", ".sql", ".json")):
            found.append(item)
    return found


def made_from(choice: Choice) -> str:
    """What the tables and views of this choice are made from, as one hash."""
    return hashlib.sha256(f"{shipped()} {choice}".encode()).hexdigest()


def version(choice: Choice) -> str:
    """The method's version, and the utilisation where the user has set it: it is part of the arithmetic."""
    told = "" if choice.utilisation is None else f"+utilisation={choice.utilisation:g}"
    return method(choice.method).version + told


def install(connection: duckdb.DuckDBPyConnection) -> bool:
    """Make factor tables and views, unless those in the file are made from the same. Inside the caller's transaction.

    Returns:
        whether they were made.
    """
    choice, have = read(connection)
    wanted = made_from(choice)
    if have == wanted:
        return False
    _factors(connection, choice)
    _views(connection, choice)
    comments.write(connection)
    connection.execute(
        "UPDATE emission_choice SET made_from = ?, method_version = ?",
        [wanted, method(choice.method).version],
    )
    return True


def _factors(connection: duckdb.DuckDBPyConnection, choice: Choice) -> None:
    data = files("ogf.emissions").joinpath("data")
    values = {name: data_table(data.joinpath(f"{name}.csv")) for name in _TABLES}
    values["electricity_maps"] = data_table(data.joinpath("electricity_maps/zones.csv"))
    values["factor_set"] = literal(choice.factor_set)
    connection.execute(put(_sql("factors"), values))
    for each in methods().values():
        own = {name.replace("/", "_"): data_table(data.joinpath(f"{name}.csv")) for name in each.tables}
        connection.execute(put(each.tables_sql, own))


def _views(connection: duckdb.DuckDBPyConnection, choice: Choice) -> None:
    chosen, numbers = method(choice.method), _numbers(connection)
    names = {
        "method": literal(chosen.name),
        "method_version": literal(version(choice)),
        "lifecycle": literal(chosen.lifecycle),
        "provider_scope": "2" if chosen.lifecycle == "operational" else "NULL",
    }
    physical = chosen.needs == "physical"
    values = {
        "asked": "false" if physical else "true",
        "covered": "monthly" if physical else f"({put(_sql('covered'), {'counts': chosen.counts})})",
    }
    for kind, activities, estimates, rows in (
        ("activities", "activities", "estimates", "1"),
        ("months", "monthly_activities", "monthly_estimates", "row_count"),
    ):
        values[f"estimates_of_{kind}"] = chosen.estimates(activities, numbers, rows)
        of_these = names | {"activities": activities, "estimates": estimates}
        values[f"emissions_of_{kind}"] = put(_sql("emissions"), of_these)
    connection.execute(put(_sql("views"), values))


def _numbers(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Every coefficient by name and bound, and the years that factor_regions has rows of."""
    rows = connection.execute("SELECT name, low, middle, high FROM factor_coefficients").fetchall()
    found = {
        f"{name}_{bound}": value
        for name, *values in rows
        for bound, value in zip(("low", "middle", "high"), values, strict=True)
    }
    first = connection.execute("SELECT min(usage_year), max(usage_year) FROM factor_regions").fetchone()
    return found | dict(zip(("first_year", "last_year"), first or (), strict=True))


def add_up(connection: duckdb.DuckDBPyConnection, load_ids: str) -> None:
    """Add the activities of loads up by month (a list or a subquery of load ids, as SQL)."""
    connection.execute(put(_sql("monthly"), {"loads": load_ids}))


def _sql(name: str) -> str:
    return files("ogf.emissions").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
