"""`ogf plan`: what a run would load, and why. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.window import Month


@click.command("plan")
@options.scope
@options.wait
@options.verbose
@options.common
def command(
    *,
    providers: tuple[str, ...],
    streams: tuple[str, ...],
    since: Month | None,
    until: Month | None,
    full: bool,
    wait: str | None,
    verbose: int,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Show what `ogf run` would load, and why. Downloads no data and changes nothing."""
    from ogf.cli.output import write_json, write_table
    from ogf.runner.run import Options, ProviderRun

    plugins, broken = options.chosen(providers, config_path=config_path)
    for error in broken:
        click.echo(f"error: {error}", err=True)
    config = options.load_config(
        config_path=config_path, db=db, plugins=plugins, verbose=verbose, runner__wait=wait
    )
    asked = Options(streams=streams, window=options.window(since, until), full=full)
    rows = []
    for plugin in plugins:
        run = ProviderRun(plugin, config)
        planned = run.plan(asked)
        if not planned:
            click.echo(f"{plugin.provider.name}: {options.nothing_listed(asked.window, config)}", err=True)
        for item in planned:
            partition = item.partition
            action = "cannot" if partition.problem else "load" if item.load else "skip"
            why = partition.problem.message if partition.problem else item.reason
            rows.append(
                {
                    "provider": plugin.provider.name,
                    "account": item.account,
                    "stream": partition.stream,
                    "partition": partition.key,
                    "action": action,
                    "why": why,
                    "requests": len(partition.requests),
                    "source": partition.source,
                }
            )
        for note in run.notes:
            click.echo(f"{plugin.provider.name}: {note}", err=True)
    if as_json:
        write_json(rows)
    elif rows:
        several = ("account",) if any(row["account"] for row in rows) else ()
        shown = ("provider", *several, "stream", "partition", "action", "why", "requests")
        write_table(shown, [[row[name] for name in shown] for row in rows], numbers=["requests"])
    return (
        ExitCode.PARTIAL if broken or any(row["action"] == "cannot" for row in rows) else ExitCode.SUCCEEDED
    )
