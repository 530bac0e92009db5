"""The dashboard's sessions: a random cookie for a key. In memory: a restart asks for the key again."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ogf.service.auth.principal import Principal

COOKIE = "ogf_session"
SECONDS = 12 * 3600
_MOST = 1000


class Sessions:
    """`now` gives monotonic seconds.

    A session keeps the credential it began with, and whoever asks checks that anew: a revoked key ends its sessions.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Callable[[], Principal], float]] = {}

    def begin(self, who: Callable[[], Principal]) -> str:
        """The cookie of a new session. `who` is asked at each use, and raises if the credential is worth no more."""
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            at = self._now()
            self._known = {name: item for name, item in self._known.items() if item[1] > at}
            while len(self._known) >= _MOST:
                self._known.pop(next(iter(self._known)))
            self._known[cookie] = (who, at + SECONDS)
        return cookie

    def principal(self, cookie: str) -> Principal | None:
        with self._lock:
            who, until = self._known.get(cookie, (None, 0.0))
        return who() if who is not None and until > self._now() else None

    def end(self, cookie: str) -> None:
        with self._lock:
            self._known.pop(cookie, None)
