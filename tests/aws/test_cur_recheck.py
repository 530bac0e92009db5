"""Which months a run without a window looks at again, and what it asks of S3 for the others."""

from __future__ import annotations

import datetime as dt

import pytest
from aws.cur_files import Warehouse, csv_file, gz, month_lines, put_export, put_legacy, s3_settings

from ogf.window import Month

NOW = Month.of(dt.datetime.now(dt.UTC).date())
PREVIOUS, CLOSED, OLD = NOW.plus(-1), NOW.plus(-5), NOW.plus(-20)


class Reports:
    """A bucket with a report, and what was asked of it."""

    def __init__(self, tmp_path, bucket):
        self.bucket = bucket
        self.warehouse = Warehouse(tmp_path / "ogf.duckdb", f"s3://{bucket.name}/cur", **s3_settings(bucket))

    def deliver(self, month, *, rows=2, assembly="a1", report="monthly"):
        body = gz(csv_file(month_lines(str(month), rows)))
        put_legacy(self.bucket.put, [body], month=str(month), assembly=assembly, report=report, prefix="cur/")

    def run(self, **options):
        self.bucket.aws.faults.calls.clear()
        result = self.warehouse.run(**options)
        assert result.status == "succeeded", result
        return result

    def asked(self, month):
        """What was asked about a month: verb and the kind of thing."""
        folder = f"{month.year:04d}{month.number:02d}01-"
        return [
            "list" if "list-type" in line else f"{line.split()[0].lower()} {line.rpartition('.')[2]}"
            for line in self.bucket.aws.faults.calls
            if folder in line
        ]


@pytest.fixture
def reports(tmp_path, bucket):
    reports = Reports(tmp_path, bucket)
    for month in (NOW, PREVIOUS, CLOSED, OLD):
        reports.deliver(month)
    reports.run()
    return reports


def test_the_current_and_the_previous_month_are_always_looked_at(reports):
    result = reports.run()
    assert result.count("unchanged") == 4
    for month in (NOW, PREVIOUS):
        assert "get json" in reports.asked(month)
        assert "list" in reports.asked(month)


def test_of_the_other_thirteen_only_the_manifest_is_asked_for_its_etag(reports):
    reports.run()
    assert reports.asked(CLOSED) == ["head json"]


def test_older_months_are_not_asked_at_all_and_have_not_vanished(reports):
    result = reports.run()
    assert reports.asked(OLD) == []
    assert result.notices == []


@pytest.mark.parametrize("month", [NOW, PREVIOUS, CLOSED])
def test_a_closed_month_that_is_delivered_again_is_loaded(reports, month):
    reports.deliver(month, rows=3, assembly="a2")
    result = reports.run()
    assert [item.reason for item in result.partitions if item.outcome == "loaded"] == ["version changed"]
    assert reports.warehouse.facts()[0] == 9
    assert reports.run().count("unchanged") == 4


def test_since_looks_at_everything_in_its_window(reports):
    reports.deliver(OLD, rows=3, assembly="a2")
    assert reports.run().count("loaded") == 0
    assert reports.run(since=str(OLD)).count("loaded") == 1


def test_a_remembered_month_loads_again_with_full(reports):
    rows = reports.warehouse.table()
    assert reports.run(full=True).count("loaded") == 4
    assert reports.warehouse.table() == rows


def test_a_manifest_that_is_gone_is_looked_for(reports):
    key = f"cur/monthly/{CLOSED.first_day:%Y%m%d}-{CLOSED.plus(1).first_day:%Y%m%d}/monthly-Manifest.json"
    reports.bucket.s3.delete_object(Bucket=reports.bucket.name, Key=key)
    reports.run()
    assert "list" in reports.asked(CLOSED)
    assert reports.warehouse.facts()[0] == 8


def test_a_second_report_of_the_same_name_is_weighed_against_the_remembered_one(reports):
    body = gz(csv_file(month_lines(str(CLOSED), 5)))
    put_legacy(
        reports.bucket.put, [body], month=str(CLOSED), assembly="b1", report="monthly", prefix="cur/again/"
    )
    reports.run()
    assert reports.warehouse.facts()[0] in (8, 11)
    first = reports.warehouse.facts()
    assert reports.run().count("loaded") == 0
    assert reports.warehouse.facts() == first


def test_another_expected_payer_is_judged_anew(reports):
    result = reports.warehouse.run(ingestion__aws__account_id="999999999999")
    assert {item.outcome for item in result.partitions} == {"failed"}


def test_manifests_of_another_kind_of_export_are_remembered_too(reports):
    def put(key, body=b""):
        return reports.bucket.put(f"cur/{key}", body)

    put_export(put, [b""], month=str(CLOSED), execution="e1", columns=["BilledCost"], report="focus")
    reports.run()
    reports.run()
    seen = [line for line in reports.bucket.aws.faults.calls if f"BILLING_PERIOD={CLOSED}" in line]
    assert [line.split()[0] for line in seen] == ["HEAD"]
