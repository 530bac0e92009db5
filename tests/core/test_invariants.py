"""Invariants 1 to 4 and 7 for random sources, changes, crashes and worker counts, through the real runner."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from ogf.runner import driver
from ogf.testing.provider import FakeCloud, throttled

POINTS = (
    "page.fetched",
    "segment.written",
    "segment.renamed",
    "append.before",
    "append.inside",
    "append.after",
    "publish.before",
    "publish.inside",
    "publish.after",
    "finish.inside",
    "prune.inside",
)
VERSIONED = ("a", "b")
HASHED = ("h",)
SHOWN = "* EXCLUDE (load_id)"

rows = st.lists(
    st.builds(
        lambda service, quantity: {"service": service, "quantity": quantity},
        st.sampled_from(["EC2", "S3", None]),
        st.integers(0, 2),
    ),
    max_size=3,
)
chains = st.lists(st.lists(rows, min_size=1, max_size=3), max_size=2)
puts = st.tuples(st.just("put"), st.sampled_from(VERSIONED + HASHED), chains)
runs = st.tuples(
    st.just("run"),
    st.integers(1, 3),
    st.none() | st.tuples(st.sampled_from(POINTS), st.integers(1, 3)),
    st.integers(0, 3),
)
stories = st.lists(puts | puts | runs, min_size=3, max_size=6)


class Story:
    """A source that changes and runs that crash, on one warehouse; what may be seen is checked all the time."""

    def __init__(self, folder, crashing):
        self.cloud, self.db, self.crashing = FakeCloud(), folder / "ogf.duckdb", crashing
        self.versions = 0
        self.held = {key: {()} for key in VERSIONED + HASHED}

    def put(self, key, content):
        self.versions += 1
        self.cloud.put(key, *content, version=str(self.versions) if key in VERSIONED else None)
        flat = Counter(
            (row["service"], row["quantity"]) for chain in content for page in chain for row in page
        )
        self.held[key].add(tuple(sorted(flat.items(), key=repr)))

    def run(self, workers, crash, faults):
        self.cloud.fail(throttled(retry_after=1), times=faults)
        if crash:
            self.crashing.arm(*crash)
        try:
            self.cloud.run(self.db, workers=workers, resume_ttl=0.0)
        except self.crashing.Crash as point:
            note(f"crashed at {point}")
        self.crashing.disarm()
        if self.db.exists():
            self.whole_or_not_at_all()

    def whole_or_not_at_all(self):
        seen = {key: Counter() for key in self.held}
        for key, service, quantity in FakeCloud.rows(self.db, "partition_key, service, quantity"):
            seen[key][service, int(quantity)] += 1
        for key, counted in seen.items():
            assert tuple(sorted(counted.items(), key=repr)) in self.held[key], key


@pytest.mark.parametrize("append_at_once", [False, True])
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories)
def test_after_any_story_a_clean_run_shows_what_one_clean_run_shows(
    crashing, monkeypatch, append_at_once, story
):
    if append_at_once:
        monkeypatch.setattr(driver, "_APPEND_BYTES", 1)
    with tempfile.TemporaryDirectory() as folder:
        told = Story(Path(folder), crashing)
        for what, *how in story:
            getattr(told, what)(*how)
        cloud, db = told.cloud, told.db
        assert cloud.run(db, resume_ttl=0.0).status == "succeeded"

        clean = Path(folder) / "clean.duckdb"
        assert cloud.run(clean, workers=1).status == "succeeded"
        assert cloud.rows(db, SHOWN) == cloud.rows(clean, SHOWN)
        assert len(cloud.rows(db, "load_id", table="activity_log")) == len(cloud.rows(db, "load_id"))

        table = cloud.rows(db, "*")
        cloud.calls.clear()
        again = cloud.run(db)
        assert again.count("unchanged") == len(again.partitions)
        assert cloud.rows(db, "*") == table
        assert {key for _, key, _, _ in cloud.calls} <= set(HASHED)
