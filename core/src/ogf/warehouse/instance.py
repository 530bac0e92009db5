"""One DuckDB instance that all threads of a long-lived process share, so that questions go on while a run appends.

It lets go of the file when nobody has used it for a moment, and once in a while in any case: commands of other
processes, which wait for the file, get their turn.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import duckdb

_IDLE_SECONDS = 1.0
_HELD_SECONDS = 30.0
# A long question must not shut everybody out: then the file is kept for another while.
_DRAIN_SECONDS = 2.0
_CLOSE_SECONDS = 30.0
# Other processes ask for the file every 50 ms.
_PAUSE_SECONDS = 0.15


class Instance:
    """Lends connections to one instance, opened when the first is asked for.

    Attributes:
        generation: another number as soon as the file may hold something new: somebody here wrote, or it is not the
            file any more that was let go of.

        checked: the generation whose schema was found to be ours.

    Args:
        path: the file.
        memory_mb: DuckDB's memory limit, whoever opens the file.
        idle: seconds without a user before the file is let go of.
        held: seconds after which no new user is let in until it was let go of.
    """

    def __init__(
        self, path: Path, *, memory_mb: int = 256, idle: float = _IDLE_SECONDS, held: float = _HELD_SECONDS
    ) -> None:
        self.generation = 0
        self.checked = -1
        self.memory_mb = memory_mb
        self._path = path
        self._left: tuple[int, ...] = ()
        self._idle = idle
        self._held = held
        self._changed = threading.Condition()
        self._base: duckdb.DuckDBPyConnection | None = None
        self._users = 0
        self._opening = False
        self._opened_at = 0.0
        self._used_at = 0.0
        self._free_again = 0.0
        self._closed = False
        self._watcher: threading.Thread | None = None

    @contextmanager
    def connection(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        *,
        wait: float,
        busy: Callable[[], Exception],
        interrupted: Callable[[], None],
        writes: bool,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection of its own to one thread.

        Args:
            connect: opens the file; waits for other processes by itself.
            wait: seconds to wait while the file is being let go of or opened.
            busy: the error to raise after that.
            interrupted: asked while waiting; raises to give up.
            writes: what was answered before may not hold any more afterwards.
        """
        base = self._enter(connect, time.monotonic() + wait, busy, interrupted)
        try:
            with base.cursor() as cursor:
                yield cursor
        finally:
            self._leave(wrote=writes)

    def close(self) -> None:
        """Let go of the file for good, once nobody uses it any more."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._users, _CLOSE_SECONDS)
            if not self._users:
                self._let_go()
            watcher = self._watcher
        if watcher is not None:
            watcher.join(1.0)

    def _enter(
        self,
        connect: Callable[[], duckdb.DuckDBPyConnection],
        deadline: float,
        busy: Callable[[], Exception],
        interrupted: Callable[[], None],
    ) -> duckdb.DuckDBPyConnection:
        with self._changed:
            while not self._may_enter():
                self._changed.wait(0.05)
                interrupted()
                if self._closed or time.monotonic() >= deadline:
                    raise busy()
            self._users += 1
            if self._base is not None:
                return self._base
            self._opening = True
        try:
            opened = connect()
            found = self._stamp()
        except BaseException:
            with self._changed:
                self._opening = False
                self._users -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._base = opened
            self._opening = False
            self._opened_at = time.monotonic()
            self.generation += found != self._left
            self._changed.notify_all()
            self._watcher = threading.Thread(
                target=self._watch, args=(opened,), name="warehouse", daemon=True
            )
            self._watcher.start()
        return opened

    def _may_enter(self) -> bool:
        if self._opening or self._closed:
            return False
        if self._base is None:
            return time.monotonic() >= self._free_again
        return not self._long_held()

    def _long_held(self) -> bool:
        """Whether nobody new is let in; users who are there have a moment to end, else all begins anew."""
        return (time.monotonic() - self._opened_at) % (self._held + _DRAIN_SECONDS) >= self._held

    def _leave(self, *, wrote: bool) -> None:
        with self._changed:
            self._users -= 1
            self._used_at = time.monotonic()
            self.generation += wrote
            self._changed.notify_all()

    def _watch(self, mine: duckdb.DuckDBPyConnection) -> None:
        """Let go of what was opened, as soon as that is due and nobody uses it."""
        with self._changed:
            while self._base is mine:
                idle_in = self._used_at + self._idle - time.monotonic()
                if not self._users and (idle_in <= 0 or self._long_held()):
                    self._let_go()
                    return
                self._changed.wait(None if self._users else max(idle_in, 0.01))

    def _stamp(self) -> tuple[int, ...]:
        """What changes when somebody writes, be it into the log that a killed process leaves behind."""
        if not self._path.exists():
            return ()
        stat = self._path.stat()
        log = self._path.with_name(f"{self._path.name}.wal")
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, log.stat().st_size if log.exists() else 0

    def _let_go(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None
            self._left = self._stamp()
            self._free_again = time.monotonic() + (0 if self._closed else _PAUSE_SECONDS)
            self._changed.notify_all()
