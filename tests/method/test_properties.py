"""What holds for any rows: additive, independent of order, bounded, never twice."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

amounts = st.one_of(st.none(), st.floats(0, 1e6))
rows = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["a", "b", None]),
        "region": st.sampled_from(["eu-central-1", "us-east-1", "us-west-2", "nowhere", None]),
        "instance_type": st.sampled_from(["m5.large", "t3.micro", "db.r5.xlarge", "made.up", None]),
        "processor": st.sampled_from(["Skylake", "Broadwell/Skylake", "Abacus", None]),
        "gpu_model": st.sampled_from(["T4", "unheard of", None]),
        "storage_media": st.sampled_from(["ssd", "hdd", None]),
        "replication": st.sampled_from([1, 2, 6, None]),
        "network_route": st.sampled_from(["internet", "inbound", "elsewhere", None]),
        "vcpu_hours": amounts,
        "memory_gib_hours": amounts,
        "gpu_hours": amounts,
        "storage_gib_hours": amounts,
        "network_gib": amounts,
    }
)
QUANTITIES = ("vcpu_hours", "memory_gib_hours", "gpu_hours", "storage_gib_hours", "network_gib")
SUM = "SELECT coalesce(sum(energy_kwh), 0), coalesce(sum(emissions_kgco2e), 0), coalesce(sum(low_kgco2e), 0), coalesce(sum(high_kgco2e), 0) FROM {}"
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def summed(warehouse, *loads, view="emissions"):
    warehouse.clear()
    for load in loads:
        warehouse.load(*load)
    return warehouse.one(SUM.format(view))


@few
@given(st.lists(rows, min_size=1, max_size=6), st.integers(1, 5))
def test_estimates_are_additive_over_any_split_and_any_order(shared, some, parts):
    whole = summed(shared, some)
    split = [
        row | {name: row[name] / parts if row[name] is not None else None for name in QUANTITIES}
        for row in some
        for _ in range(parts)
    ]
    assert summed(shared, split) == pytest.approx(whole, rel=1e-9)
    assert summed(shared, *([row] for row in reversed(split))) == pytest.approx(whole, rel=1e-9)


@few
@given(rows)
def test_hours_and_the_sum_of_the_day_need_the_same_energy(shared, row):
    day = summed(
        shared, [row | {"period_start": "2024-06-03 00:00:00Z", "period_end": "2024-06-04 00:00:00Z"}]
    )
    hours = [
        row
        | {name: row[name] / 24 if row[name] is not None else None for name in QUANTITIES}
        | {"period_start": f"2024-06-03 {hour:02}:00:00Z", "period_end": f"2024-06-03 {hour:02}:59:59Z"}
        for hour in range(24)
    ]
    assert summed(shared, hours) == pytest.approx(day, rel=1e-9)


@few
@given(rows)
def test_no_usage_needs_nothing(shared, row):
    nothing = row | {name: 0 if row[name] is not None else None for name in QUANTITIES}
    assert summed(shared, [nothing]) == (0, 0, 0, 0)


@few
@given(st.lists(rows, min_size=1, max_size=6))
def test_low_middle_and_high_are_in_order_and_months_add_up(shared, some):
    energy, kg, low, high = summed(shared, some)
    assert low <= kg * (1 + 1e-12)
    assert kg <= high * (1 + 1e-12)
    assert energy >= 0
    months = shared.one(SUM.format("footprint"))
    assert months == pytest.approx((energy, kg, low, high), rel=1e-9)
    usage, estimated, region, nothing = shared.one(
        "SELECT sum(usage_rows), sum(estimated_rows), sum(unknown_region_rows), sum(no_quantity_rows) FROM coverage"
    )
    assert usage == estimated + region + nothing == len(some)
    assert estimated == shared.one("SELECT count(*) FROM emissions WHERE lifecycle = 'operational'")


reports = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["a", "b", None]),
        "emissions_kgco2e": st.floats(0, 1e6),
        "provider_scope": st.sampled_from([1, 2, 3, None]),
        "accounting": st.sampled_from(["location", "market", None]),
    }
)
loads = st.lists(
    st.tuples(
        st.sampled_from(["carbon", "carbon_api", "cur", "focus", "cost_explorer"]),
        st.lists(st.one_of(rows, reports), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@few
@given(loads)
def test_footprint_is_part_of_the_parts_and_counts_no_account_and_month_twice(shared, some):
    shared.clear()
    for stream, load in some:
        shared.load(*load, stream=stream)
    twice = shared.ask(
        "SELECT account_id, month, accounting FROM footprint GROUP BY ALL HAVING count(DISTINCT stream) > 1 OR count(DISTINCT basis) > 1"
    )
    assert twice == []
    assert shared.ask("FROM footprint WHERE basis = 'estimated' AND accounting = 'market'") == []
    for accounting in ("location", "market"):
        part = shared.one(
            "SELECT coalesce(sum(emissions_kgco2e), 0) FROM footprint WHERE accounting = ?", accounting
        )
        parts = shared.one(
            "SELECT coalesce(sum(emissions_kgco2e), 0) FROM emissions WHERE accounting IS NULL OR accounting = ?",
            accounting,
        )
        assert part <= parts * (1 + 1e-9)
    question = "SELECT accounting, account_id, basis, round(sum(emissions_kgco2e), 3) FROM {} GROUP BY ALL ORDER BY ALL"
    assert shared.ask(question.format("footprint")) == shared.ask(question.format("footprint_activities"))
