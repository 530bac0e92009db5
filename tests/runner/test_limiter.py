from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.errors import Cancelled, ConfigError, OgfError
from ogf.runner.clock import Cancel, SystemClock
from ogf.runner.limiter import TokenBucket
from ogf.testing.clock import FakeClock

CANCEL = Cancel()
SLACK = 1e-4  # float arithmetic; far below one token


def bucket(capacity=5, rate=10, **more):
    clock = FakeClock()
    return TokenBucket(capacity, rate, clock, **more), clock


def test_b1_five_at_once_then_the_sixth_waits_a_tenth_of_a_second():
    tokens, clock = bucket(capacity=5, rate=10)
    assert [tokens.acquire(cancel=CANCEL) for _ in range(5)] == [0.0] * 5
    assert tokens.acquire(cancel=CANCEL) == pytest.approx(0.1)
    assert clock.waits == [pytest.approx(0.1)]


def test_b1_a_high_rate_has_no_waiting_floor():
    tokens, _ = bucket(capacity=1, rate=1000)
    tokens.acquire(cancel=CANCEL)
    assert tokens.acquire(cancel=CANCEL) == pytest.approx(0.001)


def test_b2_cancelled_before_waiting_takes_nothing():
    tokens, clock = bucket()
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        tokens.acquire(cancel=cancel)
    assert tokens.available == 5
    assert clock.waits == []


def test_b2_cancelled_amid_a_wait_returns_at_once_and_takes_nothing():
    tokens, clock = bucket(capacity=2, rate=1)
    cancel = Cancel()
    tokens.acquire(2, cancel=cancel)
    clock.at(0.5, cancel.set)
    with pytest.raises(Cancelled) as caught:
        tokens.acquire(2, cancel=cancel)
    assert clock.monotonic() == 0.5
    assert tokens.available == pytest.approx(0.5)
    assert not hasattr(caught.value, "error_class")
    assert tokens.acquire(2, cancel=CANCEL) == pytest.approx(1.5), "the place in the queue is free again"


def test_b2_a_token_granted_in_the_moment_of_cancelling_is_given_back():
    tokens, clock = bucket(capacity=2, rate=1)
    cancel = Cancel()
    tokens.acquire(2, cancel=cancel)
    clock.at(1, tokens.try_acquire)  # another thread, awake first, serves the waiter
    clock.at(1, cancel.set)
    with pytest.raises(Cancelled):
        tokens.acquire(cancel=cancel)
    assert tokens.available == pytest.approx(1)


def test_b2_cancelling_ends_a_real_wait_at_once():
    tokens = TokenBucket(1, 0.001, SystemClock())
    cancel = Cancel()
    tokens.acquire(cancel=cancel)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(tokens.acquire, cancel=cancel) for _ in range(3)]
        cancel.set()
        for one in waiting:
            with pytest.raises(Cancelled):
                one.result(timeout=5)
    assert tokens.available < 1


def test_b3_try_acquire_never_waits():
    tokens, clock = bucket(capacity=2)
    assert [tokens.try_acquire() for _ in range(3)] == [True, True, False]
    assert clock.waits == []
    assert tokens.available == 0


def test_b19_capacity_two_the_third_request_waits():
    told = []
    tokens, _ = bucket(capacity=2, rate=10, on_wait=told.append)
    assert [tokens.acquire(cancel=CANCEL) > 0 for _ in range(3)] == [False, False, True]
    assert told == [pytest.approx(0.1)]


def test_b89_refill_is_continuous_and_never_exceeds_capacity():
    tokens, clock = bucket(capacity=5, rate=10)
    tokens.acquire(5, cancel=CANCEL)
    clock.advance(0.025)
    assert tokens.available == pytest.approx(0.25)
    clock.advance(0.2)
    assert tokens.available == pytest.approx(2.25)
    clock.advance(1_000_000)
    assert tokens.available == 5


