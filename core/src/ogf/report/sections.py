"""The parts of the page: a few sentences, charts, and the numbers of each chart in a table beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ogf.report import charts, comparisons, numbers, restated, shown
from ogf.report.charts import Series
from ogf.report.numbers import unit_for
from ogf.report.shown import PARTS, Shown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from ogf.report.numbers import Unit
    from ogf.report.shown import Row
    from ogf.report.tables import Table, Tables

_COLOUR = {
    "scope 1": 5,
    "scope 2": 1,
    "scope 3": 3,
    "total given": 4,
    "operational": 2,
    "embodied": 6,
    "by spend": 2,
}
_REPORTED, _ESTIMATED = 1, 2
_ACCOUNTING = {"location": 3, "market": 6}
_NAMED = 10  # bars of a chart; the table beside it has more


class Drawn(NamedTuple):
    """A chart with its title over it."""

    title: str
    svg: str


@dataclass(frozen=True)
class Panel:
    """A chart, and the table of its numbers, which may stand beside it where there is room."""

    table: Shown
    charts: tuple[Drawn, ...] = ()
    beside: bool = False


@dataclass(frozen=True)
class Section:
    """One part of the page. Without panels it says why there are none."""

    id: str
    title: str
    text: str
    nothing: str
    panels: tuple[Panel, ...] = field(default_factory=tuple)


def sections(tables: Tables) -> list[Section]:
    """Every part of the page, in order."""
    asked = tables.accountings()
    return [
        months(tables),
        _ranked(tables["services"], "service", "By service", asked),
        _ranked(tables["regions"], "region", "By region", asked),
        _reconciliation(tables["reconciliation"]),
        _coverage(tables["coverage"], tables["uncovered"]),
        _restatements(tables["restatements"]),
    ]


def months(tables: Tables) -> Section:
    """The footprint by month and scope, one panel for each accounting."""
    return _months(tables["months"], tables.accountings())


def _months(table: Table, accountings: Sequence[str]) -> Section:
    panels = []
    for accounting in accountings:
        rows = [row for row in table.rows if row["accounting"] == accounting]
        if not rows:
            continue
        unit = unit_for(shown.masses(rows))
        drawn = [
            _stack(basis, accounting, [row for row in rows if row["basis"] == basis], rows, unit)
            for basis in PARTS
            if any(row["basis"] == basis for row in rows)
        ]
        panels.append(Panel(shown.months(table, accounting), tuple(drawn), beside=len(drawn) == 1))
    return Section(
        "months",
        "By month and scope",
        "Location-based and market-based figures are two views of the same electricity and are never added. For each "
        "account and month the provider's own figure is used where there is one, and the estimate where there is "
        "none; the two are never added here. Scopes are the provider's; for its customers all of them are scope 3, "
        "category 1.",
        "No account has a whole figure for these months: scope 2 by either accounting, a total, or an estimate.",
        tuple(panels),
    )


def _stack(basis: str, accounting: str, rows: Sequence[Row], all_rows: Sequence[Row], unit: Unit) -> Drawn:
    """One basis by month, its parts on top of each other; over the months of all rows, to be compared."""
    months = sorted({row["month"] for row in all_rows})
    found = {(row["month"], row["provider_scope"], row["lifecycle"]): row["emissions_kgco2e"] for row in rows}
    series = [
        Series(name, [_scaled(found.get((month, *part)), unit) for month in months], _COLOUR[name])
        for part, name in PARTS[basis].items()
        if any(key[1:] == part for key in found)
    ]
    title = f"{basis.capitalize()}, {accounting}-based"
    text = f"{unit.name} CO2e by month and {'scope' if basis == 'reported' else 'part'}; the numbers are in the table."
    return Drawn(
        title,
        charts.stacked(_labels(months), series, title=title, text=text, unit=f"{unit.name} CO2e, {basis}"),
    )


def _ranked(table: Table, what: str, title: str, accountings: Sequence[str]) -> Section:
    panels = []
    for accounting in accountings:
        figures = shown.leading(table, accounting, what, _NAMED)
        if not figures:
            continue
        unit = unit_for(value for figure in figures for value in shown.masses(figure.rows.values()))
        labels = [
            f"{figure.provider} · {figure.name}" if figure.provider else figure.name for figure in figures
        ]
        series = []
        for basis, colour in (("reported", _REPORTED), ("estimated", _ESTIMATED)):
            rows = [figure.rows.get(basis, {}) for figure in figures]
            if not any(rows):
                continue
            values, low, high = (
                [_scaled(row.get(name), unit) for row in rows]
                for name in ("emissions_kgco2e", "low_kgco2e", "high_kgco2e")
            )
            bounds = (low, high) if basis == "estimated" else (None, None)
            series.append(Series(basis, values, colour, *bounds))
        name = f"{title}, {accounting}-based"
        text = f"{unit.name} CO2e of the largest; lines run from low to high bound of an estimate."
        svg = charts.level(labels, series, title=name, text=text, unit=f"{unit.name} CO2e", say=unit.said)
        panels.append(Panel(shown.ranked(table, accounting, what), (Drawn(name, svg),), beside=True))
    return Section(
        f"{what}s",
        title,
        f"The {shown.MOST} largest by name. A line over a bar runs from the low to the high bound of an estimate.",
        "No account has a whole figure for these months: scope 2 by either accounting, a total, or an estimate.",
        tuple(panels),
    )


def _reconciliation(table: Table) -> Section:
    drawn = []
    for provider in dict.fromkeys(row["provider"] for row in table.rows):
        rows = [row for row in table.rows if row["provider"] == provider and row["accounts"]]
        if rows:
            drawn.append(_pairs(provider, rows))
    return Section(
        "reconciliation",
        "Reported beside estimated",
        "What providers report, and what our method makes of the same accounts' usage in the same months. "
        "The command ogf reconcile lists the largest gaps by account, service and region, and why they are there.",
        "No account has both figures in the same month, location-based. Load carbon exports and billing exports of "
        "the same account to compare them.",
        (Panel(comparisons.reconciliation(table), tuple(drawn)),) if table.rows else (),
    )


def _pairs(provider: str, rows: Sequence[Row]) -> Drawn:
    """One provider's reported and estimated totals by month; several organisations may have the same month."""
    months = sorted({row["month"] for row in rows})
    names = (
        "reported_total_kgco2e",
        "estimated_total_kgco2e",
        "estimated_low_kgco2e",
        "estimated_high_kgco2e",
    )
    sums = [
        [shown.added(row[name] for row in rows if row["month"] == month) for month in months]
        for name in names
    ]
    unit = unit_for(value for values in sums for value in values)
    reported, estimated, low, high = ([_scaled(value, unit) for value in values] for values in sums)
    series = [
        Series("reported, all scopes", reported, _REPORTED),
        Series("estimated, low to high", estimated, _ESTIMATED, low, high),
    ]
    title = f"Reported beside estimated, {provider}"
    text = "Location-based, by month, of the accounts that have both."
    return Drawn(
        title,
        charts.grouped(_labels(months), series, title=title, text=text, unit=f"{unit.name} CO2e, {provider}"),
    )


