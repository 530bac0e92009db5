"""API keys: made once, shown once, kept as their SHA-256. Used by `ogf token` and by the service."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from ogf.warehouse import ledger
from ogf.warehouse.ledger import ApiKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ogf.warehouse.file import WarehouseFile

# ogf_<env>_<64 hex>: secret scanners know a fixed shape.
KEY = re.compile(r"ogf_(live|test|dev)_[0-9a-f]{64}")
_ENVIRONMENTS = {"production": "live", "development": "dev"}


class Made(NamedTuple):
    """A new key: the text that is shown this once, and what is kept of it."""

    secret: str
    kept: ApiKey


def digest(secret: str) -> str:
    """What is kept of a key: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    warehouse: WarehouseFile,
    *,
    name: str,
    org_id: str,
    scopes: Iterable[str],
    env: str,
    expires_at: dt.datetime | None,
) -> Made:
    """Make a key and store its hash.

    Args:
        env: the setting `server.env`, which the key's text tells: live, test or dev.
    """
    secret = f"ogf_{_ENVIRONMENTS.get(env, 'test')}_{secrets.token_hex(32)}"
    kept = ApiKey(
        key_id=secrets.token_hex(4),
        name=name,
        sha256=digest(secret),
        org_id=org_id,
        scopes=sorted(set(scopes)),
        created_at=ledger.now(),
        expires_at=expires_at,
    )
    with warehouse.writing() as connection, ledger.transaction(connection) as session:
        ledger.add(session, kept)
    return Made(secret, kept)


def all_keys(warehouse: WarehouseFile) -> list[ApiKey]:
    """Every key ever made, revoked and expired ones too, oldest first."""
    with warehouse.reading() as connection, ledger.transaction(connection) as session:
        found = [ledger.revised(key) for key in ledger.rows(session, ApiKey)]
    return sorted(found, key=lambda key: key.created_at)


def revoke(warehouse: WarehouseFile, key_id: str) -> ApiKey | None:
    """Make a key worthless; None if there is none of this id. One that is revoked already stays as it is."""
    with warehouse.writing() as connection, ledger.transaction(connection) as session:
        found = ledger.rows(session, ApiKey, key_id=key_id)
        if not found:
            return None
        key = ledger.revised(found[0], revoked_at=found[0].revoked_at or ledger.now())
        ledger.put(session, key)
    return key


def matching(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """The key with this text. Every one is compared, each in the same time, whether it fits or not."""
    asked = digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, asked):
            found = key
    return found


def problem(key: ApiKey, now: dt.datetime) -> str | None:
    """Why a key may not be used any more."""
    if key.revoked_at is not None:
        return "this key was revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "this key has expired"
    return None
