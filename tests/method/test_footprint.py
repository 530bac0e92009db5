"""`footprint` and its neighbours: one figure for every account and month, two accountings apart, everything traced."""

from __future__ import annotations

import duckdb
import pytest
from method.conftest import own_factor

from ogf.testing.provider import FakeCloud

VM = {
    "region": "eu-central-1",
    "instance_type": "m6i.large",
    "processor": "Ice Lake",
    "vcpu_hours": 100,
    "memory_gib_hours": 400,
}


def reported(scope, kg, accounting=None, **more):
    return {
        "emissions_kgco2e": kg,
        "provider_scope": scope,
        "accounting": accounting,
        "data_quality": "measured",
        **more,
    }


WHOLE = (reported(1, 1), reported(2, 10, "location"), reported(2, 2, "market"), reported(3, 5))


def totals(warehouse, view="footprint"):
    return warehouse.ask(
        f"SELECT provider, account_id, accounting, basis, stream, round(sum(emissions_kgco2e), 9) FROM {view} GROUP BY ALL ORDER BY ALL"
    )


def test_reported_wins_over_estimated_and_the_two_accountings_are_apart(warehouse):
    warehouse.load(VM)
    warehouse.load(*WHOLE, stream="carbon")
    assert totals(warehouse) == [
        ("aws", "a", "location", "reported", "carbon", 16.0),
        ("aws", "a", "market", "reported", "carbon", 8.0),
    ]


def test_an_account_without_a_report_is_estimated_location_based_alone(warehouse):
    warehouse.load(VM, VM | {"account_id": "b"})
    warehouse.load(*WHOLE, stream="carbon")
    kg = warehouse.one("SELECT round(sum(emissions_kgco2e), 9) FROM emissions WHERE account_id = 'b'")
    assert totals(warehouse)[-1] == ("aws", "b", "location", "estimated", "cur", kg)
    assert len(totals(warehouse)) == 3


def test_the_other_month_is_estimated(warehouse):
    july = {"period_start": "2024-07-01 00:00:00Z", "period_end": "2024-08-01 00:00:00Z"}
    warehouse.load(VM, VM | july)
    warehouse.load(*WHOLE, stream="carbon")
    assert warehouse.ask("SELECT DISTINCT strftime(month, '%m'), basis FROM footprint ORDER BY ALL") == [
        ("06", "reported"),
        ("07", "estimated"),
    ]


@pytest.mark.parametrize(
    ("provider", "streams"),
    [
        ("aws", ["cur", "focus", "cost_explorer"]),
        ("azure", ["focus", "actual_cost", "cost_query"]),
        ("gcp", ["billing", "focus"]),
        ("mycloud", ["alpha", "beta"]),
    ],
)
def test_one_billing_stream_for_an_account_and_month(warehouse, provider, streams):
    own = [own_factor(provider, "here", 100)] if provider == "mycloud" else []
    warehouse.use(own=own)
    region = {"aws": "eu-central-1", "azure": "westeurope", "gcp": "europe-west4", "mycloud": "here"}[
        provider
    ]
    for stream in reversed(streams):
        warehouse.load(VM | {"region": region}, provider=provider, stream=stream)
        assert {row[4] for row in totals(warehouse)} == {stream}
    assert warehouse.one("SELECT count(DISTINCT stream) FROM emissions") == len(streams)


@pytest.mark.parametrize(
    ("provider", "streams"), [("aws", ["carbon", "carbon_api"]), ("azure", ["carbon", "mcfs"])]
)
def test_one_report_for_an_account_and_month(warehouse, provider, streams):
    for number, stream in enumerate(reversed(streams), start=1):
        warehouse.load(reported(2, number, "location"), provider=provider, stream=stream)
        assert [row[2:] for row in totals(warehouse) if row[2] == "location"] == [
            ("location", "reported", stream, float(number))
        ]


def test_a_report_without_location_based_scope_2_is_no_location_based_whole(warehouse):
    azure = (reported(1, 1), reported(2, 3, "market"), reported(3, 5))
    warehouse.load(*azure, provider="azure", stream="carbon")
    found = warehouse.ask(
        "SELECT accounting, complete, sum(emissions_kgco2e) FROM footprint GROUP BY ALL ORDER BY ALL"
    )
    assert found == [("location", False, 6.0), ("market", True, 9.0)]
    warehouse.load(VM | {"region": "westeurope"}, provider="azure")
    assert [row[2:4] for row in totals(warehouse)] == [("location", "estimated"), ("market", "reported")]


