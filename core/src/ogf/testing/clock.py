"""A clock for tests: waiting moves it on at once, and every wait is written down."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ogf.runner.clock import Cancel


class FakeClock:
    """Stands for `ogf.runner.clock.SystemClock`. Safe to share between threads.

    Attributes:
        waits: the seconds of every wait asked for, in order.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.waits: list[float] = []
        self._now = start
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.RLock()  # an action on the agenda may look at the clock

    def monotonic(self) -> float:
        with self._lock:
            return self._now

    def wait(self, seconds: float, cancel: Cancel) -> None:
        cancel.raise_if_set()
        with self._lock:
            self.waits.append(seconds)
            self._move_to(self._now + max(0.0, seconds), until=cancel.is_set)
        cancel.raise_if_set()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._move_to(self._now + seconds)

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Do something when time reaches a moment, for instance `clock.at(2.5, cancel.set)` amid a wait."""
        with self._lock:
            self._agenda.append((moment, action))

    def _move_to(self, target: float, *, until: Callable[[], bool] = lambda: False) -> None:
        while not until():
            due = min((entry for entry in self._agenda if entry[0] <= target), key=_moment, default=None)
            if due is None:
                self._now = max(self._now, target)
                return
            self._agenda.remove(due)
            self._now = max(self._now, due[0])
            due[1]()


def _moment(entry: tuple[float, Callable[[], None]]) -> float:
    return entry[0]
