"""spend: cost times the user's own factor, and nothing of what no factor is known for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ogf.emissions.install import install
from ogf.emissions.own_spend import SpendFactor, put
from ogf.warehouse.migrate import upgrade


def factor(provider, currency, year, low, kg, high):
    name = f"spend:t:{year}:{provider}/{currency}"
    return SpendFactor(name, provider, currency, year, low, kg, high, "a test", "own")


def use(house, *factors):
    put(house.connection, factors)
    house.use(method="spend")
    install(house.connection)


DOLLARS = factor("aws", "USD", 2024, 0.05, 0.15, 0.5)
BILL = {"region": "nowhere", "cost": 20, "currency": "USD"}
COVERAGE = "SELECT sum(usage_rows), sum(estimated_rows), sum(no_quantity_rows), sum(cost), sum(estimated_cost) FROM coverage"


def test_method_spend_by_hand(warehouse):
    """20 USD · 0.15 kg/USD = 3 kg, from 20 · 0.05 = 1 to 20 · 0.5 = 10; 4 USD are taken back: 0.6 kg, 0.2 and 2."""
    warehouse.load(BILL, BILL | {"cost": -4})
    use(warehouse, DOLLARS)
    rows = warehouse.ask(
        "SELECT emissions_kgco2e, low_kgco2e, high_kgco2e, lifecycle, provider_scope, ghg_scope, energy_kwh, data_quality, "
        "factor_id, factor_year, factor_licence, method FROM emissions ORDER BY 1 DESC"
    )
    assert [row[:3] for row in rows] == [pytest.approx((3, 1, 10)), pytest.approx((-0.6, -0.2, -2))]
    assert {row[3:] for row in rows} == {
        ("total", None, 3, None, "default", "spend:t:2024:aws/USD", 2024, "own", "spend")
    }
    for view in ("footprint", "footprint_activities"):
        total = "SELECT sum(emissions_kgco2e), sum(low_kgco2e), sum(high_kgco2e), bool_and(complete) FROM "
        assert warehouse.one(total + view) == pytest.approx((2.4, 0.8, 8, True))
    assert warehouse.one(COVERAGE) == (2, 2, 0, 16, 16)


@pytest.mark.parametrize("category", ["Tax", "Credit", "Adjustment", "Purchase", None])
def test_method_spend_counts_no_tax_credit_refund_or_purchase_and_nothing_that_may_be_one(
    warehouse, category
):
    warehouse.load(BILL | {"charge_category": category})
    use(warehouse, DOLLARS)
    for view in ("emissions", "footprint", "footprint_sources"):
        assert warehouse.ask(f"FROM {view}") == []


def test_method_spend_leaves_other_currencies_out_of_coverage_and_never_makes_them_zero(warehouse):
    warehouse.load(
        BILL, BILL | {"currency": "usd"}, BILL | {"currency": "EUR"}, BILL | {"currency": None},
        BILL | {"cost": None}, BILL | {"cost": 0},
    )  # fmt: skip
    warehouse.load(BILL, provider="azure")
    use(warehouse, DOLLARS)
    assert warehouse.ask("SELECT provider, currency, emissions_kgco2e FROM emissions ORDER BY ALL") == [
        ("aws", "USD", pytest.approx(3)),
        ("aws", "usd", pytest.approx(3)),
    ]
    assert warehouse.one(COVERAGE) == (7, 2, 5, 100, 40)
    assert warehouse.ask("SELECT provider FROM footprint_sources") == [("aws",)]


def test_method_spend_takes_the_place_of_the_physical_estimate(warehouse):
    warehouse.load(BILL | {"vcpu_hours": 5, "region": "eu-west-1"})
    assert warehouse.one("SELECT DISTINCT method FROM emissions") == "ogf-2026.1"
    use(warehouse, DOLLARS)
    assert warehouse.ask("SELECT method, emissions_kgco2e FROM footprint") == [("spend", pytest.approx(3))]


def test_method_spend_counts_an_account_and_month_from_one_stream_and_never_beside_a_report(warehouse):
    july = {"period_start": "2024-07-01 00:00:00Z", "period_end": "2024-08-01 00:00:00Z"}
    warehouse.load(BILL, BILL | july)
    warehouse.load(BILL, stream="focus")
    warehouse.load(
        {"region": "nowhere", "emissions_kgco2e": 4.0, "provider_scope": 2, "accounting": "location"},
        stream="carbon",
    )
    use(warehouse, DOLLARS)
    found = warehouse.ask(
        "SELECT strftime(\"month\", '%m'), basis, stream, emissions_kgco2e FROM footprint WHERE accounting = 'location' ORDER BY ALL"
    )
    assert found == [("06", "reported", "carbon", 4), ("07", "estimated", "cur", pytest.approx(3))]
    assert warehouse.one(
        "SELECT estimated_operational_kgco2e, estimated_total_kgco2e, reported_total_kgco2e, ratio_scope2, ratio_total "
        "FROM reconciliation WHERE \"month\" = DATE '2024-06-01'"
    ) == (None, pytest.approx(3), 4, None, pytest.approx(0.75))


@pytest.mark.parametrize(("year", "kg"), [(2019, 2), (2022, 2), (2023, 2), (2024, 3), (2030, 3)])
def test_method_spend_takes_the_year_of_usage_or_an_earlier_one(warehouse, year, kg):
    warehouse.load(
        BILL | {"period_start": f"{year}-03-01 00:00:00Z", "period_end": f"{year}-04-01 00:00:00Z"}
    )
    use(warehouse, factor("aws", "USD", 2022, 2, 2, 2), factor("aws", "USD", 2024, 3, 3, 3))
    assert warehouse.one("SELECT emissions_kgco2e FROM emissions") == pytest.approx(20 * kg)


def test_a_warehouse_from_before_the_method_spend_knows_what_its_rows_cost(warehouse):
    warehouse.load(BILL, BILL | {"cost": 0})
    for statement in (
        "DROP TABLE emission_spend_own",
        "ALTER TABLE monthly_log DROP COLUMN priced_rows",
        "DELETE FROM ogf_schema WHERE version = 5",
    ):
        warehouse.connection.execute(statement)
    upgrade(warehouse.connection, where="a test")
    use(warehouse, DOLLARS)
    assert warehouse.one(COVERAGE) == (2, 1, 1, 20, 20)
    assert warehouse.one("SELECT sum(emissions_kgco2e) FROM footprint") == pytest.approx(3)


bills = st.lists(
    st.fixed_dictionaries(
        {
            "account_id": st.sampled_from(["a", "b", None]),
            "charge_category": st.sampled_from(["Usage", "Tax", "Credit", None]),
            "currency": st.sampled_from(["USD", "EUR", None]),
            "cost": st.one_of(st.none(), st.integers(0, 10**6)),
            "vcpu_hours": st.sampled_from([None, 5]),
        }
    ),
    min_size=1,
    max_size=6,
)
SUM = "SELECT coalesce(sum(emissions_kgco2e), 0), coalesce(sum(low_kgco2e), 0), coalesce(sum(high_kgco2e), 0) FROM "


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bills)
def test_method_spend_is_additive_over_any_split_and_months_agree_with_rows(shared, some):
    use(shared, DOLLARS)
    shared.clear()
    shared.load(*some)
    rows = shared.one(SUM + "emissions")
    priced = [
        row for row in some if row["charge_category"] == "Usage" and row["currency"] == "USD" and row["cost"]
    ]
    cost = sum(row["cost"] for row in priced)
    assert rows == pytest.approx((cost * 0.15, cost * 0.05, cost * 0.5))
    assert shared.one(SUM + "footprint") == pytest.approx(rows)
    usage, estimated = shared.one(
        "SELECT coalesce(sum(usage_rows), 0), coalesce(sum(estimated_rows), 0) FROM coverage"
    )
    assert (usage, estimated) == (
        sum(row["charge_category"] in ("Usage", None) for row in some),
        len(priced),
    )
    shared.clear()
    for row in reversed(some):
        half = row | {"cost": row["cost"] and row["cost"] / 2}
        shared.load(half, half)
    assert shared.one(SUM + "emissions") == pytest.approx(rows)
