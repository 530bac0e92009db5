"""The gate before every route but the health checks: finds the credential, checks it, and asks for the scope."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ogf.config.general import JWT_SECRET_LENGTH
from ogf.errors import WarehouseBusy
from ogf.service.auth import keys, tokens
from ogf.service.auth.failures import Failures
from ogf.service.auth.principal import SCOPES, Principal
from ogf.service.auth.sessions import COOKIE, Sessions
from ogf.service.envelope import ApiError
from ogf.service.network import is_loopback
from ogf.warehouse import ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ogf.config import Settings
    from ogf.warehouse.file import WarehouseFile

_bearer = HTTPBearer(auto_error=False, description="An API key (`ogf token create`), or a JSON web token")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key (`ogf token create`)")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
KeyHeader = Annotated[str | None, Security(_header)]
_ALL = frozenset(SCOPES)
_SAFE = ("GET", "HEAD", "OPTIONS")
# A key that was revoked by `ogf token` is refused after so many seconds.
_KEYS_SECONDS = 3.0
_ANEW_SECONDS = 0.5


class Gate:
    """Knows who is let in."""

    def __init__(self, settings: Settings, warehouse: WarehouseFile) -> None:
        self.required = settings.auth.require
        self.failures = Failures(time.monotonic)
        self.sessions = Sessions(time.monotonic)
        self._settings = settings
        self._warehouse = warehouse
        self._keys: Sequence[ledger.ApiKey] = ()
        self._keys_at = float("-inf")

    def principal(self, request: Request, given: str | None) -> Principal:
        """Whoever asks.

        Raises:
            ApiError: 401 without a credential or with a wrong one, 429 after too many wrong ones, 403 for a
                session's request from another site.
        """
        if given is not None:
            return self.check(given, address_of(request))
        cookie = request.cookies.get(COOKIE)
        known = self.sessions.principal(cookie) if cookie else None
        if known is not None:
            _require_same_site(request)
            return known
        if not self.required:
            _require_same_site(request)
            require_own_name(request, self._settings.server.host)
            return Principal("anybody on this machine", self._settings.ingestion.org_id, _ALL)
        raise ApiError(
            401,
            "unauthorized",
            "this needs a key",
            detail="send it as a bearer token, or in the header X-API-Key; ogf token create makes one",
        )

    def check(self, given: str, address: str) -> Principal:
        """The owner of a credential. Raises ApiError as `principal`.

        An address that has to wait may still use a right key or token: behind a proxy, everybody has one address, and
        256 random bits are not guessed. The configured key may be a word, so that one waits.
        """
        seconds = self.failures.wait(address)
        try:
            if seconds and not self._hard_to_guess(given):
                raise ApiError(401, "unauthorized", "not looked at")
            return self.owner(given)
        except ApiError as error:
            if not seconds:
                self.failures.add(address)
                raise
            raise ApiError(
                429,
                "too_many_failures",
                "too many wrong credentials from this address",
                detail=f"try again in {seconds:.0f} s",
                headers={"Retry-After": str(int(seconds) + 1)},
            ) from error

    def owner(self, given: str) -> Principal:
        """The owner of a credential, without counting failures."""
        settings = self._settings.auth
        if settings.api_key is not None and hmac.compare_digest(
            settings.api_key.get_secret_value().encode(), given.encode()
        ):
            return Principal("configured key", self._settings.ingestion.org_id, _ALL)
        if keys.KEY.fullmatch(given):
            # one that was made a moment ago is in the warehouse, and not here yet
            key = keys.matching(self._known_keys(), given) or keys.matching(
                self._known_keys(anew=True), given
            )
            trouble = keys.problem(key, ledger.now()) if key else "this key is not known"
            if key is None or trouble:
                raise ApiError(401, "unauthorized", trouble or "", detail="ogf token create makes one")
            return Principal(f"key {key.key_id} ({key.name})", key.org_id, frozenset(key.scopes))
        if settings.jwt_secret is not None and given.count(".") == 2:
            return tokens.principal_of(given, settings.jwt_secret.get_secret_value())
        raise ApiError(
            401, "unauthorized", "this is no key of this service", detail="ogf token create makes one"
        )

    def _hard_to_guess(self, given: str) -> bool:
        secret = self._settings.auth.jwt_secret
        token = given.count(".") == 2 and secret is not None and len(secret) >= JWT_SECRET_LENGTH
        return keys.KEY.fullmatch(given) is not None or token

    def has_any(self) -> bool:
        """Whether any credential could be right."""
        auth = self._settings.auth
        return auth.api_key is not None or auth.jwt_secret is not None or bool(self._known_keys())

    def _known_keys(self, *, anew: bool = False) -> Sequence[ledger.ApiKey]:
        old = time.monotonic() - self._keys_at
        if old > (_ANEW_SECONDS if anew else _KEYS_SECONDS):
            try:
                self._keys = keys.all_keys(self._warehouse)
            except WarehouseBusy:
                if self._keys_at == float("-inf"):
                    raise
            else:
                self._keys_at = time.monotonic()
        return self._keys


def require(scope: str) -> Callable[..., Principal]:
    """A dependency of a route: whoever asks, if their credential has this scope."""

    def allowed(request: Request, bearer: Bearer, header: KeyHeader) -> Principal:
        gate: Gate = request.app.state.service.gate
        who = gate.principal(request, bearer.credentials if bearer else header)
        if not who.may(scope):
            raise ApiError(
                403,
                "forbidden",
                f"this needs the scope {scope}",
                detail=f"this credential has {', '.join(sorted(who.scopes)) or 'none'}; ogf token create makes others",
            )
        return who

    return allowed


Reader = Annotated[Principal, Depends(require("read"))]
Runner = Annotated[Principal, Depends(require("run"))]


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def require_own_name(request: Request, host: str) -> None:
    """Refuse what reaches loopback under a foreign name: a page elsewhere whose name was made to lead here."""
    asked = request.url.hostname or ""
    if asked != host and not is_loopback(asked):
        raise ApiError(403, "foreign_host", "without a key, ask for this service as 127.0.0.1 or localhost")


def _require_same_site(request: Request) -> None:
    """A browser sends cookies, and reaches loopback, for any page that asks: let only our own pages change anything."""
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if (site is not None and site != "same-origin") or (
        origin is not None and origin.split("://", 1)[-1] != request.headers.get("host")
    ):
        raise ApiError(403, "foreign_origin", "this request comes from a page of another site")
