"""The FOCUS mapping: versions, dialects, fallbacks, and what is refused."""

from __future__ import annotations

import codecs
import csv
import io
import json
from decimal import Decimal
from importlib.resources import files

import pytest

from ogf import focus
from ogf.errors import ErrorClass, SourceError
from ogf.files.store import File
from ogf.files.table import open_table
from ogf.files.worker import connect
from ogf.physical import Catalogue
from ogf.runner.contexts import core_lookups

V11 = {"SkuMeter": "Compute", "SkuPriceDetails": "", "ServiceSubcategory": "Virtual Machines"}
V12 = {"InvoiceId": "inv-1", "PricingCurrency": "USD", "SubAccountType": "Project", "BillingAccountType": ""}
V13 = {"ServiceProviderName": "Some Cloud", "HostProviderName": "Some Cloud", "ContractApplied": ""}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """A worker's connection with a provider's lookup tables."""
    connection = connect(
        scratch=tmp_path_factory.mktemp("db"), threads=1, memory_mb=256, lookups=core_lookups()
    )
    connection.execute("CREATE TABLE kinds AS SELECT 'virtual machines' AS name, 'cloud_compute' AS category")
    connection.execute("CREATE TABLE places AS SELECT 'north-1' AS code, 'EU-NORTH' AS location")
    yield connection
    connection.close()


def charge(**changes):
    """One row of FOCUS 1.0, as text."""
    return {
        "BilledCost": "1.5",
        "EffectiveCost": "1.5",
        "BillingCurrency": "USD",
        "BillingAccountId": "payer",
        "BillingPeriodStart": "2026-05-01T00:00:00Z",
        "BillingPeriodEnd": "2026-06-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": "An hour",
        "ChargePeriodStart": "2026-05-03T10:00:00Z",
        "ChargePeriodEnd": "2026-05-03T11:00:00Z",
        "ConsumedQuantity": "2",
        "ConsumedUnit": "Hours",
        "PricingQuantity": "200",
        "PricingUnit": "Requests",
        "ProviderName": "Some Cloud",
        "RegionId": "north-1",
        "ResourceId": "vm-1",
        "ServiceCategory": "Compute",
        "ServiceName": "Virtual Machines",
        "SkuId": "sku-1",
        "SkuPriceId": "price-1",
        "SubAccountId": "account",
        "SubAccountName": "Shop",
        "Tags": '{"team": "web"}',
    } | changes


