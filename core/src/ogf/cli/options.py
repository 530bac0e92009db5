"""Options that several commands share, and the configuration they lead to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogf.errors import ConfigError, PluginError
from ogf.window import Month, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from ogf.config import Config
    from ogf.plugins import Plugin
    from ogf.telemetry import LogLevel
    from ogf.warehouse.file import WarehouseFile


def _stack(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


common = _stack(
    click.option(
        "--config", "config_path", type=click.Path(path_type=Path), help="Configuration [./ogf.yaml]"
    ),
    click.option("--db", type=click.Path(path_type=Path), help="Warehouse file [./ogf.duckdb, or OGF_DB]"),
    click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout"),
)

wait = click.option("--wait", metavar="TIME", help="Wait so long for a busy warehouse [60s]")
verbose = click.option("-v", "--verbose", count=True, help="Log what is done; twice: every page")


def _month(_ctx: click.Context, _option: click.Parameter, text: str | None) -> Month | None:
    try:
        return Month.parse(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_provider = click.option(
    "--provider", "providers", multiple=True, metavar="P", help="Only this provider; repeatable"
)
_months = _stack(
    click.option("--since", metavar="YYYY-MM", callback=_month, help="First month"),
    click.option(
        "--until",
        metavar="YYYY-MM",
        callback=_month,
        help="Month to stop before (exclusive)",
    ),
)
scope = _stack(
    _provider,
    click.option("--stream", "streams", multiple=True, metavar="S", help="Only this stream; repeatable"),
    _months,
    click.option("--full", is_flag=True, help="Load again even what has not changed"),
)
period = _stack(_provider, _months)
orgs = click.option("--org", "orgs", multiple=True, metavar="ORG", help="Only this organisation; repeatable")


def groups(by: str | None, known: Collection[str]) -> list[str]:
    """The words of `--by`, none for None. Raises ConfigError for one that is unknown, and where it names none."""
    words = [word.strip() for word in (by or "").split(",") if word.strip()]
    unknown = [word for word in words if word not in known]
    if unknown or (by is not None and not words):
        raise ConfigError(
            f"there is no group {', '.join(unknown) or 'in --by'}", hint=f"choose some of: {', '.join(known)}"
        )
    return words


def window(since: Month | None, until: Month | None) -> Window:
    """The window asked for. Raises ConfigError for one that ends before it begins."""
    if since and until and since >= until:
        raise ConfigError(f"--since {since} is not before --until {until}", hint="--until is exclusive")
    return Window(since, until)


def nothing_listed(asked: Window, config: Config) -> str:
    """What to say where the source lists not one partition, and where it was looked for."""
    where, remedy = "", "look at where the configuration says that it lies; `ogf doctor` tries it"
    if any(asked):
        where, remedy = f" in the window {asked}", "leave out --since and --until to see what there is"
    elif days := config.settings.ingestion.lookback_days:
        remedy = f"after a first load only the last {days} days are looked at (ingestion.lookback_days): give --since"
    return f"the source lists nothing{where}\n  → {remedy}"


def load_config(
    *,
    config_path: Path | None,
    db: Path | None = None,
    plugins: Sequence[Plugin] = (),
    verbose: int = 0,
    **overrides: object,
) -> Config:
    """Read the configuration for these plugins and set logging up with its secrets masked."""
    from ogf import config as configuration
    from ogf.plugins import installed

    config = configuration.load(
        path=config_path,
        environ=os.environ,
        overrides=flags(db=db, verbose=verbose, **overrides),
        providers={plugin.provider.name: plugin.provider.settings for plugin in plugins},
        installed=installed(),
    )
    set_up_logs(config)
    return config


def flags(*, db: Path | None = None, verbose: int = 0, **others: object) -> dict[str, object]:
    """Command-line flags as settings: `runner__wait=…` stands for `runner.wait`."""
    return {
        "warehouse.path": db,
        "telemetry.log_level": {0: None, 1: "info"}.get(verbose, "debug"),
        **{key.replace("__", "."): value for key, value in others.items()},
    }


def set_up_logs(config: Config, *, otherwise: LogLevel = "critical") -> None:
    """Log as configured, with the configuration's secrets masked.

    Args:
        otherwise: the level where nobody asked for one. On a console a command's own lines tell people what happened.
    """
    from ogf import telemetry

    settings = config.settings.telemetry
    asked = config.sources.get("telemetry.log_level", "default") != "default" or settings.log_format == "json"
    telemetry.configure(
        settings.log_format, settings.log_level if asked else otherwise, secrets=config.secrets()
    )


def warehouse(config_path: Path | None, db: Path | None, wait: str | None) -> WarehouseFile:
    """The warehouse to read, as configured."""
    return warehouse_of(load_config(config_path=config_path, db=db, runner__wait=wait))


def warehouse_of(config: Config) -> WarehouseFile:
    """The configured warehouse. Who waits for it is told on stderr."""
    from ogf.cli.progress import waiting
    from ogf.warehouse.file import WarehouseFile

    return WarehouseFile(
        config.settings.warehouse.path,
        wait=config.settings.runner.wait,
        waiting=lambda holder, seconds: click.echo(waiting(holder, seconds), err=True),
    )


def chosen(
    names: Iterable[str], *, config_path: Path | None, otherwise_all: bool = False
) -> tuple[list[Plugin], list[PluginError]]:
    """The plugins asked for, else those that the configuration enables, and why others could not be loaded.

    Args:
        otherwise_all: where none is enabled, take every installed one.

    Raises:
        ConfigError: none is enabled.
        PluginError: not one can be loaded.
    """
    from ogf import config as configuration
    from ogf.plugins import installed, load_each

    wanted = list(dict.fromkeys(names))
    if not wanted:
        have = installed()
        wanted = list(configuration.peek_enabled(path=config_path, environ=os.environ, installed=have))
        if not wanted and otherwise_all:
            wanted = list(have)
        if not wanted:
            raise ConfigError(
                f"no provider is enabled (installed: {', '.join(have) or 'none'})",
                hint="name one with --provider, or set ingestion.<provider>.enabled: true in ogf.yaml",
            )
    plugins, broken = load_each(wanted)
    if not plugins:
        raise next(iter(broken.values()))
    return list(plugins.values()), list(broken.values())
