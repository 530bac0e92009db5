"""From line item to activity: category, region, unit, charge, exact decimals, tags and ids, through real files."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, ClassVar

import pytest
from aws.cur_files import (
    ACCOUNT,
    Warehouse,
    csv_file,
    folder_put,
    gz,
    line,
    lines,
    parquet_file,
    put_export,
    put_legacy,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ogf.files.worker import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb


def usage(text: str, product: str = "AmazonEC2", **changes: str) -> dict[str, str]:
    return {"line_item_usage_type": text, "line_item_product_code": product} | changes


# What makes the category → the category.
CATEGORIES = [
    (usage("BoxUsage:m5.large"), "cloud_compute"),
    (usage("SpotUsage:m5.large"), "cloud_compute"),
    (usage("DataTransfer-Out-Bytes"), "data_transfer"),
    (usage("USW2-DataTransfer-Regional-Bytes"), "data_transfer"),
    (usage("APE1-USE1-AWS-In-Bytes"), "data_transfer"),
    (usage("EUC1-AWS-Out-Bytes", "AmazonS3"), "data_transfer"),
    (usage("USE2-Foo-Regional-Bytes"), "data_transfer"),
    (usage("USE1-XAZ-Out-Bytes", "AmazonMSK"), "data_transfer"),
    (usage("anything", "AmazonRDS", product_servicecode="AWSDataTransfer"), "data_transfer"),
    (usage("EBS:VolumeUsage.gp3"), "cloud_storage"),
    (usage("USW2-EBS:SnapshotUsage"), "cloud_storage"),
    (usage("x", product_product_family="Storage"), "cloud_storage"),
    (usage("x", product_product_family="Storage Snapshot"), "cloud_storage"),
    (usage("x", product_product_family="Provisioned Throughput"), "cloud_storage"),
    (usage("x", product_product_family="System Operation"), "cloud_storage"),
    (usage("NatGateway-Hours", product_product_family="NAT Gateway"), "cloud_network"),
    (usage("ElasticIP:IdleAddress", product_product_family="IP Address"), "cloud_network"),
    (usage("LoadBalancerUsage", product_product_family="Load Balancer"), "cloud_network"),
    (usage("LCUUsage", product_product_family="Load Balancer-Application"), "cloud_network"),
    (usage("USE1-Fargate-vCPU-Hours:perCPU", "AmazonECS"), "cloud_compute_containers"),
    (usage("Fargate-GB-Hours", "AmazonEKS"), "cloud_compute_containers"),
    (
        usage("x", "a1b2c3d4e5f6g7h8i9j0k1l2m3", product_product_name="Claude (Amazon Bedrock Edition)"),
        "cloud_ai",
    ),
    (usage("x", "a1b2c3d4e5f6g7h8i9j0k1l2m3"), "cloud_other"),
    (usage("x", "AmazonBraket"), "cloud_other"),
    (usage("x", "NobodyKnows"), "cloud_other"),
    (usage("x", "AWSLambda"), "cloud_compute_serverless"),
    (usage("x", "AmazonEKS"), "cloud_compute_kubernetes"),
    (usage("x", "AmazonRDS"), "cloud_database"),
    (usage("x", "AmazonRDS", product_product_family="Storage"), "cloud_database"),
    (usage("x", "AmazonRedshift"), "data_warehouse"),
    (usage("x", "AmazonS3"), "cloud_storage"),
    (usage("x", "amazons3"), "cloud_storage"),
    (usage("x", "AmazonCloudFront"), "cloud_cdn"),
    (usage("x", "AmazonVPC"), "cloud_network"),
    (usage("x", "AWSDataTransfer"), "data_transfer"),
    (usage("x", "AWSGlue"), "data_processing"),
    (usage("x", "AmazonSageMaker"), "cloud_ai"),
    (usage("x", "AWSQueueService"), "cloud_integration"),
    (usage("x", "AmazonCloudWatch"), "cloud_management"),
    (usage("x", "awskms"), "cloud_security"),
    (usage("x", "AWSSupportBusiness"), "cloud_support"),
]


def place(region: str = "", usage_type: str = "BoxUsage", **changes: str) -> dict[str, str]:
    return {"product_region": region, "line_item_usage_type": usage_type} | changes


# What says where → (region, location).
REGIONS = [
    (place("eu-west-1"), ("eu-west-1", "EU-WEST")),
    (place("EU-WEST-1"), ("EU-WEST-1", "EU-WEST")),
    (place("us-gov-west-1"), ("us-gov-west-1", "US-WEST")),
    (place("cn-north-1"), ("cn-north-1", "ASIA-PACIFIC")),
    (place("us-west-2-lax-1"), ("us-west-2-lax-1", "US-WEST")),
    (place("us-east-1-wl1-bos-wlz-1"), ("us-east-1-wl1-bos-wlz-1", "US-EAST")),
    (place("us-east-1a"), ("us-east-1a", "US-EAST")),
    (place("global"), ("global", "GLOBAL")),
    (place("aws-global"), ("aws-global", "GLOBAL")),
    (place("mars-north-1"), ("mars-north-1", "GLOBAL")),
    (place(product_location="EU (Ireland)"), ("eu-west-1", "EU-WEST")),
    (place(product_location="Europe (Ireland)"), ("eu-west-1", "EU-WEST")),
    (place(product_location="US East (Northern Virginia)"), ("us-east-1", "US-EAST")),
    (place(product_location="Asia Pacific (Osaka-Local)"), ("ap-northeast-3", "ASIA-PACIFIC")),
    (place(product_location="South America (São Paulo)"), ("sa-east-1", "LATAM")),
    (place(product_location="Any"), ("any", "GLOBAL")),
    (place("eu-north-1", product_location="EU (Ireland)"), ("eu-north-1", "EU-NORTH")),
    (place(line_item_availability_zone="ca-central-1b"), ("ca-central-1", "CANADA")),
    (place(line_item_availability_zone="us-west-2-lax-1a"), ("us-west-2", "US-WEST")),
    (place(usage_type="APS3-BoxUsage:m5.large"), ("ap-south-1", "ASIA-PACIFIC")),
    (place(usage_type="EU-BoxUsage:m5.large"), ("eu-west-1", "EU-WEST")),
    (place(usage_type="APE1-USE1-AWS-In-Bytes"), ("ap-east-1", "ASIA-PACIFIC")),
    (place(usage_type="CPT-BoxUsage"), ("af-south-1", "AFRICA")),
    (place(usage_type="BoxUsage:m5.large"), ("us-east-1", "US-EAST")),
    (place(usage_type="BoxUsage", line_item_line_item_type="Tax"), (None, "GLOBAL")),
    (place(usage_type="EU-Requests-Tier1", line_item_product_code="AmazonCloudFront"), (None, "GLOBAL")),
    (
        place(usage_type="US-DataTransfer-Out-Bytes", line_item_product_code="AmazonCloudFront"),
        (None, "GLOBAL"),
    ),
    (place("eu-west-1", "EU-X", line_item_product_code="AmazonCloudFront"), ("eu-west-1", "EU-WEST")),
]

CHARGES = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "Fee": "Purchase",
    "RIFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Adjustment",
    "SavingsPlanNegation": "Adjustment",
    "EdpDiscount": "Adjustment",
    "BundledDiscount": "Adjustment",
    "PrivateRateDiscount": "Adjustment",
    "SomeNewDiscount": "Adjustment",
    "SomethingElse": None,
}

UNITS = {
    "Hrs": "hours",
    "Hours": "hours",
    "GB-Mo": "GB-month",
    "GB-Mp": "GB-month",
    "GB": "GB",
    "Requests": "requests",
    "Lambda-GB-Second": "GB-seconds",
    "vCPU-Hours": "vcpu-hours",
    "": None,
    "Furlongs": "Furlongs",
}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """All rows of the tables above in one file, read once; found again by their resource ids."""
    root = tmp_path_factory.mktemp("mapped")
    rows = [
        line(line_item_resource_id=f"category-{n}", **changes) for n, (changes, _) in enumerate(CATEGORIES)
    ]
    rows += [line(line_item_resource_id=f"region-{n}", **changes) for n, (changes, _) in enumerate(REGIONS)]
    rows += [line(line_item_resource_id=f"charge-{kind}", line_item_line_item_type=kind) for kind in CHARGES]
    rows += [line(line_item_resource_id=f"unit-{unit}", pricing_unit=unit) for unit in UNITS]
    rows.append(
        line(line_item_resource_id="b13", line_item_usage_amount="730", line_item_unblended_cost="70.08")
    )
    rows.append(line(line_item_resource_id="zone", product_region="", line_item_availability_zone="nowhere",
                     line_item_usage_type="USW2-BoxUsage"))  # fmt: skip
    put_legacy(folder_put(root / "exports"), [gz(csv_file(rows))])
    warehouse = Warehouse(root / "ogf.duckdb", root / "exports")
    result = warehouse.run()
    found = warehouse.query("SELECT resource_id, * EXCLUDE (resource_id) FROM activities")
    names = [name for (name,) in warehouse.query("SELECT column_name FROM (DESCRIBE FROM activities)")]
    names.remove("resource_id")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found}, result, len(rows)


def test_b13_an_hour_of_a_machine_is_an_hour(mapped):
    row = mapped[0]["b13"]
    assert (row["quantity"], row["unit"], row["category"]) == (730.0, "hours", "cloud_compute")
    assert (row["cost"], row["currency"]) == (Decimal("70.08"), "USD")
    assert (row["account_id"], row["service"], row["instance_type"]) == (ACCOUNT, "AmazonEC2", "m5.large")
    assert (row["org_id"], row["provider"], row["stream"]) == ("default", "aws", "cur")
    assert [row[name].isoformat() for name in ("period_start", "period_end")] == [
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T01:00:00+00:00",
    ]
    assert row["emissions_kgco2e"] is None


@pytest.mark.parametrize("number", range(len(CATEGORIES)), ids=lambda n: f"{CATEGORIES[n][1]}-{n}")
def test_b133_categories(mapped, number):
    assert mapped[0][f"category-{number}"]["category"] == CATEGORIES[number][1]


@pytest.mark.parametrize("number", range(len(REGIONS)), ids=lambda n: f"{REGIONS[n][1][0]}-{n}")
def test_b132_regions(mapped, number):
    row = mapped[0][f"region-{number}"]
    assert (row["region"], row["location"]) == REGIONS[number][1]


@pytest.mark.parametrize("kind", CHARGES)
def test_charge_categories(mapped, kind):
    row = mapped[0][f"charge-{kind}"]
    assert row["charge_category"] == CHARGES[kind]
    assert row["cost"] == Decimal("0.096")


@pytest.mark.parametrize("unit", UNITS)
def test_b134_units_are_spelled_one_way_and_amounts_untouched(mapped, unit):
    row = mapped[0][f"unit-{unit}"]
    assert (row["unit"], row["quantity"]) == (UNITS[unit], 1.0)


def test_an_availability_zone_of_no_known_form_gives_no_empty_region(mapped):
    assert mapped[0]["zone"]["region"] != ""


def test_unknown_things_are_kept_and_an_unknown_region_makes_the_run_partial(mapped):
    rows, result, count = mapped
    assert len(rows) == count
    assert (result.status, result.rejected) == ("partial", 0)
    (outcome,) = result.partitions
    (region,) = [notice for notice in outcome.notices if "unmapped region" in notice]
    assert region.count("(") == 1
    assert "mars-north-1 (1 rows)" in region


SMALLEST = Decimal("5e-19")  # half a unit of DECIMAL(38,18)


@pytest.fixture(scope="module")
def connection(tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(scratch=tmp_path_factory.mktemp("db"), threads=1, memory_mb=256, lookups={})
    yield connection
    connection.close()


class TestDecimals:
    """What DuckDB makes of a number is what Python's decimal makes of its text: half a unit goes away from nought."""

    @staticmethod
    def exact(text: str) -> Decimal:
        with localcontext() as context:
            context.prec = 60
            return Decimal(text).quantize(Decimal("1e-18"), ROUND_HALF_UP)

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.one_of(
            st.decimals(min_value=-(10**12), max_value=10**12, places=places)
            for places in (0, 2, 10, 12, 13, 18, 21)
        )
    )
    def test_of_text(self, connection, number):
        text = f"{number:f}"
        assert connection.execute("SELECT ogf_decimal_of_text(?)", [text]).fetchone() == (self.exact(text),)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(-(10**15), 10**15), st.integers(-30, 3), st.sampled_from("eE"))
    def test_of_text_with_an_exponent(self, connection, digits, exponent, letter):
        text = f"{digits}{letter}{exponent}"
        assume(not 0 < abs(Decimal(text)) < SMALLEST)
        assert connection.execute("SELECT ogf_decimal_of_text(?)", [text]).fetchone() == (self.exact(text),)

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.one_of(
            st.floats(-1e15, 1e15),
            st.floats(-1e-6, 1e-6),
            st.decimals(-2000, 2000, places=10).map(float),
            st.decimals(-2000, 2000, places=13).map(float),
        )
    )
    def test_of_doubles(self, connection, number):
        assume(not 0 < abs(number) < float(SMALLEST))
        found = connection.execute("SELECT ogf_decimal_of_double(?::DOUBLE)", [number]).fetchone()
        assert found == (self.exact(repr(number)),)

    @pytest.mark.parametrize("text", ["8.8e-21", "-6.2e-20", "5e-199"])
    def test_what_is_less_than_half_a_unit_is_nought(self, connection, text):
        asked = "SELECT ogf_decimal_of_text($1), ogf_decimal_of_double($1::DOUBLE)"
        assert connection.execute(asked, [text]).fetchone() == (Decimal(0), Decimal(0))

    @pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1e30", "1,5", "--1", None])
    def test_what_is_no_number_is_null(self, connection, text):
        assert connection.execute("SELECT ogf_decimal_of_text(?)", [text]).fetchone() == (None,)

    @pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e30", None])
    def test_what_is_no_finite_double_is_null(self, connection, text):
        assert connection.execute("SELECT ogf_decimal_of_double(?::DOUBLE)", [text]).fetchone() == (None,)

    def test_ids_tell_null_from_nothing_and_do_not_run_together(self, connection):
        keys = [
            "NULL",
            "''",
            "'a'",
            "NULL, NULL",
            "'', NULL",
            "NULL, ''",
            "'', ''",
            "'a', 'b'",
            "'ab', ''",
            "'', 'ab'",
        ]
        ids = connection.execute("SELECT " + ", ".join(f"ogf_id({key})" for key in keys)).fetchone()
        assert len(set(ids)) == len(keys)


