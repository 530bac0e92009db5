"""What people read: tables with headings, one unit each and few digits, for terminal and page alike: the footprint."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogf.report.numbers import Unit, unit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ogf.report.tables import Table

Row = dict[str, Any]

MOST = 15  # services, regions… that are named; the rest is one line
# provider_scope and lifecycle of `footprint`, by basis, in the order in which they are shown
PARTS: dict[str, dict[tuple[int | None, str], str]] = {
    "reported": {
        (1, "operational"): "scope 1",
        (2, "operational"): "scope 2",
        (3, "total"): "scope 3",
        (None, "total"): "total given",
    },
    "estimated": {
        (2, "operational"): "operational",
        (3, "embodied"): "embodied",
        (None, "total"): "by spend",
    },
}


@dataclass(frozen=True)
class Shown:
    """A table as people read it.

    Attributes:
        columns: headings. rows: texts, as many each.
        numbers: headings of the columns that are aligned to the right.
        notes: what must be said with it.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default_factory=tuple)


def months(table: Table, accounting: str) -> Shown:
    """One line a month: the parts that are reported, and those that are estimated where nothing is reported."""
    rows = [row for row in table.rows if row["accounting"] == accounting]
    unit = unit_for(masses(rows))
    parts = [(basis, key, name) for basis, names in PARTS.items() for key, name in names.items()]
    used = [
        part for part in parts
        if any(row["basis"] == part[0] and (row["provider_scope"], row["lifecycle"]) == part[1] for row in rows)
    ]  # fmt: skip
    have = {part[0] for part in used}
    columns = [
        "month",
        *(name for basis, _, name in used if basis == "reported"),
        *(["reported, all"] if "reported" in have else []),
        *(f"estimated {name}" for basis, _, name in used if basis == "estimated"),
        *(["estimated, all", "low–high"] if "estimated" in have else []),
    ]
    lines = []
    for month in sorted({row["month"] for row in rows}):
        here = {
            (row["basis"], row["provider_scope"], row["lifecycle"]): row
            for row in rows
            if row["month"] == month
        }
        line = [f"{month:%Y-%m}"]
        for basis in PARTS:
            if basis not in have:
                continue
            figures = [here.get((basis, *key)) for of, key, _ in used if of == basis]
            say = unit.reported if basis == "reported" else unit.estimated
            line += [say(row["emissions_kgco2e"] if row else None) for row in figures]
            line.append(say(added(row["emissions_kgco2e"] for row in figures if row)))
            if basis == "estimated":
                line.append(interval(unit, [row for row in figures if row]))
        lines.append(tuple(line))
    notes = []
    if any(not row["complete"] for row in rows):
        notes.append(
            f"Some accounts are reported without {accounting}-based scope 2 in some months: the sums are less than "
            "the whole."
        )
    return shown(f"By month, {accounting}-based, {unit.name} CO2e", columns, lines, notes, words=1)


def ranked(table: Table, accounting: str, what: str) -> Shown:
    """One line for each of the largest services or regions, and one for the rest."""
    figures = leading(table, accounting, what)
    unit = unit_for(masses(row for figure in figures for row in figure.rows.values()))
    have = {basis for figure in figures for basis in figure.rows}
    columns = [
        "provider", what,
        *(["reported"] if "reported" in have else []),
        *(["estimated", "low–high"] if "estimated" in have else []),
    ]  # fmt: skip
    lines = []
    for figure in figures:
        line = [figure.provider, figure.name]
        if "reported" in have:
            row = figure.rows.get("reported")
            line.append(unit.reported(row["emissions_kgco2e"] if row else None))
        if "estimated" in have:
            row = figure.rows.get("estimated")
            line.append(unit.estimated(row["emissions_kgco2e"] if row else None))
            line.append(interval(unit, [row] if row else []))
        lines.append(tuple(line))
    return shown(f"By {what}, {accounting}-based, {unit.name} CO2e", columns, lines, (), words=2)


@dataclass(frozen=True)
class Figure:
    """A service or a region: its figures by basis, as rows with emissions_kgco2e, low_kgco2e and high_kgco2e."""

    provider: str
    name: str
    rows: dict[str, Row]

    @property
    def size(self) -> float:
        return max(abs(float(row["emissions_kgco2e"])) for row in self.rows.values())


def leading(table: Table, accounting: str, what: str, most: int = MOST) -> list[Figure]:
    """The largest, by whichever figure is larger, and what is left as one that says how many it stands for."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in table.rows:
        if row["accounting"] == accounting and row["emissions_kgco2e"] is not None:
            found.setdefault((row["provider"], row[what] or f"no {what}"), {})[row["basis"]] = row
    figures = [Figure(provider, name, rows) for (provider, name), rows in found.items()]
    figures.sort(key=lambda figure: (-figure.size, figure.provider, figure.name))
    if len(figures) <= most + 1:
        return figures
    rest = figures[most:]
    rows = {}
    for basis in PARTS:
        group = [figure.rows[basis] for figure in rest if basis in figure.rows]
        if group:
            rows[basis] = {
                name: added(row[name] for row in group)
                for name in ("emissions_kgco2e", "low_kgco2e", "high_kgco2e")
            }
    return [*figures[:most], Figure("", f"{len(rest)} others", rows)]


def footprint(table: Table) -> Shown:
    """The footprint by any groups, as they were asked for."""
    rows = table.rows
    unit = unit_for(masses(rows))
    keys = [name for name in table.columns if not name.endswith(("_kgco2e", "_kwh")) and name != "complete"]
    lines = [
        (
            *(key(row[name]) for name in keys),
            (unit.reported if row["basis"] == "reported" else unit.estimated)(row["emissions_kgco2e"]),
            "" if row["basis"] == "reported" else interval(unit, [row]),
        )
        for row in rows
    ]
    columns = [*(name.removesuffix("_id") for name in keys), f"{unit.name} CO2e", "low–high"]
    return shown(f"Footprint, {unit.name} CO2e", columns, lines, (), words=len(keys))


def shown(
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    notes: Iterable[str],
    *,
    words: int = 0,
    right: Iterable[str] | None = None,
) -> Shown:
    """`words`: how many columns at the left are words; the others are numbers."""
    return Shown(
        title,
        tuple(columns),
        list(rows),
        frozenset(columns[words:] if right is None else right),
        tuple(notes),
    )


def key(value: object) -> str:
    if hasattr(value, "strftime"):
        said: Callable[[str], str] = value.strftime
        return said("%Y-%m")
    return "" if value is None else str(value)


def masses(rows: Iterable[Row]) -> list[float | None]:
    return [value for row in rows for name, value in row.items() if name.endswith("_kgco2e")]


def added(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return math.fsum(present) if present else None


def interval(unit: Unit, rows: Sequence[Row]) -> str:
    return unit.interval(added(row["low_kgco2e"] for row in rows), added(row["high_kgco2e"] for row in rows))