def csv_of(*rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def opened(connection, tmp_path):
    """Open bytes as a table, and close it after the test."""
    tables = []

    def opening(body: bytes, name: str = "focus.csv"):
        path = tmp_path / name
        path.write_bytes(body)
        table = open_table(
            File(path, f"test://{name}", "etag", owned=False), connection=connection, scratch=tmp_path
        )
        tables.append(table)
        return table

    yield opening
    for table in tables:
        table.abandon()


@pytest.fixture
def mapped(connection, opened):
    """Map a file: rows as dictionaries, in order of their cost."""

    def mapping(body: bytes, name: str = "focus.csv", **options):
        sql = focus.activities_sql(opened(body, name), services="kinds", regions="places", **options)
        cursor = connection.execute(f"SELECT * FROM ({sql}) ORDER BY cost, quantity")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return mapping


def parquet(connection, tmp_path, row, **expressions) -> bytes:
    """One row as Parquet; some of its columns as SQL."""
    path = tmp_path / "written.parquet"
    columns = ", ".join(
        f'{expressions.get(name, "NULL" if value == "" else chr(39) + value + chr(39))} AS "{name}"'
        for name, value in (dict.fromkeys(expressions, "") | row).items()
    )
    connection.execute(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("extra", "version"),
    [
        ({}, "1.0"),
        ({"x_Own": "1"}, "1.0"),
        (V11, "1.1"),
        (V11 | V12, "1.2"),
        (V11 | V12 | V13, "1.3"),
        ({name.upper(): value for name, value in (V11 | V12 | V13).items()}, "1.3"),
    ],
)
def test_b130_the_version_is_told_by_the_columns(opened, extra, version):
    assert focus.version_of(opened(csv_of(charge(**extra)))) == version


@pytest.mark.parametrize("extra", [{}, V11, V11 | V12, V11 | V12 | V13], ids=["1.0", "1.1", "1.2", "1.3"])
def test_b130_every_version_gives_the_same_activity(mapped, extra):
    (row,) = mapped(csv_of(charge(**extra)), provider="some")
    assert row["_reject"] is None
    assert (row["billing_account_id"], row["account_id"], row["account_name"]) == ("payer", "account", "Shop")
    assert (row["service"], row["category"]) == ("Virtual Machines", "cloud_compute")
    assert (row["region"], row["location"], row["resource_id"]) == ("north-1", "EU-NORTH", "vm-1")
    assert (row["cost"], row["currency"], row["charge_category"]) == (Decimal("1.5"), "USD", "Usage")
    assert (row["quantity"], row["unit"], row["tags"]) == (2.0, "hours", {"team": "web"})
    assert [row[name].isoformat() for name in ("period_start", "period_end")] == [
        "2026-05-03T10:00:00+00:00",
        "2026-05-03T11:00:00+00:00",
    ]
    assert row["source"] == "test://focus.csv"


def test_b130_case_order_and_foreign_columns_do_not_matter(mapped):
    plain = charge(**V11)
    (expected,) = mapped(csv_of(plain))
    shuffled = dict(reversed(list((plain | {"x_Own": "1", "x_ServiceName": "no"}).items())))
    for change in (str.upper, str.lower):
        (row,) = mapped(csv_of({change(name): value for name, value in shuffled.items()}))
        assert row == expected


class TestDialects:
    DETAILS = '{"CoreCount": 4, "MemorySize": 16, "InstanceType": "big-4"}'

    def expect(self, row):
        assert row["_reject"] is None
        assert row["tags"] == {"env": "prod", "team": "web"}
        assert (row["instance_type"], row["vcpu_hours"], row["memory_gib_hours"]) == ("big-4", 8.0, 32.0)
        assert (row["cost"], row["quantity"]) == (Decimal("1.5"), 2.0)

    def test_b130_json_text(self, mapped):
        tags = '{"team": "web", "env": "prod"}'
        (row,) = mapped(csv_of(charge(Tags=tags, SkuPriceDetails=self.DETAILS)))
        self.expect(row)

    def test_b130_maps(self, mapped, connection, tmp_path):
        body = parquet(
            connection, tmp_path, charge(),
            Tags="MAP {'team': 'web', 'env': 'prod'}",
            SkuPriceDetails="MAP {'CoreCount': '4', 'MemorySize': '16', 'InstanceType': 'big-4'}",
            BilledCost="1.5::DOUBLE", ConsumedQuantity="2::DECIMAL(38,9)",
            ChargePeriodStart="TIMESTAMP '2026-05-03 10:00:00'", ChargePeriodEnd="TIMESTAMPTZ '2026-05-03 11:00:00+00'",
        )  # fmt: skip
        (row,) = mapped(body, "focus.parquet")
        self.expect(row)
        assert row["period_end"].isoformat() == "2026-05-03T11:00:00+00:00"

    def test_b130_arrays_of_structs(self, mapped, connection, tmp_path):
        body = parquet(
            connection, tmp_path, charge(),
            Tags="[{'Key': 'team', 'Value': 'web', 'x_Inherited': false, 'x_Namespace': NULL}, "
                 "{'Key': 'env', 'Value': 'prod', 'x_Inherited': true, 'x_Namespace': 'org'}]",
            SkuPriceDetails=f"'{self.DETAILS}'", BilledCost="1.5::DECIMAL(38,9)",
        )  # fmt: skip
        (row,) = mapped(body, "focus.parquet")
        self.expect(row)

    @pytest.mark.parametrize("text", [True, False], ids=["numbers as text", "numbers"])
    def test_b130_json_lines(self, mapped, text):
        row = charge(Tags=[{"Key": "team", "Value": "web"}, {"Key": "env", "Value": "prod"}],
                     SkuPriceDetails=json.loads(self.DETAILS))  # fmt: skip
        if not text:
            row |= {"BilledCost": 1.5, "ConsumedQuantity": 2, "PricingQuantity": 200}
        row |= {name: None for name, value in row.items() if value == ""}
        (found,) = mapped(json.dumps(row).encode() + b"\n", "focus.jsonl")
        self.expect(found)

    def test_b130_null_texts(self, mapped):
        row = charge(
            **dict.fromkeys(("Tags", "ResourceId", "SubAccountName", "ChargeClass", "RegionId"), "NULL")
        )
        (found,) = mapped(csv_of(row))
        assert found["_reject"] is None
        assert [found[name] for name in ("tags", "resource_id", "account_name", "region")] == [None] * 4
        assert found["location"] == "GLOBAL"

    def test_b130_a_byte_order_mark(self, mapped):
        body = csv_of(charge())
        assert mapped(codecs.BOM_UTF8 + body) == mapped(body)

    def test_timestamps_without_a_zone_are_utc(self, mapped):
        row = charge(ChargePeriodStart="2026-05-03 10:00:00", ChargePeriodEnd="2026-05-03 11:00:00")
        assert mapped(csv_of(row)) == mapped(csv_of(charge()))


class TestProvider:
    @pytest.mark.parametrize(
        "names",
        [{"ProviderName": "SOME Cloud"}, {"ServiceProviderName": "Some Cloud"},
         {"ProviderName": "Some Cloud", "ServiceProviderName": "Some Cloud"}, {"ProviderName": ""}, {}],
    )  # fmt: skip
    def test_is_told_by_either_column(self, mapped, names):
        row = charge()
        del row["ProviderName"]
        (found,) = mapped(csv_of(row | names), provider="some|any")
        assert found["_reject"] is None

    @pytest.mark.parametrize("column", ["ProviderName", "ServiceProviderName"])
    def test_rows_of_another_are_refused_when_one_is_given(self, mapped, column):
        row = charge()
        del row["ProviderName"]
        rows = [row | {column: "Some Cloud"}, row | {column: "Elsewhere", "BilledCost": "9"}]
        assert [item["_reject"] for item in mapped(csv_of(*rows), provider="some")] == [
            None,
            "the row belongs to another provider, Elsewhere",
        ]
        assert [item["_reject"] for item in mapped(csv_of(*rows))] == [None, None]

    def test_a_pattern_and_a_file_name_cannot_break_the_statement(self, mapped):
        (row,) = mapped(csv_of(charge()), "it's :provider.csv", provider="some|'x")
        assert (row["_reject"], row["source"]) == (None, "test://it's :provider.csv")


@pytest.mark.parametrize(
    "text",
    ["0", "-0.000001", "377.12062377213324", "0.123456789012345678", "7.5E-7", "12345678901234.000000000001"],
)
@pytest.mark.parametrize("name", ["focus.csv", "focus.jsonl"])
def test_billed_cost_is_exact(mapped, text, name):
    row = charge(BilledCost=text)
    (found,) = mapped(csv_of(row) if name.endswith("csv") else json.dumps(row).encode(), name)
    assert found["cost"] == Decimal(text)


def test_billed_cost_is_as_exact_as_a_double_where_json_writes_a_bare_number(mapped):
    body = json.dumps(charge(BilledCost="COST")).replace('"COST"', "377.12062377213")
    (found,) = mapped(body.encode(), "focus.jsonl")
    assert found["cost"] == Decimal("377.12062377213")


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({}, (2.0, "hours")),
        ({"ConsumedQuantity": "0"}, (0.0, "hours")),
        ({"ConsumedQuantity": "", "ConsumedUnit": ""}, (200.0, "requests")),
        ({"ConsumedQuantity": "", "ConsumedUnit": "Hours"}, (200.0, "requests")),
        (
            {"ConsumedQuantity": "", "PricingQuantity": "", "ConsumedUnit": "", "PricingUnit": ""},
            (None, None),
        ),
        ({"ConsumedUnit": "Furlongs"}, (2.0, "Furlongs")),
    ],
)
def test_b134_the_priced_quantity_stands_in_for_consumption(mapped, changes, amount):
    (row,) = mapped(csv_of(charge(**changes)))
    assert (row["quantity"], row["unit"], row["_reject"]) == (*amount, None)


