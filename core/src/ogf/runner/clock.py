"""Time and the wish to stop.

Whatever waits in the runner waits here, so that no test sleeps and Ctrl-C ends every wait at once.
Nothing else in the runner imports `time`.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ogf.errors import Cancelled


class Cancel:
    """Says, once and to every thread, that the user asked to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def raise_if_set(self) -> None:
        if self._event.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> bool:
        """Wait until somebody cancels, at most so long; True if somebody did."""
        return self._event.wait(min(seconds, threading.TIMEOUT_MAX))


class Clock(Protocol):
    """Monotonic seconds, and a wait that cancellation ends."""

    def monotonic(self) -> float: ...

    def wait(self, seconds: float, cancel: Cancel) -> None:
        """Return after so many seconds, or raise `Cancelled` as soon as `cancel` is set."""


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, cancel: Cancel) -> None:
        cancel.wait(seconds)
        cancel.raise_if_set()
