"""`ogf doctor`: really try what a run needs, and say what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import ExitCode, OgfError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ogf.config import Config
    from ogf.hookspecs import Check
    from ogf.plugins import Plugin


@click.command("doctor")
@click.option("--provider", "providers", multiple=True, metavar="P", help="Only this provider; repeatable")
@click.option("--settings", is_flag=True, help="Also show every setting with where it came from")
@options.wait
@options.verbose
@options.common
def command(
    *,
    providers: tuple[str, ...],
    settings: bool,
    wait: str | None,
    verbose: int,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Try what a run needs, with real calls.

    Looks at the configuration, the warehouse, credentials and permissions, and says what is missing. Loads nothing.
    """
    from ogf.cli.output import write_json, write_table
    from ogf.hookspecs import Check
    from ogf.runner import trial

    plugins, broken = options.chosen(providers, config_path=config_path, otherwise_all=True)
    config = options.load_config(
        config_path=config_path, db=db, plugins=plugins, verbose=verbose, runner__wait=wait
    )
    rows = [_row("ogf", check) for check in _general(config)]
    rows += [
        _row(error.where, Check("plugin", ok=False, detail=error.message, hint=error.hint))
        for error in broken
    ]
    policies = []
    with trial.aside(config) as aside:
        for plugin in plugins:
            checks = [*trial.checks(plugin, aside, named=bool(providers)), *_discovered(plugin, aside)]
            rows += [_row(f"{plugin.provider.name} {where}".strip(), check) for where, check in checks]
            missing = dict.fromkeys(pair for _, check in checks for pair in check.missing)
            if missing and plugin.provider.policy is not None:
                policies.append(plugin.provider.policy(missing))
    described = [row._asdict() for row in config.describe()] if settings or as_json else []
    if as_json:
        documents = [{"title": title, "document": text} for title, text in policies]
        write_json({"checks": rows, "settings": described, "policies": documents})
    else:
        if described:
            write_table(("setting", "value", "source"), [tuple(row.values()) for row in described])
        for row in rows:
            mark = click.style("ok  ", fg="green") if row["ok"] else click.style("FAIL", fg="red", bold=True)
            click.echo(f"{mark}  {row['where']}: {row['check']}: {row['detail']}")
            if row["hint"]:
                click.echo(f"      → {row['hint']}")
        for title, text in policies:
            click.echo(f"\n{title}\n{text}")
    return ExitCode.SUCCEEDED if all(row["ok"] for row in rows) else ExitCode.FAILED


def _row(where: str, check: Check) -> dict[str, Any]:
    return {"where": where, "check": check.name, "ok": check.ok, "detail": check.detail, "hint": check.hint}


def _general(config: Config) -> Iterator[Check]:
    from ogf.cli.writable import NotWritable, require_writable
    from ogf.hookspecs import Check
    from ogf.warehouse.migrate import schema_version

    for warning in config.warnings:
        yield Check(
            "configuration", ok=False, detail=warning, hint="chmod 600 the file, or use env: or file:"
        )
    if config.unserved:
        yield Check(
            "configuration",
            ok=True,
            detail=f"no installed plugin serves {', '.join(config.unserved)}: ignored",
        )
    path = config.settings.warehouse.path
    file = options.warehouse_of(config)
    detail = f"{path} does not exist yet; the first run makes it"
    try:
        file.require_folder()
        if path.exists():
            with file.reading() as connection:
                detail = f"{path}, schema {schema_version(connection)}"
            require_writable(path)
        require_writable(path.absolute().parent)
    except OgfError as error:
        where = f"{error.where}: " if isinstance(error, NotWritable) else ""
        yield Check("warehouse", ok=False, detail=where + error.message, hint=error.hint)
    else:
        yield Check("warehouse", ok=True, detail=detail)


def _discovered(plugin: Plugin, config: Config) -> Iterator[tuple[str, Check]]:
    """What there is to read besides, as checks that pass."""
    from ogf.hookspecs import Check
    from ogf.runner.run import ProviderRun

    run = ProviderRun(plugin, config)
    stream = plugin.provider.streams[0].name
    for account in run.accounts:
        with run.task_context(stream, account=account.name) as ctx:
            try:
                found = list(plugin.discover(ctx))
            except OgfError as error:
                found = [Check("discovery", ok=True, detail=f"nothing was looked for: {error.message}")]
        for item in found:
            about = f"({account.name})" if account.name else ""
            if isinstance(item, Check):
                yield about, item
                continue
            values = ", ".join(f"{key}: {value}" for key, value in item.settings.items())
            note = f" ({item.note})" if item.note else ""
            hint = f"to read it, set {values}; `ogf init --discover` writes that"
            yield (
                " ".join(part for part in (item.stream, about) if part),
                Check("found", ok=True, detail=f"{item.title}{note}", hint=hint),
            )
