"""Warehouses for the report, each filled by real runs of a scripted provider."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from report.samples import Warehouse

from ogf.report.page import page
from ogf.report.tables import ACCOUNTINGS, Asked, Tables
from ogf.warehouse.file import WarehouseFile
from ogf.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    return Warehouse(tmp_path / "ogf.duckdb")


@pytest.fixture
def tables(warehouse) -> Callable[..., Any]:
    """Open the warehouse for a report: `tables(providers=("aws",))`. Closed by the next load, or after the test."""

    def open_(**asked: Any) -> Tables:
        reading = WarehouseFile(warehouse.db).reading()
        connection = reading.__enter__()
        warehouse.readers.append(reading)
        return Tables(connection, Asked(**{"window": Window(), "accountings": ACCOUNTINGS} | asked))

    yield open_
    warehouse.close()


@pytest.fixture
def html(tables) -> Callable[..., str]:
    """The page of the warehouse."""
    return lambda **asked: page(tables(**asked), dt.datetime(2026, 11, 2, 9, 30, tzinfo=dt.UTC))


@pytest.fixture
def ask(warehouse):
    def query(statement):
        with duckdb.connect(str(warehouse.db), read_only=True) as connection:
            return connection.execute(statement).fetchall()

    return query
