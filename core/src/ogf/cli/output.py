"""How data reaches stdout: tables for people, JSON for machines."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ogf.warehouse.answers import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


# On a terminal a table can be read where no column is folded below this width, and no cell into more lines than these.
_READABLE = 24
_MOST_LINES = 3
# In a pipe nothing is folded; a table that is wider is mostly padding, unless its columns are few.
_PIPE_WIDTH = 160
_FEW_COLUMNS = 8


@contextmanager
def until_enough() -> Iterator[None]:
    """Write to stdout while it is read. Whoever reads (`| head`) may have seen enough; click would make it an error."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=plain, ensure_ascii=False))


def screen_width() -> int | None:
    """Columns of the terminal that stdout is; None for a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(message: str, *, indent: str, room: int | None) -> Iterator[str]:
    """A message for people in indented lines, between words, no wider than `room`; in a pipe as it came."""
    import textwrap

    for line in message.split("\n"):
        if room is None:
            yield indent + line.strip()
        else:
            yield from textwrap.wrap(
                line.strip(),
                room,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            )


def write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Iterable[str] = (),
    title: str | None = None,
) -> None:
    """Print a table where the terminal is wide enough to read it, else the rows one field a line.

    In a pipe nothing is folded, and no line ends in spaces.
    """
    from rich.cells import cell_len

    rows = list(rows)
    screen = screen_width()
    cells = [[text(value) for value in row] for row in rows]
    natural = [
        max(cell_len(line) for cell in (name, *(row[index] for row in cells)) for line in cell.split("\n"))
        for index, name in enumerate(columns)
    ]
    readable = [min(width, max(_READABLE, -(-width // _MOST_LINES))) for width in natural]
    if screen is None:
        fits = len(columns) <= _FEW_COLUMNS or sum(natural) + 2 * len(columns) <= _PIPE_WIDTH
    else:
        fits = sum(readable) + 2 * len(columns) <= screen
    if fits:
        _write_aligned(columns, cells, readable, right=set(numbers), title=title, screen=screen)
    else:
        _write_records(columns, rows, title=title, screen=screen)


def _write_aligned(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
    *,
    right: set[str],
    title: str | None,
    screen: int | None,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=screen or 100_000, highlight=False, markup=False)
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True
    )
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, justify="right" if name in right else "left", overflow="fold", min_width=width)
    for row in cells:
        table.add_row(*row)
    with console.capture() as printed:
        console.print(table, end="")
    lines = printed.get().splitlines()
    with until_enough():
        click.echo("\n".join(lines if screen else (line.rstrip() for line in lines)))


def _write_records(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None, screen: int | None
) -> None:
    """Each row as a block of `name  value` lines. NULLs are counted, not shown."""
    from rich.cells import chop_cells

    names = max(map(len, columns))
    room = None if screen is None else max(_READABLE, screen - names - 2)
    lines = [title] if title else []
    for number, row in enumerate(rows, 1):
        lines.append(click.style(f"── {number} ──", dim=True))
        for name, value in zip(columns, row, strict=True):
            label = f"{name:<{names}}"
            for line in () if value is None else text(value).split("\n"):
                for part in chop_cells(line, room) if room and line else [line]:
                    lines.append(f"{label}  {part}".rstrip())
                    label = " " * names
        if absent := sum(value is None for value in row):
            lines.append(click.style(f"({counted(absent, 'NULL field')} left out)", dim=True))
    with until_enough():
        for line in lines:
            click.echo(line)
    if not rows:
        click.echo("no rows", err=True)


def counted(number: int, thing: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def text(value: Any) -> str:
    """A value as a person reads it: whole seconds, separated thousands, nothing for NULL."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case decimal.Decimal():
            return _amount(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        case dict():
            return ", ".join(f"{key}={item}" for key, item in value.items())
        case _:
            return str(value)


def _amount(value: decimal.Decimal) -> str:
    """Money rounded on purpose keeps its zeros; the 18 decimals of a stored cost lose theirs."""
    exponent = value.as_tuple().exponent
    few = isinstance(exponent, int) and exponent >= -4
    return f"{value:,f}" if few or not value.is_finite() else f"{value.normalize():,f}"
