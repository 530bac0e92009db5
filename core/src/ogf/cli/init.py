"""`ogf init`: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from ogf.cli.finding import Sources
    from ogf.plugins import Plugin

_HEAD = """\
# OffGridFlow. Every setting can also come from the environment (the name behind it) or, where there is one, a flag:
# flag > environment > this file > default. `ogf doctor --settings` shows each value with its source.
# Secrets may be written as env:NAME or file:PATH instead of in plain text. To set something, remove the `#` before it.
"""

_ACCOUNTS = """\
    # accounts: several payers, tenants or billing accounts; an entry has a name and what is different for it
    #   - {name: first}
    #   - {name: second}""".splitlines()


@click.command("init", short_help="Write a commented ogf.yaml to start from.")
@click.option("--force", is_flag=True, help="Overwrite an existing file")
@click.option("--discover", is_flag=True, help="Ask the providers what there is to read, and write that")
@options.common
def command(*, force: bool, discover: bool, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """Write a commented ogf.yaml to start from.

    It holds every setting of ogf and of the installed providers. With --discover, the credentials at hand are used to
    look for reports and exports, and what is found is set.
    """
    del as_json
    from ogf.plugins import installed, load

    path = config_path or Path("ogf.yaml")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", hint=f"name a file in it: --config {path / 'ogf.yaml'}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(
            f"there is no folder {path.absolute().parent}",
            hint="create it, or name a file elsewhere with --config",
        )
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already", hint="edit it, or overwrite it with --force")
    plugins = []
    for name in installed():
        try:
            plugins.append(load(name))
        except PluginError as error:
            click.echo(f"left out: {error}", err=True)
    found = {}
    if discover:
        from ogf.cli.finding import look_for_sources

        found = look_for_sources(plugins, config_path=path if path.exists() else None, db=db)
    path.write_text(_HEAD + "\n".join(_lines(plugins, found)) + "\n", encoding="utf-8")
    click.echo(f"{path} is written. Uncomment what you need, then: ogf doctor", err=True)
    if not discover:
        click.echo("`ogf init --discover` also looks for reports and exports, and sets them.", err=True)
    return ExitCode.SUCCEEDED


def _lines(plugins: list[Plugin], found: Mapping[str, Sources]) -> Iterator[str]:
    from ogf.config import Settings
    from ogf.config.shape import settings_of

    variables = {setting.path: setting.env[0] for setting in settings_of(Settings)}
    sections = Settings.model_fields
    yield ""
    yield "ingestion:"
    yield from _fields(_model(sections["ingestion"].annotation), variables, path=("ingestion",), depth=1)
    for plugin in plugins:
        provider = plugin.provider
        own = {
            setting.path: setting.env[0] for setting in settings_of(provider.settings, provider=provider.name)
        }
        yield ""
        yield f"  {provider.name}:  # {provider.title}".rstrip(" #")
        sources = found.get(provider.name)
        yield from (f"    # not set: {also}" for also in (sources.others if sources else ()))
        yield from _fields(provider.settings, own, path=(), depth=2, values=sources.values if sources else {})
        yield from _ACCOUNTS
    for name in ("warehouse", "runner", "telemetry"):
        yield ""
        yield f"#{name}:"
        yield from _fields(_model(sections[name].annotation), variables, path=(name,), depth=1)


def _model(annotation: object) -> type[BaseModel]:
    assert isinstance(annotation, type)  # noqa: S101 - sections are models
    return annotation


def _fields(
    model: type[BaseModel],
    variables: Mapping[tuple[str, ...], str],
    *,
    path: tuple[str, ...],
    depth: int,
    values: Mapping[tuple[str, ...], str] = MappingProxyType({}),
) -> Iterator[str]:
    """Each setting with what it means and its variable: those of `values` set, the others commented out."""
    from ogf.config.shape import section_of

    indent = "  " * depth
    defaults = model.model_construct().model_dump(mode="json", exclude=_sections(model))
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            inside = any(place[: len(path) + 1] == (*path, name) for place in values)
            yield f"{indent}{'' if inside else '#'}{name}:"
            yield from _fields(section, variables, path=(*path, name), depth=depth + 1, values=values)
            continue
        if field.description:
            yield f"{indent}# {field.description}"
        value = values.get((*path, name))
        line = f"{name}: {value}" if value is not None else f"#{name}: {_default(defaults[name])}"
        yield f"{indent}{line}".ljust(38) + f"  # {variables[(*path, name)]}"


def _sections(model: type[BaseModel]) -> set[str]:
    from ogf.config.shape import section_of

    return {name for name, field in model.model_fields.items() if section_of(field) is not None}


def _default(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)
