"""Rows divided by account and month: every row lies in exactly one part, whatever its date."""

from __future__ import annotations

import re
from collections import Counter

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogf.files.statement import Division, filled

DATES = [
    "2024-02-29",
    "2024-03-01",
    "2024-12-31",
    "2025-01-01",
    "1999-07-01",
    "9999-12-31",
    "infinity",
    "20245-01-01",
]
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "o'c", None]), st.sampled_from([*DATES, None])), max_size=30
)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(config={"threads": 1}) as made:
        made.execute("SET TimeZone = 'UTC'")
        yield made


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "DATE", "TIMESTAMP"])
@settings(deadline=None)
@given(rows=ROWS)
def test_the_parts_that_are_listed_hold_every_row_once(connection, kind, rows):
    connection.execute(f"CREATE OR REPLACE TABLE given (who VARCHAR, day {kind})")
    if rows:
        connection.executemany(f"INSERT INTO given SELECT $1, TRY_CAST($2 AS {kind})", rows)
    division = Division(account="who", started="day")
    parts = connection.execute(division.listed("FROM given")).fetchall()
    assert len(parts) == len(set(parts))
    assert all(re.fullmatch(r"\d{4}-\d{2}|unknown", month) for _, month in parts)
    found = [row for part in parts for row in texts(connection, division.part("FROM given", part))]
    assert Counter(found) == Counter(texts(connection, division.part("FROM given", None)))


def texts(connection, select: str) -> list[tuple]:
    """Rows as text: Python has no date after the year 9999."""
    return connection.execute(f"SELECT who, CAST(day AS VARCHAR) FROM ({select})").fetchall()


def test_a_part_is_one_account_and_month(connection):
    rows = "SELECT * FROM (VALUES ('a', DATE '2024-02-29'), ('a', '2024-03-01'), ('b', '2024-02-01')) AS t(who, day)"
    division = Division(account="who", started="day")
    assert connection.execute(division.listed(rows)).fetchall() == [
        ("a", "2024-02"),
        ("a", "2024-03"),
        ("b", "2024-02"),
    ]
    assert texts(connection, division.part(rows, ("a", "2024-02"))) == [("a", "2024-02-29")]


def test_what_is_put_in_is_not_searched_for_markers():
    statement = filled("ogf_gcp.carbon", source="SELECT ':uri' AS trap", uri="'the uri'")
    assert "SELECT ':uri' AS trap" in statement
    assert "'the uri'" in statement
