"""Cost Management's own budget: 12 query units in 10 seconds, 60 in a minute, 600 in an hour, for each tenant.

It lies below the provider's requests a second. Who finds it spent is told how long to wait, and waits not here: that
is the runner's business.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

# (units, seconds): no window of so many seconds may see more units.
LIMITS = ((12, 10.0), (60, 60.0), (600, 3600.0))
_SPARE = 0.01  # whoever waits exactly may come back a hair too early


class Budget:
    """Query units spent lately. May be shared between threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(
        self,
        limits: tuple[tuple[int, float], ...] = LIMITS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._spent: deque[float] = deque(maxlen=max(units for units, _ in limits))
        self._lock = threading.Lock()

    def spend(self, where: str = "") -> None:
        """Spend one unit.

        Raises:
            SourceError: `transient`, with the seconds until one is free; nothing is spent then.
        """
        with self._lock:
            now = self._clock()
            wait = max(self._wait(units, seconds, now) for units, seconds in self._limits)
            if wait <= 0:
                self._spent.append(now)
                return
        raise SourceError(
            f"the query units of Cost Management are spent for {math.ceil(wait)} s",
            error_class=ErrorClass.TRANSIENT,
            where=where,
            hint="ask for fewer months with --since, or set up an export: it has no such limit",
            retry_after=wait + _SPARE,
        )

    def _wait(self, units: int, seconds: float, now: float) -> float:
        """How long until the oldest of the last `units` is out of the window."""
        return self._spent[-units] + seconds - now if len(self._spent) >= units else 0.0


_budgets: dict[str, Budget] = {}
_lock = threading.Lock()


def budget_of(tenant: str) -> Budget:
    """The one budget of a tenant in this process."""
    with _lock:
        return _budgets.setdefault(tenant, Budget())


def reset() -> None:
    """Forget what was spent: for tests."""
    with _lock:
        _budgets.clear()
