"""Credentials, access tokens and connections: what equal settings share, and what is left to the runner.

Azure's libraries are imported when the first token is asked for, never before. Their retries are off. Access tokens
are kept here and renewed five minutes before they expire, one call for all threads.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ogf_azure.clouds import STORAGE_SCOPE, blob_address, cloud_of
from ogf_azure.errors import TokenError, aadsts, located

if TYPE_CHECKING:
    import ssl

    import httpx2
    from azure.core.credentials import AccessToken

    from ogf_azure.settings import AzureSettings

__all__ = [
    "STORAGE_SCOPE", "blob_service", "credential", "credentials_source", "http_client", "renew", "reset", "token",
]  # fmt: skip

EARLY = 300  # seconds before its end at which a token is renewed
_TOKEN_TIMEOUT = 10
_POOL = 32
_CA = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_CLAIMS = re.compile(r'\bclaims="([^"]+)"')
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})

_building = threading.Lock()


def token(settings: AzureSettings, scope: str) -> str:
    """Give an access token that is valid for five minutes more at least.

    Raises:
        SourceError: there is none to be had.
    """
    return _keeper(settings).token(scope).token


def renew(settings: AzureSettings, scope: str, refused: str, *, challenge: str = "") -> str:
    """Give another access token than one that a server refused with 401 before its time.

    Args:
        challenge: the answer's `WWW-Authenticate`, which may say what the next token must claim.
    """
    return _keeper(settings).token(scope, refused=refused, claims=_claims(challenge)).token


def credential(settings: AzureSettings) -> Any:
    """Give what Azure's own clients take as their credential. Its tokens are those of `token`."""
    return _keeper(settings)


def credentials_source(settings: AzureSettings) -> str:
    """Say where the credentials come from, never what they are."""
    if settings.client_secret is not None:
        return f"client_secret of the configuration, application {settings.client_id}"
    return (
        "DefaultAzureCredential (environment, workload or managed identity, or the sign-in of the Azure CLI)"
    )


def http_client(settings: AzureSettings) -> httpx2.Client:
    """Give the connections for calls of ARM. Each read ends after `request_timeout`."""
    with _building:
        client: httpx2.Client = _client(_authorities(settings), settings.request_timeout)
        return client


def blob_service(settings: AzureSettings, account: str) -> Any:
    """Give the client of a storage account."""
    with _building, located(blob_address(settings, account)):
        return _blobs(_access(settings), blob_address(settings, account), settings.request_timeout)


def reset() -> None:
    """Forget all clients and tokens, so that the next ones see a changed environment."""
    with _building:
        for remembered in (_client, _blobs, _keeper_of):
            remembered.cache_clear()


class _Access(NamedTuple):
    """The settings that make one credential differ from another."""

    tenant: str | None
    client: str | None
    secret: str | None
    authority: str
    private: bool
    ca: str | None

    def __repr__(self) -> str:
        return f"<Azure access, tenant {self.tenant}>"


def _access(settings: AzureSettings) -> _Access:
    secret = settings.client_secret
    return _Access(
        tenant=settings.tenant_id,
        client=settings.client_id,
        secret=None if secret is None else secret.get_secret_value(),
        authority=cloud_of(settings).authority,
        private=settings.authority_url is not None,
        ca=_authorities(settings),
    )


def _authorities(settings: AzureSettings) -> str | None:
    """Name the file of certificate authorities, if not the usual ones are trusted."""
    return settings.ca_bundle or next(filter(None, map(os.environ.get, _CA)), None)


def _keeper(settings: AzureSettings) -> _Keeper:
    access = _access(settings)
    with _building:
        keeper: _Keeper = _keeper_of(access)
        return keeper


@cache
def _keeper_of(access: _Access) -> _Keeper:
    return _Keeper(access)


