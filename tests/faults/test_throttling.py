"""Bad weather: throttling, timeouts, resets and cut bodies cost attempts and time, never rows or the request rate."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from aws.cur_files import (
    Warehouse,
    csv_file,
    folder_put,
    gz,
    lines,
    parquet_file,
    put_export,
    put_legacy,
    s3_settings,
)
from faults.killing import deliver
from faults.storm import KINDS, Storm

from ogf.runner.run import Options, ProviderRun
from ogf.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from aws.conftest import Bucket

    from ogf.runner.report import RunResult

DATA = "hourly-1.csv.gz"


class Timed:
    """A run from a bucket on a fake clock: no wait takes real time, each is written down."""

    def __init__(self, path: Path, bucket: Bucket, **settings: Any) -> None:
        self.warehouse = Warehouse(path, f"s3://{bucket.name}", **s3_settings(bucket, **settings))
        self.clock = FakeClock()
        self.grants: list[float] = []
        made = self.warehouse.provider_run()
        self.run_of = ProviderRun(made.plugin, made.config, clock=self.clock)
        # less than the configuration allows: a test does not wait a second for each timeout
        self.run_of.settings = self.run_of.settings.model_copy(update={"request_timeout": 0.4})
        acquire = self.run_of.limiter.acquire

        def noted(n: int = 1, *, cancel: Any) -> float:
            waited = acquire(n, cancel=cancel)
            self.grants.append(self.clock.monotonic())
            return waited

        self.run_of.limiter.acquire = noted  # type: ignore[method-assign]

    def run(self) -> RunResult:
        return self.run_of.run(Options())


@pytest.fixture
def report(bucket: Bucket) -> Bucket:
    """A bucket with one report of one file."""
    put_legacy(bucket.put, [gz(csv_file(lines(5)))])
    return bucket


def gets(bucket: Bucket, part: str) -> int:
    """How often something was asked for."""
    return sum(call.startswith("GET") and part in call for call in bucket.aws.faults.calls)


@pytest.mark.parametrize(("seed", "workers"), [(1, 1), (2, 2)])
def test_a_storm_changes_nothing(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, seed: int, workers: int
) -> None:
    deliver(bucket.put)
    deliver(folder_put(tmp_path / "exports"))
    calm = Warehouse(tmp_path / "calm.duckdb", tmp_path / "exports")
    assert calm.run().status == "succeeded"

    storm = Storm(bucket.aws.faults.app, seed=seed)
    monkeypatch.setattr(bucket.aws.faults, "app", storm)
    timed = Timed(
        tmp_path / "storm.duckdb",
        bucket,
        runner__workers=workers,
        ingestion__aws__max_retries=10,
        ingestion__aws__rate_limit_capacity=4,
        ingestion__aws__rate_limit_per_sec=2,
    )
    result = timed.run()

    assert result.status == "succeeded", result.message
    assert timed.warehouse.table() == calm.table()
    assert len(storm.faults) == len(KINDS)
    assert sum(storm.faults.values()) >= 0.25 * storm.calls
    assert len(timed.grants) == storm.calls  # B19: each attempt, retries too, takes one token
    assert_within_rate(timed.grants, capacity=4, rate=2, alone=workers == 1)


def assert_within_rate(grants: list[float], *, capacity: int, rate: float, alone: bool) -> None:
    """In any T seconds at most `capacity + rate * T` grants. Several threads note theirs late: then from the start only."""
    starts = range(len(grants)) if alone else [0]
    for start in starts:
        begin = grants[start] if alone else 0.0
        for count, moment in enumerate(grants[start:], 1):
            assert count <= capacity + rate * (moment - begin) + 1e-6


def test_b19_the_third_request_waits_with_a_capacity_of_two(tmp_path: Path, report: Bucket) -> None:
    timed = Timed(
        tmp_path / "ogf.duckdb",
        report,
        ingestion__aws__rate_limit_capacity=2,
        ingestion__aws__rate_limit_per_sec=10,
        runner__workers=1,
    )
    assert timed.run().status == "succeeded"
    assert timed.grants[:2] == [0.0, 0.0]
    assert timed.grants[2:] == pytest.approx([0.1 * number for number in range(1, len(timed.grants) - 1)])


def test_b20_two_failures_then_success_are_three_calls(tmp_path: Path, report: Bucket) -> None:
    timed = Timed(tmp_path / "ogf.duckdb", report, ingestion__aws__max_retries=3)
    report.aws.faults.inject(DATA, "503 Slow Down", "SlowDown", times=2)
    assert timed.run().status == "succeeded"
    assert gets(report, DATA) == 3
    first, second = timed.clock.waits
    assert 0 <= first <= 1
    assert 0 <= second <= 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("503 Slow Down", "SlowDown"),
        ("429 Too Many Requests", ""),
        ("400 Bad Request", "ThrottlingException"),
        ("500 Internal Server Error", "InternalError"),
    ],
)
def test_b18_attempts_end(tmp_path: Path, report: Bucket, status: str, code: str) -> None:
    timed = Timed(tmp_path / "ogf.duckdb", report, ingestion__aws__max_retries=3)
    report.aws.faults.inject(DATA, status, code, times=9)
    result = timed.run()
    (failed,) = result.partitions
    assert failed.error_class == "transient"
    assert "3 attempts" in failed.message
    assert gets(report, DATA) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_and_uses_up_no_attempt(
    tmp_path: Path, report: Bucket, form: str
) -> None:  # B99
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    asked = "100" if form == "seconds" else format_datetime(moment, usegmt=True)
    timed = Timed(tmp_path / "ogf.duckdb", report, ingestion__aws__max_retries=2)
    report.aws.faults.inject(DATA, "503 Slow Down", "SlowDown", times=4, headers={"Retry-After": asked})
    assert timed.run().status == "succeeded"
    waits = [seconds for seconds in timed.clock.waits if seconds > 10]
    assert len(waits) == 4
    assert all(90 <= seconds <= 101 for seconds in waits)


@pytest.mark.parametrize(
    ("status", "code", "error_class", "hint"),
    [
        ("403 Forbidden", "AccessDenied", "auth", "s3:GetObject"),
        ("403 Forbidden", "InvalidAccessKeyId", "auth", "access_key_id"),
        ("403 Forbidden", "SignatureDoesNotMatch", "auth", "secret_access_key"),
        ("404 Not Found", "NoSuchKey", "not_found", ""),
        ("403 Forbidden", "InvalidObjectState", "bad_request", "archive"),
        ("501 Not Implemented", "NotImplemented", "fatal", ""),
    ],
)
def test_nothing_else_is_asked_twice(
    tmp_path: Path, report: Bucket, status: str, code: str, error_class: str, hint: str
) -> None:  # B18, B21
    timed = Timed(tmp_path / "ogf.duckdb", report, ingestion__aws__max_retries=5)
    report.aws.faults.inject(DATA, status, code, times=9)
    result = timed.run()
    (failed,) = result.partitions
    assert (result.status, failed.error_class) == ("failed", error_class)
    assert hint in failed.hint
    assert gets(report, DATA) == 1
    assert timed.clock.waits == []


def test_no_permission_to_list(tmp_path: Path, report: Bucket) -> None:
    timed = Timed(tmp_path / "ogf.duckdb", report, ingestion__aws__max_retries=5)
    report.aws.faults.inject("list-type", "403 Forbidden", "AccessDenied", times=9)
    result = timed.run()
    (failed,) = result.partitions
    assert (result.status, failed.error_class) == ("failed", "auth")
    assert "s3:ListBucket" in failed.hint
    assert gets(report, "") == 1


def test_missing_bucket(tmp_path: Path, report: Bucket) -> None:
    report.name = "there-is-no-such-bucket"
    result = Timed(tmp_path / "ogf.duckdb", report).run()
    (failed,) = result.partitions
    assert (result.status, failed.error_class) == ("failed", "not_found")
    assert "bucket" in failed.hint


def test_an_auth_error_stops_the_stream_at_once(tmp_path: Path, bucket: Bucket) -> None:
    """What the first file may not be read with, the others may not either: no hundred refusals."""
    for month in ("2026-01", "2026-02", "2026-03"):
        put_legacy(bucket.put, [gz(csv_file(lines(2)))] * 2, month=month)
    timed = Timed(tmp_path / "ogf.duckdb", bucket, runner__workers=1)
    bucket.aws.faults.inject("csv.gz", "403 Forbidden", "AccessDenied", times=9)
    result = timed.run()
    assert [item.error_class for item in result.partitions] == ["auth"] * 3
    assert gets(bucket, "csv.gz") <= 2  # one may have been on its way


def test_a_change_underneath_restarts_the_partition(tmp_path: Path, bucket: Bucket) -> None:
    """412 on the second file: the first one is thrown away too, and the new delivery is loaded whole."""
    old, new = ([parquet_file(lines(3, line_item_operation=word))] * 2 for word in ("Old", "New"))
    put_export(bucket.put, old, suffix="parquet")
    timed = Timed(tmp_path / "ogf.duckdb", bucket, runner__workers=1)
    arrived: list[str] = []
    fetch = timed.run_of.plugin.fetch

    def deliver_meanwhile(ctx: Any, request: Any) -> Any:
        if request.key.endswith("00002.parquet") and not arrived:
            arrived.append(put_export(bucket.put, new, execution="execution-2", suffix="parquet"))
        return fetch(ctx, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timed.run_of.plugin, "fetch", deliver_meanwhile)
        result = timed.run()
    assert result.status == "succeeded", result.message
    assert set(timed.warehouse.column("operation")) == {"New"}
    assert timed.warehouse.facts()[0] == 6
