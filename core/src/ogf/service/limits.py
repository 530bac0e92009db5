"""What every request meets before its route: limits for its body, an id, security headers, a last net for errors.

Plain ASGI: no request pays for a second event loop task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ogf.service.envelope import ApiError, answer, request_id, translated

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 << 10
_BODY_SECONDS = 10.0
# Charts colour themselves by style; everything else is a file of ours.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Limits:
    """Wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry a request through; see the module."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Answers are made for each request, so none has parts to go on with.
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"range"]
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *_added(scope, message)]
            await send(message)

        try:
            body = await asyncio.wait_for(_body(scope, receive), _BODY_SECONDS)
            await self.app(scope, _replayed(body, receive), sent)
        except Exception as error:
            if begun:
                raise
            slow = isinstance(error, TimeoutError)
            problem = _too_slow() if slow else translated(error)
            await answer(scope, problem)(scope, receive, sent)


def _added(scope: MutableMapping[str, Any], message: Message) -> list[tuple[bytes, bytes]]:
    added = [*_HEADERS, (b"x-request-id", request_id(scope).encode())]
    if not any(name == b"cache-control" for name, _ in message.get("headers", ())):
        added.append((b"cache-control", b"no-store"))
    return added


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is, or says it will be, too large."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > LARGEST_BODY:
        raise _too_large()
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return b"".join(parts)


def _too_large() -> ApiError:
    return ApiError(
        413,
        "body_too_large",
        f"the body is larger than {LARGEST_BODY:,} bytes",
        headers={"Connection": "close"},
    )


def _too_slow() -> ApiError:
    return ApiError(408, "request_timeout", "the body came too slowly", headers={"Connection": "close"})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes (a client that goes away)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
