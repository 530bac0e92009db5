"""Small queries that plan a run: slow ones are waited for, failed ones asked again."""

from __future__ import annotations

import threading

import pytest
import structlog

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Verdict
from ogf.runner.classify import classify as core_classify
from ogf.runner.clock import Cancel
from ogf.runner.limiter import TokenBucket
from ogf.runner.retry import Retry
from ogf.testing.clock import FakeClock
from ogf_gcp.errors import classify
from ogf_gcp.listing import ask
from ogf_gcp.names import TableName

TABLE = TableName("demo", "carbon", "carbon_footprint")


@pytest.fixture
def asked(gcp_ctx, bigquery, monkeypatch):
    """Ask with the runner's own retries, on a clock that does not wait."""
    ctx, clock = gcp_ctx(request_timeout=1), FakeClock()
    retry = Retry(
        max_attempts=3, clock=clock, limiter=TokenBucket(200, 20, clock), cancel=Cancel(),
        classify=lambda error: classify(error) or core_classify(error) or Verdict(ErrorClass.UNKNOWN),
        log=structlog.get_logger(), budget_seconds=60,
    )  # fmt: skip
    monkeypatch.setattr(ctx, "call", retry.call, raising=False)
    return lambda: ask(
        ctx, "SELECT x, name, place FROM `demo.carbon.t`", name=TABLE, project="demo", location="EU"
    )


def test_a_query_that_outlasts_the_timeout_is_waited_for_and_not_started_again(asked, bigquery):
    bigquery.polls = 10**6

    def end() -> None:
        for job in bigquery.jobs.values():
            job.polls = 0

    timer = threading.Timer(1.8, end)
    timer.start()
    rows = asked()
    timer.join()
    assert [values[0] for values in rows] == [0, 1, 2]
    assert len(bigquery.inserted()) == 1


def test_a_query_that_fails_for_a_passing_reason_is_started_again(asked, bigquery):
    bigquery.outcomes = ["jobBackendError", "jobBackendError"]
    assert [values[0] for values in asked()] == [0, 1, 2]
    assert len(bigquery.inserted()) == 3


def test_a_query_that_is_refused_is_not(asked, bigquery):
    bigquery.outcomes = ["invalidQuery"] * 3
    with pytest.raises(SourceError) as caught:
        asked()
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    assert len(bigquery.inserted()) == 1