def test_google_before_2023_gave_no_market_based_figure(warehouse):
    warehouse.load(
        reported(1, 1), reported(2, 10, "location"), reported(3, 5), provider="gcp", stream="carbon"
    )
    found = warehouse.ask(
        "SELECT accounting, complete, sum(emissions_kgco2e) FROM footprint GROUP BY ALL ORDER BY ALL"
    )
    assert found == [("location", True, 16.0), ("market", False, 6.0)]


def test_a_total_without_scopes_counts_in_both(warehouse):
    warehouse.load(VM)
    warehouse.load(reported(None, 42), stream="carbon_api")
    assert [row[2:] for row in totals(warehouse)] == [
        ("location", "reported", "carbon_api", 42.0),
        ("market", "reported", "carbon_api", 42.0),
    ]


def test_a_scope_that_is_not_given_stays_away_and_zero_is_a_figure(warehouse):
    warehouse.load(reported(1, 1), reported(2, 10, "location"), reported(2, 0, "market"), stream="carbon")
    assert warehouse.ask(
        "SELECT provider_scope, emissions_kgco2e FROM footprint WHERE accounting = 'market' ORDER BY ALL"
    ) == [(1, 1.0), (2, 0.0)]
    assert warehouse.ask("FROM footprint WHERE provider_scope = 3") == []


def test_a_project_without_a_name_is_kept(warehouse):
    warehouse.load(reported(2, 10, "location", account_id=None), provider="gcp", stream="carbon")
    assert (
        totals(warehouse)
        == [
            ("gcp", None, "location", "reported", "carbon", 10.0),
            ("gcp", None, "market", "reported", "carbon", None),
        ][:1]
    )


def test_two_organisations_do_not_hide_each_other(warehouse):
    warehouse.load(*WHOLE, stream="carbon", org="one")
    warehouse.load(VM, org="two")
    assert warehouse.ask(
        "SELECT DISTINCT org_id, basis FROM footprint WHERE accounting = 'location' ORDER BY ALL"
    ) == [("one", "reported"), ("two", "estimated")]


def test_superseded_loads_are_gone_and_restatements_tell_what_changed(warehouse):
    old = warehouse.load(
        reported(2, 10, "location", model_version="1"),
        stream="carbon",
        key="2024-06",
        status="superseded",
        published="TIMESTAMPTZ '2024-08-01'",
    )
    new = warehouse.load(
        reported(2, 7, "location", model_version="2"), reported(3, 1), stream="carbon", key="2024-06"
    )
    assert totals(warehouse)[0][5] == 8.0
    found = warehouse.ask(
        "SELECT provider_scope, old_load_id, new_load_id, old_model_version, new_model_version, old_kgco2e, new_kgco2e, change_kgco2e FROM restatements ORDER BY ALL"
    )
    assert found == [(2, old, new, "1", "2", 10.0, 7.0, -3.0), (3, old, new, "1", "2", None, 1.0, 1.0)]


@pytest.mark.parametrize("category", ["Tax", "Credit", "Adjustment", "Purchase"])
def test_what_is_no_usage_carries_no_carbon(warehouse, category):
    warehouse.load(VM | {"charge_category": category})
    assert warehouse.ask("FROM emissions") == []


def test_a_correction_takes_back_what_it_corrects_and_below_zero_is_noticed(warehouse):
    negative = VM | {"quantity": -100, "vcpu_hours": -100, "memory_gib_hours": -400}
    warehouse.load(VM, negative, negative)
    kg, low, high = warehouse.one(
        "SELECT sum(emissions_kgco2e), sum(low_kgco2e), sum(high_kgco2e) FROM footprint"
    )
    assert kg < 0
    assert low < 0
    assert high < 0
    assert warehouse.one("SELECT negative_rows FROM coverage") == 2


def test_both_footprints_agree(warehouse):
    warehouse.load(*WHOLE, stream="carbon")
    warehouse.load(
        VM,
        VM | {"account_id": "b"},
        VM | {"account_id": "b", "processor": None},
        {"region": "nowhere", "vcpu_hours": 1},
    )
    warehouse.load(VM | {"account_id": "b"}, stream="focus")
    assert totals(warehouse) == totals(warehouse, "footprint_activities")
    assert totals(warehouse)


