from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.errors import Cancelled, ConfigError, ErrorClass, ExitCode, SourceError, WarehouseBusy
from ogf.hookspecs import Verdict
from ogf.runner.classify import classify
from ogf.runner.clock import Cancel
from ogf.runner.limiter import TokenBucket
from ogf.runner.retry import Retry
from ogf.testing.clock import FakeClock


class Log:
    def __init__(self):
        self.lines = []

    def __getattr__(self, level):
        return lambda event, **fields: self.lines.append((level, event, fields))

    @property
    def events(self):
        return [event for _, event, _ in self.lines]


class Highest(random.Random):
    """The longest wait the jitter allows."""

    def uniform(self, a, b):
        return b


class Bench:
    def __init__(self, *, capacity=1000, rate=1000, budget=3600, attempts=3, rng=None, judge=classify):
        self.clock = FakeClock()
        self.cancel = Cancel()
        self.limiter = TokenBucket(capacity, rate, self.clock)
        self.log = Log()
        self.calls = 0
        self.retry = Retry(
            max_attempts=attempts,
            clock=self.clock,
            limiter=self.limiter,
            cancel=self.cancel,
            classify=judge,
            log=self.log,
            budget_seconds=budget,
            rng=rng or random.Random(7),
        )

    def run(self, *outcomes):
        """Call something with these outcomes, the last one for ever."""

        def function():
            outcome = outcomes[min(self.calls, len(outcomes) - 1)]
            self.calls += 1
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome() if callable(outcome) else outcome

        return self.retry.call(function)

    def fail(self, *outcomes):
        with pytest.raises(SourceError) as caught:
            self.run(*outcomes)
        return caught.value


def of(error_class, **more):
    return SourceError("the cloud said no", error_class=error_class, **more)


def test_b20_two_transient_failures_then_success():
    bench = Bench()
    assert bench.run(ConnectionError(), TimeoutError(), 42) == 42
    assert bench.calls == 3
    first, second = bench.clock.waits
    assert 0 <= first <= 1
    assert 0 <= second <= 2


def test_b20_arguments_and_result_pass_through():
    assert Bench().retry.call(lambda a, *, b: a + b, 1, b=2) == 3


def test_b20_each_retry_is_logged():
    bench = Bench(rng=Highest())
    bench.run(ConnectionResetError(), "done")
    fields = {"attempt": 1, "backoff_ms": 1000, "error_class": "transient", "code": "ConnectionResetError"}
    assert bench.log.lines == [("info", "retrying after error", fields)]


def test_b20_three_attempts_are_three_calls():
    bench = Bench()
    original = ConnectionError("reset")
    error = bench.fail(original)
    assert bench.calls == 3
    assert error.__cause__ is original
    assert error.error_class is ErrorClass.TRANSIENT
    assert "ConnectionError: reset (transient; 3 attempts in " in str(error)
    assert bench.log.events == ["retrying after error"] * 2 + ["max retries exceeded"]
    assert bench.log.lines[-1][2]["attempts"] == 3


def test_b20_the_back_off_doubles_up_to_thirty_seconds():
    bench = Bench(attempts=9, rng=Highest())
    bench.fail(ConnectionError())
    assert bench.clock.waits == [1, 2, 4, 8, 16, 30, 30, 30]


@given(seed=st.integers(), attempts=st.integers(2, 8))
def test_b20_full_jitter_stays_within_its_bounds(seed, attempts):
    bench = Bench(attempts=attempts, rng=random.Random(seed))
    bench.fail(ConnectionError())
    assert len(bench.clock.waits) == attempts - 1
    assert all(0 <= wait <= min(30, 2**k) for k, wait in enumerate(bench.clock.waits))


def test_b20_a_huge_number_of_attempts_is_fine():
    bench = Bench(attempts=3000, budget=1e9)
    bench.fail(ConnectionError())
    assert bench.calls == 3000


def test_b21_an_auth_error_is_called_exactly_once():
    bench = Bench(attempts=5)
    original = of(ErrorClass.AUTH, where="aws/cur", hint="grant s3:GetObject")
    error = bench.fail(original)
    assert bench.calls == 1
    assert bench.clock.waits == []
    assert error.__cause__ is original
    assert str(error) == "aws/cur: the cloud said no (auth; 1 attempt in 0.0 s)\n  → grant s3:GetObject"
    assert bench.log.lines == [
        (
            "error",
            "non-retryable error, stopping retries",
            {"error_class": "auth", "code": "SourceError", "exc_info": None},
        )
    ]


@pytest.mark.parametrize("error_class", ErrorClass)
def test_b9_only_transient_is_retried(error_class):
    bench = Bench()
    assert bench.fail(of(error_class)).error_class is error_class
    assert bench.calls == (3 if error_class is ErrorClass.TRANSIENT else 1)


def test_b9_an_unknown_error_is_logged_with_its_chain():
    bench = Bench()
    original = KeyError("surprise")
    error = bench.fail(original)
    assert error.error_class is ErrorClass.UNKNOWN
    assert "KeyError: 'surprise'" in str(error)
    assert bench.log.lines[0][2]["exc_info"] is original


def test_b9_the_plugins_verdict_counts():
    bench = Bench(judge=lambda error: Verdict(ErrorClass.FATAL, hint="buy quota"))
    error = bench.fail(ConnectionError())
    assert (error.error_class, error.hint, bench.calls) == ("fatal", "buy quota", 1)


