"""A warehouse of rows that a test writes itself, asked through the views that users ask."""

from __future__ import annotations

import itertools
import shutil

import duckdb
import pytest

from ogf.emissions.choice import choose
from ogf.emissions.install import add_up, install
from ogf.emissions.own import OwnFactor
from ogf.warehouse.file import WarehouseFile

JUNE = ("2024-06-01", "2024-07-01")
_STREAMS = {"aws": "cur", "azure": "focus", "gcp": "billing"}


class Warehouse:
    """Rows in, figures out."""

    def __init__(self, path):
        self.connection = duckdb.connect(str(path))
        self.connection.execute("SET TimeZone = 'UTC'")
        self._ids = itertools.count(1)

    def load(
        self, *rows, provider="aws", stream=None, org="org", status="current", key=None, published="now()"
    ):
        """Load rows as one partition; what they do not say is NULL, or June 2024 in account `a`."""
        load_id = next(self._ids)
        self.connection.execute(
            f"INSERT INTO loads SELECT {load_id}, ?, ?, ?, ?, NULL, '', ?, 'run', 0, 0, NULL, {published}, {published}, NULL, NULL, 0",
            [org, provider, stream or _STREAMS.get(provider, "usage"), key or f"part-{load_id}", status],
        )
        for row in rows:
            given = {
                "load_id": load_id,
                "account_id": "a",
                "charge_category": "Usage",
                "period_start": f"{JUNE[0]} 00:00:00Z",
                "period_end": f"{JUNE[1]} 00:00:00Z",
                **row,
            }
            names = ", ".join(given)
            marks = ", ".join("?" for _ in given)
            self.connection.execute(
                f"INSERT INTO activity_log ({names}, activity_id) VALUES ({marks}, uuid())",
                list(given.values()),
            )
        add_up(self.connection, str(load_id))
        return load_id

    def ask(self, statement, *values):
        return self.connection.execute(statement, list(values)).fetchall()

    def one(self, statement, *values):
        (row,) = self.ask(statement, *values)
        return row[0] if len(row) == 1 else row

    def use(self, *, own=(), **choice):
        """Choose as `ogf factors use` does."""
        choose(self.connection, **choice)
        if own:
            self.connection.execute("DELETE FROM emission_factors_own")
            for factor in own:
                self.connection.execute(
                    "INSERT INTO emission_factors_own VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    list(vars(factor).values()),
                )
        install(self.connection)

    def clear(self):
        for table in ("activity_log", "loads", "monthly_log"):
            self.connection.execute(f"DELETE FROM {table}")


def own_factor(provider, region, g, year=2024, pue=None):
    return OwnFactor(
        f"custom:t:{year}:{provider}/{region}", provider, region, year, g, "declared", "a test", "own", pue
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A new warehouse, made once and copied."""
    path = tmp_path_factory.mktemp("made") / "ogf.duckdb"
    with WarehouseFile(path).writing():
        pass
    return path


@pytest.fixture
def warehouse(made, tmp_path):
    path = tmp_path / "ogf.duckdb"
    shutil.copyfile(made, path)
    house = Warehouse(path)
    yield house
    house.connection.close()


@pytest.fixture(scope="module")
def shared(made, tmp_path_factory):
    """One for a module whose tests clear it themselves."""
    path = tmp_path_factory.mktemp("shared") / "ogf.duckdb"
    shutil.copyfile(made, path)
    house = Warehouse(path)
    yield house
    house.connection.close()
