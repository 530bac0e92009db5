"""An S3 server in bad weather: 30 % of its calls are throttled, refused, cut, reset or left hanging."""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = {
    "SlowDown": "503 Slow Down",
    "TooManyRequests": "429 Too Many Requests",
    "ThrottlingException": "400 Bad Request",
    "InternalError": "500 Internal Server Error",
}
KINDS = (*_CODES, "timeout", "reset", "truncated")
_HOLD = 1.0  # seconds: longer than the client waits


class Storm:
    """A WSGI wrapper around the server: of ten calls in a row three fail, which and how is drawn with a seed.

    Attributes:
        calls: how many were made.
        faults: how many of each kind.
    """

    def __init__(self, app, *, seed: int) -> None:
        self.app = app
        self.calls = 0
        self.faults: Counter[str] = Counter()
        self._weather = _weather(random.Random(seed))
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self._lock:
            self.calls += 1
            kind = next(self._weather)
            if kind is None:
                return self.app(environ, start_response)
            if kind == "ThrottlingException" and environ["REQUEST_METHOD"] == "HEAD":
                # botocore takes a bare 400 for a wrong region and asks the bucket by itself, which S3 never leads to
                kind = "SlowDown"
            self.faults[kind] += 1
        if kind in _CODES:
            return _refuse(start_response, _CODES[kind], kind)
        if kind == "timeout":
            time.sleep(_HOLD)
            return self.app(environ, start_response)
        body = b"".join(self.app(environ, start_response))
        if kind == "reset":
            return _reset(environ, body)
        return [body[: len(body) // 2]]


def _weather(rng: random.Random) -> Iterator[str | None]:
    kinds = itertools.cycle(rng.sample(KINDS, len(KINDS)))
    while True:
        calls = [None] * 7 + [next(kinds) for _ in range(3)]
        rng.shuffle(calls)
        yield from calls


def _refuse(start_response, status: str, code: str):
    body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
    start_response(status, [("content-type", "application/xml"), ("content-length", str(len(body)))])
    return [body]


def _reset(environ, body: bytes):
    """Half the body, then a TCP reset instead of an orderly end."""
    yield body[: len(body) // 2]
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
