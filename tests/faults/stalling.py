"""An S3 server that stops in the middle of a body until it is told to go on, so that a test can act meanwhile."""

from __future__ import annotations

import threading

DATA = (".csv.gz", ".parquet")


class Stall:
    """A WSGI wrapper: the nth download of a data file gives half of it, then waits for `go`."""

    def __init__(self, app) -> None:
        self.app = app
        self.reached = threading.Event()
        self.go = threading.Event()
        self.downloads: list[str] = []
        self._left = 0
        self._lock = threading.Lock()

    def at(self, nth: int) -> None:
        """Stall at the nth download from now on; 0 for at none."""
        self.reached.clear()
        self.go.clear()
        self.downloads.clear()
        self._left = nth

    def __call__(self, environ, start_response):
        key = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not key.endswith(DATA):
            return self.app(environ, start_response)
        with self._lock:
            self.downloads.append(key)
            self._left -= 1
            stalls = self._left == 0
        return self._stalling(environ, start_response) if stalls else self.app(environ, start_response)

    def _stalling(self, environ, start_response):
        body = b"".join(self.app(environ, start_response))

        def halves():
            yield body[: len(body) // 2]
            self.reached.set()
            self.go.wait(60)
            yield body[len(body) // 2 :]

        return halves()
