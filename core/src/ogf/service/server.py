"""Serving: uvicorn with our limits, on loopback unless keys protect it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from ogf.config.general import JWT_SECRET_LENGTH
from ogf.errors import ConfigError, ExitCode
from ogf.service.app import application
from ogf.service.network import is_loopback, require_own
from ogf.service.protocol import MOST_CONNECTIONS, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from ogf.config.general import Auth
    from ogf.service.service import Service

_KEEP_ALIVE_SECONDS = 15
_GRACE_SECONDS = 30
_OTHER_FILES = 1000  # the warehouse, segments, connections to the clouds
_STOPS = (signal.SIGINT, signal.SIGTERM)


def require_safe(host: str, settings: Auth) -> None:
    """Raise ConfigError where anybody on the network could start syncs without a key, or guess one."""
    if is_loopback(host):
        return
    for name, secret in (("api_key", settings.api_key), ("jwt_secret", settings.jwt_secret)):
        if secret is not None and len(secret) < JWT_SECRET_LENGTH:
            raise ConfigError(
                f"auth.{name} is too short to protect a service on {host}",
                where=f"auth.{name}",
                hint=f"make it {JWT_SECRET_LENGTH} random characters or more, or leave it out and use ogf token create",
            )
    if settings.require:
        return
    raise ConfigError(
        f"without authentication the service listens on loopback only, not on {host}",
        where="server.host",
        hint="leave out --host, or set auth.require to true and make keys with ogf token create",
    )


class Server(uvicorn.Server):
    """Says where it listens, and what a signal leads to.

    Args:
        on_listening: told host and port once it listens: port 0 has no number before.
        on_stopping: called when it begins to end, before open requests have their time.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[str, int], None],
        on_stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, and tell where."""
        await super().startup(sockets)
        for listening in getattr(self, "servers", ()):
            for socket in listening.sockets:
                host, port = socket.getsockname()[:2]
                self._on_listening(host, port)

    async def shutdown(self, sockets: Any = None) -> None:
        """End: jobs are told first, while open requests still have their time."""
        await asyncio.get_running_loop().run_in_executor(None, self._on_stopping)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was heeded is not raised again at the end: to stop is no failure."""
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the service, the second at once."""
        del frame
        name = signal.Signals(sig).name
        if self.should_exit:
            os.write(
                2, f"{name} again: ended at once; jobs under way go on with the next ogf serve\n".encode()
            )
            os._exit(ExitCode.INTERRUPTED)
        os.write(2, f"{name}: ending after the pages under way; once more to end at once\n".encode())
        self.should_exit = True


def _allow_files() -> None:
    """Let connections be as many as the protocol takes: the usual soft limit of open files is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def server(service: Service, *, host: str, port: int, on_listening: Callable[[str, int], None]) -> Server:
    """A server for a service that was started; it closes it at its end, and ends on SIGINT and SIGTERM.

    Raises:
        ConfigError: see `require_safe` and `require_own`.
    """
    require_safe(host, service.config.settings.auth)
    require_own(host)
    _allow_files()
    return Server(
        uvicorn.Config(
            application(service),
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            log_config=None,  # its records come to us, and are masked
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            backlog=2048,
            lifespan="on",
        ),
        on_listening=on_listening,
        on_stopping=service.queue.stop,
    )