def test_reconciliation_pairs_what_is_comparable(warehouse):
    place = {"region": "eu-central-1", "service": "AmazonEC2", "category": "cloud_compute"}
    warehouse.load(
        VM | place | {"region": "EUC1"}, {"charge_category": "Usage", "cost": 3, "currency": "USD", **place}
    )
    warehouse.load(VM | place, stream="focus")
    warehouse.load(*(row | place for row in WHOLE), stream="carbon")
    row = warehouse.one(
        "SELECT region, reported_scope2_kgco2e, reported_total_kgco2e, estimated_operational_kgco2e, estimated_embodied_kgco2e, "
        "ratio_scope2, ratio_total, estimated_rows, usage_rows, cost, currency FROM reconciliation"
    )
    operational, embodied = (
        warehouse.one(
            "SELECT sum(emissions_kgco2e) FROM emissions WHERE stream = 'cur' AND lifecycle = ?", kind
        )
        for kind in ("operational", "embodied")
    )
    assert row[:3] == ("eu-central-1", 10.0, 16.0)
    assert row[3:7] == pytest.approx((operational, embodied, operational / 10, (operational + embodied) / 16))
    assert row[7:] == (1, 2, 3, "USD")


SPELLINGS = [
    ("aws", "US-EAST-1", "us-east-1"),
    ("aws", "us-east-1a", "us-east-1"),
    ("aws", "us-east-1-atl-1", "us-east-1"),
    ("aws", "US East (N. Virginia)", "us-east-1"),
    ("aws", "EUC1", "eu-central-1"),
    ("azure", "EastUS", "eastus"),
    ("azure", "East US", "eastus"),
    ("azure", "US East", "eastus"),
    ("azure", "EU West", "westeurope"),
    ("gcp", "us-east1-b", "us-east1"),
    ("gcp", "us", "us"),
    ("gcp", "eu", "eu"),
    ("gcp", "europe", "europe"),
    ("gcp", "nam4", "nam4"),
]


@pytest.mark.parametrize(("provider", "spelled", "region"), SPELLINGS)
def test_a_region_is_known_however_it_is_spelled(warehouse, provider, spelled, region):
    warehouse.load({"region": spelled, "memory_gib_hours": 1}, provider=provider)
    assert warehouse.one("SELECT factor_region FROM emissions") == region


@pytest.mark.parametrize("region", [None, "", "global", "Global", "atlantis-1", "usseceast", "unitedstates"])
def test_an_unknown_region_lowers_coverage_and_is_never_zero(warehouse, region):
    for provider in ("aws", "azure", "gcp"):
        warehouse.load({"region": region, "memory_gib_hours": 1, "cost": 2}, provider=provider)
    assert warehouse.ask("FROM footprint") == []
    assert warehouse.one(
        "SELECT sum(usage_rows), sum(estimated_rows), sum(unknown_region_rows), sum(estimated_cost) FROM coverage"
    ) == (3, 0, 3, None)


def test_a_row_without_any_quantity_has_no_estimate(warehouse):
    warehouse.load({"region": "eu-west-1", "quantity": 5, "cost": 9}, VM | {"cost": 1})
    assert warehouse.one("SELECT count(*) FROM emissions WHERE lifecycle = 'operational'") == 1
    assert warehouse.one(
        "SELECT sum(usage_rows), sum(estimated_rows), sum(no_quantity_rows), sum(cost), sum(estimated_cost) FROM coverage"
    ) == (2, 1, 1, 10, 1)


def test_other_factors_change_estimates_and_no_reported_row(warehouse):
    warehouse.load(VM)
    warehouse.load(*(row | {"account_id": "b"} for row in WHOLE), stream="carbon")
    before = (
        warehouse.ask("FROM emissions WHERE basis = 'reported' ORDER BY ALL"),
        warehouse.one(
            "SELECT sum(emissions_kgco2e) FROM emissions WHERE lifecycle = 'operational' AND basis = 'estimated'"
        ),
    )
    warehouse.use(factor_set="ember")
    after = (
        warehouse.ask("FROM emissions WHERE basis = 'reported' ORDER BY ALL"),
        warehouse.one(
            "SELECT sum(emissions_kgco2e) FROM emissions WHERE lifecycle = 'operational' AND basis = 'estimated'"
        ),
    )
    assert before[0] == after[0]
    assert after[1] == pytest.approx(before[1] * 329.65 / 341)


