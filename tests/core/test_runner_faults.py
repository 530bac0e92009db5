"""What goes wrong at the source: caps, loops, denials, restarts, retries, budgets, cancellation, failure isolation."""

from __future__ import annotations

import http.client

import pytest

from ogf.errors import Cancelled, ErrorClass, ExitCode
from ogf.hookspecs import Problem, Request, Stream, hookimpl
from ogf.runner.clock import Cancel
from ogf.runner.report import overall
from ogf.testing.provider import FakeCloud, FakePage, changed, refused, throttled

EC2 = {"service": "EC2"}
S3 = {"service": "S3"}
RDS = {"service": "RDS"}


def pages(cloud):
    return [page for _, _, _, page in cloud.calls]


def outcomes(result):
    return {item.key: item.outcome for item in result.partitions}


def test_b6_b95_a_page_cap_is_loud_and_the_others_go_on(cloud, db):
    cloud.put("long", [[EC2]], version="1")
    cloud.run(db)
    cloud.put("long", [[S3]] * 4, version="2")
    cloud.put("short", [[RDS]] * 3, version="1")
    cloud.calls.clear()
    result = cloud.run(db, limits={"max_pages": 3})
    assert (result.status, result.exit_code()) == ("partial", ExitCode.PARTIAL)
    assert outcomes(result) == {"long": "failed", "short": "loaded"}
    assert "page cap of 3" in result.message
    assert "OFFGRIDFLOW_FAKE_MAX_PAGES" in result.hint
    assert cloud.rows(db, "partition_key, service") == [("long", "EC2"), *[("short", "RDS")] * 3]
    assert sorted(pages(cloud)) == [0, 0, 1, 1, 2, 2]
    cloud.calls.clear()
    assert cloud.run(db, limits={"max_pages": 0}).status == "succeeded"
    assert pages(cloud) == [3], "raised, the cap costs no page twice"


def test_b96_an_empty_page_with_a_cursor_goes_on(cloud, db):
    cloud.put("2026-01", [[EC2], [], [S3], []], version="1")
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, "service") == [("EC2",), ("S3",)]
    assert pages(cloud) == [0, 1, 2, 3]


def test_b94_a_repeated_cursor_ends_in_an_error_before_it_is_asked_again(cloud, db):
    cloud.put("2026-01", [[EC2], FakePage([S3], next=1)], version="1")
    result = cloud.run(db)
    assert result.status == "failed"
    assert "already made" in result.message
    assert pages(cloud) == [0, 1]
    assert cloud.rows(db) == []


def test_requests_that_differ_by_their_key_alone_are_no_loop(db):
    class Keyed(FakeCloud):
        @hookimpl
        def paginate(self, request):
            return Request("second", request.params) if request.key == "chain 0" else None

    cloud = Keyed()
    cloud.put("2026-01", [[EC2]], version="1")
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.rows(db)) == 2


def test_b88_b111_a_denied_provider_fails_alone(db):
    good, bad = FakeCloud(name="good"), FakeCloud(name="bad")
    for cloud in (good, bad):
        cloud.put("2026-01", [[EC2]], version="1")
    bad.fail(refused(ErrorClass.AUTH, "denied", hint="grant Reader"))
    results = [good.run(db), bad.run(db), FakeCloud(name="third").run(db)]
    assert [result.status for result in results] == ["succeeded", "failed", "succeeded"]
    assert overall(results) == ExitCode.PARTIAL
    assert results[1].hint == "grant Reader"
    assert good.rows(db, "provider, service") == [("good", "EC2")]
    assert good.rows(db, "provider, status", table="connectors") == [
        ("bad", "error"),
        ("good", "connected"),
        ("third", "connected"),
    ]


def test_auth_stops_its_stream_only(db):
    cloud = FakeCloud(streams=(Stream("carbon"), Stream("cur")))
    for key in ("a", "b", "c"):
        cloud.put(key, [[EC2]], stream="carbon", version="1")
        cloud.put(key, [[S3]], stream="cur", version="1")
    cloud.fail(refused(ErrorClass.AUTH), stream="carbon", times=9)
    result = cloud.run(db, workers=1)
    assert (result.status, result.exit_code()) == ("partial", ExitCode.PARTIAL)
    assert cloud.rows(db, "stream") == [("cur",)] * 3
    assert {item.error_class for item in result.partitions if item.stream == "carbon"} == {ErrorClass.AUTH}
    assert len([call for call in cloud.calls if call[0] == "carbon"]) == 1, "the rest was not tried"