@pytest.mark.parametrize(
    ("name", "category", "found"),
    [
        ("Virtual Machines", "Storage", "cloud_compute"),
        (" VIRTUAL machines ", "Storage", "cloud_compute"),
        ("New Thing", "Storage", "cloud_storage"),
        ("New Thing", "DATABASES", "cloud_database"),
        ("New Thing", "Nobody Knows", None),
        ("New Thing", "", None),
    ],
)
def test_b133_the_service_category_stands_in_for_an_unknown_service(mapped, name, category, found):
    (row,) = mapped(csv_of(charge(ServiceName=name, ServiceCategory=category)))
    assert (row["category"], row["_reject"]) == (found, None)


def test_b133_every_service_category_points_into_the_vocabulary(connection):
    with files("ogf").joinpath("categories.csv").open(encoding="utf-8") as table:
        categories = {row["name"] for row in csv.DictReader(table)}
    found = dict(connection.execute("SELECT name, category FROM ogf_focus_services").fetchall())
    assert set(found.values()) <= categories
    assert all(name == name.casefold() for name in found)
    assert len(found) >= 19


@pytest.mark.parametrize("region", ["", "Global", "any", "north-1", "nowhere-1"])
def test_b132_an_unknown_region_is_left_for_the_run_to_tell(mapped, region):
    (row,) = mapped(csv_of(charge(RegionId=region)))
    assert row["location"] == {"north-1": "EU-NORTH", "nowhere-1": None}.get(region, "GLOBAL")