def test_own_racks_are_estimated_with_their_own_factor_and_pue(warehouse):
    warehouse.use(own=[own_factor("racks", "cellar", 12.5, pue=1.5)])
    warehouse.load({"region": "Cellar", "vcpu_hours": 10, "processor": "EPYC 3rd Gen"}, provider="racks")
    it, energy, kg, pue_id = warehouse.one(
        "SELECT it_energy_kwh, energy_kwh, emissions_kgco2e, pue_factor_id FROM emissions"
    )
    assert energy == pytest.approx(it * 1.5)
    assert kg == pytest.approx(energy * 0.0125)
    assert pue_id == "custom:t:2024:racks/cellar"


def test_every_estimate_leads_to_its_factors_and_its_source(warehouse):
    warehouse.load(VM | {"source": "s3://bills/2024-06.parquet"})
    rows = warehouse.ask(
        "SELECT e.source, coalesce(g.licence, 'Apache-2.0'), e.method_version <> '' FROM emissions AS e "
        "LEFT JOIN factor_grid AS g USING (factor_id) LEFT JOIN factor_machines AS m USING (factor_id) "
        "WHERE g.factor_id IS NOT NULL OR m.factor_id IS NOT NULL"
    )
    assert sorted(rows) == [
        ("s3://bills/2024-06.parquet", "Apache-2.0", True),
        ("s3://bills/2024-06.parquet", "ODbL-1.0", True),
    ]


def test_b81_reported_rows_keep_their_value_and_usage_rows_are_estimated(tmp_path):
    month = {"period_start": "2024-06-01 00:00:00+00", "period_end": "2024-07-01 00:00:00+00"}
    cloud = FakeCloud(name="aws")
    exact = 0.1 + 0.2
    cloud.put("2024-06", [[
        {"account_id": "told", "location": "EU-CENTRAL", "emissions_kgco2e": exact, "provider_scope": 2, "accounting": "location", **month},
        {"account_id": "silent", "charge_category": "Usage", "location": "EU-CENTRAL", **VM, **month},
    ]], version="1")  # fmt: skip
    path = tmp_path / "ogf.duckdb"
    assert cloud.run(path).status == "succeeded"
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute(
            "SELECT account_id, basis, emissions_kgco2e, factor_id FROM footprint WHERE accounting = 'location' ORDER BY ALL"
        ).fetchall()
    assert [row[:2] for row in rows] == [
        ("silent", "estimated"),
        ("silent", "estimated"),
        ("told", "reported"),
    ]
    assert rows[-1][2] == exact
    assert {row[3] for row in rows} == {"em:2024:DE", "embodied:aws/m6i.large", None}
    assert all(row[2] > 0 for row in rows)


@pytest.mark.parametrize("first", ["2.0.0", "10.0.0"])
def test_a_newer_model_version_restates_the_older_one_whichever_was_loaded_first(warehouse, first):
    ids = {}
    for version in (first, *({"2.0.0", "10.0.0"} - {first})):
        ids[version] = warehouse.load(
            reported(2, float(version[:-4]), "location", model_version=version),
            stream="carbon",
            key=f"export/2024-06@v{version}",
            status="current" if version == "10.0.0" else "superseded",
        )
    found = warehouse.ask("SELECT old_load_id, new_load_id, old_kgco2e, new_kgco2e FROM restatements")
    assert found == [(ids["2.0.0"], ids["10.0.0"], 2.0, 10.0)]


def test_reconciliation_compares_under_the_names_of_the_carbon_figures(warehouse):
    """AWS's carbon export knows EC2, S3, CloudFront and Other."""
    warehouse.load(
        reported(2, 10, "location", service="EC2"),
        reported(2, 4, "location", service="Other"),
        stream="carbon",
    )
    warehouse.load(
        VM | {"service": "AmazonEC2"}, VM | {"service": "AmazonRDS"}, VM | {"service": "AmazonRedshift"}
    )
    found = warehouse.ask(
        "SELECT service, reported_scope2_kgco2e, sum(usage_rows) FROM reconciliation GROUP BY ALL ORDER BY ALL"
    )
    assert [(service, rows) for service, _, rows in found if rows] == [("EC2", 1), ("Other", 2)]
    assert {service: kg for service, kg, _ in found if kg} == {"EC2": 10.0, "Other": 4.0}
