"""Exactly once: re-runs, restatements, history, content hashes, partitions that come and go, crashes."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from ogf.hookspecs import Stream
from ogf.runner.run import Options
from ogf.testing.provider import FakeCloud, FakePage
from ogf.warehouse import ledger
from ogf.warehouse.file import WarehouseFile
from ogf.window import Month, Window

EC2 = {"service": "EC2", "quantity": 1.5}
S3 = {"service": "S3", "quantity": 2}
RDS = {"service": "RDS", "quantity": 3}
SHOWN = "service, quantity"


def test_b82_ten_runs_leave_the_table_of_the_first(cloud, db):
    cloud.put("2026-01", [[EC2, EC2], [S3]], [[RDS]], version="1")
    cloud.run(db)
    first = cloud.rows(db, "*")
    calls = len(cloud.calls)
    for _ in range(9):
        result = cloud.run(db)
        assert (result.status, result.count("unchanged")) == ("succeeded", 1)
    assert cloud.rows(db, "*") == first
    assert len(first) == 4
    assert len(cloud.calls) == calls, "B109: an unchanged source is not downloaded"


def test_core_columns_are_filled_and_missing_ones_are_null(cloud, db):
    cloud.put("2026-01", [[{"account_id": "007"}]], version="1")
    cloud.run(db)
    shown = "org_id, provider, stream, partition_key, account_id, cost, tags, category, location"
    assert cloud.rows(db, shown) == [
        ("default", "fake", "carbon", "2026-01", "007", None, None, "cloud_other", "GLOBAL")
    ]


def test_b112_restatement_replaces_changed_and_vanished_rows(cloud, db, ask):
    cloud.put("2026-01", [[EC2, S3]], version="1")
    cloud.run(db)
    cloud.put("2026-01", [[{**EC2, "quantity": 9}, RDS]], version="2")
    result = cloud.run(db)
    assert result.partitions[0].reason == "version changed"
    assert cloud.rows(db, SHOWN) == [("EC2", 9.0), ("RDS", 3.0)]
    assert ask("SELECT count(*) FROM activity_log") == [(2,)], "without history the old load is pruned"


@pytest.mark.parametrize("editions", [False, True])
def test_a_month_that_comes_from_elsewhere_is_told_with_what_to_do(db, editions):
    cloud = FakeCloud(streams=(Stream("carbon", editions=editions),))
    january = Month.parse("2026-01")
    cloud.put("table/2026-01", [[EC2]], version="1", month=january)
    cloud.put("table/2026-02", [[EC2]], version="1", month=january.plus(1))
    cloud.run(db)
    cloud.drop("table/2026-01")
    cloud.drop("table/2026-02")
    cloud.put("files/2026-01", [[EC2]], version="1", month=january)
    first, second = sorted(cloud.run(db).notices)
    assert second.endswith("table/2026-02: the source does not list it any more; its 1 rows are kept")
    beside = "count beside those of files/2026-01, which is new"
    forget = "`ogf forget --provider fake --stream carbon table/2026-01` takes the old ones out"
    assert (beside in first and first.endswith(forget)) is not editions


def test_history_is_kept_where_the_stream_says_so(db, ask):
    cloud = FakeCloud(streams=(Stream("carbon", keeps_history=True),))
    cloud.put("2026-01", [[EC2]], version="1")
    before = dt.datetime.now(dt.UTC)
    cloud.run(db)
    between = dt.datetime.now(dt.UTC)
    cloud.put("2026-01", [[S3]], version="2")
    cloud.run(db)
    cloud.put("2026-01", [[S3, RDS]], version="3")
    cloud.run(db)

    def as_of(moment):
        return ask(f"SELECT {SHOWN} FROM activities_as_of('{moment.isoformat()}') ORDER BY ALL")

    assert as_of(before) == []
    assert as_of(between) == [("EC2", 1.5)]
    assert as_of(dt.datetime.now(dt.UTC)) == cloud.rows(db, SHOWN) == [("RDS", 3.0), ("S3", 2.0)]
    assert ask("SELECT status, count(*) FROM loads GROUP BY ALL ORDER BY ALL") == [
        ("current", 1),
        ("superseded", 2),
    ]


def test_equal_content_without_a_version_makes_no_new_load(cloud, db, ask):
    cloud.put("2026-01", [[EC2, S3], [S3]])
    cloud.run(db)
    cloud.put("2026-01", [[S3]], [[S3, EC2]])
    result = cloud.run(db)
    assert (result.partitions[0].outcome, result.partitions[0].reason) == ("unchanged", "same content")
    assert ask("SELECT DISTINCT load_id FROM activities") == [(1,)]
    assert ask("SELECT count(*) FROM activity_log") == [(3,)]


@pytest.mark.parametrize("rows", [[EC2], [EC2, EC2, EC2], [S3, S3], []])
def test_two_equal_rows_do_not_cancel_in_the_content_hash(cloud, db, rows):
    cloud.put("2026-01", [[EC2, EC2]])
    cloud.run(db)
    cloud.put("2026-01", [rows])
    result = cloud.run(db)
    assert (result.partitions[0].outcome, result.partitions[0].reason) == ("loaded", "content changed")
    assert len(cloud.rows(db)) == len(rows)


def test_a_changed_notice_without_a_version_is_told_though_the_rows_are_the_same(cloud, db):
    from ogf.hookspecs import Notice

    cloud.put("2026-01", [[EC2]])
    cloud.run(db)
    cloud.put("2026-01", [FakePage([EC2], notices=(Notice("denied", "subscription b"),))])
    result = cloud.run(db)
    assert (result.status, result.partitions[0].notices) == ("partial", ["denied: subscription b"])
    cloud.put("2026-01", [[EC2]])
    assert cloud.run(db).status == "succeeded"
    assert cloud.run(db).partitions[0].standing == []


def test_a_partition_that_is_no_longer_listed_keeps_its_rows_with_a_notice(cloud, db, ask):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.put("2026-02", [[S3]], version="1")
    cloud.run(db)
    cloud.drop("2026-01")
    result = cloud.run(db)
    assert "2026-01" in result.notices[0]
    assert "1 rows are kept" in result.notices[0]
    assert cloud.rows(db, SHOWN) == [("EC2", 1.5), ("S3", 2.0)]
    assert ask("SELECT partition_key FROM partitions WHERE NOT listed") == [("2026-01",)]
    cloud.put("2026-01", [[EC2]], version="1")
    assert cloud.run(db).notices == []
    assert ask("SELECT partition_key FROM partitions WHERE NOT listed") == []


def test_a_partition_outside_the_window_is_not_missed(cloud, db):
    for number in (1, 2, 3):
        cloud.put(f"2026-0{number}", [[EC2]], version="1", month=Month(2026, number))
    cloud.run(db)
    cloud.drop("2026-01")
    cloud.drop("2026-03")
    result = cloud.run(db, Options(window=Window(Month(2026, 2), None)))
    assert len(result.notices) == 1
    assert "2026-03" in result.notices[0]


def test_a_partition_without_requests_publishes_zero_rows(cloud, db, ask):
    cloud.put("2026-01", version="1")
    cloud.put("2026-02", [[]], version="1")
    result = cloud.run(db)
    assert (result.status, result.count("loaded")) == ("succeeded", 2)
    assert ask("SELECT status, row_count FROM partitions") == [("loaded", 0), ("loaded", 0)]
    assert cloud.run(db).count("unchanged") == 2


def test_full_loads_again_whatever_the_version(cloud, db, ask):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.run(db)
    result = cloud.run(db, Options(full=True))
    assert result.partitions[0].reason == "forced"
    assert ask("SELECT load_id, service FROM activity_log") == [(2, "EC2")]


def test_organisations_share_a_warehouse_and_not_a_row(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.run(db, limits={"org_id": "north"})
    cloud.run(db, limits={"org_id": "south"})
    cloud.put("2026-01", [[S3]], version="2")
    cloud.run(db, limits={"org_id": "south"})
    assert cloud.rows(db, "org_id, service") == [("north", "EC2"), ("south", "S3")]


def test_b135_workers_pages_and_their_order_do_not_change_the_table(db, tmp_path):
    rows = [{"service": "EC2", "quantity": n % 7, "usage_type": f"u{n % 5}"} for n in range(60)]
    tables = []
    for number, (size, workers) in enumerate([(60, 1), (7, 1), (7, 3), (1000, 2)]):
        cloud = FakeCloud()
        ordered = rows if number % 2 else rows[::-1]
        pages = [ordered[start : start + size] for start in range(0, 60, size)]
        cloud.put("2026-01", pages[::2], pages[1::2], version="1")
        path = tmp_path / f"{number}.duckdb"
        cloud.run(path, workers=workers)
        tables.append(cloud.rows(path))
    assert all(table == tables[0] for table in tables)


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("page.fetched", 2),
        ("segment.written", 2),
        ("segment.renamed", 2),
        ("append.before", 1),
        ("append.inside", 1),
        ("append.after", 1),
        ("publish.before", 1),
        ("publish.inside", 1),
        ("publish.after", 1),
        ("finish.inside", 1),
        ("prune.inside", 1),
    ],
)
def test_b110_a_crash_anywhere_then_a_run_is_one_clean_run(cloud, db, crashing, ask, point, nth):
    cloud.put("2026-01", [[S3]], version="0")
    cloud.run(db)
    cloud.put("2026-01", [[EC2], [EC2, S3], [RDS]], version="1")
    cloud.calls.clear()
    with crashing(point, nth):
        cloud.run(db)
    expected_before = [("S3", 2.0)]
    expected = [("EC2", 1.5), ("EC2", 1.5), ("RDS", 3.0), ("S3", 2.0)]
    assert cloud.rows(db, SHOWN) in (expected_before, expected), "a load is seen whole or not at all"
    result = cloud.run(db)
    assert result.status == "succeeded"
    assert cloud.rows(db, SHOWN) == expected
    assert ask("SELECT count(*) FROM activity_log") == [(4,)]
    statuses = [status for (status,) in ask("SELECT status FROM runs ORDER BY started_at")]
    assert statuses == ["succeeded", "succeeded" if point == "prune.inside" else "failed", "succeeded"]
    pages = [page for _, _, _, page in cloud.calls]
    assert len(pages) == 3 + (point in ("page.fetched", "segment.written")), (
        "a finished page is not fetched again"
    )


def test_b110_a_load_given_up_by_a_newer_version_leaves_nothing(cloud, db, crashing, ask):
    cloud.put("2026-01", [[EC2], [S3]], version="1")
    with crashing("append.after"):
        cloud.run(db)
    cloud.put("2026-01", [[RDS]], version="2")
    cloud.run(db)
    assert cloud.rows(db, SHOWN) == [("RDS", 3.0)]
    assert ask("SELECT count(*), count(DISTINCT load_id) FROM activity_log") == [(1, 1)]
    assert not list(db.parent.rglob("*.parquet")), "no segment is left behind"


def test_b83_a_commit_that_fails_twice_and_then_succeeds_stores_once(cloud, db, monkeypatch):
    cloud.put("2026-01", [[EC2], [S3]], version="1")
    flips = []
    put = ledger.put

    def failing(session, *rows):
        put(session, *rows)
        if any(isinstance(row, ledger.PartitionState) and row.status == "loaded" for row in rows):
            flips.append(rows)
            if len(flips) <= 2:
                raise duckdb.IOException("disk trouble")

    monkeypatch.setattr(ledger, "put", failing)
    from ogf.errors import WarehouseError

    for _ in range(2):
        with pytest.raises(WarehouseError, match="disk trouble"):
            cloud.run(db)
        assert cloud.rows(db, SHOWN) == []
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, SHOWN) == [("EC2", 1.5), ("S3", 2.0)]
    assert len(cloud.calls) == 2


def test_a_new_plugin_version_does_not_mix_its_segments_with_the_old_ones(cloud, db, crashing):
    cloud.put("2026-01", [[EC2], [S3], [RDS]], version="1")
    with crashing("segment.renamed", 2):
        cloud.run(db)
    cloud.calls.clear()
    cloud.plugin_version = "2"
    cloud.run(db)
    assert len(cloud.calls) == 3
    assert cloud.rows(db, SHOWN) == [("EC2", 1.5), ("RDS", 3.0), ("S3", 2.0)]


def test_chains_listed_in_another_order_are_not_taken_for_each_other(cloud, db, crashing):
    cloud.put("2026-01", [[EC2], [S3]], [[RDS]], version="1")
    with crashing("page.fetched", 3):
        cloud.run(db, workers=1)
    original = cloud._listed

    def turned(stream, key, held):
        from dataclasses import replace

        listed = original(stream, key, held)
        return replace(listed, requests=listed.requests[::-1])

    cloud._listed = turned
    cloud.run(db)
    assert cloud.rows(db, SHOWN) == [("EC2", 1.5), ("RDS", 3.0), ("S3", 2.0)]


@pytest.mark.parametrize(("resume_ttl", "fetched"), [(3600.0, [2]), (0.0, [0, 1, 2])])
def test_without_a_version_only_a_recent_attempt_is_resumed(cloud, db, crashing, resume_ttl, fetched):
    cloud.put("2026-01", [[EC2], [S3], [RDS]])
    with crashing("segment.renamed", 2):
        cloud.run(db)
    cloud.calls.clear()
    cloud.run(db, resume_ttl=resume_ttl)
    assert [page for _, _, _, page in cloud.calls] == fetched
    assert len(cloud.rows(db)) == 3


def test_a_lost_spool_heals_itself(cloud, db, crashing, monkeypatch):
    import shutil

    from ogf.runner import driver

    monkeypatch.setattr(driver, "_APPEND_BYTES", 1)
    cloud.put("2026-01", [[EC2], [S3]], version="1")
    with crashing("publish.before"):
        cloud.run(db)
    shutil.rmtree(f"{db}.spool")
    cloud.put("2026-01", [[RDS]], version="1")
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, SHOWN) == [("RDS", 3.0)]


def test_a_resumed_load_that_must_restart_begins_anew(cloud, db, crashing, monkeypatch):
    from ogf.runner import driver

    monkeypatch.setattr(driver, "_APPEND_BYTES", 1)
    cloud.put("2026-01", [[EC2], [S3]], version="1")
    with crashing("publish.before"):
        cloud.run(db)
    # The same version, yet other content: what `confirm` is for.
    cloud.put("2026-01", [[RDS], [RDS]], version="1")
    cloud.confirmations = [False]
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, SHOWN) == [("RDS", 3.0), ("RDS", 3.0)]


def test_a_partition_that_failed_and_is_as_before_stands_well_again(cloud, db, ask):
    from ogf.errors import ErrorClass
    from ogf.testing.provider import refused

    cloud.put("old", [[EC2]], version="1")
    cloud.put("hashed", [[S3]])
    cloud.run(db)
    cloud.put("old", [[RDS]], version="2")
    cloud.fail(refused(ErrorClass.NOT_FOUND), times=2)
    assert cloud.run(db).status == "failed"
    assert ask("SELECT status FROM partitions") == [("failed",), ("failed",)]
    cloud.put("old", [[EC2]], version="1")
    assert cloud.run(db).count("unchanged") == 2
    assert ask("SELECT DISTINCT status, message, error_class FROM partitions") == [("loaded", None, None)]


def test_a_crash_amid_pruning_is_made_up_for(cloud, db, crashing, ask):
    for version in ("1", "2"):
        cloud.put("2026-01", [[EC2]], version=version)
        if version == "1":
            cloud.run(db)
    with crashing("prune.inside"):
        cloud.run(db)
    assert ask("SELECT count(*) FROM activity_log") == [(2,)]
    assert len(cloud.rows(db)) == 1
    cloud.run(db)
    assert ask("SELECT count(*) FROM activity_log") == [(1,)]


def test_a_plan_writes_nothing_and_says_why(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    assert [(item.load, item.reason) for item in cloud.prepare(db).plan(Options())] == [(True, "new")]
    assert not db.exists()
    cloud.run(db)
    cloud.put("2026-02", [[EC2]])
    planned = cloud.prepare(db).plan(Options())
    assert [(item.load, item.reason) for item in planned] == [(False, "same version"), (True, "new")]
    with WarehouseFile(db).reading() as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
