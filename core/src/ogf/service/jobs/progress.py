"""How far a job's run has come, told by the runner while it goes on and read by whoever asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ogf.runner.report import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.runner.report import PartitionOutcome


class Progress(Silent):
    """The runner's reporter: counts what it is told. Any thread may ask for `as_dict`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total: int | None = None  # partitions that need no loading end before it is known
        self._done = 0
        self._failed = 0
        self._pages = 0
        self._rows = 0
        self._doing = ""

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None:
        del provider, chains, costs
        with self._lock:
            self._total = partitions

    def page(self, stream: str, key: str, *, rows: int) -> None:
        with self._lock:
            self._pages += 1
            self._rows += rows
            self._doing = f"{stream} {key}"

    def finished(self, outcome: PartitionOutcome) -> None:
        with self._lock:
            self._done += self._total is not None
            self._failed += outcome.outcome == "failed"

    def as_dict(self) -> dict[str, int | str]:
        """`rows` and `pages` are those read in this attempt; `doing` is the partition of the last page."""
        with self._lock:
            return {
                "partitions_total": self._total or 0,
                "partitions_done": self._done,
                "partitions_failed": self._failed,
                "pages": self._pages,
                "rows": self._rows,
                "doing": self._doing,
            }
