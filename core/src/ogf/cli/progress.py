"""What a person sees while a run goes on, on stderr: a bar on a terminal, a line for each partition otherwise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

import click

from ogf.cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.runner.report import PartitionOutcome

_COLOURS = {"loaded": "green", "unchanged": "bright_black", "failed": "red"}


class Lines:
    """One line for each partition, as it ends. Implements `ogf.runner.report.Reporter`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._provider = ""

    def waiting(self, holder: int | None, seconds: float) -> None:
        if not self._quiet:
            self.say(waiting(holder, seconds))

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None:
        self._provider = provider
        if not self._quiet:
            for cost in costs:
                self.say(f"{provider}: {cost}")
        if partitions and not self._quiet:
            several = chains != 1
            reads = f"{chains} {'files or queries' if several else 'file or query'}"
            self.say(f"{provider}: {counted(partitions, 'partition')} to load, {reads}")

    def page(self, stream: str, key: str, *, rows: int) -> None:
        pass

    def finished(self, outcome: PartitionOutcome) -> None:
        if self._quiet and outcome.outcome != "failed" and not outcome.notices:
            return
        name = click.style(f"{outcome.outcome:<9}", fg=_COLOURS[outcome.outcome])
        account = f"({outcome.account})" if outcome.account else ""
        what = " ".join(part for part in (outcome.stream, account, outcome.key) if part)
        if outcome.outcome != "failed":
            what = f"{outcome.rows:>10,} rows  {what} ({outcome.reason})"
        self.say(f"{name} {what}")
        if outcome.outcome == "failed":
            self.say(f"          {outcome.error_class}: {outcome.message}")
            if outcome.hint:
                self.say(f"          → {outcome.hint}")
        for kind in ("service", "unit"):
            if values := outcome.unmapped.get(kind):
                self.say(
                    f"          unmapped {kind}: {', '.join(sorted(values)[:5])}{', …' if len(values) > 5 else ''}"
                )
        for notice in outcome.notices:
            self.say(f"          ! {notice}")

    def say(self, line: str) -> None:
        click.echo(line, err=True)


class Bars(Lines):
    """A bar for the whole provider, with the lines scrolling above it."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pages, {task.fields[rows]:,} rows"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None:
        super().planned(provider, partitions=partitions, chains=chains, costs=costs)
        if chains:
            self._task = self._progress.add_task(provider, total=chains, rows=0)

    def page(self, stream: str, key: str, *, rows: int) -> None:
        if self._task is not None:
            seen = self._progress.tasks[0].fields["rows"]
            self._progress.update(self._task, advance=1, rows=seen + rows, description=f"{stream} {key}")

    def say(self, line: str) -> None:
        if self._progress.live.is_started:
            from rich.text import Text

            self._progress.console.print(Text.from_ansi(line), soft_wrap=True)
        else:
            super().say(line)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def waiting(holder: int | None, seconds: float) -> str:
    """What to say where another process holds the warehouse."""
    who = f"process {holder}" if holder else "another process"
    return f"{who} holds the warehouse; waiting up to {seconds:g} s (--wait) …"


def reporter(*, quiet: bool = False) -> Lines:
    return Lines(quiet=quiet) if quiet or not sys.stderr.isatty() else Bars()