def test_b90_n_tokens_come_together_or_not_at_all():
    tokens, _ = bucket(capacity=5, rate=10)
    assert tokens.try_acquire(3)
    assert not tokens.try_acquire(3)
    assert tokens.available == 2
    assert tokens.acquire(3, cancel=CANCEL) == pytest.approx(0.1)


def test_b90_more_than_capacity_is_an_error_at_once():
    tokens, clock = bucket(capacity=5)
    for ask in (lambda: tokens.acquire(6, cancel=CANCEL), lambda: tokens.try_acquire(6)):
        with pytest.raises(OgfError, match=r"6 tokens .* holds 5"):
            ask()
    assert clock.waits == []
    assert tokens.available == 5


@pytest.mark.parametrize("n", [0, -1])
def test_b90_less_than_one_token_is_an_error(n):
    tokens, _ = bucket()
    with pytest.raises(ConfigError):
        tokens.acquire(n, cancel=CANCEL)


def test_b91_a_pause_delays_everybody():
    tokens, clock = bucket(capacity=5, rate=10)
    tokens.pause(30)
    assert not tokens.try_acquire()
    assert tokens.acquire(cancel=CANCEL) == 30
    assert clock.monotonic() == 30


def test_b91_a_pause_that_comes_amid_a_wait_prolongs_it():
    tokens, clock = bucket(capacity=1, rate=1)
    tokens.acquire(cancel=CANCEL)
    clock.at(0.5, lambda: tokens.pause(10))
    assert tokens.acquire(cancel=CANCEL) == pytest.approx(10.5)


def test_b91_a_shorter_pause_does_not_end_a_longer_one():
    tokens, _ = bucket()
    tokens.pause(30)
    tokens.pause(1)
    assert tokens.acquire(cancel=CANCEL) == 30


def test_reset_fills_the_bucket_and_ends_a_pause():
    tokens, _ = bucket(capacity=5)
    tokens.acquire(5, cancel=CANCEL)
    tokens.pause(30)
    tokens.reset()
    assert tokens.available == 5
    assert tokens.acquire(5, cancel=CANCEL) == 0.0


def test_waiters_are_served_in_order_and_try_acquire_does_not_jump_the_queue():
    tokens, clock = bucket(capacity=5, rate=1)
    tokens.acquire(5, cancel=CANCEL)
    served, tried = [], []

    def second() -> None:
        tried.append(tokens.try_acquire())
        thread = threading.Thread(
            target=lambda: (tokens.acquire(cancel=CANCEL), served.append(clock.monotonic()))
        )
        later.append(thread)

    later: list[threading.Thread] = []
    clock.at(1.0, second)
    assert tokens.acquire(4, cancel=CANCEL) == pytest.approx(4.0)
    assert tried == [False], "a token was there, but it was promised to the one before"
    later[0].start()
    later[0].join(5)
    assert served == [pytest.approx(5.0)]


class Doorman(FakeClock):
    """Real threads that sleep until the test lets them go, all at one moment."""

    def __init__(self):
        super().__init__()
        self.asleep = threading.Semaphore(0)
        self.doors: list[threading.Event] = []

    def wait(self, seconds, cancel):
        door = threading.Event()
        self.doors.append(door)
        self.waits.append(seconds)
        self.asleep.release()
        assert door.wait(5)


def test_whoever_wakes_first_the_queue_is_served_in_order():
    clock = Doorman()
    tokens = TokenBucket(1, 1, clock)
    tokens.acquire(cancel=CANCEL)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tokens.acquire, cancel=CANCEL)
        assert clock.asleep.acquire(timeout=5)
        second = pool.submit(tokens.acquire, cancel=CANCEL)
        assert clock.asleep.acquire(timeout=5)
        assert clock.waits == [pytest.approx(1), pytest.approx(2)], "each sleeps its exact deficit"
        clock.advance(1)
        clock.doors[1].set()  # the second wakes too early; the one token is the first's
        assert clock.asleep.acquire(timeout=5)
        assert not second.done()
        assert clock.waits[2] == pytest.approx(1)
        clock.doors[0].set()
        assert first.result(5) == pytest.approx(1)
        clock.advance(1)
        clock.doors[2].set()
        assert second.result(5) == pytest.approx(2)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("setting", ["rate_limit_capacity", "rate_limit_per_sec"])