def test_fatal_stops_the_provider(db):
    cloud = FakeCloud(streams=(Stream("carbon"), Stream("cur")))
    for key in ("a", "b", "c", "d"):
        cloud.put(key, [[EC2]] * 3, stream="carbon", version="1")
        cloud.put(key, [[S3]] * 3, stream="cur", version="1")
    cloud.fail(refused(ErrorClass.FATAL, "quota of the day is spent"), key="a", stream="carbon")
    result = cloud.run(db, workers=1)
    assert (result.status, result.exit_code()) == ("failed", ExitCode.FAILED)
    assert result.count("failed") >= 6
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.rows(db)) == 24


@pytest.mark.parametrize("kind", ["problem", "listing", "fetch", "bug"])
def test_a_failure_stays_where_it_is(db, kind):
    cloud = FakeCloud(streams=(Stream("carbon"), Stream("cur")))
    cloud.put("bad", [[EC2]], stream="carbon", version="1")
    cloud.put("good", [[S3]], stream="cur", version="1")
    if kind == "problem":
        cloud.put("bad", version="1", problem=Problem(ErrorClass.NOT_FOUND, "no manifest", "wait for it"))
    elif kind == "listing":
        cloud.fail(refused(ErrorClass.NOT_FOUND), hook="partitions", stream="carbon")
    elif kind == "fetch":
        cloud.fail(refused(ErrorClass.BAD_REQUEST), key="bad")
    else:
        cloud.fail(KeyError("oops"), key="bad")
    result = cloud.run(db)
    assert (result.status, result.exit_code()) == ("partial", ExitCode.PARTIAL)
    assert [(item.stream, item.outcome) for item in result.partitions if item.outcome == "failed"] == [
        ("carbon", "failed")
    ]
    assert cloud.rows(db, "service") == [("S3",)]
    assert cloud.run(db).status == ("partial" if kind == "problem" else "succeeded")


def test_a_classify_error_that_breaks_fails_its_partition_only(db):
    class Breaking(FakeCloud):
        @hookimpl
        def classify_error(self, error):
            raise KeyError("oops")

    cloud = Breaking()
    for key in ("bad", "good"):
        cloud.put(key, [[EC2]], version="1")
    cloud.fail(RuntimeError("no"), key="bad")
    result = cloud.run(db)
    assert outcomes(result) == {"bad": "failed", "good": "loaded"}


def test_a_confirm_that_breaks_fails_its_partition_only(db):
    class Breaking(FakeCloud):
        @hookimpl
        def confirm(self, partition):
            if partition.key == "bad":
                raise KeyError("oops")
            return True

    cloud = Breaking()
    for key in ("bad", "good"):
        cloud.put(key, [[EC2]], version="1")
    result = cloud.run(db)
    assert outcomes(result) == {"bad": "failed", "good": "loaded"}


def test_a_listing_that_breaks_while_planning_again_fails_its_partition_only(cloud, db):
    cloud.put("bad", [[EC2]], version="1")
    cloud.put("good", [[S3]], version="1")
    cloud.fail(changed(), key="bad")
    cloud.fail(lambda: cloud.fail(KeyError("oops"), hook="partitions"), hook="partitions")
    result = cloud.run(db)
    assert outcomes(result) == {"bad": "failed", "good": "loaded"}


def test_a_source_that_changes_while_being_read_is_planned_again(cloud, db):
    cloud.put("2026-01", [[EC2], [S3]], version="1")
    cloud.fail(lambda: cloud.put("2026-01", [[RDS]], version="2"), page=1)
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, "service") == [("RDS",)]
    assert cloud.rows(db, "version", table="partitions") == [("2",)]


def test_restarts_are_limited_to_two_and_leave_nothing_to_resume(cloud, db):
    cloud.put("2026-01", [[EC2]])
    cloud.confirmations = [False] * 3
    result = cloud.run(db)
    assert (result.status, len(cloud.calls)) == ("failed", 3)
    assert "changed while it was being read" in result.message
    cloud.put("2026-01", [[S3]])
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, "service") == [("S3",)], "what was read amid a change is not resumed from"


def test_confirm_false_twice_and_then_true_loads_once(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.confirmations = [False, False, True]
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.rows(db)) == 1
    assert len(cloud.calls) == 3


@pytest.mark.parametrize(
    "error", [throttled(), ConnectionResetError(), TimeoutError(), http.client.IncompleteRead(b"")]
)
def test_transient_errors_are_retried_up_to_max_retries(cloud, db, error):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.fail(error, times=2)
    assert cloud.run(db).status == "succeeded"
    assert len(cloud.calls) == 3
    cloud.put("2026-01", [[EC2]], version="2")
    cloud.fail(error, times=3)
    result = cloud.run(db)
    assert (result.status, result.partitions[0].error_class) == ("failed", ErrorClass.TRANSIENT)
    assert len(cloud.rows(db)) == 1, "the old load stays"


