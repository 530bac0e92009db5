"""What rows become: quarantine, reject share, duplicates, withheld accounts, unmapped values, columns, core rules."""

from __future__ import annotations

import duckdb
import pytest

from ogf.errors import ErrorClass, ExitCode
from ogf.hookspecs import Notice, Stream
from ogf.testing.provider import FakeCloud, FakePage, relation

GOOD = {"service": "EC2", "category": "cloud_compute", "quantity": 1}
BAD = {**GOOD, "_reject": "no date", "_raw": '{"line": 7}', "source": "fake://file"}


class OnlyStream:
    """Only an Arrow C stream, as polars or pyarrow would hand it over."""

    def __init__(self, rows):
        self._connection = duckdb.connect()
        self._relation = relation(self._connection, rows)

    def __arrow_c_stream__(self, requested_schema=None):
        return self._relation.__arrow_c_stream__(requested_schema)


def test_b87_bad_rows_go_to_quarantine_and_good_ones_are_stored_once(cloud, db, ask):
    cloud.put("2026-01", [[GOOD] * 150, [GOOD] * 50 + [BAD]], version="1")
    for status in ("partial", "succeeded"):
        result = cloud.run(db)
        assert result.status == status
        assert ask("SELECT count(*) FROM activities") == [(200,)]
        assert ask("SELECT partition_key, reason, source, raw FROM quarantine") == [
            ("2026-01", "no date", "fake://file", '{"line": 7}')
        ]
    assert result.partitions[0].standing == ["rejected: 1 rows are in quarantine (no date: 1)"]
    assert (result.exit_code(), result.exit_code(strict=True)) == (ExitCode.SUCCEEDED, ExitCode.PARTIAL)


def test_too_many_rejects_fail_the_partition_and_keep_the_old_load(cloud, db, ask):
    cloud.put("2026-01", [[GOOD] * 3], version="1")
    cloud.run(db)
    cloud.put("2026-01", [[GOOD] * 98, [BAD] * 2], version="2")
    result = cloud.run(db)
    assert (result.status, result.partitions[0].error_class) == ("failed", ErrorClass.BAD_REQUEST)
    assert "2 of 100 rows were refused, more than 1 %" in result.message
    assert "no date: 2" in result.message
    assert "max_reject_share" in result.hint
    assert ask("SELECT count(*) FROM activities") == [(3,)]
    assert ask("SELECT count(*) FROM quarantine") == [(0,)]
    cloud.calls.clear()
    assert cloud.run(db, max_reject_share=0.5).status == "partial"
    assert ask("SELECT count(*) FROM activities") == [(98,)]
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"quantity": "NaN"}, "the quantity is not a finite number"),
        ({"quantity": "inf"}, "the quantity is not a finite number"),
        ({"emissions_kgco2e": "-inf"}, "the emissions are not a finite number"),
        ({"period_start": "2026-02-01", "period_end": "2026-01-01"}, "the period ends before it starts"),
    ],
)
def test_the_core_refuses_what_would_spoil_every_sum(cloud, db, ask, row, reason):
    cloud.put("2026-01", [[GOOD] * 200 + [row]], version="1")
    assert cloud.run(db).status == "partial"
    assert ask("SELECT reason FROM quarantine") == [(reason,)]
    assert ask("SELECT count(*) FROM activities") == [(200,)]


@pytest.mark.parametrize(
    "row", [{"period_end": "2026-01-01"}, {"period_start": "2026-01-01"}, {"quantity": None}]
)
def test_rules_do_not_need_columns_that_are_left_out(cloud, db, row):
    cloud.put("2026-01", [[row]], version="1")
    assert cloud.run(db).status == "succeeded"


@pytest.mark.parametrize("quantity", ["1::INTEGER", "1::DECIMAL(10,2)", "'1'", "1::DOUBLE"])
def test_any_type_that_casts_to_a_columns_type_will_do(cloud, db, quantity):
    class Page(OnlyStream):
        def __init__(self):
            self._connection = duckdb.connect()
            self._relation = self._connection.sql(
                f"SELECT {quantity} AS quantity, '2026-01-01' AS period_start, DATE '2026-02-01' AS period_end"
            )

    cloud.put("2026-01", [FakePage(Page())], version="1")
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, "quantity, date_diff('day', period_start, period_end)") == [(1.0, 31)]


def test_an_unknown_column_is_fatal_and_named(cloud, db):
    cloud.put("2026-01", [[{**GOOD, "carbon_footprnt": 1}]], version="1")
    result = cloud.run(db)
    assert (result.status, result.partitions[0].error_class) == ("failed", ErrorClass.FATAL)
    assert "carbon_footprnt" in result.message


def test_a_column_of_the_core_is_not_the_plugins_to_give(cloud, db):
    cloud.put("2026-01", [[{**GOOD, "org_id": "evil"}]], version="1")
    assert cloud.run(db).status == "failed"


def test_an_arrow_stream_does_as_well_as_a_relation(cloud, db):
    rows = [{**GOOD, "cost": "7.5E-7", "tags": {"a": "b"}, "period_start": "2026-01-01T00:00:00Z"}, BAD]
    rows = rows[:1] * 200 + rows[1:]
    cloud.put("relation", [rows], version="1")
    cloud.put("stream", [FakePage(OnlyStream(rows))], version="1")
    assert cloud.run(db).status == "partial"
    one, other = (
        cloud.rows(
            db, "* EXCLUDE (load_id, partition_key)", table=f"activities WHERE partition_key = '{key}'"
        )
        for key in ("relation", "stream")
    )
    assert one == other
    assert len(one) == 200


