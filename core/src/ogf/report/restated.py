"""What people read of restatements: one line for each change, with the scopes that it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.report import numbers
from ogf.report.numbers import decimals_for, unit_for
from ogf.report.shown import Row, Shown, added, key, shown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from ogf.report.tables import Table

MOST_CHANGES = 30
_NOISE = 1e-9  # of a figure: what comes of adding the same numbers in another order
_LOAD = ("published_at", "org_id", "provider", "stream", "partition_key", "month")


def restatements(table: Table) -> Shown:
    """What providers changed, the latest first."""
    rows = _readable(table.rows)
    unit = unit_for(row[name] for row in rows for name in ("old_kgco2e", "new_kgco2e"))
    decimals = max(unit.decimals, decimals_for(row["change_kgco2e"] / unit.kilograms for row in rows))
    lines = [
        (
            f"{row['published_at']:%Y-%m-%d}",
            row["provider"],
            f"{row['month']:%Y-%m}",
            row["scopes"],
            row["accounting"] or "both",
            unit.reported(row["old_kgco2e"]) or "none",
            unit.reported(row["new_kgco2e"]) or "none",
            numbers.fixed(row["change_kgco2e"] / unit.kilograms, decimals),
            _between(key(row["old_model_version"]), key(row["new_model_version"])),
        )
        for row in rows[:MOST_CHANGES]
    ]
    columns = (
        "restated", "provider", "month", "scope", "accounting", "before", "after", "change", "model version",
    )  # fmt: skip
    more = len(rows) - len(lines)
    notes = [f"{more:,} earlier ones are not shown."] if more > 0 else []
    right = {"before", "after", "change"}
    return shown(f"Restatements, {unit.name} CO2e", columns, lines, notes, right=right)


def by_month(table: Table, accounting: str) -> dict[dt.date, float]:
    """How much each month has changed altogether. What is the same under either accounting counts in both."""
    rows = [row for row in _readable(table.rows) if row["accounting"] in (accounting, None)]
    found = {}
    for month in sorted({row["month"] for row in rows}):
        here = [row for row in rows if row["month"] == month]
        found[month] = _change(here, added(row["change_kgco2e"] for row in here) or 0.0)
    return found


def _change(rows: Iterable[Row], change: float) -> float:
    """A change of these figures, but for what comes of adding them."""
    size = max((abs(row[name] or 0.0) for row in rows for name in ("old_kgco2e", "new_kgco2e")), default=0.0)
    return 0.0 if abs(change) <= _NOISE * size else change


def _readable(rows: Sequence[Row]) -> list[Row]:
    """The rows with `scopes` as text; a total that was divided into scopes, or the reverse, is one row."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in _LOAD), []).append(row)
    found: list[Row] = []
    for group in groups.values():
        # what has no accounting is the same under both
        accountings = sorted({row["accounting"] for row in group if row["accounting"]}) or [None]
        divided = [
            _divided([row for row in group if row["accounting"] in (accounting, None)], accounting)
            for accounting in accountings
        ]
        if None in divided:
            found += [row | {"scopes": key(row["provider_scope"]) or "total"} for row in group]
        else:
            found += filter(None, divided)
    return found


def _divided(rows: Sequence[Row], accounting: str | None) -> Row | None:
    """One row for what was a total and is now given by scope, of some accounts at least, or the reverse; else None."""
    before = [row for row in rows if row["old_kgco2e"] is not None]
    after = [row for row in rows if row["new_kgco2e"] is not None]
    old, new = ({row["provider_scope"] for row in side} for side in (before, after))
    if {None} not in (old, new) or not old or not new or old == new:
        return None
    kilograms = [
        added(row[name] for row in side) or 0.0
        for side, name in ((before, "old_kgco2e"), (after, "new_kgco2e"))
    ]
    return rows[0] | {
        "accounting": accounting,
        "scopes": _between(_scopes(before), _scopes(after)),
        "old_kgco2e": kilograms[0],
        "new_kgco2e": kilograms[1],
        "change_kgco2e": _change(rows, kilograms[1] - kilograms[0]),
    }


def _scopes(side: Iterable[Row]) -> str:
    return ", ".join(sorted({key(row["provider_scope"]) or "total" for row in side}))


def _between(before: str, after: str) -> str:
    """`1 → 2`; one of them where they are the same, or only one is there."""
    return " → ".join(dict.fromkeys(filter(None, (before, after))))