def test_a_servers_delay_is_honoured_and_costs_no_attempt(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.fail(throttled(retry_after=70), times=6)
    assert cloud.run(db).status == "succeeded"
    assert cloud.clock.monotonic() >= 6 * 70


def test_b101_the_time_budget_of_a_partition_ends_its_retries(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.fail(throttled(retry_after=100), times=1000)
    result = cloud.run(db, time_budget=450.0)
    assert (result.status, result.partitions[0].error_class) == ("failed", ErrorClass.TRANSIENT)
    assert len(cloud.calls) == 5
    assert "5 attempts in 4" in result.message


def test_b101_chains_of_a_partition_share_its_time_budget(cloud, db):
    cloud.put("2026-01", *[[[EC2]]] * 4, version="1")
    cloud.fail(throttled(retry_after=100), times=1000)
    cloud.run(db, time_budget=450.0, workers=1)
    assert cloud.clock.monotonic() < 2 * 450


def cancelled_run(cloud, db, cancel, **setup):
    result = cloud.run(db, cancel=cancel, workers=1, **setup)
    assert (result.status, result.exit_code()) == ("cancelled", ExitCode.INTERRUPTED)
    assert cloud.rows(db) == []
    finished = len(list(db.parent.rglob("*.parquet")))
    cloud.calls.clear()
    assert cloud.run(db).status == "succeeded"
    assert cloud.rows(db, "service") == [("EC2",), ("RDS",), ("S3",)]
    assert len(cloud.calls) == 3 - finished, "resumed from the next page"
    return finished


@pytest.fixture
def long(cloud):
    cloud.put("2026-01", [[EC2], [S3], [RDS]], version="1")
    return cloud


def test_b102_cancelled_during_a_page(long, db):
    cancel = Cancel()
    long.fail(cancel.set, page=1)
    assert cancelled_run(long, db, cancel) == 2


def test_b102_cancelled_during_a_call_that_then_fails(long, db):
    cancel = Cancel()

    def interrupted():
        cancel.set()
        raise ConnectionResetError

    long.fail(interrupted, page=1)
    assert cancelled_run(long, db, cancel) == 1


def test_b102_cancelled_during_back_off(long, db):
    cancel = Cancel()
    long.fail(throttled(retry_after=50), page=1)
    long.clock.at(10, cancel.set)
    assert cancelled_run(long, db, cancel) == 1
    assert long.clock.monotonic() < 50


def test_b102_cancelled_during_the_wait_for_the_limiter(long, db):
    cancel = Cancel()
    long.clock.at(15, cancel.set)
    limits = {"rate_limit_capacity": 1, "rate_limit_per_sec": 0.1}
    assert cancelled_run(long, db, cancel, limits=limits) < 3


def test_b102_cancelled_while_the_source_is_listed(long, db):
    cancel = Cancel()
    long.fail(cancel.set, hook="partitions")
    assert cancelled_run(long, db, cancel) == 0


def test_b102_cancelled_before_publication(db):
    cancel = Cancel()

    class Stopping(FakeCloud):
        @hookimpl
        def confirm(self):
            if not cancel.is_set():
                cancel.set()
                raise Cancelled
            return True

    cloud = Stopping()
    cloud.put("2026-01", [[EC2], [S3], [RDS]], version="1")
    assert cancelled_run(cloud, db, cancel) == 3


def test_local_pages_take_no_token_of_the_limiter(cloud, db):
    cloud.put("2026-01", [[EC2]] * 5, version="1", local=True)
    cloud.run(db, limits={"rate_limit_capacity": 1, "rate_limit_per_sec": 0.001})
    assert len(cloud.rows(db)) == 5
    assert cloud.clock.monotonic() == 0


def test_connector_and_run_tell_the_first_cause(cloud, db):
    cloud.put("2026-01", [[EC2]], version="1")
    cloud.fail(refused(ErrorClass.AUTH, "denied"))
    cloud.run(db)
    ((status, error),) = cloud.rows(db, "status, last_error", table="connectors")
    assert (status, "denied" in error) == ("error", True)
    cloud.run(db)
    assert cloud.rows(db, "status, last_error", table="connectors") == [("connected", None)]
    assert sorted(cloud.rows(db, "status", table="runs")) == [("failed",), ("succeeded",)]