class TestTags:
    EXPECTED: ClassVar = {"a": "1", "b": "2", "c": "x,y"}

    def tags(self, tmp_path, body: bytes, suffix: str) -> list[object]:
        put_export(folder_put(tmp_path / "exports"), [body], suffix=suffix)
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
        result = warehouse.run()
        assert (result.status, result.message) == ("succeeded", "")
        return warehouse.column("tags", order="resource_id")

    @pytest.mark.parametrize("prefix", ["resourceTags/", "resource_tags_"])
    @pytest.mark.parametrize("kind", ["csv", "snappy.parquet"])
    def test_of_columns_are_sorted_and_without_empty_ones(self, tmp_path, prefix, kind):
        tags = {"c": "x,y", "empty": "", "b": "2", "a": "1"}
        rows = [
            line(line_item_resource_id="1", **{f"{prefix}{key}": value for key, value in tags.items()}),
            line(line_item_resource_id="2", **dict.fromkeys((f"{prefix}{key}" for key in tags), "")),
        ]
        body = parquet_file(rows) if kind == "snappy.parquet" else csv_file(rows)
        found = self.tags(tmp_path, body, kind)
        assert found == [self.EXPECTED, None]
        assert list(found[0]) == list(self.EXPECTED)

    def test_of_a_map_in_json_are_the_same(self, tmp_path):
        texts = ['{"c": "x,y", "empty": "", "b": "2", "a": "1"}', "{}", ""]
        rows = [line(line_item_resource_id=f"{n}", resource_tags=text) for n, text in enumerate(texts)]
        found = self.tags(tmp_path, csv_file(rows, legacy=False), "csv")
        assert found == [self.EXPECTED, None, None]
        assert list(found[0]) == list(self.EXPECTED)

    def test_of_a_map_in_parquet_are_the_same(self, tmp_path):
        texts = ["{c='x,y', empty='', b=2, a=1}", "{}", ""]
        rows = [line(line_item_resource_id=f"{n}", resource_tags=text) for n, text in enumerate(texts)]
        body = parquet_file(rows, resource_tags="MAP(VARCHAR, VARCHAR)")
        found = self.tags(tmp_path, body, "snappy.parquet")
        assert found == [self.EXPECTED, None, None]
        assert list(found[0]) == list(self.EXPECTED)

    def test_that_cannot_be_read_do_not_vanish_silently(self, tmp_path):
        rows = [*lines(200), line(resource_tags='{"a": "1"')]
        put_export(folder_put(tmp_path / "exports"), [csv_file(rows, legacy=False)], suffix="csv")
        assert Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports").run().status == "partial"


