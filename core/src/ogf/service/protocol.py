"""HTTP/1.1 as uvicorn speaks it, but for too many clients, headers that never end, and what is no HTTP at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ogf.service.envelope import ApiError, answer

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

_HEADERS_SECONDS = 10.0
# Connections, not requests: beyond it the answer is 503 at once.
MOST_CONNECTIONS = 4000


class Protocol(H11Protocol):
    """Closes a connection whose headers are not complete after a while; answers in our envelope."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = _too_many
        self._arm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:  # the headers are still under way
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        response = answer({}, ApiError(400, "bad_request", "this is no HTTP request", detail=msg))
        body = bytes(response.body)
        headers: Any = [*response.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(_HEADERS_SECONDS, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    problem = ApiError(
        503,
        "too_many_connections",
        "the service has as many clients as it takes",
        detail="ask again in a few seconds",
        headers={"Retry-After": "5", "Connection": "close"},
    )
    await answer(scope, problem)(scope, receive, send)
