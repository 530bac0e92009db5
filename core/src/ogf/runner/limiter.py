"""The token bucket that every remote call of a provider passes: one per run, shared by all threads.

Only the arithmetic of tokens belongs here; what an error means and when to ask again is for `retry`.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ogf.runner.clock import Cancel, Clock

# Seconds times a rate is not exact: whoever slept the exact deficit may wake a hair short of a whole token.
_EPSILON = 1e-6


@dataclass(eq=False)
class _Ticket:
    """One waiter's place in the queue."""

    n: int
    since: float
    granted: bool = False


class TokenBucket:
    """`capacity` tokens at the start, `rate` more each second, never above `capacity`.

    Waiters are served in order. In any T seconds at most `capacity + rate * T` tokens are granted.

    Args:
        on_wait: told the seconds of every wait, after it.
    """

    def __init__(
        self, capacity: float, rate: float, clock: Clock, *, on_wait: Callable[[float], None] | None = None
    ) -> None:
        self.capacity = _positive(capacity, "rate_limit_capacity")
        self.rate = _positive(rate, "rate_limit_per_sec")
        self._clock = clock
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._queue: deque[_Ticket] = deque()
        self._tokens = self.capacity
        self._refilled_at = clock.monotonic()
        self._paused_until = -math.inf

    def acquire(self, n: int = 1, *, cancel: Cancel) -> float:
        """Take n tokens together, waiting in line for them.

        Returns:
            The seconds waited, 0.0 if none.

        Raises:
            Cancelled: somebody cancelled; no token is taken.
        """
        self._check(n)
        cancel.raise_if_set()
        with self._lock:
            ticket = _Ticket(n, since=self._clock.monotonic())
            self._queue.append(ticket)
            delay = self._serve(ticket, ticket.since)
        return self._wait(ticket, delay, cancel) if delay else 0.0

    def try_acquire(self, n: int = 1) -> bool:
        """Take n tokens and return True, or none and return False. Never waits, never jumps the queue."""
        self._check(n)
        with self._lock:
            now = self._clock.monotonic()
            self._serve_due(now)
            if self._queue or not self._can_grant(n, now):
                return False
            self._tokens -= n
            return True

    @property
    def available(self) -> float:
        """The tokens in the bucket now; during a pause nobody gets them."""
        with self._lock:
            self._refill(self._clock.monotonic())
            return max(0.0, self._tokens)

    def pause(self, seconds: float) -> None:
        """Grant nothing to anybody for so long: the server asked for it. A longer pause stays."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def reset(self) -> None:
        """Fill the bucket and end any pause. Who sleeps already notices when it wakes."""
        with self._lock:
            self._tokens = self.capacity
            self._refilled_at = self._clock.monotonic()
            self._paused_until = -math.inf

    def divided(self, workers: int) -> TokenBucket:
        """Return one worker's share: together they ask no more often than this bucket alone would.

        A share holds at least one token, or it could never grant any.
        """
        if workers < 1:
            raise ConfigError(f"{workers} workers cannot share a rate limit", hint="use one worker or more")
        return TokenBucket(
            max(1.0, self.capacity / workers), self.rate / workers, self._clock, on_wait=self._on_wait
        )

    def _wait(self, ticket: _Ticket, delay: float, cancel: Cancel) -> float:
        try:
            while delay:
                self._clock.wait(delay, cancel)
                with self._lock:
                    now = self._clock.monotonic()
                    delay = self._serve(ticket, now)
        except BaseException:
            self._withdraw(ticket)
            raise
        waited = now - ticket.since
        if self._on_wait is not None:
            self._on_wait(waited)
        return waited

    def _serve(self, ticket: _Ticket, now: float) -> float:
        """Serve whoever can be served; return how long this ticket still has to wait."""
        self._serve_due(now)
        if ticket.granted:
            return 0.0
        ahead = 0
        for waiting in self._queue:
            ahead += waiting.n
            if waiting is ticket:
                break
        return max((ahead - self._tokens) / self.rate, self._paused_until - now)

    def _serve_due(self, now: float) -> None:
        self._refill(now)
        # Whoever is awake also serves those before it: a thread that wakes late holds nobody up.
        while self._queue and self._can_grant(self._queue[0].n, now):
            first = self._queue.popleft()
            self._tokens -= first.n
            first.granted = True

    def _can_grant(self, n: int, now: float) -> bool:
        return now >= self._paused_until and self._tokens >= n - _EPSILON

    def _refill(self, now: float) -> None:
        # Threads read the clock in any order; time never runs backwards here.
        elapsed = max(0.0, now - self._refilled_at)
        self._tokens = min(self.capacity, self._tokens + elapsed * self.rate)
        self._refilled_at += elapsed

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket.granted:
                self._tokens = min(self.capacity, self._tokens + ticket.n)
            else:
                self._queue.remove(ticket)

    def _check(self, n: int) -> None:
        if n < 1:
            raise ConfigError(f"{n} tokens cannot be taken", hint="ask for one token or more")
        if n > self.capacity:
            raise ConfigError(
                f"{n} tokens together can never be granted: the bucket holds {self.capacity:g}",
                hint="raise `rate_limit_capacity`, or ask for fewer at once",
            )


def _positive(value: float, setting: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"`{setting}` is {value:g}", hint=f"set `{setting}` to a number above 0")
    return float(value)
