"""Opening the warehouse file, only for as long as needed, and waiting while somebody else holds it."""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import duckdb
import structlog

from ogf.errors import WarehouseBusy, WarehouseError
from ogf.warehouse.migrate import require_current, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ogf.warehouse.instance import Instance

_turns: dict[Path, threading.Lock] = {}
_RETRY_SECONDS = 0.05
_TELL_SECONDS = 1.0  # a run of somebody else holds the file for less than that at a time
# The oldest storage format that compresses texts in one go (DICT_FSST): appending takes a quarter less CPU than in
# DuckDB's default format, in a smaller file. DuckDB 1.3 and later read it.
_STORAGE = "v1.3.0"
# An append leaves row groups that are not full, one for each thread. DuckDB would merge them with full ones beside them
# at every checkpoint, which can take longer than the append. Row groups without any row are freed in any case.
_MERGED_ROW_GROUPS = 0
# struct flock of Linux x86-64 and arm64: l_type, l_whence, l_start, l_len, l_pid
_FLOCK = "hhqqi4x"


class WarehouseFile:
    """The DuckDB file of one warehouse.

    Args:
        wait: seconds to wait for another process before giving up with exit code 4.
        memory_mb: DuckDB's memory limit while it is open for writing.
        interrupted: asked while waiting; raises to give up.
        waiting: told after a second of waiting: who holds the file (its pid, if known), and how long it waits at most.
        instance: shared by all threads of a long-lived process; without it, the file is opened for each use.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait: float = 60.0,
        memory_mb: int = 256,
        threads: int | None = None,
        interrupted: Callable[[], None] = lambda: None,
        waiting: Callable[[int | None, float], None] = lambda holder, seconds: None,  # noqa: ARG005
        instance: Instance | None = None,
    ) -> None:
        self.path = path
        self._wait = wait
        self._memory_mb = memory_mb
        self._threads = threads or os.cpu_count() or 1
        self._interrupted = interrupted
        self._waiting = waiting
        self._instance = instance

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for writing, created or upgraded if need be.

        Raises:
            WarehouseBusy: another process held the file for longer than `wait`.
            WarehouseError: it is damaged, read-only, or its folder is missing.
        """
        if self._instance is not None and self._instance.generation and not self.path.exists():
            raise self._nothing()  # it was here when this process began: moved away, or not mounted
        with self._turn(), self._open(read_only=False) as connection:
            try:
                upgrade(connection, where=str(self.path))
                yield connection
            except Exception as error:
                cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps what DuckDB raised
                if isinstance(cause, duckdb.Error):
                    raise self._failed(cause) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only. Raises as `writing`, and WarehouseError if there is no warehouse yet."""
        if not self.path.exists():
            raise self._nothing()
        with self._open(read_only=True) as connection:
            self._require_current(connection)
            yield connection

    def _require_current(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Refuse another schema; of a shared instance looked at once for each generation."""
        shared = self._instance
        generation = shared.generation if shared else -1
        if shared is None or shared.checked != generation:
            require_current(connection, where=str(self.path))
        if shared is not None:
            shared.checked = generation

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Between threads of one process DuckDB's lock does not hold, so one writes at a time."""
        lock = _turns.setdefault(self.path.resolve(), threading.Lock())
        if not lock.acquire(timeout=self._wait):
            raise self._busy(os.getpid())
        try:
            yield
        finally:
            lock.release()

    def _open(self, *, read_only: bool) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        if self._instance is None:
            return self._prepared(read_only=read_only)
        return self._instance.connection(
            lambda: self._prepared(read_only=False),
            wait=self._wait,
            busy=lambda: self._busy(os.getpid()),
            interrupted=self._interrupted,
            writes=not read_only,
        )

    def _prepared(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """A connection whose settings hold for the cursors of it too."""
        connection = self._connect(read_only=read_only)
        connection.execute(
            "SET enable_progress_bar = false; SET TimeZone = 'UTC'; SET GLOBAL TimeZone = 'UTC'; "
            "SET preserve_insertion_order = false"
        )
        return connection

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        began = time.monotonic()
        deadline = began + self._wait
        told = False
        while True:
            try:
                return duckdb.connect(
                    str(self.path),
                    read_only=read_only,
                    config={
                        "threads": self._threads,
                        "memory_limit": f"{self._instance.memory_mb if self._instance else self._memory_mb}MB",
                        "temp_directory": f"{self.path}.spill-{os.getpid()}",
                        "storage_compatibility_version": _STORAGE,
                        "max_vacuum_tasks": _MERGED_ROW_GROUPS,
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                    },
                )
            except duckdb.ConnectionException as error:  # this process itself has it open in the other mode
                if time.monotonic() >= deadline:
                    raise self._busy(os.getpid()) from error
            except duckdb.Error as error:
                holder = lock_holder(self.path) if isinstance(error, duckdb.IOException) else None
                if holder is None and not _just_released(self.path, error):
                    raise self._unusable(error) from error
                if time.monotonic() >= deadline:
                    raise self._busy(holder) from error
                if not told and time.monotonic() >= began + _TELL_SECONDS:
                    told = True
                    structlog.get_logger("ogf").warning(
                        "waiting for the warehouse", held_by_pid=holder, at_most_seconds=self._wait
                    )
                    self._waiting(holder, self._wait)
            self._interrupted()
            time.sleep(_RETRY_SECONDS)

    def patient(self) -> WarehouseFile:
        """The same file, waiting its turn even after a cancel: what is left to write must be written."""
        return WarehouseFile(
            self.path,
            wait=self._wait,
            memory_mb=self._memory_mb,
            threads=self._threads,
            waiting=self._waiting,
            instance=self._instance,
        )

    def require_folder(self) -> None:
        """Raise if the folder of the file is missing: nobody but the user creates it."""
        if not self.path.parent.is_dir():
            raise self._no_folder()

    def _nothing(self) -> WarehouseError:
        return WarehouseError(
            "there is no warehouse here yet",
            where=str(self.path),
            hint="run `ogf run`, or point --db (or OGF_DB) at an existing file",
        )

    def _no_folder(self) -> WarehouseError:
        return WarehouseError(
            f"the folder {self.path.parent} does not exist",
            where=str(self.path),
            hint="create it, or change --db",
        )

    def _busy(self, holder: int | None) -> WarehouseBusy:
        who = "this process itself" if holder == os.getpid() else f"another process (pid {holder})"
        return WarehouseBusy(
            f"{who} has held the warehouse for {self._wait:g} s",
            where=str(self.path),
            hint="wait for it to end or stop it, or allow more time with --wait; nothing was lost",
        )

    def _failed(self, error: duckdb.Error) -> WarehouseError:
        return WarehouseError(
            f"DuckDB could not write ({str(error).splitlines()[0]})",
            where=str(self.path),
            hint="look for free space on the disk, then run again; nothing half-written is visible",
        )

    def _unusable(self, error: duckdb.Error) -> WarehouseError:
        folder = self.path.parent
        if not folder.is_dir():
            return self._no_folder()
        if not os.access(self.path if self.path.exists() else folder, os.W_OK):
            return WarehouseError(
                "the warehouse may not be written",
                where=str(self.path),
                hint="give this user write permission to the file and its folder, or change --db",
            )
        first = str(error).splitlines()[0]
        return WarehouseError(
            f"DuckDB cannot open the file ({first})",
            where=str(self.path),
            hint="if it is damaged, restore a backup, or move it away and load again with `ogf run`",
        )


def lock_holder(path: Path) -> int | None:
    """Process id of whoever holds DuckDB's lock on the file, asked of the kernel; None for nobody."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        ask = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, ask))
    except OSError:
        return None
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else pid


def _just_released(path: Path, error: duckdb.Error) -> bool:
    """The holder may have let go between DuckDB's attempt and our question: then it is worth asking again."""
    return path.exists() and os.access(path, os.W_OK) and "Could not set lock" in str(error)
