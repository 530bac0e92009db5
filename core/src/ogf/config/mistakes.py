"""How a mistake in the configuration is told: one line each, all of them in one error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ogf.errors import ConfigError
from ogf.redaction import Redactor

HIDDEN = "a hidden value"
_LONGEST_VALUE = 80
_SHOULD = re.compile(r"^(?:Input|String|List|Tuple|Value|Set|Dictionary) should ")


@dataclass(frozen=True)
class Problem:
    """What pydantic or a plugin found: field path below the model, what is allowed, the value's absence."""

    path: tuple[str | int, ...]
    allowed: str
    absent: bool = False


class Mistakes:
    """Collects lines; `check` raises them as one ConfigError."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self.secrets: set[str] = set()

    def add(self, text: str, *, where: str) -> None:
        self._lines[f"{where}: {text}" if where else text] = None

    def check(self) -> None:
        if not self._lines:
            return
        redactor = Redactor(self.secrets)
        lines = [redactor.text(line.replace("\n", " ")) for line in self._lines]
        count = f"{len(lines)} mistakes" if len(lines) > 1 else "a mistake"
        raise ConfigError(
            "\n  ".join([f"The configuration has {count}:", *lines]),
            hint="Correct every line above; `ogf doctor` shows where each setting comes from.",
        )


def nearest(name: str, valid: Iterable[str]) -> str:
    """Name the valid spelling that is closest, as the end of a sentence."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.0)
    return f"the nearest valid one is {found[0]}" if found else "nothing is allowed here"


def shown(value: object, *, secret: bool) -> str:
    text = repr(value)
    return HIDDEN if secret else text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def problems_in(error: ValidationError) -> Iterator[Problem]:
    for found in error.errors(include_url=False, include_input=False):
        path = tuple(found["loc"])
        context: Mapping[str, Any] = found.get("ctx", {})
        if found["type"] == "settings_at_odds":
            for field, text in context["problems"].items():
                yield Problem((*path, *field.split(".")), text)
        elif found["type"] == "value_error":
            yield Problem(path, str(context["error"]))
        elif found["type"] == "missing":
            yield Problem(path, "it is required", absent=True)
        else:
            yield Problem(path, _SHOULD.sub("it must ", found["msg"]))
