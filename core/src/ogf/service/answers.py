"""Answers of the warehouse for requests: within a time limit, and not worked out twice while nothing is written."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import duckdb

from ogf.service.envelope import ApiError
from ogf.warehouse.answers import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from ogf.warehouse.file import WarehouseFile
    from ogf.warehouse.instance import Instance

_SECONDS = 30.0
_KEPT_BYTES = 32 << 20
_LARGEST_KEPT = 1 << 20
_KEY_BYTES = 256
_AGAIN_SECONDS = 0.2
_COUNTED = """
SELECT count(*), sum(load_id), max(published_at), (SELECT string_agg(c::VARCHAR) FROM emission_choice AS c)
FROM loads WHERE status = 'current'"""


class Answers:
    """Lends connections to routes, and keeps small answers as long as they hold."""

    def __init__(self, warehouse: WarehouseFile, instance: Instance, *, seconds: float = _SECONDS) -> None:
        self._warehouse = warehouse
        self._instance = instance
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._making: WeakValueDictionary[bytes, threading.Lock] = WeakValueDictionary()
        self._bytes = 0
        self._holds = (-1, "")

    @contextmanager
    def connection(self, *, seconds: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one request. Raises ApiError 503 once its questions take longer than the limit."""
        with self._warehouse.reading() as connection, _limited(connection, seconds or self._seconds):
            yield connection

    def kept(
        self, key: Hashable, make: Callable[[duckdb.DuckDBPyConnection], bytes], *, ledger: bool = False
    ) -> bytes:
        """An answer as bytes: the one that was made before, if it still holds.

        Args:
            ledger: it is about jobs or connectors, which every write may change; figures hold while the same loads
                count.
        """
        with self._warehouse.reading() as connection:
            # Read while the file is held: nobody else can have written.
            generation = self._instance.generation
            holds = generation if ledger else self._counted(connection, generation)
            # As small as any other, whatever was asked for.
            name = hashlib.sha256(repr((holds, key)).encode()).digest()
            found = self._find(name)
            if found is None:
                with self._first(name), _limited(connection, self._seconds):
                    found = self._find(name)
                    if found is None:
                        found = make(connection)
                        self._keep(name, found)
            return found

    def _counted(self, connection: duckdb.DuckDBPyConnection, generation: int) -> str:
        """Which loads count, and how estimates are made: looked up once for each generation."""
        with self._lock:
            known, holds = self._holds
        if known != generation:
            holds = str(connection.execute(_COUNTED).fetchall())
            with self._lock:
                self._holds = (generation, holds)
        return holds

    @contextmanager
    def _first(self, key: bytes) -> Iterator[None]:
        """Let those who ask the same wait for the first of them, within the limit of each."""
        lock = self._making.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=self._seconds):
            raise _too_large(self._seconds)
        try:
            yield
        finally:
            lock.release()

    def _find(self, name: bytes) -> bytes | None:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def _keep(self, name: bytes, body: bytes) -> None:
        with self._lock:
            if name in self._kept or len(body) > _LARGEST_KEPT:
                return
            self._kept[name] = body
            self._bytes += len(body) + _KEY_BYTES
            while self._bytes > _KEPT_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone) + _KEY_BYTES


@contextmanager
def _limited(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """End what is asked within once it takes too long. Raises ApiError 503 then."""
    over = threading.Event()
    threading.Thread(target=_interrupt, args=(connection, seconds, over), daemon=True).start()
    try:
        yield
    except duckdb.InterruptException:
        raise _too_large(seconds) from None
    finally:
        over.set()


def _interrupt(connection: duckdb.DuckDBPyConnection, seconds: float, over: threading.Event) -> None:
    """After so long, end whatever is asked, again and again: DuckDB forgets an interrupt between two questions."""
    if over.wait(seconds):
        return
    while True:
        connection.interrupt()
        if over.wait(_AGAIN_SECONDS):
            return


def _too_large(seconds: float) -> ApiError:
    return ApiError(
        503,
        "question_too_large",
        f"this was not answered within {seconds:g} s",
        detail="ask for fewer months, or a page",
    )


def as_json(value: Any) -> bytes:
    """As `ogf --json` writes it: decimals and ids as texts, so that no digit is lost; times in ISO 8601, UTC.

    What is no number (a source may say NaN) is null: JSON has no word for it.
    """
    try:
        text = json.dumps(value, default=plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return as_json(_finite(value))
    return text.encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
