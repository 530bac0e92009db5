"""Answers of the warehouse for requests: within a time limit, and not worked out twice while nothing is written."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import duckdb

from ogf.service.envelope import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from ogf.warehouse.file import WarehouseFile
    from ogf.warehouse.instance import Instance

_SECONDS = 30.0
_KEPT_BYTES = 32 << 20
_LARGEST_KEPT = 1 << 20


class Answers:
    """Lends connections to routes, and keeps small answers as long as they hold."""

    def __init__(self, warehouse: WarehouseFile, instance: Instance, *, seconds: float = _SECONDS) -> None:
        self._warehouse = warehouse
        self._instance = instance
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()
        self._bytes = 0
        self._generation = -1

    @contextmanager
    def connection(self, *, seconds: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one request. Raises ApiError 503 once its questions take longer than the limit."""
        limit = seconds or self._seconds
        with self._warehouse.reading() as connection:
            timer = threading.Timer(limit, connection.interrupt)
            timer.daemon = True
            timer.start()
            try:
                yield connection
            except duckdb.InterruptException:
                raise ApiError(
                    503,
                    "question_too_large",
                    f"this was not answered within {limit:g} s",
                    detail="ask for fewer months, or a page",
                ) from None
            finally:
                timer.cancel()

    def kept(self, key: Hashable, make: Callable[[duckdb.DuckDBPyConnection], bytes]) -> bytes:
        """An answer as bytes: the one that was made before if nothing was written since."""
        with self.connection() as connection:
            generation = (
                self._instance.generation
            )  # read while the file is held: nobody else can have written
            found = self._find(key, generation)
            if found is None:
                with self._making.setdefault(
                    key, threading.Lock()
                ):  # those who ask the same wait for the first
                    found = self._find(key, generation)
                    if found is None:
                        found = make(connection)
                        self._keep(key, generation, found)
            return found

    def _find(self, key: Hashable, generation: int) -> bytes | None:
        with self._lock:
            if generation != self._generation:
                self._kept.clear()
                self._bytes = 0
                self._generation = generation
            return self._kept.get(key)

    def _keep(self, key: Hashable, generation: int, body: bytes) -> None:
        with self._lock:
            if generation != self._generation or key in self._kept or len(body) > _LARGEST_KEPT:
                return
            self._kept[key] = body
            self._bytes += len(body)
            while self._bytes > _KEPT_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone)


def as_json(value: Any) -> bytes:
    """As `ogf --json` writes it: decimals and ids as texts, so that no digit is lost; times in ISO 8601, UTC.

    What is no number (a source may say NaN) is null: JSON has no word for it.
    """
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return as_json(_finite(value))
    return text.encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
