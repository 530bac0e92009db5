"""Where estimates and reported figures part, and what explains it: coverage, names, factors, method."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ogf.files.statement import put
from ogf.files.table import quoted
from ogf.report import notes, numbers
from ogf.report.numbers import unit_for
from ogf.report.shown import Shown, key, masses, shown
from ogf.report.tables import Table
from ogf.warehouse.answers import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.report.notes import Basis
    from ogf.report.tables import Tables

GRAIN = {
    "org": "org_id",
    "provider": "provider",
    "month": "month",
    "account": "account_id",
    "category": "category",
    "service": "service",
    "region": "region",
}
DEFAULT = ("month", "account", "service", "region")
# What a ratio of lifecycle factors to a direct scope 2 is expected to be, and how far published factor tables
# disagree about one region in the median: 1.2 to 1.5 times.
_LIFECYCLE, _TABLES_DIFFER = 1.2, 1.5
_WITHOUT = {"no_quantity_rows": "without a quantity", "unknown_region_rows": "in a region without a factor"}
_WITHOUT_COST = {"no_quantity_rows": "without cost, or without a factor for their currency"}
# The grid factor of each provider, region and year of usage.
Factors = dict[tuple[str, "str | None", int], dict[str, Any]]


def gaps(tables: Tables, grain: Sequence[str] = DEFAULT) -> Table:
    """Every gap, the largest first, with its `explained`: a list of sentences.

    Args:
        grain: some of GRAIN; the provider is always told.
    """
    columns = dict.fromkeys([GRAIN[word] for word in ("provider", *grain)])
    question = put(
        files("ogf.report").joinpath("sql/reconcile.sql").read_text(encoding="utf-8"),
        {"keys": ", ".join(quoted(column) for column in columns)},
    )
    names, rows = answer(tables.connection, question)
    basis = notes.basis(tables.connection)
    # the method spend reads no grid factor
    factors = {} if basis.method == "spend" else _factors(tables)
    for row in rows:
        row["explained"] = _reasons(row, basis, factors)
    return Table("gaps", (*names, "explained"), rows, question)


def left_out(tables: Tables) -> list[dict[str, Any]]:
    """Per provider: accounts and months with one of the two figures alone, for which there is no gap."""
    return answer(
        tables.connection,
        "SELECT provider, count(*) FILTER (estimated_total_kgco2e IS NOT NULL) AS only_estimated, "
        "count(*) FILTER (reported_total_kgco2e IS NOT NULL AND estimated_total_kgco2e IS NULL) AS only_reported "
        "FROM report_accounts WHERE NOT scope2_compared AND NOT total_compared GROUP BY provider "
        "HAVING only_estimated + only_reported > 0 ORDER BY provider",
    ).rows


def _factors(tables: Tables) -> Factors:
    rows = answer(
        tables.connection,
        "SELECT DISTINCT provider, region, usage_year, factor_id, factor_basis, gco2e_per_kwh, low_gco2e_per_kwh, "
        "high_gco2e_per_kwh FROM factor_regions",
    ).rows
    return {(row["provider"], row["region"], row["usage_year"]): row for row in rows}


def _reasons(row: dict[str, Any], basis: Basis, factors: Factors) -> list[str]:
    said = []
    totals = row["compared"] == "total"
    reported = row["reported_total_kgco2e" if totals else "reported_scope2_kgco2e"]
    estimated = row["estimated_total_kgco2e" if totals else "estimated_operational_kgco2e"]
    if estimated is None and not row["usage_rows"]:
        said.append(
            "reported, but nothing is billed under this name: carbon and bill may name it differently "
            "(--by category)"
        )
    elif reported is None:
        said.append(
            "estimated, but nothing is reported under this name: carbon and bill may name it differently "
            "(--by category)"
        )
    said += _coverage(row, basis)
    if estimated is None or reported is None:
        return said
    ratio = row["ratio_total"] if row["compared"] == "total" else row["ratio_scope2"]
    low, high = row["estimated_low_kgco2e"], row["estimated_high_kgco2e"]
    total = row["reported_total_kgco2e"]
    within = None not in (total, low, high) and low <= total <= high
    if within:
        said.append("the reported total lies between low and high bound of the estimate")
    lifecycle = _lifecycle(row, basis, factors)
    said += lifecycle + _factor(row, factors)
    if ratio is not None:
        said += _size(ratio, row, basis, direct=_LIFECYCLE if lifecycle else 1.0, within=within)
    return said


def _lifecycle(row: dict[str, Any], basis: Basis, factors: Factors) -> list[str]:
    """That the factors hold more than scope 2 does, where all of them do."""
    bases = {
        factor["factor_basis"]
        for factor in factors.values()
        if factor["provider"] == row["provider"] and row.get("region") in (None, factor["region"])
    }
    if row["compared"] != "scope 2" or not bases or not all(one.startswith("lifecycle") for one in bases):
        return []
    told = (
        f"grid factors ({basis.factor_set}) are {' or '.join(sorted(bases))}; scope 2 is direct: "
        f"about {_LIFECYCLE}× comes from that"
    )
    return [told]


def _factor(row: dict[str, Any], factors: Factors) -> list[str]:
    said = []
    known = [factor for factor in factors.values() if factor["provider"] == row["provider"]]
    if row.get("region") is not None and row.get("month") is not None and known:
        last = max(factor["usage_year"] for factor in known)
        factor = factors.get((row["provider"], row["region"], min(row["month"].year, last)))
        if factor:
            low, high = (numbers.fixed(factor[f"{end}_gco2e_per_kwh"], 0) for end in ("low", "high"))
            others = f"; others that may apply go from {low} to {high}" if low != high else ""
            value = numbers.fixed(factor["gco2e_per_kwh"], 0)
            said.append(f"grid factor {factor['factor_id']}: {value} g CO2e/kWh{others}")
    return said


def _coverage(row: dict[str, Any], basis: Basis) -> list[str]:
    usage, estimated = row["usage_rows"] or 0, row["estimated_rows"] or 0
    if not usage or estimated >= usage:
        return []
    cost = ""
    if row["cost"] and row["cost"] > 0 and row["estimated_cost"] is not None:
        cost = f" and {numbers.percent(float(row['estimated_cost']) / float(row['cost']))} of cost"
    without = _WITHOUT_COST if basis.method == "spend" else _WITHOUT
    why = [f"{numbers.count(row[name])} {words}" for name, words in without.items() if row[name]]
    return [f"{numbers.percent(estimated / usage)} of usage rows{cost} are estimated ({', '.join(why)})"]


def _size(ratio: float, row: dict[str, Any], basis: Basis, *, direct: float, within: bool) -> list[str]:
    """What is left when the factors have been told.

    Args:
        direct: the ratio that the basis of the factors would make.
        within: the reported total is within the bounds: then the method does explain the gap.
    """
    if ratio < 0:
        return ["one of the two is a correction below zero"]
    if basis.method == "spend":
        return [
            "estimated from what was paid, which says little of carbon: such factors may be many times too high"
        ]
    if direct / _TABLES_DIFFER <= ratio <= direct * _TABLES_DIFFER:
        return ["what is left is within what published factor tables differ by (1.5×)"]
    if within and row["compared"] == "scope 2":
        return ["scope 2 alone differs by more: the provider may draw the line between its scopes elsewhere"]
    if within:
        return []
    if ratio < direct:
        less = (
            f"lower than method {basis.method} explains: the provider adds idle machines, shared services and storage "
            "that no usage row shows"
        )
        return [less]
    more = (
        f"higher than method {basis.method} explains: it assumes a utilisation of every vCPU (`ogf factors use` sets "
        "it), and the provider may count its own power, hardware or region otherwise"
    )
    return [more]


def people(table: Table, most: int) -> Shown:
    """The largest gaps as people read them; why they are there follows each, in `explanations`."""
    rows = table.rows[:most]
    unit = unit_for(masses(rows))
    keys = list(table.columns[: table.columns.index("compared")])
    several = len({row["provider"] for row in rows}) > 1
    if not several and len(keys) > 1:
        keys.remove("provider")
    lines = [
        (
            str(number),
            *(key(row[name]) or "–" for name in keys),
            unit.reported(row["reported_scope2_kgco2e"]),
            unit.estimated(row["estimated_operational_kgco2e"]),
            numbers.ratio(row["ratio_scope2"]),
            unit.reported(row["reported_total_kgco2e"]),
            unit.estimated(row["estimated_total_kgco2e"]),
            unit.interval(row["estimated_low_kgco2e"], row["estimated_high_kgco2e"]),
            numbers.ratio(row["ratio_total"]),
        )
        for number, row in enumerate(rows, 1)
    ]
    columns = [
        "gap", *(name.removesuffix("_id") for name in keys),
        "scope 2", "operational", "ratio scope 2", "reported, all", "estimated, all", "low–high", "ratio",
    ]  # fmt: skip
    title = f"Largest gaps between estimated and reported, location-based, {unit.name} CO2e"
    right = {"gap", *columns[len(keys) + 1 :]}
    return shown(title, columns, lines, (), right=right)


def explanations(table: Table, most: int) -> list[str]:
    """Why: one line for each reason, with the numbers of the gaps that it explains."""
    found: dict[str, list[int]] = {}
    for number, row in enumerate(table.rows[:most], 1):
        for reason in row["explained"]:
            found.setdefault(reason, []).append(number)
    return [f"{_runs(gaps)}: {reason}" for reason, gaps in found.items()]


def _runs(ascending: list[int]) -> str:
    """`1–3, 5`."""
    runs: list[list[int]] = []
    for number in ascending:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
