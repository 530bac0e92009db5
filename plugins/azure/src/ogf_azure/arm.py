"""One call of Azure Resource Manager, or of a server that speaks like it. No retries: the runner owns them.

The exception is a 401: an access token may be withdrawn before its time, so it is renewed once and the same
request is sent again. A second 401 is a refusal.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from ogf.errors import ErrorClass, SourceError
from ogf_azure.clouds import cloud_of
from ogf_azure.errors import ArmError, located
from ogf_azure.session import http_client, renew, token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ogf_azure.settings import AzureSettings

__all__ = ["Answer", "ArmError", "Server", "arm", "call"]

_NO_CONTENT = 204
_UNAUTHORIZED = 401
_LONGEST = 500


class Server(NamedTuple):
    """Who is asked: its address, the scope of its tokens, headers that it wants besides."""

    url: str
    scope: str
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"<server {self.url}>"  # a header may be a key


class Answer(NamedTuple):
    """A good answer: its body as it came, and its headers with names in lower case."""

    body: bytes
    headers: Mapping[str, str]


def arm(settings: AzureSettings) -> Server:
    """Give Azure Resource Manager of the settings' cloud."""
    cloud = cloud_of(settings)
    return Server(cloud.arm, cloud.scope)


def call(
    settings: AzureSettings,
    method: str,
    target: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Any = None,
    server: Server | None = None,
) -> Answer | None:
    """Make one call and give its answer; None for 204, which means that there is no data.

    Args:
        target: a path below the server, or a whole address that the server itself named (`nextLink`).
        params: the query string; `api-version` belongs here. Not with a `nextLink`, which carries its own.
        body: sent as JSON.

    Raises:
        ArmError: the server refused.
        SourceError: it could not be reached, or it named an address of another server.
    """
    server = server or arm(settings)
    url = _address(server, target, params)
    with located(_shown(url)):
        access = token(settings, server.scope)
        status, headers, content = _send(settings, server, method, url, body, access)
        if status == _UNAUTHORIZED:
            access = renew(settings, server.scope, access, challenge=headers.get("www-authenticate", ""))
            status, headers, content = _send(settings, server, method, url, body, access)
    if status == _NO_CONTENT:
        return None
    if not 200 <= status < 300:
        raise refusal(status, headers, content, where=f"{method} {_shown(url)}")
    return Answer(content, headers)


def refusal(status: int, headers: Mapping[str, str], content: bytes, *, where: str) -> ArmError:
    """Make the error of an answer: `{"error": {"code", "message"}}`, as ARM writes it."""
    try:
        said = json.loads(content)
    except ValueError:
        said = None
    error = said.get("error", said) if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return ArmError(status, "", _text(error), headers, where=where)
    return ArmError(status, _text(error.get("code")), _text(error.get("message")), headers, where=where)


def _text(value: object) -> str:
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""


def _address(server: Server, target: str, params: Mapping[str, str] | None) -> str:
    url = (
        urljoin(server.url.rstrip("/") + "/", target) if "://" in target else server.url.rstrip("/") + target
    )
    theirs, ours = urlsplit(url), urlsplit(server.url)
    if _origin(theirs) != _origin(ours):
        raise SourceError(
            f"the next page lies at another server, {theirs.netloc}, which gets no access token",
            error_class=ErrorClass.BAD_REQUEST,
            where=_shown(server.url),
            hint="check `endpoint_url`: a proxy must rewrite the addresses in the answers too",
        )
    return f"{url}{'&' if theirs.query else '?'}{urlencode(params)}" if params else url


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port, for Azure writes the port of its next links out."""
    return (
        parts.scheme,
        (parts.hostname or "").lower(),
        parts.port or {"https": 443, "http": 80}.get(parts.scheme),
    )


def _shown(url: str) -> str:
    """Give an address without its query: page tokens are long, and of no use to people."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _send(
    settings: AzureSettings, server: Server, method: str, url: str, body: Any, access: str
) -> tuple[int, Mapping[str, str], bytes]:
    import httpx2

    deadline = time.monotonic() + settings.request_timeout
    headers = {**server.headers, "Authorization": f"Bearer {access}"}
    content = None if body is None else json.dumps(body).encode()
    if content is not None:
        headers["Content-Type"] = "application/json"
    with http_client(settings).stream(method, url, content=content, headers=headers) as response:
        parts = []
        for part in response.iter_bytes():
            parts.append(part)
            if time.monotonic() > deadline:  # the client's own limit is for each read
                raise httpx2.ReadTimeout(
                    f"the answer was not complete after {settings.request_timeout:g} s",
                    request=response.request,
                )
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, found, b"".join(parts)