def test_b9_a_restart_is_raised_on_for_the_planner():
    bench = Bench()
    original = of(ErrorClass.TRANSIENT, restart=True)
    error = bench.fail(original)
    assert error.restart
    assert error.__cause__ is original
    assert bench.calls == 1
    assert bench.log.lines == []


def test_b19_every_attempt_takes_a_token():
    bench = Bench(capacity=2, rate=0.001, rng=Highest())
    bench.fail(ConnectionError())
    assert bench.clock.waits == [1, 2, pytest.approx(997)], "the third attempt waits for its token"
    assert bench.calls == 3


def test_b91_a_retry_after_pauses_the_whole_bucket():
    bench = Bench()
    seen = []

    def look():
        seen.append(bench.clock.monotonic())
        return "done"

    bench.clock.at(1, lambda: seen.append(bench.limiter.try_acquire()))
    bench.clock.at(39.9, lambda: seen.append(bench.limiter.try_acquire()))
    bench.run(of(ErrorClass.TRANSIENT, retry_after=40), look)
    assert seen[:2] == [False, False]
    assert 40 <= seen[2] <= 41
    assert bench.limiter.try_acquire()


@given(seconds=st.floats(0, 3000), seed=st.integers())
def test_b99_retry_after_is_honoured_exactly_with_at_most_a_second_of_jitter(seconds, seed):
    bench = Bench(rng=random.Random(seed))
    bench.run(of(ErrorClass.TRANSIENT, retry_after=seconds), "done")
    assert seconds <= bench.clock.waits[0] <= seconds + 1


def test_b99_retry_after_uses_up_no_attempt():
    bench = Bench(attempts=2, rng=Highest())
    slow = of(ErrorClass.TRANSIENT, retry_after=5)
    assert bench.run(slow, slow, slow, ConnectionError(), slow, "done") == "done"
    assert bench.clock.waits == [6, 6, 6, 1, 6]


def test_b101_the_time_budget_ends_retrying_with_the_last_error_and_the_time_spent():
    bench = Bench(budget=20, rng=Highest())
    last = of(ErrorClass.TRANSIENT, retry_after=5, hint="the cloud is busy")
    error = bench.fail(last)
    assert bench.clock.waits == [6, 6, 6], "a fourth wait would exceed the budget"
    assert error.__cause__ is last
    assert error.error_class is ErrorClass.TRANSIENT
    assert "4 attempts in 18.0 s" in str(error)
    assert bench.log.events[-1] == "max retries exceeded"


def test_b101_a_delay_beyond_the_budget_is_not_waited_for_and_holds_nobody_up():
    bench = Bench(budget=600)
    bench.fail(of(ErrorClass.TRANSIENT, retry_after=86400))
    assert bench.clock.waits == []
    assert bench.limiter.try_acquire()


def test_b101_all_calls_share_the_budget():
    bench = Bench(budget=10, rng=Highest())
    bench.run(of(ErrorClass.TRANSIENT, retry_after=8), "done")
    bench.fail(of(ErrorClass.TRANSIENT, retry_after=8))
    assert len(bench.clock.waits) == 1


def test_b102_cancelled_during_the_limiter_wait():
    bench = Bench(capacity=1, rate=0.01)
    bench.limiter.try_acquire()
    bench.clock.at(5, bench.cancel.set)
    with pytest.raises(Cancelled) as caught:
        bench.run("never")
    assert (bench.calls, bench.clock.monotonic()) == (0, 5)
    assert caught.value.exit_code == ExitCode.INTERRUPTED


@pytest.mark.parametrize("error", [ConnectionError(), of(ErrorClass.TRANSIENT, retry_after=600)], ids=repr)
def test_b102_cancelled_during_back_off(error):
    bench = Bench(rng=Highest())
    bench.clock.at(0.25, bench.cancel.set)
    with pytest.raises(Cancelled):
        bench.run(error)
    assert (bench.calls, bench.clock.monotonic()) == (1, 0.25)


def test_b102_cancelled_inside_the_call_passes_at_once_even_if_an_sdk_wraps_it():
    for outcome in (Cancelled(), ConnectionError("the SDK's own words")):
        bench = Bench()
        bench.clock.at(0, bench.cancel.set)

        def download(bench=bench, outcome=outcome):
            bench.clock.advance(0)
            raise outcome

        with pytest.raises(Cancelled):
            bench.run(download)
        assert bench.calls == 1
        assert bench.log.lines == []


def test_b102_cancelled_before_the_first_attempt():
    bench = Bench()
    bench.cancel.set()
    with pytest.raises(Cancelled):
        bench.run("never")
    assert bench.calls == 0


@pytest.mark.parametrize("error", [ConfigError("no"), WarehouseBusy("held"), KeyboardInterrupt()], ids=repr)
def test_what_is_no_sources_error_passes_unchanged(error):
    bench = Bench()
    with pytest.raises(type(error)) as caught:
        bench.run(error)
    assert caught.value is error
    assert bench.calls == 1


def test_a_broken_classifier_does_not_hide_the_error():
    def broken(error):
        raise RuntimeError("bug in the plugin")

    with pytest.raises(RuntimeError) as caught:
        Bench(judge=broken).run(original := ConnectionError())
    assert caught.value.__context__ is original


def test_no_attempts_at_all_is_a_configuration_error():
    with pytest.raises(ConfigError, match="max_retries"):
        Bench(attempts=0)