class TestPhysicalColumns:
    DETAILS = '{"CoreCount": 4, "MemorySize": 16, "GpuCount": "2", "InstanceType": "big-4"}'

    def figures(self, mapped, **changes):
        (row,) = mapped(csv_of(charge(SkuPriceDetails=self.DETAILS, **changes)))
        assert row["_reject"] is None
        return row["vcpu_hours"], row["memory_gib_hours"], row["gpu_hours"]

    def test_are_figures_of_the_sku_times_hours(self, mapped):
        assert self.figures(mapped) == (8.0, 32.0, 4.0)

    def test_of_priced_hours(self, mapped):
        changes = {"ConsumedQuantity": "", "PricingQuantity": "3", "PricingUnit": "Hours"}
        assert self.figures(mapped, **changes) == (12.0, 48.0, 6.0)

    @pytest.mark.parametrize(
        "changes",
        [{"ChargeCategory": "Purchase"}, {"ChargeCategory": "Tax"}, {"ChargeCategory": "Credit"},
         {"ConsumedUnit": "Requests"}, {"ConsumedUnit": "GB"}, {"ConsumedUnit": ""}],
    )  # fmt: skip
    def test_only_hours_of_use_have_them(self, mapped, changes):
        assert self.figures(mapped, **changes) == (None, None, None)

    def test_a_figure_that_is_no_number_is_absent(self, mapped):
        (row,) = mapped(csv_of(charge(SkuPriceDetails='{"CoreCount": "four", "MemorySize": 16}')))
        assert (row["vcpu_hours"], row["memory_gib_hours"], row["gpu_hours"]) == (None, 32.0, None)


def test_corrections_and_negative_amounts_are_kept(mapped):
    rows = [
        charge(BilledCost="100"),
        charge(BilledCost="-30", ChargeClass="Correction", ConsumedQuantity="-1"),
        charge(BilledCost="5", ChargeClass="Correction", ChargeCategory="Credit", ConsumedQuantity=""),
    ]
    found = mapped(csv_of(*rows))
    assert [row["_reject"] for row in found] == [None] * 3
    assert [(row["cost"], row["charge_category"], row["quantity"]) for row in found] == [
        (Decimal(-30), "Usage", -1.0),
        (Decimal(5), "Credit", 200.0),
        (Decimal(100), "Usage", 2.0),
    ]
    assert len({row["activity_id"] for row in found}) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"BilledCost": ""}, "the billed cost is missing"),
        ({"BilledCost": "lots"}, "the billed cost is not a number"),
        ({"ChargePeriodStart": "soon"}, "the charge period's start is missing or not a date"),
        ({"ChargePeriodEnd": ""}, "the charge period's end is missing or not a date"),
        ({"BillingAccountId": ""}, "the billing account is missing"),
        ({"ConsumedQuantity": "lots"}, "the consumed quantity is not a number"),
        ({"Tags": '{"a": '}, "the tags or the SKU's details are not JSON"),
        ({"SkuPriceDetails": "CoreCount=4"}, "the tags or the SKU's details are not JSON"),
    ],
)
def test_bad_rows_are_refused_with_their_reason_and_the_row(mapped, changes, reason):
    good = charge(SkuPriceDetails="", BilledCost="2")
    rows = {row["_reject"]: row for row in mapped(csv_of(good, charge(SkuPriceDetails="") | changes))}
    assert rows.keys() == {None, reason}
    assert rows[None]["_raw"] is None
    raw = json.loads(rows[reason]["_raw"])
    assert raw["ServiceName"] == "Virtual Machines"
    for name, value in changes.items():
        assert raw[name] == (value or None)


