"""Looking for what there is to read, for `ogf init --discover`: the best source of each stream, and the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import OgfError
from ogf.hookspecs import Check, Found

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.config import Config
    from ogf.plugins import Plugin


@dataclass
class Sources:
    """What was found of one provider.

    Attributes:
        values: path below the provider's section → what to write there.
        others: sources of streams that have a better one.
    """

    values: dict[tuple[str, ...], str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def look_for_sources(
    plugins: list[Plugin], *, config_path: Path | None, db: Path | None
) -> dict[str, Sources]:
    """Ask each provider what there is, and say on stderr what came of it. One that cannot be asked is told and left."""
    config = options.load_config(config_path=config_path, db=db, plugins=plugins)
    found = {}
    for plugin in plugins:
        name = plugin.provider.name
        try:
            sources = _sources(plugin, config)
        except OgfError as error:
            click.echo(f"{name}: nothing was looked for: {error}", err=True)
            continue
        if sources.values:
            found[name] = sources
    if not found:
        click.echo("nothing was found to read; check the credentials, or set what you know by hand", err=True)
    return found


def _sources(plugin: Plugin, config: Config) -> Sources:
    from ogf.runner.run import ProviderRun

    name = plugin.provider.name
    sources = Sources()
    streams: set[str] = set()
    with ProviderRun(plugin, config).task_context(plugin.provider.streams[0].name) as ctx:
        for item in plugin.discover(ctx):
            match item:
                case Check():
                    hint = f" → {item.hint}" if item.hint else ""
                    click.echo(f"{name}: {item.detail}{hint}", err=True)
                case Found():
                    text = f"{item.stream}: {item.title}{f' ({item.note})' if item.note else ''}"
                    if item.stream in streams:
                        places = ", ".join(item.settings.values())
                        sources.others.append(f"{text}, {places}")
                        continue
                    streams.add(item.stream)
                    click.echo(f"{name} {text}", err=True)
                    sources.values |= {tuple(key.split(".")): value for key, value in item.settings.items()}
    if sources.values:
        sources.values["enabled",] = "true"
    return sources