def test_a_useless_limit_is_a_configuration_error(setting, value):
    capacity, rate = (value, 1) if setting == "rate_limit_capacity" else (1, value)
    with pytest.raises(ConfigError, match=setting):
        TokenBucket(capacity, rate, FakeClock())


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_b92_workers_divide_the_rate(workers):
    tokens, _ = bucket(capacity=100, rate=5)
    share = tokens.divided(workers)
    assert (share.capacity * workers, share.rate * workers) == (pytest.approx(100), pytest.approx(5))


def test_b92_a_share_can_still_grant_a_token():
    tokens, _ = bucket(capacity=2, rate=5)
    assert tokens.divided(10).acquire(cancel=CANCEL) == 0.0
    with pytest.raises(ConfigError):
        tokens.divided(0)


def test_b92_fifty_threads_keep_within_the_bound():
    tokens, clock = bucket(capacity=7, rate=3)
    spans: list[tuple[float, float]] = []

    def ask(_: int) -> None:
        for _ in range(4):
            asked = clock.monotonic()
            tokens.acquire(cancel=CANCEL)
            spans.append((asked, clock.monotonic()))

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(50)))
    assert len(spans) == 200
    # What was asked and granted within an interval was granted in it, however late a thread looked at the clock.
    moments = sorted({moment for span in spans for moment in span})
    for start, end in itertools.combinations(moments[:: len(moments) // 40 or 1], 2):
        granted = sum(start <= asked and got <= end for asked, got in spans)
        assert granted <= 7 + 3 * (end - start) + SLACK
    assert clock.monotonic() >= (200 - 7) / 3 - SLACK


steps = st.lists(
    st.tuples(st.integers(1, 5), st.floats(0, 3), st.booleans(), st.floats(0, 2)), min_size=1, max_size=40
)


@given(steps=steps, rate=st.floats(0.1, 100))
def test_b92_any_interval_grants_at_most_capacity_plus_rate_times_time(steps, rate):
    tokens, clock = bucket(capacity=5, rate=rate)
    grants: list[tuple[float, int]] = []
    for n, idle, patient, pause in steps:
        clock.advance(idle)
        if pause > 1.5:
            tokens.pause(pause)
        if patient:
            tokens.acquire(n, cancel=CANCEL)
        elif not tokens.try_acquire(n):
            continue
        grants.append((clock.monotonic(), n))
    for i, (start, _) in enumerate(grants):
        total = 0
        for end, n in grants[i:]:
            total += n
            assert total <= 5 + rate * (end - start) + SLACK


@given(n=st.integers(1, 60), capacity=st.integers(1, 20), rate=st.floats(0.1, 100))
def test_n_calls_take_exactly_as_long_as_they_must(n, capacity, rate):
    tokens, clock = bucket(capacity=capacity, rate=rate)
    waited = sum(tokens.acquire(cancel=CANCEL) for _ in range(n))
    assert clock.monotonic() == pytest.approx(max(0, n - capacity) / rate, abs=SLACK)
    assert waited == pytest.approx(clock.monotonic())


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=20).flatmap(
        lambda x: st.tuples(st.just(x), st.permutations(x))
    )
)
def test_permuting_the_callers_changes_nothing(orders):
    ends = []
    for order in orders:
        tokens, clock = bucket(capacity=5, rate=3)
        for n in order:
            tokens.acquire(n, cancel=CANCEL)
        ends.append((clock.monotonic(), tokens.available))
    assert ends[0] == pytest.approx(ends[1], abs=SLACK)