def test_a_contract_commitment_dataset_is_refused_by_name(opened):
    table = opened(
        csv_of({"ContractCommitmentId": "1", "ContractId": "2", "BillingCurrency": "USD"}), "cc.csv"
    )
    for write in (
        focus.months_sql,
        lambda table: focus.activities_sql(table, services="kinds", regions="places"),
    ):
        with pytest.raises(SourceError) as caught:
            write(table)
        assert caught.value.error_class is ErrorClass.BAD_REQUEST
        assert caught.value.where == "test://cc.csv"
        assert "contract commitment" in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    "column",
    ["BilledCost", "BillingCurrency", "BillingAccountId", "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart",
     "ChargePeriodEnd", "ServiceName", "ServiceCategory"],
)  # fmt: skip
def test_a_missing_mandatory_column_is_named(opened, column):
    row = charge()
    del row[column]
    with pytest.raises(SourceError, match=column) as caught:
        focus.activities_sql(opened(csv_of(row)), services="kinds", regions="places")
    assert caught.value.error_class is ErrorClass.BAD_REQUEST


def test_months_are_accounts_and_billing_periods(connection, opened):
    rows = [
        charge(),
        charge(BillingPeriodStart="2026-06-01T00:00:00Z"),  # billed in June for May
        charge(BillingAccountId="other", BillingPeriodStart=""),
        charge(BillingAccountId="", BillingPeriodStart="", ChargePeriodStart="soon"),
    ]
    assert connection.execute(focus.months_sql(opened(csv_of(*rows)))).fetchall() == [
        ("other", "2026-05"),
        ("payer", "2026-05"),
        ("payer", "2026-06"),
        ("unknown", "unknown"),
    ]


def test_only_one_period_is_read_when_asked(mapped):
    rows = [
        charge(),
        charge(BilledCost="2", BillingPeriodStart="2026-06-01T00:00:00Z"),
        charge(BilledCost="3", BillingAccountId=""),
    ]
    body = csv_of(*rows)
    assert [row["cost"] for row in mapped(body, only=("payer", "2026-06"))] == [Decimal(2)]
    assert [row["cost"] for row in mapped(body, only=("unknown", "2026-05"))] == [Decimal(3)]
    assert mapped(body, only=("it's", "2026-05")) == []


CATALOGUE = Catalogue(instance_types="types", meters="counted", prefixes="places_of_types")


@pytest.fixture(scope="module")
def catalogue(connection):
    connection.execute(
        "CREATE TABLE types AS SELECT 'm5.large' AS instance_type, '2' AS vcpu, '8' AS memory_gib, '1' AS gpus, "
        "'T4' AS gpu_model, 'Skylake' AS processor"
    )
    connection.execute("CREATE TABLE places_of_types AS SELECT 'EU' AS prefix")
    connection.execute(
        "CREATE TABLE counted AS SELECT * REPLACE ('amazonec2' AS service, replace(meter, 'machine', 'BoxUsage') AS meter) "
        "FROM ogf_focus_meters WHERE meter = 'machine:*'"
    )
    return CATALOGUE


def sku(**details) -> dict[str, str]:
    return {"SkuPriceDetails": json.dumps(details)}


