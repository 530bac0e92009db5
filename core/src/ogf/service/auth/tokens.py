"""JSON web tokens of the organisation's own identity provider: HS256 with the setting `auth.jwt_secret`."""

from __future__ import annotations

from typing import Any

import jwt

from ogf.service.auth.principal import SCOPES, Principal
from ogf.service.envelope import ApiError

_CLOCKS_DIFFER = 30  # seconds
_ORG_CLAIMS = ("org_id", "tenant_id")


def principal_of(token: str, secret: str) -> Principal:
    """Check a token and read it.

    Claims: `exp` (needed), `org_id` (needed; `tenant_id` is the same), `sub`, and `scope` (words) or `scopes` (a list),
    `read` without either.

    Raises:
        ApiError: 401, saying which of this is wrong.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            options={"require": ["exp"], "verify_aud": False},
            leeway=_CLOCKS_DIFFER,
        )
    except jwt.ExpiredSignatureError:
        raise ApiError(401, "token_expired", "this token has expired", detail="ask for a new one") from None
    except jwt.InvalidTokenError:
        raise ApiError(401, "unauthorized", "this token is not valid") from None
    org = next((str(claims[name]) for name in _ORG_CLAIMS if claims.get(name)), None)
    if org is None or not org.isprintable():
        raise ApiError(
            401, "missing_org", "this token names no organisation", detail="it needs the claim org_id"
        )
    return Principal(f"jwt {claims.get('sub', 'without sub')}"[:100], org, _scopes(claims))


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    given = claims.get("scopes", claims.get("scope", "read"))
    words = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return frozenset(str(word) for word in words) & frozenset(SCOPES)
