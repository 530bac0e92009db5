"""Which deliveries are found, in which layouts, and what is asked of the store to find them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from aws.cur_files import (
    PAYER,
    Warehouse,
    csv_file,
    folder_put,
    gz,
    legacy_manifest,
    lines,
    month_lines,
    parquet_file,
    put_athena,
    put_export,
    put_legacy,
    s3_settings,
)

from ogf.errors import ErrorClass, SourceError
from ogf.window import Month
from ogf_aws.exports.manifests import parse, period_of

TEN = csv_file(lines(10))
TEN_COST = Decimal("45.10")
TEN_PARQUET = parquet_file(lines(10))
TEN_CUR2 = csv_file(lines(10), legacy=False)


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """`place.put(key, body)`, and `place.warehouse(below)`: on a local folder and on S3."""
    return (
        Local(tmp_path) if request.param == "folder" else Remote(tmp_path, request.getfixturevalue("bucket"))
    )


class Local:
    def __init__(self, tmp_path):
        self.folder = tmp_path / "bucket"
        self.tmp_path = tmp_path
        self.put = folder_put(self.folder)

    def warehouse(self, below: str = "", **settings) -> Warehouse:
        return Warehouse(self.tmp_path / "ogf.duckdb", self.folder / below.strip("/"), **settings)


class Remote:
    def __init__(self, tmp_path, bucket):
        self.tmp_path = tmp_path
        self.bucket = bucket
        self.put = bucket.put

    def warehouse(self, below: str = "", **settings) -> Warehouse:
        location = f"s3://{self.bucket.name}/{below}"
        return Warehouse(self.tmp_path / "ogf.duckdb", location, **s3_settings(self.bucket, **settings))

    def calls(self) -> list[str]:
        return [line for line in self.bucket.aws.faults.calls if line.startswith("GET ")]


def listings(calls: list[str]) -> list[str]:
    return [line for line in calls if "list-type=2" in line]


def data_reads(calls: list[str]) -> list[str]:
    return [line for line in calls if line.endswith((".gz", ".parquet", ".zip", ".csv"))]


class TestManifests:
    URI = "s3://billing/x-Manifest.json"

    def test_b14_legacy(self):
        text = legacy_manifest(["/a/b-1.csv.gz", "a/b-2.csv.gz"], month="2026-01", assembly="id", report="b")
        found = parse(text, "b-Manifest.json", uri=self.URI)
        assert (found.version, found.report, found.month) == ("id", "b", Month(2026, 1))
        assert (found.files, found.account, found.bucket) == (
            ("a/b-1.csv.gz", "a/b-2.csv.gz"),
            PAYER,
            "billing",
        )

    @pytest.mark.parametrize("objects", [False, True])
    @pytest.mark.parametrize("name", ["s3Uri", "key"])
    def test_b14_data_exports(self, objects, name):
        uri = "s3://billing/e/data/BILLING_PERIOD=2025-12/e-00001.csv.gz"
        files = [{name: uri}] if objects else [uri]
        text = json.dumps({"executionId": "run", "dataFiles": files}).encode()
        found = parse(text, "e/metadata/BILLING_PERIOD=2025-12/e-Manifest.json", uri=self.URI)
        assert (found.version, found.report, found.month) == ("run", "e", Month(2025, 12))
        assert (found.bucket, found.files) == ("billing", ("e/data/BILLING_PERIOD=2025-12/e-00001.csv.gz",))

    def test_b16_a_complete_manifest_needs_an_assembly_or_execution(self):
        text = legacy_manifest(["a.csv"], month="2026-01", assembly="", report="b")
        with pytest.raises(SourceError, match="neither `assemblyId` nor `executionId`") as caught:
            parse(text, "b-Manifest.json", uri=self.URI)
        assert caught.value.error_class is ErrorClass.BAD_REQUEST
        assert caught.value.where == self.URI

    def test_b17_only_data_files_are_taken(self):
        keys = [
            "a-1.csv.gz",
            "a-Manifest.json",
            "a-RedshiftCommands.sql",
            "crawler-cfn.yml",
            "a-2.snappy.parquet",
        ]
        found = parse(legacy_manifest(keys, month="2026-01", assembly="id", report="a"), "m", uri=self.URI)
        assert found.files == ("a-1.csv.gz", "a-2.snappy.parquet")

    @pytest.mark.parametrize(
        ("path", "month"),
        [
            ("p/r/20260101-20260201/", Month(2026, 1)),
            ("p/r/20261201-20270101/id/", Month(2026, 12)),
            ("p/e/data/BILLING_PERIOD=2026-01/", Month(2026, 1)),
            ("p/e/data/billing_period=2026-01/", Month(2026, 1)),
            ("p/r/r/year=2026/month=1/", Month(2026, 1)),
            ("p/r/r/year=2026/month=12/", Month(2026, 12)),
            ("p/r/r/year=2026/month=13/", None),
            ("p/r/r/year=2026/", None),
            ("p/2026/", None),
        ],
    )
    def test_periods_of_folders(self, path, month):
        assert period_of(path) == month


LAYOUTS = {
    "legacy create-new": (lambda put: put_legacy(put, [gz(TEN)] * 2), "hourly"),
    "legacy overwrite": (lambda put: put_legacy(put, [gz(TEN)] * 2, overwrite=True), "hourly"),
    "athena": (lambda put: put_athena(put, [TEN_PARQUET] * 2), "hourly"),
    "export overwrite": (lambda put: put_export(put, [gz(TEN_CUR2)] * 2), "cur2"),
    "export create-new": (lambda put: put_export(put, [gz(TEN_CUR2)] * 2, overwrite=False), "cur2"),
    "export objects": (lambda put: put_export(put, [gz(TEN_CUR2)] * 2, objects=True), "cur2"),
    "export parquet": (lambda put: put_export(put, [TEN_PARQUET] * 2, suffix="snappy.parquet"), "cur2"),
}


def deliver_with_leading_slashes(put):
    keys = [f"/exports/hourly/20260101-20260201/assembly-1/hourly-{number}.csv.gz" for number in (1, 2)]
    put_legacy(put, [gz(TEN)] * 2, reportKeys=keys)


LAYOUTS["leading slash"] = (deliver_with_leading_slashes, "hourly")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_b23_manifest_to_rows(place, layout):
    deliver, report = LAYOUTS[layout]
    deliver(place.put)
    warehouse = place.warehouse("exports")
    result = warehouse.run()
    assert (result.status, result.message) == ("succeeded", "")
    assert [item.key for item in result.partitions] == [
        f"billing/{PAYER}/{report}/2026-01" if report == "hourly" else f"billing/{report}/2026-01"
    ]
    assert warehouse.facts() == (20, 2 * TEN_COST)
    sources = warehouse.column("DISTINCT source")
    assert len(sources) == 2
    assert all(report in source for source in sources)
    again = warehouse.run()
    assert (again.status, again.count("unchanged")) == ("succeeded", 1)


@pytest.mark.parametrize(
    "below", ["", "exports", "exports/", "/exports", "exports/hourly", "exports/hourly/20260101-20260201/"]
)
def test_a_location_may_lie_above_or_below_the_report_and_be_spelled_with_slashes(place, below):
    put_legacy(place.put, [gz(TEN)])
    warehouse = place.warehouse(below)
    result = warehouse.run()
    assert (result.status, result.message) == ("succeeded", "")
    assert warehouse.facts() == (10, TEN_COST)


def test_keys_that_begin_with_a_slash_in_the_bucket(bucket, tmp_path):
    """An empty report prefix: AWS writes `/report/…`."""
    place = Remote(tmp_path, bucket)
    put_legacy(place.put, [gz(TEN)], prefix="/")
    put_athena(place.put, [TEN_PARQUET], prefix="/", report="columns")
    warehouse = place.warehouse()
    assert warehouse.run().status == "succeeded"
    assert warehouse.facts() == (20, 2 * TEN_COST)


def test_odds_and_ends_beside_a_report_are_not_read(place):
    put_athena(place.put, [TEN_PARQUET])
    place.put("exports/hourly/crawler-cfn.yml", b"Resources:")
    place.put("exports/notes.csv", b"not,a,report")
    warehouse = place.warehouse("exports")
    result = warehouse.run()
    assert (result.status, len(result.partitions)) == ("succeeded", 1)


class TestWindow:
    MONTHS = ("2025-11", "2025-12", "2026-01")

    @pytest.fixture
    def delivered(self, place):
        for month in self.MONTHS:
            rows = month_lines(month, 10)
            put_legacy(place.put, [gz(csv_file(rows))], month=month)
            put_athena(place.put, [parquet_file(rows)], month=month, report="columns")
            put_export(place.put, [gz(csv_file(rows, legacy=False))], month=month)
        return place

    def test_only_months_in_the_window_are_listed_and_read(self, delivered):
        warehouse = delivered.warehouse("exports")
        result = warehouse.run(since="2025-12", until="2026-01")
        assert (result.status, result.count("loaded")) == ("succeeded", 3)
        assert {key[-7:] for key in warehouse.column("partition_key")} == {"2025-12"}
        if isinstance(delivered, Remote):
            calls = delivered.calls()
            assert not [
                line for line in calls if "202511" in line or "2025-11" in line or "month%3D11" in line
            ]
            assert not [line for line in calls if "20260101-" in line or "2026-01" in line]
            assert len(data_reads(calls)) == 3
        assert warehouse.run().count("loaded") == 6

    def test_a_window_without_any_delivery_is_no_error(self, delivered):
        result = delivered.warehouse("exports").run(since="2030-01")
        assert (result.status, result.partitions) == ("succeeded", [])


class TestVersions:
    def test_b126_a_new_assembly_is_loaded_and_the_same_is_skipped(self, place):
        put_legacy(place.put, [gz(TEN)])
        warehouse = place.warehouse("exports")
        assert [item.reason for item in warehouse.run().partitions] == ["new"]
        assert [item.reason for item in warehouse.run().partitions] == ["same version"]
        put_legacy(place.put, [gz(TEN)], assembly="assembly-2")
        assert [item.reason for item in warehouse.run().partitions] == ["version changed"]
        assert warehouse.facts() == (10, TEN_COST)

    def test_b126_a_report_that_is_gone_is_not_found_and_its_rows_stay(self, bucket, tmp_path):
        place = Remote(tmp_path, bucket)
        put_legacy(place.put, [gz(TEN)])
        warehouse = place.warehouse("exports")
        warehouse.run()
        for item in bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"]:
            bucket.s3.delete_object(Bucket=bucket.name, Key=item["Key"])
        result = warehouse.run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "not_found")
        assert "there is no manifest here" in result.message
        assert warehouse.facts() == (10, TEN_COST)

    def test_b128_successive_deliveries_end_at_the_total_of_the_last(self, place):
        warehouse = place.warehouse("exports")
        for day, count in enumerate((3, 8, 5), 1):
            put_legacy(place.put, [gz(csv_file(lines(count)))], assembly=f"day-{day}", report="new")
            put_legacy(
                place.put, [gz(csv_file(lines(count)))], assembly=f"day-{day}", overwrite=True, report="over"
            )
            assert warehouse.run().status == "succeeded"
            cost = sum((Decimal(f"{number}.01") for number in range(count)), Decimal(0))
            assert warehouse.facts() == (2 * count, 2 * cost)
        assert warehouse.query("SELECT count(*) FROM activity_log") == [(10,)]

    def test_two_assemblies_side_by_side_are_one_month(self, place):
        put_legacy(place.put, [gz(TEN)] * 3, assembly="b-old")
        put_legacy(place.put, [gz(TEN)], assembly="a-new")
        for below in ("exports", "exports/hourly/20260101-20260201"):
            warehouse = place.warehouse(below)
            assert warehouse.run(full=True).status == "succeeded"
            assert warehouse.facts() == (10, TEN_COST)

    def test_the_manifest_above_the_assemblies_counts_whatever_the_files_times_say(self, tmp_path):
        """A copy may write the older assembly last."""
        place = Local(tmp_path)
        put_legacy(place.put, [gz(TEN)], assembly="new")
        stale = legacy_manifest(
            ["exports/hourly/20260101-20260201/old/hourly-1.csv.gz"],
            month="2026-01",
            assembly="old",
            report="hourly",
        )
        place.put("exports/hourly/20260101-20260201/old/hourly-Manifest.json", stale)
        place.put("exports/hourly/20260101-20260201/old/hourly-1.csv.gz", gz(csv_file(lines(3))))
        warehouse = place.warehouse("exports/hourly/20260101-20260201")
        warehouse.run()
        assert warehouse.facts() == (10, TEN_COST)

    def test_b127_other_files_and_other_order_are_the_same_rows(self, tmp_path):
        tables = []
        rows = lines(40)
        splits = [[rows], [rows[::-1]], [rows[:7], rows[7:30], [], rows[30:]], [rows[30:], rows[:30]]]
        for number, split in enumerate(splits):
            place = Local(tmp_path / str(number))
            put_legacy(place.put, [gz(csv_file(part)) for part in split])
            warehouse = place.warehouse("exports")
            warehouse.run()
            tables.append(warehouse.table())
        assert len(tables[0]) == 40
        assert tables[1:] == [tables[0]] * 3

    def test_the_same_report_as_parquet_wins_over_csv(self, place):
        put_legacy(place.put, [gz(TEN)] * 2)
        put_athena(place.put, [TEN_PARQUET], prefix="athena/")
        warehouse = place.warehouse()
        assert warehouse.run().status == "succeeded"
        assert warehouse.facts() == (10, TEN_COST)

    def test_reports_of_two_payers_with_one_name_are_both_loaded(self, place):
        put_legacy(place.put, [gz(TEN)], prefix="one/")
        put_legacy(place.put, [gz(csv_file(lines(3)))], prefix="two/", account="000000000077")
        warehouse = place.warehouse()
        result = warehouse.run()
        assert (result.status, result.count("loaded")) == ("succeeded", 2)
        assert warehouse.facts()[0] == 13
        assert warehouse.run().count("unchanged") == 2


class TestAccount:
    def test_a_report_of_another_payer_is_refused_before_any_data_moves(self, place):
        put_legacy(place.put, [gz(TEN)])
        warehouse = place.warehouse("exports", ingestion__aws__account_id="999999999999")
        result = warehouse.run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "bad_request")
        assert PAYER in result.message
        assert "999999999999" in result.message
        assert "account_id" in result.hint
        if isinstance(place, Remote):
            assert data_reads(place.calls()) == []

    def test_the_right_payer_is_loaded(self, place):
        put_legacy(place.put, [gz(TEN)])
        put_export(
            place.put, [gz(TEN_CUR2)], exportArn=f"arn:aws:bcm-data-exports:us-east-1:{PAYER}:export/cur2-1"
        )
        warehouse = place.warehouse("exports", ingestion__aws__account_id=PAYER)
        assert warehouse.run().count("loaded") == 2

    def test_a_data_export_names_its_payer_in_its_arn(self, place):
        put_export(
            place.put,
            [gz(TEN_CUR2)],
            exportArn="arn:aws:bcm-data-exports:us-east-1:000000000077:export/cur2-1",
        )
        result = place.warehouse("exports", ingestion__aws__account_id=PAYER).run()
        assert result.status == "failed"
        assert "000000000077" in result.message


class TestRemote:
    def test_b28_a_month_of_more_objects_than_one_listing_holds(self, bucket, tmp_path):
        """More than a thousand take long to store: `tests/aws/test_s3.py` lists so many, here a page holds ten."""
        place = Remote(tmp_path, bucket)
        put_legacy(place.put, [gz(csv_file(lines(number + 1)[-1:])) for number in range(34)])
        bucket.aws.faults.clear()
        warehouse = place.warehouse("exports", ingestion__aws__page_size=10)
        assert warehouse.run().status == "succeeded"
        assert warehouse.facts()[0] == 34
        assert len([line for line in listings(place.calls()) if "assembly-1" in line]) == 4

    def test_b28_a_missing_bucket_is_not_found(self, aws, tmp_path, bucket):
        warehouse = Warehouse(tmp_path / "ogf.duckdb", "s3://no-such-bucket/x", **s3_settings(bucket))
        result = warehouse.run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "not_found")
        assert result.hint

    def test_b109_the_second_run_reads_manifests_only(self, bucket, tmp_path):
        place = Remote(tmp_path, bucket)
        for month in ("2025-11", "2025-12", "2026-01"):
            put_legacy(place.put, [gz(csv_file(month_lines(month, 10)))] * 3, month=month)
        warehouse = place.warehouse("exports")
        assert warehouse.run().count("loaded") == 3
        assert len(data_reads(place.calls())) == 9
        before = warehouse.table(without=("load_id",))
        bucket.aws.faults.clear()
        assert warehouse.run().count("unchanged") == 3
        assert data_reads(place.calls()) == []
        assert warehouse.table(without=("load_id",)) == before

    def test_a_prefix_with_data_files_only_says_what_is_missing(self, bucket, tmp_path):
        place = Remote(tmp_path, bucket)
        place.put("exports/a.csv.gz", gz(TEN))
        result = place.warehouse("exports").run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "not_found")
        assert "only data files" in result.message


class TestWithoutManifest:
    def test_each_payer_and_period_is_a_partition(self, tmp_path):
        place = Local(tmp_path)
        other = "000000000077"
        place.put("a.csv.gz", gz(csv_file([*month_lines("2025-12", 3), *month_lines("2026-01", 4)])))
        place.put("deep/er/b.parquet", parquet_file(month_lines("2026-01", 5)))
        place.put("c.csv", csv_file(month_lines("2026-01", 6, bill_payer_account_id=other)))
        warehouse = place.warehouse()
        result = warehouse.run()
        assert result.status == "succeeded"
        assert warehouse.query("SELECT partition_key, count(*) FROM activities GROUP BY ALL ORDER BY 1") == [
            (f"files/{PAYER}/2025-12", 3),
            (f"files/{PAYER}/2026-01", 9),
            (f"files/{other}/2026-01", 6),
        ]
        assert any("there is no manifest" in notice for notice in result.notices)
        assert result.exit_code() == 0

    def test_b109_a_second_run_opens_no_data_file(self, tmp_path, monkeypatch):
        place = Local(tmp_path)
        place.put("a.csv.gz", gz(csv_file([*month_lines("2025-12", 3), *month_lines("2026-01", 4)])))
        place.put("b.parquet", TEN_PARQUET)
        warehouse = place.warehouse()
        warehouse.run()
        opened = []
        monkeypatch.setattr("ogf.runner.context.open_table", lambda file, **_: opened.append(file))
        assert warehouse.run().count("unchanged") == 2
        assert opened == []

    def test_only_the_months_of_a_changed_file_are_loaded_again(self, tmp_path):
        place = Local(tmp_path)
        for month in ("2025-12", "2026-01"):
            place.put(f"{month}.csv", csv_file(month_lines(month, 3)))
        warehouse = place.warehouse()
        warehouse.run()
        place.put("2026-01.csv", csv_file(month_lines("2026-01", 5)))
        result = warehouse.run()
        assert (result.count("unchanged"), result.count("loaded")) == (1, 1)
        assert warehouse.facts()[0] == 8

    def test_the_window_holds_and_folders_named_for_periods_too(self, tmp_path):
        place = Local(tmp_path)
        for month, folder in (("2025-12", "20251201-20260101"), ("2026-01", "20260101-20260201")):
            place.put(f"hourly/{folder}/a.csv", csv_file(month_lines(month, 3)))
        place.put("loose.csv", csv_file([*month_lines("2025-12", 4), *month_lines("2026-01", 5)]))
        warehouse = place.warehouse()
        assert warehouse.run(since="2026-01").status == "succeeded"
        assert warehouse.query("SELECT partition_key, count(*) FROM activities GROUP BY ALL") == [
            (f"files/{PAYER}/2026-01", 8)
        ]

    def test_a_row_without_a_billing_period_goes_by_its_usage(self, tmp_path):
        place = Local(tmp_path)
        names = [name for name in lines(1)[0] if name != "bill_billing_period_start_date"]
        place.put("a.csv", csv_file([*month_lines("2025-12", 3), *month_lines("2026-01", 4)], header=names))
        warehouse = place.warehouse()
        warehouse.run()
        assert warehouse.column("count(*)", table="activities WHERE partition_key LIKE '%2025-12'") == [3]
        assert warehouse.facts()[0] == 7

    def test_an_empty_folder_is_not_found(self, tmp_path):
        (tmp_path / "bucket").mkdir()
        result = Local(tmp_path).warehouse().run()
        assert result.partitions[0].error_class == "not_found"
        assert "no data file" in result.message

    def test_a_missing_folder_is_not_found(self, tmp_path):
        result = Local(tmp_path).warehouse().run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "not_found")
        assert "there is no folder" in result.message


@pytest.mark.parametrize(
    "columns", [[{"name": "BilledCost", "type": "Double"}], [{"name": "total_mbm_emissions_value"}]]
)
def test_another_kind_of_export_beside_the_report_is_left_alone(tmp_path, columns):
    folder = tmp_path / "exports"
    put_legacy(folder_put(folder), [gz(csv_file(lines(3)))])
    other = folder / "focus" / "metadata" / "BILLING_PERIOD=2026-01" / "focus-Manifest.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"executionId": "e", "columns": columns, "dataFiles": ["s3://b/x.csv.gz"]}))
    result = Warehouse(tmp_path / "ogf.duckdb", folder).run()
    assert (result.status, result.rows) == ("succeeded", 3)