def _coverage(table: Table, uncovered: Table) -> Section:
    rows = table.rows[:_NAMED]
    panels = []
    if rows:
        labels = [f"{row['provider']} · {row['service'] or 'no service'} ({row['stream']})" for row in rows]
        series = [
            Series("of rows", [_percent(row["share_of_rows"]) for row in rows], 5),
            Series("of cost", [_percent(row["share_of_cost"]) for row in rows], 3),
        ]
        title = "Usage with an estimate"
        text = "Per cent of usage rows and of their cost, by service."
        svg = charts.level(
            labels, series, title=title, text=text, unit="% with an estimate", say=_said_percent, most=100
        )
        panels.append(Panel(comparisons.coverage(table), (Drawn(title, svg),)))
    if uncovered.rows:
        panels.append(Panel(comparisons.uncovered(uncovered)))
    return Section(
        "coverage",
        "Coverage",
        "The share of usage, by rows and by cost, that the method can estimate. What it cannot is left out, never "
        "counted as zero.",
        "No billing data is loaded for these months, so nothing is estimated.",
        tuple(panels),
    )


def _restatements(table: Table) -> Section:
    panels: tuple[Panel, ...] = ()
    if table.rows:
        changes = {
            accounting: restated.by_month(table, accounting)
            for accounting in _ACCOUNTING
            if accounting in {row["accounting"] or "location" for row in table.rows}
        }
        months = sorted({month for sums in changes.values() for month, change in sums.items() if change})
        unit = unit_for(change for sums in changes.values() for change in sums.values())
        series = [
            Series(f"{name}-based", [_scaled(sums.get(month), unit) for month in months], _ACCOUNTING[name])
            for name, sums in changes.items()
        ]
        title = "Change since a month was first loaded"
        text = "Change of reported carbon, by month and accounting."
        drawn: tuple[Drawn, ...] = ()
        # months that have only been divided otherwise, or told anew, have no bar: they are in the table
        if months:
            svg = charts.grouped(_labels(months), series, title=title, text=text, unit=f"{unit.name} CO2e")
            drawn = (Drawn(title, svg),)
        panels = (Panel(restated.restatements(table), drawn),)
    return Section(
        "restatements",
        "Restatements",
        "What providers changed about months they had already reported, since those months were first loaded.",
        "No provider has changed a month that it had reported before.",
        panels,
    )


def _labels(months: Sequence[dt.date]) -> list[str]:
    return [f"{month:%Y-%m}" for month in months]


def _scaled(kilograms: float | None, unit: Unit) -> float | None:
    return None if kilograms is None else kilograms / unit.kilograms


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _said_percent(value: float) -> str:
    return numbers.percent(value / 100)
