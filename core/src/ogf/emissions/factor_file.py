"""Reads a CSV of the user's factors, of either kind (`own`, `own_spend`): all of it, or nothing and every mistake."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, TypeVar

from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

F = TypeVar("F")


def rows_of(
    path: Path,
    columns: Sequence[str],
    example: str,
    mistakes_of: Callable[[dict[str, str]], Iterator[str]],
    factor_of: Callable[[dict[str, str], str], F],
    optional: Sequence[str] = (),
) -> list[F]:
    """The factors of a file. The first three `columns` tell its rows apart; `factor_of` gets the name of the file too.

    Raises:
        ConfigError: the file cannot be read, or with one line for each mistake in it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"the factor file cannot be read: {why}", where=str(path), hint="check the path of --file"
        ) from None
    table = csv.DictReader(lines)
    missing = [name for name in columns if name not in (table.fieldnames or ())]
    if missing:
        also = f" (and {', '.join(optional)}, if you like)" if optional else ""
        raise ConfigError(
            f"the factor file lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            where=str(path),
            hint=f"its first line must be {','.join(columns)}{also}; then such as {example}",
        )
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "own"
    factors: dict[tuple[str, ...], F] = {}
    mistakes: list[str] = []
    for row in table:
        told = {column: (row.get(column) or "").strip() for column in (*columns, *optional)}
        empty = next((column for column in columns if not told[column]), None)
        found = list(mistakes_of(told)) if empty is None else [f"{empty} is empty"]
        if not found:
            key = tuple(folded(told[column]) for column in columns[:3])
            if key in factors:
                found.append(f"{' '.join(told[column] for column in columns[:3])} is there twice")
            factors[key] = factor_of(told, name)
        mistakes += [f"line {table.line_num}: {text}" for text in found]
    if not factors and not mistakes:
        mistakes = ["it has no rows"]
    if mistakes:
        raise ConfigError(
            "the factor file cannot be used\n  " + "\n  ".join(mistakes),
            where=str(path),
            hint="correct these lines; nothing has changed in the warehouse",
        )
    return list(factors.values())


def folded(name: str) -> str:
    """A region or a currency as it is compared: whatever its case and spaces."""
    return name.lower().replace(" ", "")


def no_year(row: dict[str, str]) -> Iterator[str]:
    if not re.fullmatch(r"(19|20)\d\d", row["year"]):
        yield f"year is {row['year']!r}; it must be a year such as 2025"


def no_number(text: str, name: str, least: float, most: float, what: str) -> Iterator[str]:
    try:
        good = least <= float(text) <= most
    except ValueError:
        good = False
    if not good:
        yield f"{name} is {text!r}; it must be {what}, a number from {least} to {most:,}"
