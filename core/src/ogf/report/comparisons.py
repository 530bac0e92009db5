"""What people read, as in `shown`: reported beside estimated, coverage, factors. Restatements: `restated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.report import numbers
from ogf.report.numbers import unit_for
from ogf.report.shown import MOST, Row, Shown, key, masses, shown

if TYPE_CHECKING:
    from ogf.report.tables import Table


def clouds(table: Table) -> Shown:
    """One line for each provider: reported beside estimated, with ratio and coverage."""
    rows = table.rows
    several = len({row["org_id"] for row in rows}) > 1
    unit = unit_for(masses(rows))
    columns = (
        *(("organisation",) if several else ()),
        "provider", "reported, location", "reported, market", "estimated", "low–high", "ratio", "rows covered",
        "cost covered",
    )  # fmt: skip
    lines = [
        (
            *((row["org_id"],) if several else ()),
            row["provider"],
            unit.reported(row["reported_location_kgco2e"]),
            unit.reported(row["reported_market_kgco2e"]),
            unit.estimated(row["estimated_total_kgco2e"]),
            unit.interval(row["estimated_low_kgco2e"], row["estimated_high_kgco2e"]),
            numbers.ratio(row["ratio_total"]),
            numbers.percent(_share(row["estimated_rows"], row["usage_rows"])),
            numbers.percent(_share(row["estimated_cost"], row["cost"])),
        )
        for row in rows
    ]
    notes = (
        ["Ratio: estimated to reported, location-based, of the accounts and months that have both."]
        if rows
        else []
    )
    return shown(f"Reported beside estimated, {unit.name} CO2e", columns, lines, notes, words=1 + several)


def reconciliation(table: Table) -> Shown:
    """Reported beside estimated by month and provider, of what can be compared."""
    rows = table.rows
    unit = unit_for(masses(rows))
    several = len({row["org_id"] for row in rows}) > 1
    columns = [
        "month", *(["organisation"] if several else []), "provider",
        "reported scope 2", "estimated operational", "ratio scope 2",
        "reported, all", "estimated, all", "low–high", "ratio", "rows covered",
    ]  # fmt: skip
    lines = [
        (
            f"{row['month']:%Y-%m}",
            *((row["org_id"],) if several else ()),
            row["provider"],
            unit.reported(row["reported_scope2_kgco2e"]),
            unit.estimated(row["estimated_operational_kgco2e"]),
            numbers.ratio(row["ratio_scope2"]),
            unit.reported(row["reported_total_kgco2e"]),
            unit.estimated(row["estimated_total_kgco2e"]),
            unit.interval(row["estimated_low_kgco2e"], row["estimated_high_kgco2e"]),
            numbers.ratio(row["ratio_total"]),
            numbers.percent(_share(row["estimated_rows"], row["usage_rows"])),
        )
        for row in rows
    ]
    notes = (
        "Only accounts and months that have both figures, location-based.",
        (
            "A ratio of about 1.2 comes from the factors alone: those of the estimates hold the whole life of the "
            "fuel, a provider's scope 2 what is burnt. Buildings, transport and staff are in its scope 3 and in no "
            "estimate."
        ),
    )
    return shown(
        f"Reported and estimated, {unit.name} CO2e", columns, lines, notes if rows else (), words=2 + several
    )


def coverage(table: Table) -> Shown:
    """Share of usage with an estimate, by service."""
    lines = [
        (
            row["provider"],
            row["stream"],
            row["service"] or "no service",
            numbers.count(row["usage_rows"]),
            numbers.percent(row["share_of_rows"]),
            numbers.money(row["cost"], row["currency"]),
            numbers.percent(row["share_of_cost"]),
            numbers.count(row["no_quantity_rows"]),
            numbers.count(row["unknown_region_rows"]),
        )
        for row in table.rows[:MOST]
    ]
    columns = (
        "provider", "stream", "service", "usage rows", "rows covered", "cost", "cost covered",
        "no quantity", "no factor for region",
    )  # fmt: skip
    more = len(table.rows) - len(lines)
    notes = [f"{more:,} services of less cost are not shown."] if more > 0 else []
    if lines:
        notes.append(
            "No quantity: nothing in the row says how much of a machine, a disk or a network was used, as for "
            "requests, licences and support."
        )
    return shown("Usage with an estimate", columns, lines, notes, words=3)


def uncovered(table: Table) -> Shown:
    """The usage types without an estimate that cost most."""
    lines = [
        (
            row["provider"],
            row["service"] or "no service",
            row["usage_type"] or "no usage type",
            numbers.count(row["rows_without_estimate"]),
            numbers.money(row["cost_without_estimate"], row["currency"]),
        )
        for row in table.rows[:MOST]
    ]
    columns = ("provider", "service", "usage type", "rows without estimate", "their cost")
    more = len(table.rows) - len(lines)
    notes = [f"{more:,} more usage types without an estimate are not shown."] if more > 0 else []
    return shown("Usage without an estimate", columns, lines, notes, words=3)


def factors(table: Table) -> Shown:
    """The factors behind the estimates, and their PUE."""
    unit = unit_for(row["emissions_kgco2e"] for row in table.rows)
    lines = [
        (
            row["provider"],
            row["region"] or "",
            row["factor_id"],
            key(row["factor_year"]),
            *_by_kwh(row),
            "" if row["energy_kwh"] is None else numbers.two_digits(row["energy_kwh"]),
            unit.estimated(row["emissions_kgco2e"]),
            row["factor_basis"],
            row["factor_licence"],
        )
        for row in table.rows
    ]
    columns = (
        "provider", "region", "factor", "year", "g CO2e/kWh", "PUE", "kWh", f"{unit.name} CO2e", "basis", "licence",
    )  # fmt: skip
    right = {"g CO2e/kWh", "PUE", "kWh", f"{unit.name} CO2e"}
    return shown("Factors used", columns, lines, (), right=right)


def _by_kwh(row: Row) -> tuple[str, str]:
    """Grams per kWh and PUE; a factor by spend has neither."""
    if row["gco2e_per_kwh"] is None:
        return "", ""
    pue = "unknown, 1 used" if row["pue"] is None else f"{row['pue']:.2f}"
    return numbers.fixed(row["gco2e_per_kwh"], 0), pue


def _share(part: Any, whole: Any) -> float | None:
    return float(part or 0) / float(whole) if whole and whole > 0 else None
