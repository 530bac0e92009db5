"""From a row of AWS's carbon figures to activities: units, scopes, methods, totals, places and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from aws.carbon_files import (
    ACCOUNT,
    FIGURES,
    FULL,
    PAYER,
    SCOPES,
    TOTALS,
    figures,
    packed,
    places,
    put_carbon,
    row,
    without,
)
from aws.cur_files import Warehouse, csv_file, folder_put, gz, parquet_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SHOWN = "provider_scope, accounting, emissions_kgco2e"
SPLIT = [
    (1, None, 0.5),
    (2, "location", 4.0),
    (2, "market", 0.0),
    (3, "location", 2.0),
    (3, "market", 3.0),
]
MANY = [row(product_code=f"service {number}") for number in range(200)]


@pytest.fixture
def load(tmp_path):
    """Load one month of these rows: `load(row())`, or of whole files."""

    def loading(*rows, files=(), **changes):
        put_carbon(folder_put(tmp_path), *(files or [packed(*rows)]))
        warehouse = Warehouse(tmp_path / "ogf.duckdb", "", **places(tmp_path / "exports", **changes))
        return warehouse, warehouse.run()

    return loading


def shown(warehouse, where="true"):
    return warehouse.query(f"SELECT {SHOWN} FROM activities WHERE {where} ORDER BY ALL NULLS LAST")


def sums(warehouse, where="true") -> dict[str, float]:
    """What each method adds up to. Rows without a method count in both."""
    asked = "SELECT sum(CAST(emissions_kgco2e AS DECIMAL(38,12))) FROM activities WHERE coalesce(accounting, '{0}') = '{0}'"
    return {
        method: warehouse.query(f"{asked.format(method)} AND {where}")[0][0]
        for method in ("location", "market")
    }


def refused(warehouse):
    return warehouse.column("reason", table="quarantine")


def test_b12_each_figure_is_a_row_in_kilograms(load):
    warehouse, result = load(row())
    assert (result.status, result.message) == ("succeeded", "")
    assert shown(warehouse) == sorted(SPLIT, key=lambda item: (item[0], item[1] or "z"))
    facts = (
        "DISTINCT org_id, provider, stream, billing_account_id, account_id, service, category, region, location, "
        "epoch(period_start), epoch(period_end), unit, charge_category, model_version, data_quality, cost"
    )
    assert warehouse.query(f"SELECT {facts} FROM activities") == [
        (
            "default",
            "aws",
            "carbon",
            PAYER,
            ACCOUNT,
            "EC2",
            "cloud_compute",
            "eu-west-1",
            "EU-WEST",
            1767225600.0,
            1769904000.0,
            "MTCO2e",
            "Usage",
            "v3.0.0",
            "measured",
            None,
        )
    ]


def test_the_reported_amount_and_its_unit_stay_beside_the_kilograms(load):
    warehouse, _ = load(row())
    assert warehouse.query("SELECT DISTINCT quantity, unit FROM activities ORDER BY ALL") == [
        (0.0, "MTCO2e"),
        (0.0005, "MTCO2e"),
        (0.002, "MTCO2e"),
        (0.003, "MTCO2e"),
        (0.004, "MTCO2e"),
    ]
    assert warehouse.column("DISTINCT round(emissions_kgco2e - quantity * 1000, 12)") == [0.0]


def test_the_unit_column_decides_and_not_the_provider(load):
    kilograms = figures("6.5", "3.5", "0.5", "4", "0", "2", "3", unit="kgCO2e")
    mixed = FULL | {"total_lbm_emissions_value": "6.5", "total_lbm_emissions_unit": "kgCO2e"}
    warehouse, result = load(row(**kilograms), row(product_code="S3", **mixed))
    assert result.status == "succeeded"
    assert shown(warehouse, "service = 'EC2'") == shown(warehouse, "service = 'S3'")
    assert warehouse.column("DISTINCT unit", order="1")[-1] == "kgCO2e"


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("lbCO2e", "the unit of a figure is not known: lbCO2e"),
        ("", "the unit of a figure is missing"),
    ],
)
def test_a_figure_of_an_unknown_unit_is_refused_with_the_row(load, unit, reason):
    bad = row(product_code="S3", total_scope_3_lbm_emissions_unit=unit)
    warehouse, result = load(*MANY, bad)
    assert result.status == "partial"
    assert refused(warehouse) == [reason]
    assert json.loads(warehouse.column("raw", table="quarantine")[0])["product_code"] == "S3"


class TestTotals:
    """A total is a row without a scope, and only where no scopes make it up."""

    def test_old_rows_have_a_total_of_each_method(self, load):
        warehouse, _ = load(row(**TOTALS))
        assert shown(warehouse) == [(None, "location", 6.5), (None, "market", 3.5)]

    def test_old_files_lack_the_columns(self, load):
        old = gz(csv_file(without(SCOPES, [row()]), legacy=False))
        warehouse, _ = load(files=[old, packed(row(product_code="S3"))])
        assert shown(warehouse, "service = 'EC2'") == [(None, "location", 6.5), (None, "market", 3.5)]
        assert len(shown(warehouse, "service = 'S3'")) == 5

    def test_scope_three_that_is_not_given_stays_absent(self, load):
        warehouse, _ = load(row(**figures("0.0045", "0.0005", "0.0005", "0.004", "0", "", "")))
        assert shown(warehouse) == [(1, None, 0.5), (2, "location", 4.0), (2, "market", 0.0)]

    def test_one_method_in_scopes_and_the_other_in_total(self, load):
        """Scope 1 belongs to the method with scopes then: the other's total has it already."""
        warehouse, _ = load(row(**figures("0.0065", "0.0035", "0.0005", "0.004", "", "0.002", "")))
        assert shown(warehouse) == [
            (1, "location", 0.5),
            (2, "location", 4.0),
            (3, "location", 2.0),
            (None, "market", 3.5),
        ]
        assert sums(warehouse) == {"location": Decimal("6.5"), "market": Decimal("3.5")}

    def test_a_method_that_is_not_reported_has_no_row(self, load):
        warehouse, _ = load(row(**figures("0.0065", "", "0.0005", "0.004", "", "0.002", "")))
        assert sums(warehouse) == {"location": Decimal("6.5"), "market": None}

    def test_scopes_without_totals(self, load):
        warehouse, _ = load(files=[gz(csv_file(without(FIGURES[:2], [row()]), legacy=False))])
        assert len(shown(warehouse)) == 5

    def test_zero_is_a_figure(self, load):
        warehouse, _ = load(row(**figures(*["0"] * 7)))
        assert [kg for _, _, kg in shown(warehouse)] == [0.0] * 5

    @pytest.mark.parametrize("off", ["0.006502", "0.006498"])
    def test_rounding_to_a_gram_is_no_difference(self, load, off):
        warehouse, result = load(row(total_lbm_emissions_value=off))
        assert (result.status, len(shown(warehouse))) == ("succeeded", 5)

    def test_scopes_that_do_not_add_up_are_refused_with_both_numbers(self, load):
        warehouse, result = load(*MANY, row(total_lbm_emissions_value="0.0075"))
        assert result.status == "partial"
        assert refused(warehouse) == ["the scopes do not add up to the total"]
        raw = json.loads(warehouse.column("raw", table="quarantine")[0])
        assert (raw["total_lbm_emissions_value"], raw["total_scope_2_lbm_emissions_value"]) == (
            "0.0075",
            "0.004",
        )

    grams = st.integers(0, 10**9)

    @settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(scopes=st.lists(st.none() | grams, min_size=5, max_size=5), total=st.booleans())
    def test_whatever_is_given_each_method_sums_to_its_total(self, tmp_path_factory, scopes, total):
        one, two_l, two_m, three_l, three_m = scopes
        made = [sum(part or 0 for part in parts) for parts in ((one, two_l, three_l), (one, two_m, three_m))]
        # A total may be more than its scopes where one of them is not given, and only there.
        lacking = [None in parts for parts in ((one, two_l, three_l), (one, two_m, three_m))]
        given_totals = [
            part + 7_000_000 * (total and lacks) for part, lacks in zip(made, lacking, strict=True)
        ]
        texts = ["" if part is None else f"{part / 10**6:.6f}" for part in (*given_totals, *scopes)]
        folder = tmp_path_factory.mktemp("carbon")
        put_carbon(folder_put(folder), packed(row(**figures(*texts))))
        warehouse = Warehouse(folder / "ogf.duckdb", "", **places(folder / "exports"))
        assert warehouse.run().status == "succeeded"
        found = sums(warehouse)
        for method, grams in zip(("location", "market"), given_totals, strict=True):
            assert abs(found[method] - Decimal(grams) / 1000) <= Decimal("0.002")