MEASURED = [
    # 2 hours of 4 cores and 16 GiB.
    (sku(InstanceType="x1", CoreCount=4, MemorySize=16), {"vcpu_hours": 8, "memory_gib_hours": 32, "gpu_hours": None}),
    (sku(CoreCount=4, GpuCount=1), {"vcpu_hours": 8, "gpu_hours": 2, "instance_type": None}),
    # The provider's catalogue knows what the details leave out.
    (sku(InstanceType="db.m5.large"), {"vcpu_hours": 4, "memory_gib_hours": 16, "gpu_model": "T4", "processor": "Skylake"}),
    ({"x_SkuDetails": '{"ServiceType": "Standard_D2s_v5", "VCPUs": 2}'}, {"vcpu_hours": 4, "instance_type": "Standard_D2s_v5"}),
    ({"x_SkuDetails": '{"ServiceType": "D2", "VCPUs": 2}', "x_SkuMeterCategory": "Virtual Machines Licenses"}, {"vcpu_hours": None}),
    (sku(InstanceType="x1", CoreCount=4) | {"ChargeCategory": "Purchase"}, {"vcpu_hours": None, "processor": None}),
    (sku(InstanceType="x1", CoreCount=4) | {"CommitmentDiscountStatus": "Unused"}, {"vcpu_hours": None}),
    (sku(InstanceType="x1", CoreCount=4) | {"CommitmentDiscountStatus": "Used"}, {"vcpu_hours": 8}),
    (sku(InstanceType="x1", CoreCount=4) | {"ConsumedQuantity": "-2", "ChargeClass": "Correction"}, {"vcpu_hours": -8}),
    (sku(InstanceType="x1"), {"vcpu_hours": None, "processor": None}),
    # A usage type of the provider's decides, where there is one.
    ({"x_UsageType": "EU-BoxUsage:m5.large", "x_ServiceCode": "AmazonEC2"}, {"vcpu_hours": 4, "instance_type": "m5.large"}),
    ({"SkuMeter": "EU-BoxUsage:m5.large", "ServiceName": "AmazonEC2"}, {"vcpu_hours": 4}),
    (sku(InstanceType="m5.large", CoreCount=2) | {"x_UsageType": "EBSOptimized:m5.large"}, {"vcpu_hours": None}),
    # May has 744 hours.
    (sku(StorageClass="Hot", Redundancy="GRS") | {"ConsumedUnit": "GB-Months", "ServiceCategory": "Storage"},
     {"storage_gib_hours": 2 * 744, "storage_media": "hdd", "replication": 6}),
    (sku(DiskType="Premium SSD") | {"ConsumedUnit": "GiB Hours"},
     {"storage_gib_hours": 2, "storage_media": "ssd", "replication": None}),
    ({"ConsumedUnit": "GB-Months", "ServiceCategory": "Storage"}, {"storage_gib_hours": 2 * 744, "storage_media": None}),
    (sku(x_TransferType="InterRegion") | {"ConsumedUnit": "GB"}, {"network_gib": 2, "network_route": "inter_region"}),
    (sku(x_TransferType="InterAZ") | {"ConsumedUnit": "GB", "ResourceType": "NAT Gateway"}, {"network_gib": None}),
    ({"ConsumedUnit": "Core-Seconds", "ConsumedQuantity": "7200", "ServiceCategory": "Compute"}, {"vcpu_hours": 2}),
    ({"ConsumedUnit": "GB-Seconds", "ConsumedQuantity": "7200", "ServiceCategory": "Compute"}, {"memory_gib_hours": 2}),
    ({"ConsumedUnit": "Requests", "ServiceCategory": "Compute"}, {"vcpu_hours": None, "memory_gib_hours": None}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MEASURED)))
def test_method_what_a_row_stands_for(mapped, catalogue, number):
    changes, expected = MEASURED[number]
    (row,) = mapped(csv_of(charge(**changes)), catalogue=catalogue)
    assert {name: row[name] for name in expected} == expected


def test_without_a_catalogue_the_details_alone_say_it(mapped):
    (row,) = mapped(csv_of(charge(**sku(InstanceType="m5.large"))))
    assert row["vcpu_hours"] is None
    (row,) = mapped(csv_of(charge(**sku(InstanceType="m5.large", CoreCount="2"))))
    assert row["vcpu_hours"] == 4
