"""The one layer of retries: a limiter token per attempt, back-off with full jitter, the server's delays.

What an error means is decided by the `classify` it is given; planning a partition again (`restart`) is the
caller's. tenacity drives the loop, our clock waits.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from ogf.errors import Cancelled, ConfigError, ErrorClass, OgfError, SourceError
from ogf.runner.classify import code_of, no_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from ogf.hookspecs import Verdict
    from ogf.runner.clock import Cancel, Clock
    from ogf.runner.gates import Limiter

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_BACKOFF = 1.0
_LONGEST_BACKOFF = 30.0
_SERVER_JITTER = 1.0
_NETWORK = "check the network, a proxy that is in between, and any `endpoint_url` that is set; then run again"


class Retry:
    """Calls functions until they succeed or asking again is pointless. May be shared between threads.

    Args:
        max_attempts: calls in total; one whose error carries `retry_after` does not count.
        budget_seconds: how long all calls of this object together may wait between attempts: make one object
            for each partition.
        mask: takes secrets out of the texts of errors, which a server may have put there.
        on_retry: told the error, the attempts made and the seconds to wait, before each further attempt.
    """

    def __init__(
        self,
        *,
        max_attempts: int,
        clock: Clock,
        limiter: Limiter,
        cancel: Cancel,
        classify: Callable[[BaseException], Verdict],
        log: Any,
        budget_seconds: float,
        rng: random.Random | None = None,
        mask: Callable[[str], str] = str,
        on_retry: Callable[[SourceError, int, float], None] = lambda *_: None,
    ) -> None:
        if max_attempts < 1:
            raise ConfigError(f"`max_retries` is {max_attempts}", hint="set `max_retries` to 1 or more")
        self.max_attempts = max_attempts
        self.clock = clock
        self.limiter = limiter
        self.cancel = cancel
        self.classify = classify
        self.log = log
        self.rng = rng or random.SystemRandom()
        self.mask = mask
        self.on_retry = on_retry
        self._budget = budget_seconds
        self._lock = threading.Lock()

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function, again and again while its errors are transient.

        Raises:
            SourceError: from the last error, with its class, hint, the attempts made and the time taken.
            Cancelled: somebody cancelled, be it before, during or between attempts.
            OgfError: any other error of ours passes unchanged.
        """
        attempts = _Attempts(self)
        retrying = Retrying(
            retry=retry_if_exception(_worth_another),
            wait=attempts.wait,
            stop=attempts.stop,
            before_sleep=attempts.before_sleep,
            sleep=lambda seconds: self.clock.wait(seconds, self.cancel),
            reraise=True,
        )
        result: T = retrying(attempts.one, function, *args, **kwargs)
        return result

    def take(self, seconds: float) -> bool:
        """Take a wait out of the time budget; False, and nothing taken, if too little is left."""
        with self._lock:
            if seconds > self._budget:
                return False
            self._budget -= seconds
            return True


class _Attempts:
    """The attempts of one call."""

    def __init__(self, retry: Retry) -> None:
        self.retry = retry
        self.made = 0
        self.counted = 0  # a wait that the server asked for uses up no attempt
        self.started = retry.clock.monotonic()

    def one(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.retry.limiter.acquire(cancel=self.retry.cancel)
        self.made += 1
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if self.retry.cancel.is_set():  # an SDK may have wrapped it in an error of its own
                raise Cancelled from error
            if isinstance(error, OgfError) and not isinstance(error, SourceError):
                raise
            raise self._failure(error) from error

    def wait(self, state: RetryCallState) -> float:
        asked = _error(state).retry_after
        if asked is not None:
            return asked + self.retry.rng.uniform(0, _SERVER_JITTER)
        doublings = min(self.counted - 1, 10)
        return self.retry.rng.uniform(0, min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**doublings))

    def stop(self, state: RetryCallState) -> bool:
        if self.counted < self.retry.max_attempts and self.retry.take(state.upcoming_sleep):
            return False
        self._log("error", "max retries exceeded", _error(state), attempts=self.made)
        return True

    def before_sleep(self, state: RetryCallState) -> None:
        error = _error(state)
        if error.retry_after is not None:
            self.retry.limiter.pause(error.retry_after)
        backoff = round(state.upcoming_sleep * 1000)
        self._log("info", "retrying after error", error, attempt=self.made, backoff_ms=backoff)
        self.retry.on_retry(error, self.made, state.upcoming_sleep)

    def _failure(self, error: Exception) -> SourceError:
        verdict = self.retry.classify(error)
        self.counted += verdict.retry_after is None
        failure = SourceError(
            f"{self.retry.mask(no_connection(error) or _text(error))} ({self._effort(verdict.error_class)})",
            error_class=verdict.error_class,
            where=getattr(error, "where", ""),
            hint=verdict.hint or getattr(error, "hint", "") or (_NETWORK if no_connection(error) else ""),
            retry_after=verdict.retry_after,
            restart=verdict.restart,
        )
        failure.__cause__ = error
        if verdict.error_class is not ErrorClass.TRANSIENT:
            # Nobody foresaw an unknown error: its whole chain goes to the log.
            chain = error if verdict.error_class is ErrorClass.UNKNOWN else None
            self._log("error", "non-retryable error, stopping retries", failure, exc_info=chain)
        return failure

    def _effort(self, error_class: ErrorClass) -> str:
        seconds = self.retry.clock.monotonic() - self.started
        return f"{error_class}; {self.made} attempt{'s' * (self.made > 1)} in {seconds:.1f} s"

    def _log(self, level: str, event: str, error: SourceError, **fields: Any) -> None:
        cause = error.__cause__ or error
        getattr(self.retry.log, level)(
            event, error_class=str(error.error_class), code=code_of(cause), **fields
        )


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, SourceError) and error.error_class is ErrorClass.TRANSIENT and not error.restart


def _error(state: RetryCallState) -> SourceError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, SourceError)  # noqa: S101 - nothing else is worth another attempt
    return error


def _text(error: Exception) -> str:
    return error.message if isinstance(error, OgfError) else f"{type(error).__name__}: {error}"
