"""`ogf forget`: a partition goes out again, whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest
from cli.test_status import gone

from ogf.runner.lock import run_lock

if TYPE_CHECKING:
    from cli.conftest import Place

KEYS = ("billing/000000000042/hourly/2026-01", "billing/000000000042/hourly/2026-02")
FORGET = ("forget", "--provider", "aws", "--stream", "cur")


def ask(place: Place, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(place.db), read_only=True) as connection:
        return connection.execute(sql).fetchall()


COUNTED = "SELECT partition_key, count(*) FROM activities GROUP BY ALL ORDER BY ALL"


def test_its_rows_count_no_more_until_a_run_loads_it_again(place: Place) -> None:
    place("run")
    said = place(*FORGET, KEYS[0]).stderr
    assert f"aws cur {KEYS[0]}: 3 rows are deleted; the next run that lists it loads it again" in said
    assert "1 partition, 3 rows: forgotten" in said
    assert ask(place, COUNTED) == [(KEYS[1], 4)]
    assert ask(place, "SELECT partition_key FROM partitions") == [(KEYS[1],)]
    assert ask(place, "SELECT count(*) FROM activity_log") == [(4,)]
    loads = "SELECT status, superseded_at IS NULL, pruned_at IS NULL FROM loads ORDER BY partition_key"
    assert ask(place, loads) == [("superseded", False, False), ("current", True, True)]
    assert "1 loaded, 1 unchanged" in place("run").stderr
    assert ask(place, COUNTED) == [(KEYS[0], 3), (KEYS[1], 4)]


def test_a_stream_that_keeps_history_keeps_the_rows_there(place: Place) -> None:
    place.env = {"OFFGRIDFLOW_AWS_CUR_KEEPS_HISTORY": "true"}
    place("run")
    assert "stay in the history" in place(*FORGET, KEYS[0]).stderr
    assert ask(place, COUNTED) == [(KEYS[1], 4)]
    assert ask(place, "SELECT count(*) FROM activity_log") == [(7,)]
    before = "SELECT max(published_at) FROM loads"
    assert ask(place, f"SELECT count(*) FROM activities_as_of(({before}))") == [(7,)]


def test_several_and_one_that_its_source_lists_no_more(loaded: Place) -> None:
    gone(loaded, "202601")
    loaded("run")
    answer = loaded(*FORGET, *KEYS, KEYS[0], "--json")
    assert "its source did not list it any more, so no run can load it again" in answer.stderr
    assert [
        (row["partition"], row["rows"], row["listed"], row["forgotten"]) for row in json.loads(answer.stdout)
    ] == [
        (KEYS[0], 3, False, True),
        (KEYS[1], 4, True, True),
    ]
    assert ask(loaded, "SELECT count(*) FROM activities") == [(0,)]
    assert "No longer listed" not in loaded("status").stdout
    assert "1 loaded" in loaded("run").stderr


def test_a_failure_is_forgotten_too(place: Place) -> None:
    next(place.folder.glob("exports/**/20260201*/**/*.csv.gz")).write_bytes(b"\x1f\x8b\x08cut")
    place("run", code=3)
    assert "it was never loaded" in place(*FORGET, KEYS[1]).stderr
    assert ask(place, "SELECT partition_key FROM partitions") == [(KEYS[0],)]
    assert not ask(place, "FROM loads WHERE status = 'loading'")


def test_a_dry_run_changes_nothing(loaded: Place) -> None:
    before = loaded.db.read_bytes()
    assert "this was a dry run, nothing was changed" in loaded(*FORGET, KEYS[0], "--dry-run").stderr
    assert loaded.db.read_bytes() == before


def test_on_a_terminal_it_asks(loaded: Place) -> None:
    said = loaded.on_terminal(*FORGET, KEYS[0], columns=100, keys="n\n")
    assert "Forget 1 partition, 3 rows? [y/N]" in said
    assert "nothing was changed" in said
    assert ask(loaded, "SELECT count(*) FROM activities") == [(7,)]
    loaded.on_terminal(*FORGET, KEYS[0], columns=100, keys="y\n")
    assert ask(loaded, "SELECT count(*) FROM activities") == [(4,)]
    assert "[y/N]" not in loaded.on_terminal(*FORGET, KEYS[1], "--yes", columns=100)
    assert ask(loaded, "SELECT count(*) FROM activities") == [(0,)]


def test_a_run_under_way_is_exit_4(loaded: Place) -> None:
    (lock,) = loaded.folder.rglob("run.lock")
    with run_lock(lock, what="aws"):
        answer = loaded(*FORGET, KEYS[0], code=4)
    assert "another run of aws (organisation default) is under way" in answer.stderr
    assert ask(loaded, "SELECT count(*) FROM activities") == [(7,)]


def test_killed_in_the_midst_nothing_has_happened(place: Place) -> None:
    place("run")
    place(*FORGET, KEYS[0], code=-9, OGF_FAILPOINT="prune.inside")
    assert ask(place, COUNTED) == [(KEYS[0], 3), (KEYS[1], 4)]
    assert "0 loaded, 2 unchanged" in place("run").stderr
    place(*FORGET, KEYS[0])
    assert ask(place, COUNTED) == [(KEYS[1], 4)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("aws", "cur", "2026-01"), f"aws cur has no partition 2026-01\n  → did you mean {KEYS[0]}?"),
        (("aws", "cur", KEYS[0].replace("hourly", "hurly")), KEYS[0]),
        (("aws", "cur", "nothing like it"), "lists them all"),
        (("aws", "nope", KEYS[0]), "has no partition of aws nope\n  → it has cur"),
        (("gcp", "billing", KEYS[0]), "it has no stream at all"),
        (("nope", "cur", KEYS[0]), "installed: aws"),
    ],
)
def test_what_it_does_not_know(loaded: Place, words: tuple[str, str, str], said: str) -> None:
    provider, stream, key = words
    answer = loaded("forget", "--provider", provider, "--stream", stream, KEYS[1], key, code=2)
    assert said in answer.stderr
    assert ask(loaded, "SELECT count(*) FROM activities") == [(7,)]


def test_without_a_warehouse(empty: Place) -> None:
    assert "there is no warehouse here yet" in empty(*FORGET, KEYS[0], code=1).stderr
