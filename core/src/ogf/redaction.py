"""Masking of what must not be seen: by key, and wherever it appears in text.

Used by logs, error texts and everything that is shown or stored. Light: standard library only. The structlog
side is in `ogf.telemetry`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "[redacted]"

SENSITIVE = (
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "service_account",
    "credential",
    "authorization",
    "signature",
    "sig=",
    "jwt",
    "cookie",
    "connection_string",
)
# Shorter than this, masking would shred every text and give the value away by what is missing.
SHORTEST = 4

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_QUOTED_PAIR = re.compile(
    r"""(?P<open>\\?["'])(?P<key>[\w.\- ]+)(?P=open)\s*:\s*[bru]?(?P<quote>\\?["'])"""
    r"""(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\]))*)(?P=quote)"""
)
_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization)\s*[:=]\s*(?!\s*[\[\"'])[^\r\n]+")
_BEARER = re.compile(r"(?i)\b(bearer)\s+(?!\[)[\w.~+/=-]{8,}")
# A key starts where a word starts, or behind an escaped "="; so a long word without "=" is read once.
_KEY = re.compile(r"(?:(?<![\w.%-])|(?<=%3[Dd]))([\w.%-]+?)(?:=|%3[Dd])")
_VALUE = re.compile(r"""(?:(?!%26)[^\s&"'<>])+""")
_ACCOUNT_KEY = re.compile(r"""(?i)\b(accountkey=)[^;\s"']+""")
_USERINFO = re.compile(r"(://[^/\s:@]+:)[^/\s@]+@")


def is_sensitive(key: str) -> bool:
    """Say whether values under this key are masked: it contains one of `SENSITIVE`, in any case."""
    folded = f"{key}=".casefold().replace("-", "_")
    return any(word in folded for word in SENSITIVE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask the given secrets, and whatever looks like one, in a text."""
    return Redactor(secrets).text(text)


class Redactor:
    """Masks texts and nested values for one set of configured secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        # The longest first: a secret inside another one must not leave the rest behind.
        ordered = sorted(spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __repr__(self) -> str:
        return "Redactor(…)"

    def text(self, text: str) -> str:
        text = self._known.sub(MASK, text) if self._known else text
        text = _PEM.sub(MASK, text)
        text = _QUOTED_PAIR.sub(_mask_quoted, text)
        text = _HEADER.sub(rf"\1: {MASK}", text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        text = _ACCOUNT_KEY.sub(rf"\1{MASK}", text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        return _mask_pairs(text)

    def value(self, value: Any) -> Any:
        """Mask inside mappings and sequences; anything that is no plain value becomes its masked text."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            return MASK if self._known and self._known.search(str(value)) else value
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, list | set | frozenset) or type(value) is tuple:
            return [self.value(item) for item in value]
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        return self.text(str(value))

    def mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return {self.text(str(key)): self._under(str(key), value) for key, value in values.items()}

    def _under(self, key: str, value: Any) -> Any:
        return MASK if value is not None and is_sensitive(key) else self.value(value)


def _spellings(secret: str) -> Iterable[str]:
    """Give the ways in which one secret turns up: as it is, escaped in JSON or a repr, quoted in a URL."""
    bare = secret.strip()
    if len(bare) < SHORTEST:
        return ()
    return {
        bare,
        json.dumps(bare)[1:-1],
        json.dumps(bare, ensure_ascii=False)[1:-1],
        repr(bare)[1:-1],
        quote(bare),
        quote(bare, safe=""),
    }


def _mask_quoted(match: re.Match[str]) -> str:
    if not is_sensitive(match["key"]):
        return match[0]
    head = match[0][: match.start("value") - match.start()]
    return f"{head}{MASK}{match['quote']}"


def _mask_pairs(text: str) -> str:
    """Mask the values of `key=value`, also of those inside another value: a URL in a query parameter."""
    kept, at = [], 0
    for key in _KEY.finditer(text):
        if key.start() < at or not is_sensitive(key[1]) or text.startswith(MASK, key.end()):
            continue
        if value := _VALUE.match(text, key.end()):
            kept += [text[at : key.end()], MASK]
            at = value.end()
    return "".join([*kept, text[at:]])
