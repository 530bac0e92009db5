"""How many wrong credentials an address has tried lately; after too many it has to wait."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 10
_WITHIN_SECONDS = 60.0
_ADDRESSES = 10_000


class Failures:
    """Counts failures by address, of the last minute. `now` gives monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """The seconds before this address may try again; 0.0 for now."""
        with self._lock:
            times = self._recent(address)
            return times[0] + _WITHIN_SECONDS - self._now() if len(times) >= _MOST else 0.0

    def add(self, address: str) -> None:
        with self._lock:
            times = self._recent(address)
            times.append(self._now())
            self._times[address] = times
            self._times.move_to_end(address)
            if len(self._times) > _ADDRESSES:
                self._times.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address, deque(maxlen=_MOST))
        while times and times[0] <= self._now() - _WITHIN_SECONDS:
            times.popleft()
        return times