@pytest.mark.parametrize(
    ("usage_type", "region", "status"),
    [("EU-BoxUsage", "eu-west-1", "succeeded"), ("BoxUsage", "Mars (Olympus)", "partial")],
)
def test_an_unknown_location_name_is_an_unmapped_region_unless_the_usage_type_tells(
    tmp_path, usage_type, region, status
):
    row = line(product_region="", product_location="Mars (Olympus)", line_item_usage_type=usage_type)
    put_legacy(folder_put(tmp_path / "exports"), [gz(csv_file([row]))])
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
    assert warehouse.run().status == status
    assert warehouse.query("SELECT region FROM activities") == [(region,)]


def test_b130_all_dialects_give_the_same_rows(tmp_path):
    """Legacy CSV, CUR 2.0 CSV and Parquet, with region and product in a map or in columns."""
    rows = lines(10)
    product = '{"region": "us-east-1", "product_name": "Amazon Elastic Compute Cloud"}'
    by_map = [item | {"product_region": "", "product": product} for item in rows]
    bodies = {
        "legacy": (csv_file(rows), "csv"),
        "cur2": (csv_file(rows, legacy=False), "csv"),
        "parquet": (parquet_file(rows), "snappy.parquet"),
        "product map": (csv_file(by_map, legacy=False), "csv"),
    }
    tables = {}
    for name, (body, suffix) in bodies.items():
        put_export(folder_put(tmp_path / name), [body], suffix=suffix)
        warehouse = Warehouse(tmp_path / f"{name}.duckdb", tmp_path / name)
        warehouse.run()
        tables[name] = warehouse.table()
    assert len(tables["legacy"]) == 10
    for name, table in tables.items():
        assert table == tables["legacy"], name


ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "line_item_resource_id": st.sampled_from(["", "i-1", "i-2", 'a"b', "x\ny", "é,é"]),
            "line_item_usage_type": st.sampled_from(
                ["BoxUsage", "EU-BoxUsage", "DataTransfer-Out-Bytes", "EBS:X"]
            ),
            "line_item_unblended_cost": st.sampled_from(["", "0", "-1.5", "7.5E-7", "0.123456789012345678"]),
            "product_region": st.sampled_from(["", "us-east-1", "nowhere"]),
            "resourceTags/user:team": st.sampled_from(["", "a", "b"]),
        }
    ).map(lambda changes: line(**changes)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=3, deadline=None)
@given(rows=ITEMS, seed=st.randoms(use_true_random=False), files=st.integers(1, 5), workers=st.integers(1, 4))
def test_b135_b127_order_split_and_workers_do_not_change_the_table(
    tmp_path_factory, rows, seed, files, workers
):
    root = tmp_path_factory.mktemp("order")
    shuffled = rows.copy()
    seed.shuffle(shuffled)
    splits = [[rows], [shuffled[number::files] for number in range(files)]]
    tables = []
    for number, (split, count) in enumerate(zip(splits, (1, workers), strict=True)):
        header = random.Random(number).sample(list(rows[0]), len(rows[0]))
        put_legacy(folder_put(root / f"{number}"), [gz(csv_file(part, header=header)) for part in split])
        warehouse = Warehouse(root / f"{number}.duckdb", root / f"{number}", runner__workers=count)
        result = warehouse.run()
        assert result.status in ("succeeded", "partial")
        tables.append(warehouse.table())
    assert len(tables[0]) == len(rows)
    assert tables[0] == tables[1]