class _Keeper:
    """Keeps one credential's tokens, by scope. Also what Azure's clients call a `TokenCredential`."""

    def __init__(self, access: _Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._tokens: dict[str, AccessToken] = {}
        self._credential: Any = None
        self._answer: Any = None  # the last refusal of the token authority

    def __repr__(self) -> str:
        return f"<credential of {self._access!r}>"

    def get_token(self, *scopes: str, claims: str | None = None, **_options: Any) -> AccessToken:
        """Serve Azure's clients. With claims they want another token than the one they have."""
        (scope,) = scopes
        kept = self._tokens.get(scope)
        return self.token(scope, refused=kept.token if kept and claims else "", claims=claims)

    def token(self, scope: str, *, refused: str = "", claims: str | None = None) -> AccessToken:
        """Give the kept token, or a new one: five minutes before its end, or if it was refused."""
        with self._lock:
            kept = self._tokens.get(scope)
            if kept and kept.token != refused and kept.expires_on - EARLY > time.time():
                return kept
            if refused:
                self._credential = None  # it keeps tokens too, and would give the refused one again
            fresh = self._ask(scope, claims)
            self._tokens[scope] = fresh
            return fresh

    def _ask(self, scope: str, claims: str | None) -> AccessToken:
        access = self._access
        authority = urlsplit(access.authority).netloc
        self._answer = None
        with located(f"https://{authority}"):
            if self._credential is None:
                self._credential = _credential(access, self._note)
            options = {"claims": claims} if claims else {}
            try:
                fresh: AccessToken = self._credential.get_token(scope, **options)
            except Exception as error:
                # MSAL remembers refusals for a while and would repeat them without asking: the runner decides that.
                self._credential = None
                refusal = self._refusal(authority)
                if refusal is None:
                    raise
                raise refusal from error
            return fresh

    def _note(self, answer: Any) -> None:
        self._answer = answer.http_response

    def _refusal(self, authority: str) -> TokenError | None:
        """Make an error of the authority's last answer: azure-identity gives it away only now and then."""
        answer = self._answer
        if answer is None or answer.status_code < 400:
            return None
        if self._access.secret is None and answer.status_code not in _TRANSIENT:
            return None  # a chain of credentials: its last answer need not be what failed
        try:
            body = json.loads(answer.text())
        except ValueError:
            body = None
        described = body.get("error_description") if isinstance(body, dict) else None
        first = described.splitlines()[0].strip() if isinstance(described, str) and described.strip() else ""
        code = aadsts(body)
        text = first.removeprefix(f"{code}:").strip()
        return TokenError(
            answer.status_code, code, text, dict(answer.headers.items()), where=f"https://{authority}"
        )


def _credential(access: _Access, note: Any) -> Any:
    from azure import identity

    options: dict[str, Any] = {
        "authority": access.authority,
        "retry_total": 0,
        "connection_timeout": _TOKEN_TIMEOUT,
        "read_timeout": _TOKEN_TIMEOUT,
        "raw_response_hook": note,
    }
    if access.private:
        options["disable_instance_discovery"] = (
            True  # it asks Microsoft about authorities that it does not know
        )
    if access.ca:
        options["connection_verify"] = access.ca
    logger = logging.getLogger("azure.identity")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)  # it would tell each failure, at length, beside us
    if access.secret is None:
        return identity.DefaultAzureCredential(**options)
    return identity.ClientSecretCredential(str(access.tenant), str(access.client), access.secret, **options)


def _claims(challenge: str) -> str | None:
    """Read the claims that a 401 demands (continuous access evaluation): base64 of JSON."""
    found = _CLAIMS.search(challenge)
    if found is None:
        return None
    try:
        text = base64.b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
        claims = json.loads(text)
    except ValueError:
        return None
    return text if isinstance(claims, Mapping) else None


@cache
def _client(ca: str | None, timeout: float) -> Any:
    import httpx2

    return httpx2.Client(
        verify=_trusted(ca) if ca else True,
        timeout=timeout,
        limits=httpx2.Limits(max_connections=_POOL, max_keepalive_connections=_POOL),
        headers={"User-Agent": f"ogf/{version('ogf')}", "Accept": "application/json"},
    )


def _trusted(ca: str) -> ssl.SSLContext:
    import ssl

    from ogf.errors import ConfigError

    try:
        folder = Path(ca).is_dir()
        return ssl.create_default_context(capath=ca) if folder else ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ConfigError(
            f"the certificate authorities in {ca} cannot be read: {error.strerror or error}",
            where="ingestion.azure.ca_bundle",
            hint="name a file of PEM certificates in ca_bundle (or REQUESTS_CA_BUNDLE, SSL_CERT_FILE)",
        ) from None


@cache
def _blobs(access: _Access, address: str, timeout: float) -> Any:
    from azure.storage.blob import BlobServiceClient

    options: dict[str, Any] = {"connection_verify": access.ca} if access.ca else {}
    return BlobServiceClient(
        address,
        credential=_keeper_of(access),
        retry_total=0,
        connection_timeout=timeout,
        read_timeout=timeout,
        **options,
    )
