"""What the core's tests share: a fake cloud, a warehouse of its own, and crashes at the runner's failpoints."""

from __future__ import annotations

import importlib

import duckdb
import pytest
import structlog

from ogf.testing.provider import FakeCloud

PASSED_IN = ("extract", "segments", "load", "publish", "books")


class Crash(BaseException):
    """Ends a run as a kill would: nothing in the runner catches it."""


class Crashing:
    """Arms one failpoint at a time; `with crashing("append.inside"):` expects the crash."""

    Crash = Crash

    def __init__(self, monkeypatch):
        self._armed: str | None = None
        self._left = 0
        for module in PASSED_IN:
            monkeypatch.setattr(importlib.import_module(f"ogf.runner.{module}"), "passing", self._passing)

    def arm(self, point, nth=1):
        self._armed, self._left = point, nth

    def disarm(self):
        self._armed = None

    def __call__(self, point, nth=1):
        self.arm(point, nth)
        return pytest.raises(Crash)

    def _passing(self, point):
        if point == self._armed:
            self._left -= 1
            if self._left == 0:
                self._armed = None
                raise Crash(point)


@pytest.fixture
def crashing(monkeypatch):
    return Crashing(monkeypatch)


@pytest.fixture(autouse=True)
def logs():
    """Every log event of the test, as dictionaries; nothing is rendered."""
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture
def cloud():
    return FakeCloud()


@pytest.fixture
def db(tmp_path):
    return tmp_path / "ogf.duckdb"


@pytest.fixture
def ask(db):
    """Ask the warehouse something: `ask("SELECT …")` gives all rows."""

    def query(statement):
        with duckdb.connect(str(db)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    return query