def test_a_pyarrow_table_and_a_reader_do_too(cloud, db):
    pa = pytest.importorskip("pyarrow", reason="the core does not need pyarrow")
    table = pa.table({"service": ["EC2", "S3"], "quantity": [1, 2]})
    cloud.put("table", [FakePage(table)], version="1")
    cloud.put("reader", [FakePage(table.to_reader())], version="1")
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.rows(db)) == 4


ID = "00000000-0000-0000-0000-00000000000"


def test_equal_rows_with_one_id_collapse_with_a_notice_and_differing_ones_are_quarantined(db, ask):
    cloud = FakeCloud(streams=(Stream("carbon", unique_ids=True),))
    many = [{"activity_id": f"{ID[:-3]}{n:04d}", "service": "S3"} for n in range(1000, 1400)]
    twice = {"activity_id": ID + "1", "service": "EC2"}
    differing = [{"activity_id": ID + "2", "service": name} for name in ("A", "B")]
    cloud.put("2026-01", [[*many, twice], [twice, *differing]], version="1")
    result = cloud.run(db)
    assert result.status == "partial"
    assert ask("SELECT count(*), count(DISTINCT activity_id) FROM activities") == [(401, 401)]
    assert ask("SELECT count(*), min(reason) FROM quarantine") == [
        (2, "several different rows have this activity_id")
    ]
    assert (result.rows, result.rejected) == (401, 2)
    notices = " | ".join(result.partitions[0].notices)
    assert "duplicates: 1 rows" in notices
    assert "several different rows have this activity_id: 2" in notices


def test_equal_rows_stay_where_ids_need_not_be_unique(cloud, db):
    cloud.put("2026-01", [[{"activity_id": ID + "1"}] * 2], version="1")
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.rows(db)) == 2


@pytest.mark.parametrize("version", [None, "2"])
def test_rows_of_a_withheld_account_are_carried_over(cloud, db, ask, version):
    a, b = ({"account_id": name, "service": "EC2"} for name in "ab")
    cloud.put("2026-01", [[a, a, b]], version=version and "1")
    cloud.run(db)
    denied = FakePage([a], notices=(Notice("denied", "grant Reader on b"),), withheld=("b",))
    cloud.put("2026-01", [denied], version=version)
    result = cloud.run(db)
    assert (result.status, result.rows) == ("partial", 2)
    assert cloud.rows(db, "account_id") == [("a",), ("b",)]
    assert result.partitions[0].notices == [
        "denied: grant Reader on b",
        "withheld: b may not be read; 1 rows of the last load are kept",
    ]
    assert cloud.run(db).count("unchanged") == 1
    assert ask("SELECT count(*) FROM activity_log") == [(2,)]


def test_notices_survive_a_crash_in_the_segments_footer(cloud, db, crashing):
    cloud.put("2026-01", [FakePage([GOOD], notices=(Notice("odd", 'it\'s "odd" … π'),)), [GOOD]], version="1")
    with crashing("segment.written", 2):
        cloud.run(db)
    cloud.calls.clear()
    result = cloud.run(db)
    assert len(cloud.calls) == 1
    assert result.partitions[0].notices == ['odd: it\'s "odd" … π']


def test_unmapped_regions_make_it_partial_and_services_and_units_are_counted(cloud, db):
    rows = [
        {**GOOD, "region": "mars-1"},
        {**GOOD, "region": "eu-west-1", "location": "EU-WEST"},
        {"service": "Novel", "unit": "Hours", "location": "GLOBAL"},
        {"service": "Novel", "unit": "furlongs"},
    ]
    cloud.put("2026-01", [rows], version="1")
    result = cloud.run(db)
    assert result.status == "partial"
    (outcome,) = result.partitions
    assert outcome.notices == ["unmapped region: mars-1 (1 rows)"]
    assert outcome.unmapped["region"] == {"mars-1": 1}
    assert outcome.unmapped["service"] == {"Novel": 2}
    assert outcome.unmapped["unit"]["furlongs"] == 1
    assert cloud.rows(db, "category, location, count(*)", table="activities GROUP BY ALL") == [
        ("cloud_compute", "EU-WEST", 1),
        ("cloud_compute", "GLOBAL", 1),
        ("cloud_other", "GLOBAL", 2),
    ]


def test_regions_are_unmapped_too_where_the_plugin_gives_no_location_at_all(cloud, db):
    cloud.put("2026-01", [[{"service": "x", "region": "mars-1"}]], version="1")
    assert cloud.run(db).status == "partial"
    assert cloud.rows(db, "category, location") == [("cloud_other", "GLOBAL")]


@pytest.mark.parametrize("drop", [False, True])
def test_b37_zero_emissions_are_kept_unless_they_are_not_wanted_and_then_counted(cloud, db, ask, drop):
    figures = [{"emissions_kgco2e": kg} for kg in (0.0, 1.5, -0.0, None)]
    cloud.put("2026-01", [figures], version="1")
    result = cloud.run(db, limits={"drop_zero_emissions": drop})
    assert result.status == "succeeded"
    assert ask("SELECT emissions_kgco2e FROM activities ORDER BY ALL") == (
        [(1.5,), (None,)] if drop else [(-0.0,), (0.0,), (1.5,), (None,)]
    )
    assert ask("SELECT row_count, dropped FROM loads") == [(2, 2) if drop else (4, 0)]
    assert result.notices == (
        ["carbon 2026-01: 2 rows of zero emissions were left out (drop_zero_emissions)"] if drop else []
    )
