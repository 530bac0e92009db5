"""How data reaches stdout: tables for people, JSON for machines."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_KEPT_WHOLE = 19  # a column this narrow, such as a time, is not folded where another can be


def write_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return str(value)


def write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Iterable[str] = (),
    title: str | None = None,
) -> None:
    """Print a table, as wide as the terminal; into a pipe, as wide as its content needs."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 100_000, highlight=False, markup=False)
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True
    )
    right = set(numbers)
    cells = [[text(value) for value in row] for row in rows]
    widths = [
        min(_KEPT_WHOLE, max(len(name), *(len(row[index]) for row in cells), 0))
        for index, name in enumerate(columns)
    ]
    fits = sum(widths) + 2 * len(widths) <= console.width  # what does not fit is cut off, so rather fold then
    for name, width in zip(columns, widths, strict=True):
        table.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            min_width=width if fits else None,
        )
    for row in cells:
        table.add_row(*row)
    console.print(table, end="")


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