class TestPlaces:
    @pytest.mark.parametrize(
        ("changes", "region", "location"),
        [
            ({}, "eu-west-1", "EU-WEST"),
            ({"region_code": ""}, "eu-west-1", "EU-WEST"),
            ({"region_code": "", "location": "Global"}, "global", "GLOBAL"),
            ({"region_code": "Global", "location": ""}, "Global", "GLOBAL"),
            ({"region_code": "", "location": ""}, None, "GLOBAL"),
            ({"region_code": "us-east-1-atl-1", "location": ""}, "us-east-1-atl-1", "US-EAST"),
        ],
    )
    def test_region_and_location(self, load, changes, region, location):
        warehouse, result = load(row(**changes))
        assert result.status == "succeeded"
        assert warehouse.query("SELECT DISTINCT region, location FROM activities") == [(region, location)]

    def test_a_region_in_no_table_is_told(self, load):
        warehouse, result = load(row(region_code="xx-nowhere-9", location="Nowhere"))
        assert result.status == "partial"
        assert warehouse.query("SELECT DISTINCT region, location FROM activities") == [
            ("xx-nowhere-9", "GLOBAL")
        ]

    def test_services_have_categories(self, load):
        codes = ("EC2", "S3", "CloudFront", "Other")
        warehouse, _ = load(*(row(product_code=code) for code in codes))
        assert dict(warehouse.query("SELECT DISTINCT service, category FROM activities")) == {
            "EC2": "cloud_compute",
            "S3": "cloud_storage",
            "CloudFront": "cloud_cdn",
            "Other": "cloud_other",
        }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"usage_account_id": ""}, "the usage account id is missing"),
        ({"usage_period_start": "soon"}, "the start of the usage period is missing or not a date"),
        ({"total_lbm_emissions_value": "many"}, "a figure is not a number"),
        ({"total_scope_1_emissions_value": "inf"}, "a figure is not a number"),
        ({"total_scope_1_emissions_value": "nan"}, "a figure is not a number"),
        (figures(*[""] * 7), "there is no figure"),
        ({"usage_period_start": "2025-12-01 00:00:00Z"}, "the row is of another month than its place"),
        ({"model_version": "v2.0.0"}, "the row is of another model version than its place"),
    ],
)
def test_a_bad_row_is_refused_alone(load, changes, reason):
    warehouse, result = load(*MANY, row(**changes))
    assert (result.status, refused(warehouse)) == ("partial", [reason])
    assert warehouse.column("count(*)") == [5 * len(MANY)]


