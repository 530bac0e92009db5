"""`Secret`: a value that can be used but not seen.

Written as text, as `env:NAME` or as `file:PATH`. `repr`, `str`, JSON and pickle never show it: a copy that
leaves the process carries only the reference (`env:…`, `file:…`) and reads it again where it arrives.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, SecretStr, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from ogf.errors import ConfigError

MASKED = "**********"

_ENV = "env:"
_FILE = "file:"
_NAME = re.compile(r"[A-Za-z_]\w*")


class Secret(SecretStr):
    """A secret setting. `get_secret_value()` gives the value; nothing else does."""

    def __init__(self, secret_value: str, *, reference: str = "") -> None:
        super().__init__(secret_value)
        self.reference = reference
        self._withheld = False

    @classmethod
    def parse(
        cls, text: str, *, environ: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> Self:
        """Read text, `env:NAME` or `file:PATH` (relative to `folder`). Its errors never quote the value."""
        if text == MASKED:
            return cls.withheld("")
        if text.startswith(_ENV):
            return cls(_from_environment(text.removeprefix(_ENV), environ), reference=text)
        if text.startswith(_FILE):
            path = (folder or Path.cwd()) / Path(text.removeprefix(_FILE)).expanduser()
            return cls(_from_file(path), reference=f"{_FILE}{path.absolute()}")
        return cls(text)

    @classmethod
    def withheld(cls, reference: str) -> Self:
        """Make the copy of a secret that arrives elsewhere: it is set, but its value did not travel."""
        secret = cls("", reference=reference)
        secret._withheld = True
        return secret

    def get_secret_value(self) -> str:
        if self._withheld:
            self._secret_value = self._fetch()
            self._withheld = False
        return self._secret_value

    def _fetch(self) -> str:
        hint = (
            "Write it as env:NAME or file:PATH, and set that variable or file on every machine that runs ogf."
        )
        if not self.reference:
            raise ConfigError("A secret that was written in place is not sent to other processes.", hint=hint)
        try:
            return self.parse(self.reference).get_secret_value()
        except ValueError as error:
            raise ConfigError(f"A secret cannot be read in this process: {error}.", hint=hint) from None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).withheld, (self.reference,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or self._withheld or other._withheld:
            return self is other
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(type(self)) if self._withheld else super().__hash__()

    def __bool__(self) -> bool:
        # Without this, `if settings.client_secret` would ask for the length, and that for the value.
        return True

    def __len__(self) -> int:
        return len(self.get_secret_value())

    def _display(self) -> str:
        return MASKED

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: secret.reference or MASKED, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        del schema, handler
        return {"type": "string", "format": "password", "writeOnly": True}

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, SecretStr):
            return cls(value.get_secret_value())
        if not isinstance(value, str) or not value.strip():
            raise ValueError("it must be text, env:NAME or file:PATH")
        context = info.context or {}
        return cls.parse(value, environ=context.get("environ"), folder=context.get("folder"))


def is_reference(text: str) -> bool:
    return text.startswith((_ENV, _FILE))


def _from_environment(name: str, environ: Mapping[str, str] | None) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("env: must be followed by the name of an environment variable")
    value = (os.environ if environ is None else environ).get(name, "")
    if not value:
        raise ValueError(f"the environment variable {name} that it refers to is not set")
    return value


def _from_file(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file {path} that it refers to cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} that it refers to is not UTF-8 text") from None
    if not value:
        raise ValueError(f"the file {path} that it refers to is empty")
    return value
