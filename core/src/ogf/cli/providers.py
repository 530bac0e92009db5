"""`ogf providers`: what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ExitCode, PluginError

if TYPE_CHECKING:
    from pathlib import Path


@click.command("providers")
@options.common
def command(*, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """List the installed provider plugins and their streams. A broken one is shown with what is wrong."""
    del config_path, db
    from ogf.cli.output import write_json, write_table
    from ogf.plugins import installed, load

    rows = []
    for name, claims in installed().items():
        row = {
            "provider": name,
            "distribution": " and ".join(f"{claim.distribution} {claim.version}" for claim in claims),
            "streams": "",
            "problem": "",
        }
        try:
            row["streams"] = ", ".join(stream.name for stream in load(name).provider.streams)
        except PluginError as error:
            row["problem"] = str(error)
        rows.append(row)
    if as_json:
        write_json(rows)
    elif rows:
        shown = ("provider", "distribution", "streams") + (
            ("problem",) if any(row["problem"] for row in rows) else ()
        )
        write_table(shown, [[row[name] for name in shown] for row in rows])
    else:
        click.echo("No provider is installed. → pip install ogf-aws", err=True)
    return ExitCode.FAILED if any(row["problem"] for row in rows) else ExitCode.SUCCEEDED