def test_a_payer_who_is_not_expected_fails_the_month(load):
    warehouse, result = load(*MANY, ingestion__aws__account_id="999999999999")
    assert result.status == "failed"
    assert f"another payer than ingestion.aws.account_id: {PAYER}" in result.message
    assert warehouse.column("count(*)") == [0]


def test_account_ids_keep_their_leading_zeros(load):
    warehouse, _ = load(row(usage_account_id="000000000007"))
    assert warehouse.column("DISTINCT account_id") == ["000000000007"]


def test_two_equal_rows_count_once_and_two_that_differ_are_refused(load):
    twice = [row(product_code="S3"), row(product_code="S3")]
    differing = [row(product_code="Other"), row(product_code="Other", **figures(*["0"] * 7))]
    warehouse, result = load(*MANY, *twice, *differing)
    assert result.status == "partial"
    assert len(shown(warehouse, "service = 'S3'")) == 5
    assert set(refused(warehouse)) == {"several different rows have this activity_id"}


def test_a_figure_that_is_no_number_in_parquet_is_refused_too(load):
    bad = row(product_code="S3", total_scope_3_mbm_emissions_value="many")
    warehouse, result = load(files=[parquet_file([*MANY, bad])])
    assert (result.status, refused(warehouse)) == ("partial", ["a figure is not a number"])


def test_parquet_as_aws_types_it(load):
    types = dict.fromkeys((f"{name}_value" for name in FIGURES), "DOUBLE")
    dates = dict.fromkeys(("usage_period_start", "usage_period_end", "last_refresh_timestamp"), "TIMESTAMP")
    warehouse, result = load(
        files=[parquet_file([row(), row(product_code="S3", **TOTALS)], **types, **dates)]
    )
    assert (result.status, result.message) == ("succeeded", "")
    assert (len(shown(warehouse, "service = 'EC2'")), len(shown(warehouse, "service = 'S3'"))) == (5, 2)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("usage_account_id",), "required columns are missing: usage_account_id"),
        (tuple(f"{name}_value" for name in FIGURES), "there is no column of emissions"),
    ],
)
def test_a_file_of_something_else_fails_by_name(load, gone, said):
    rows = [{name: text for name, text in row().items() if name not in gone}]
    _, result = load(files=[gz(csv_file(rows, legacy=False))])
    assert result.status == "failed"
    assert said in result.message
    assert "CARBON_EMISSIONS" in result.hint
