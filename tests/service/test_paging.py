"""Pages of activities have every row once, whatever ids and times the rows share."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from ogf.service.routes.activities import _BEGINNING, Condition, _page, _read_key

FEW = "00000000-0000-0000-0000-00000000000"
KEYS = st.tuples(st.one_of(st.none(), st.integers(1, 3)), st.one_of(st.none(), st.integers(1, 3)))


@settings(max_examples=40, deadline=None)
@given(st.lists(KEYS, max_size=14), st.integers(1, 4))
def test_every_row_once(keys: list[tuple[int | None, int | None]], limit: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE activities (n BIGINT, org_id VARCHAR, load_id BIGINT, period_start TIMESTAMPTZ, activity_id UUID)"
        )
        for n, (day, number) in enumerate(keys):
            start = None if day is None else f"2026-01-0{day} 00:00:00+00"
            name = None if number is None else f"{FEW}{number}"
            connection.execute("INSERT INTO activities VALUES (?, 'o', 1, ?, ?)", [n, start, name])
        found, after, pages = [], _BEGINNING, 0
        while after is not None:
            page = _page(connection, Condition("o"), after, limit)
            found += [row["n"] for row in page["data"]]
            after = _read_key(page["next"]) if page["next"] else None
            pages += 1
            assert pages <= len(keys) + 1
    assert sorted(found) == list(range(len(keys)))
