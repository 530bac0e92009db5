"""Writes the reference pages that code knows best: command line, settings, columns. `make docs`; a test compares."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import click

from ogf.cli.main import cli
from ogf.config import Settings
from ogf.config.shape import settings_of
from ogf.emissions.comments import comments
from ogf.emissions.methods import methods
from ogf.emissions.sidecars import sidecars
from ogf.plugins import installed, load
from ogf.schema import activity_columns

REFERENCE = Path(__file__).parent / "reference"


def command_line() -> str:
    parts = ["# Command line\n", "Made by `make docs` from the commands themselves.\n"]
    root = click.Context(cli, info_name="ogf", terminal_width=100, **cli.context_settings)
    parts += ["```text", cli.get_help(root), "```\n"]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=root, terminal_width=100)
            parts += [f"## ogf {name}\n", "```text", command.get_help(context), "```\n"]
            for below, part in getattr(command, "commands", {}).items():
                inner = click.Context(part, info_name=below, parent=context, terminal_width=100)
                parts += [f"### ogf {name} {below}\n", "```text", part.get_help(inner), "```\n"]
    return "\n".join(parts)


def settings() -> str:
    parts = [
        "# Settings\n",
        "Made by `make docs`. Flag > environment > `ogf.yaml` > default.\n",
        "`ogf doctor --settings` shows each value with its source.",
        "Secrets may be written as `env:NAME` or `file:PATH`.\n",
        "| setting | variable |\n|---|---|",
    ]
    parts += [f"| `{'.'.join(item.path)}` | `{'`, `'.join(item.env)}` |" for item in settings_of(Settings)]
    for name in installed():
        provider = load(name).provider
        parts += [f"\n## {provider.title}\n", "| setting | variable |\n|---|---|"]
        parts += [
            f"| `ingestion.{name}.{'.'.join(item.path)}` | `{'`, `'.join(item.env)}` |"
            for item in settings_of(provider.settings, provider=name)
        ]
    return "\n".join(parts) + "\n"


def tables() -> str:
    parts = [
        "# Tables and views\n",
        "Made by `make docs`.\n",
        "## activities\n",
        "The rows of the current loads, as a view over `activity_log` and `loads`.",
        "`activities_as_of(time)` gives an earlier day's.\n",
        "| column | type | meaning |\n|---|---|---|",
    ]
    parts += [f"| `{item.name}` | {item.type} | {item.comment} |" for item in activity_columns()]
    for item in comments():
        if not item.column:
            parts += [f"\n## {item.table}\n", f"{item.comment}."]
            if any(other.column for other in comments() if other.table == item.table):
                parts += ["\n| column | meaning |\n|---|---|"]
        else:
            parts += [f"| `{item.column}` | {item.comment} |"]
    return "\n".join(parts) + "\n" + (REFERENCE / "ledger.md.in").read_text(encoding="utf-8")


def factors() -> str:
    """The constants, from the data files themselves: a page written by hand would tell others than the code uses."""
    parts = ["# Factors\n", "Made by `make docs` from the shipped tables.\n", "## Coefficients\n"]
    parts += _rows("coefficients.csv", ("name", "low", "middle", "high", "unit", "source"))
    parts += [
        "\n## Watts per vCPU\n",
        *_rows("processors.csv", ("provider", "architecture", "min_watts", "max_watts")),
    ]
    parts += ["\n## Watts per GPU\n", *_rows("gpus.csv", ("gpu_model", "min_watts", "max_watts"))]
    parts += ["\n## Order of streams\n", *_rows("streams.csv", ("provider", "stream", "rank"))]
    parts += ["\n## Where the tables come from\n", "| table | source | licence | year |\n|---|---|---|---|"]
    parts += [f"| `{item.table}` | {item.source} | {item.licence} | {item.year} |" for item in sidecars()]
    parts += ["\n## Methods\n"]
    parts += [f"`{item.name}` (version {item.version}): {item.title}." for item in methods().values()]
    return "\n".join(parts) + "\n"


def _rows(name: str, columns: tuple[str, ...]) -> list[str]:
    with files("ogf.emissions").joinpath("data", name).open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return head + [f"| {' | '.join(_short(row[column]) for column in columns)} |" for row in rows]


def _short(value: str) -> str:
    try:
        return f"{float(value):.6g}"
    except ValueError:
        return value or "unknown"


PAGES = {"factors.md": factors, "cli.md": command_line, "settings.md": settings, "tables.md": tables}


def main() -> None:
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
