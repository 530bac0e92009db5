"""`Config`: the validated configuration, and where each part of it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr

from ogf.config.accounts import NAME, SHARED, Account
from ogf.config.general import Settings
from ogf.config.provider import ProviderSettings
from ogf.config.shape import ACCOUNTS, settings_of
from ogf.redaction import is_sensitive

_KEY_FILE_SECRETS = ("private_key", "private_key_id", "client_secret", "refresh_token")


class Row(NamedTuple):
    """One setting as `ogf doctor` prints it."""

    key: str
    value: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that was configured.

    Attributes:
        providers: the settings of each provider; of one with `accounts`, those of the first: what the core itself
            asks for is the same in all of them.
        accounts: provider → the entries of its `accounts`, where it has such a list.
        sources: dotted key → `flag`, `environment OFFGRIDFLOW_X`, `ogf.yaml:12` or `default`.
        unserved: settings of sources that no installed plugin serves.
        warnings: what works but should not stay so.
    """

    settings: Settings
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    accounts: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    unserved: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def accounts_of(self, provider: str) -> tuple[Account, ...]:
        """Give the accounts to read: one without a name where the section itself is the only one."""
        return self.accounts.get(provider) or (Account("", self.providers[provider]),)

    def secrets(self) -> frozenset[str]:
        """Give every configured secret value, for redaction only."""
        return frozenset(
            text
            for model in (self.settings, *self.providers.values(), *self._entries())
            for secret in _secrets_in(model)
            for text in (secret, *_secrets_in_json(secret))
            if text
        )

    def describe(self) -> list[Row]:
        """List every setting with its value (`set` or `not set` for secrets) and its source."""
        rows = list(self._rows("", "", self.settings))
        for name, model in self.providers.items():
            several = name in self.accounts
            rows += self._rows(f"ingestion.{name}.", name, model, only=SHARED if several else None)
            for number, account in enumerate(self.accounts.get(name, ())):
                above = f"ingestion.{name}.{ACCOUNTS}.{number}."
                key = f"{above}{NAME}"
                rows.append(Row(key, account.name, self.sources.get(key, "default")))
                own = frozenset(type(account.settings).model_fields) - SHARED
                rows += self._rows(above, name, account.settings, only=own)
        return rows

    def _rows(
        self, above: str, provider: str, model: BaseModel, *, only: frozenset[str] | None = None
    ) -> Iterator[Row]:
        values = model.model_dump(mode="json")
        for setting in settings_of(type(model), provider=provider):
            if only is None or setting.path[0] in only:
                key = above + ".".join(setting.path)
                text = _text(_at(values, setting.path), secret=setting.secret)
                yield Row(key, text, self.sources.get(key, "default"))

    def _entries(self) -> Iterator[ProviderSettings]:
        return (account.settings for accounts in self.accounts.values() for account in accounts)


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name] if values is not None else None
    return values


def _text(value: Any, *, secret: bool) -> str:
    if value is None or secret:
        return "not set" if value in (None, "") else "set"
    return value if isinstance(value, str) else json.dumps(_masked(value), ensure_ascii=False)


def _masked(value: Any) -> Any:
    """Mask the secrets inside lists of sections: `accounts` with credentials of their own."""
    if isinstance(value, dict):
        return {
            key: "set" if item is not None and is_sensitive(key) else _masked(item)
            for key, item in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _secrets_in(item)
    elif isinstance(value, Mapping):
        yield from _secrets_in(list(value.values()))


def _secrets_in_json(secret: str) -> Iterator[str]:
    """Give the secret parts of a key file: libraries quote them without the rest."""
    if not secret.lstrip().startswith("{"):
        return
    try:
        parts = json.loads(secret)
    except ValueError:
        return
    yield from (parts[name] for name in _KEY_FILE_SECRETS if isinstance(parts.get(name), str))
