"""What a hook gets to work with: the runner's side of `ogf.hookspecs.Context`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.files.table import Table, open_table
from ogf.files.worker import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

    from ogf.files import File
    from ogf.runner.retry import Retry


class Connections:
    """One in-memory DuckDB connection for each worker thread, made when first asked for."""

    def __init__(self, *, scratch: Path, threads: int, memory_mb: int, lookups: Mapping[str, Path]) -> None:
        self._scratch = scratch
        self._threads = threads
        self._memory_mb = memory_mb
        self._lookups = lookups
        self._local = threading.local()
        self._all: list[duckdb.DuckDBPyConnection] = []

    def mine(self) -> duckdb.DuckDBPyConnection:
        """Lend this thread's connection."""
        connection: duckdb.DuckDBPyConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            folder = Path(tempfile.mkdtemp(prefix="worker-", dir=self._scratch))
            connection = connect(
                scratch=folder, threads=self._threads, memory_mb=self._memory_mb, lookups=self._lookups
            )
            self._local.connection = connection
            self._all.append(connection)
        return connection

    def discard_mine(self) -> None:
        """Give this thread's connection up: after some errors DuckDB refuses to go on with it."""
        connection: duckdb.DuckDBPyConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._all.remove(connection)
            self._local.connection = None

    def close(self) -> None:
        for connection in self._all:
            connection.close()


class FactCache(MutableMapping[str, Any]):
    """Small JSON facts in a file, written back as a whole; a damaged file is an empty cache."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dirty = False
        try:
            self._facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._facts = {}

    def save(self) -> None:
        if self._dirty:
            fresh = self._path.with_suffix(f".{os.getpid()}")
            with contextlib.suppress(OSError):  # what cannot be remembered is found out again
                fresh.write_text(json.dumps(self._facts), encoding="utf-8")
                fresh.replace(self._path)
            self._dirty = False

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._facts[key] = value
        self._dirty = True

    def __delitem__(self, key: str) -> None:
        del self._facts[key]
        self._dirty = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


class TaskContext:
    """One task's context; implements `ogf.hookspecs.Context`. `Contexts.make` gives it its `retry`."""

    retry: Retry

    def __init__(
        self,
        *,
        provider: str,
        org_id: str,
        settings: Any,
        scratch: Path,
        cache: MutableMapping[str, Any],
        connections: Connections,
        notes: list[str],
        log: Any,
    ) -> None:
        self.provider = provider
        self.org_id = org_id
        self.settings = settings
        self.scratch = scratch
        self.cache = cache
        self.connections = connections
        self.tables: list[Table] = []
        self._notes = notes
        self._log = log

    @property
    def duckdb(self) -> duckdb.DuckDBPyConnection:
        return self.connections.mine()

    @property
    def log(self) -> Any:
        return self._log

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return self.retry.call(function, *args, **kwargs)

    def note(self, message: str) -> None:
        self._log.info("note", message=message)
        if message not in self._notes:
            self._notes.append(message)

    def rows(self, file: File) -> Table:
        table = open_table(file, connection=self.duckdb, scratch=self.scratch)
        self.tables.append(table)
        return table

    def close_tables(self) -> None:
        """Close what `rows` opened; raises if a file turned out to be damaged."""
        with contextlib.ExitStack() as stack:
            while self.tables:
                stack.callback(self.tables.pop().close)


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder of this process for page bodies and spills. What dead processes left is swept first."""
    parent.mkdir(parents=True, exist_ok=True)
    for folder in parent.iterdir():
        if not _alive(folder.name.partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)
    own = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _alive(pid: str) -> bool:
    if pid == str(os.getpid()):  # ours is not made yet: in a container, the one before us had the same number
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True
