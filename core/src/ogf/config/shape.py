"""What settings a model declares: their keys, environment names, aliases and secrecy, read off its fields.

A field may say more in `json_schema_extra`: `env` (name without OFFGRIDFLOW_), `also` (further whole names of
variables, asked in order), `aliases` (other YAML keys).
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo

from ogf.redaction import is_sensitive

PREFIX = "OFFGRIDFLOW_"
ACCOUNTS = "accounts"


class Section(BaseModel):
    """A group of settings: frozen, and strict about unknown keys. Base of stream settings in plugins."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Setting:
    """One leaf of a model.

    Attributes:
        path: field names below the model.
        env: names of environment variables, in the order in which they are asked.
    """

    path: tuple[str, ...]
    env: tuple[str, ...]
    secret: bool


def settings_of(model: type[BaseModel], *, provider: str = "") -> Iterator[Setting]:
    """List the leaves of a model, in the order of its fields."""
    return _leaves(model, provider=provider, above=())


def _leaves(model: type[BaseModel], *, provider: str, above: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        section = section_of(field)
        if section is not None:
            yield from _leaves(section, provider=provider, above=path)
        else:
            yield Setting(path, _env_names(field, path, provider=provider), secret=is_secret(name, field))


def env_name(provider: str, path: str, settings: type[BaseModel] | None = None) -> str:
    """Name the variable of `ingestion.<provider>.<path>`, honouring what the field itself says."""
    keys = tuple(path.split("."))
    for setting in settings_of(settings, provider=provider) if settings else ():
        if setting.path == keys:
            return setting.env[0]
    return _default_env_name(keys, provider=provider)


def env_prefix(provider: str) -> str:
    return f"{PREFIX}{_upper(provider)}_"


def _env_names(field: FieldInfo, path: tuple[str, ...], *, provider: str) -> tuple[str, ...]:
    said = extra(field)
    also = tuple(said.get("also", ()))
    if "env" in said:
        return (PREFIX + said["env"], *also)
    return also or (_default_env_name(path, provider=provider),)


def _default_env_name(path: tuple[str, ...], *, provider: str) -> str:
    keys = ("ingest_enabled",) if provider and path == ("enabled",) else path
    return PREFIX + "_".join(_upper(part) for part in (provider, *keys) if part)


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()


def extra(field: FieldInfo) -> dict[str, Any]:
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}


def names_in(model: type[BaseModel]) -> dict[str, str]:
    """Map every YAML key of a model, aliases included, to its field."""
    return {
        key: name
        for name, field in model.model_fields.items()
        for key in (name, *extra(field).get("aliases", ()))
    }


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Give the model of a field that is a section (or an optional one)."""
    return next(filter(_is_model, _alternatives(field.annotation)), None)


def item_of(field: FieldInfo) -> type[BaseModel] | None:
    """Give the model of the items of a field that is a list of sections."""
    for alternative in _alternatives(field.annotation):
        if get_origin(alternative) in (list, tuple):
            return next(
                (item for part in get_args(alternative) for item in _alternatives(part) if _is_model(item)),
                None,
            )
    return None


def is_secret(name: str, field: FieldInfo) -> bool:
    """Say whether a field's value is never shown: by its type, or by what its name contains."""
    return is_sensitive(name) or any(
        isinstance(part, type) and issubclass(part, SecretStr)
        for alternative in _alternatives(field.annotation)
        for part in (alternative, *get_args(alternative))
    )


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
