"""`ogf forget`: take partitions out of the warehouse again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.warehouse.ledger import PartitionState


@click.command("forget")
@click.option("--provider", required=True, metavar="P", help="The provider they are of")
@click.option("--stream", required=True, metavar="S", help="The stream they are of")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; only on a terminal is it asked at all")
@options.wait
@options.common
def command(
    *,
    provider: str,
    stream: str,
    keys: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Take partitions out of the warehouse again.

    Their rows count no more. Streams that keep history keep them there; of others they are deleted. A run that finds
    such a partition at its source loads it again. `ogf status --json` and `ogf plan` show the keys.
    """
    from ogf.cli.output import counted, write_json
    from ogf.runner.forget import find, forget
    from ogf.runner.run import ProviderRun

    plugins, _ = options.chosen([provider], config_path=config_path)
    config = options.load_config(config_path=config_path, db=db, plugins=plugins, runner__wait=wait)
    run = ProviderRun(plugins[0], config)
    states = find(run, stream, keys)
    kept = run.books().keeps_history(stream)
    for state in states:
        click.echo(f"{provider} {stream} {state.partition_key}: {_what(state, kept=kept)}", err=True)
    rows = sum(state.row_count for state in states)
    what = f"{counted(len(states), 'partition')}, {counted(rows, 'row')}"
    if not dry_run and not yes and sys.stdin.isatty() and not click.confirm(f"Forget {what}?", err=True):
        click.echo("nothing was changed", err=True)
        return ExitCode.FAILED
    if not dry_run:
        forget(run, states)
    click.echo(f"{what}: {'this was a dry run, nothing was changed' if dry_run else 'forgotten'}", err=True)
    if as_json:
        write_json(
            [
                {
                    "provider": provider,
                    "stream": stream,
                    "partition": state.partition_key,
                    "rows": state.row_count,
                    "listed": state.listed,
                    "kept_in_history": kept and state.load_id is not None,
                    "forgotten": not dry_run,
                }
                for state in states
            ]
        )
    return ExitCode.SUCCEEDED


def _what(state: PartitionState, *, kept: bool) -> str:
    from ogf.cli.output import counted

    again = (
        "the next run that lists it loads it again"
        if state.listed
        else "its source did not list it any more, so no run can load it again"
    )
    if state.load_id is None:
        return f"it was never loaded; {again}"
    rows = counted(state.row_count, "row")
    return f"{rows} {'count no more, but stay in the history' if kept else 'are deleted'}; {again}"
