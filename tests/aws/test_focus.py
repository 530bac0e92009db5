"""The stream `focus`: FOCUS 1.0 and 1.2 data exports, with manifests and without."""

from __future__ import annotations

from decimal import Decimal

import pytest
from aws.cur_files import Warehouse, csv_file, folder_put, gz, lines, parquet_file, put_export, s3_settings

V1_0 = {
    "BilledCost": "1.5",
    "BillingAccountId": "000000000042",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-01-01T00:00:00Z",
    "BillingPeriodEnd": "2026-02-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-01-01T00:00:00Z",
    "ChargePeriodEnd": "2026-01-01T01:00:00Z",
    "ConsumedQuantity": "1",
    "ConsumedUnit": "Hrs",
    "ProviderName": "AWS",
    "RegionId": "eu-west-1",
    "ResourceId": "i-1",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "SkuId": "SKU1",
    "SubAccountId": "012345678901",
    "Tags": '{"team": "shop"}',
    "x_Operation": "RunInstances",
    "x_ServiceCode": "AmazonEC2",
    "x_UsageType": "EU-BoxUsage:m5.large",
}
V1_2 = {name: text for name, text in V1_0.items() if name != "x_UsageType"} | {
    "BillingAccountType": "Payer",
    "InvoiceId": "",
    "SkuMeter": "BoxUsage:m5.large",
    "SkuPriceDetails": '{"CoreCount": "2", "MemorySize": "8"}',
    "SubAccountType": "Linked",
}
COLUMNS = [{"name": name, "type": "string"} for name in V1_2]


def rows(count: int, of: dict[str, str] = V1_2, **changes: str) -> list[dict[str, str]]:
    return [
        of | {"ResourceId": f"i-{number}", "BilledCost": f"{number}.01"} | changes for number in range(count)
    ]


def packed(*given: dict[str, str]) -> bytes:
    return gz(csv_file(given, legacy=False, header=list(V1_2)))


def put_focus(put, files, **fields) -> str:
    return put_export(put, files, report="focus", **{"columns": COLUMNS} | fields)


@pytest.fixture
def load(tmp_path):
    def loading(folder="exports", **settings):
        warehouse = Warehouse(
            tmp_path / "ogf.duckdb",
            "",
            ingestion__aws__cur__location=None,
            ingestion__aws__focus__location=str(tmp_path / folder),
        )
        return warehouse, warehouse.run(**settings)

    return loading


@pytest.mark.parametrize("version", [V1_0, V1_2], ids=["1.0", "1.2"])
def test_b130_both_versions_give_activities(load, tmp_path, version):
    put_focus(folder_put(tmp_path), [gz(csv_file([version], legacy=False))])
    warehouse, result = load()
    assert (result.status, result.message) == ("succeeded", "")
    shown = (
        "stream, partition_key, billing_account_id, account_id, service, category, region, location, operation, "
        "usage_type, "
        "quantity, unit, cost, currency, vcpu_hours, tags"
    )
    assert warehouse.query(f"SELECT {shown} FROM activities") == [
        (
            "focus",
            "billing/focus/2026-01",
            "000000000042",
            "012345678901",
            "Amazon Elastic Compute Cloud",
            "cloud_compute",
            "eu-west-1",
            "EU-WEST",
            "RunInstances",
            "BoxUsage:m5.large" if version is V1_2 else "EU-BoxUsage:m5.large",
            1.0,
            "hours",
            Decimal("1.5"),
            "USD",
            2.0,  # 1.2 says it; in 1.0 the usage type names the machine
            {"team": "shop"},
        )
    ]


def test_parquet_with_doubles_and_maps(load, tmp_path):
    body = parquet_file(
        rows(10), BilledCost="DOUBLE", ConsumedQuantity="DOUBLE", ChargePeriodStart="TIMESTAMP",
        Tags="JSON",
    )  # fmt: skip
    put_focus(folder_put(tmp_path), [body], suffix="snappy.parquet")
    warehouse, result = load()
    assert (result.status, warehouse.facts()) == ("succeeded", (10, Decimal("45.10")))


def test_a_second_run_reads_nothing_and_a_new_execution_replaces_the_month(load, tmp_path):
    put = folder_put(tmp_path)
    put_focus(put, [packed(*rows(10))])
    load()
    assert load()[1].count("unchanged") == 1
    put_focus(put, [packed(*rows(3))], execution="execution-2")
    warehouse, result = load()
    assert (result.partitions[0].reason, warehouse.facts()) == ("version changed", (3, Decimal("3.03")))


def test_the_manifest_of_another_export_is_ignored(load, tmp_path):
    put = folder_put(tmp_path)
    put_focus(put, [packed(*rows(10))])
    cost = csv_file(lines(5), legacy=False)
    put_export(put, [gz(cost)], columns=[{"name": "line_item_usage_amount"}])
    _warehouse, result = load()
    assert (result.status, [item.key for item in result.partitions]) == (
        "succeeded",
        ["billing/focus/2026-01"],
    )
    both = Warehouse(
        tmp_path / "both.duckdb",
        tmp_path / "exports",
        ingestion__aws__focus__location=str(tmp_path / "exports"),
    )
    assert both.run().status == "succeeded"
    assert both.query("SELECT stream, count(*) FROM activities GROUP BY ALL ORDER BY ALL") == [
        ("cur", 5),
        ("focus", 10),
    ]


def test_files_without_a_manifest_are_divided_by_payer_and_month(load, tmp_path):
    put = folder_put(tmp_path)
    later = {"BillingPeriodStart": "2026-02-01T00:00:00Z"}
    put("exports/a.csv.gz", packed(*rows(2), *rows(3, **later)))
    warehouse, result = load()
    assert sorted(item.key for item in result.partitions) == [
        "files/000000000042/2026-01",
        "files/000000000042/2026-02",
    ]
    assert warehouse.facts()[0] == 5


def test_another_payer_than_expected_is_refused(load, tmp_path):
    folder_put(tmp_path)("exports/a.csv.gz", packed(*rows(2)))
    _warehouse, result = load(ingestion__aws__account_id="999999999999")
    assert result.status == "failed"
    assert "belongs to account 000000000042" in result.message


def test_rows_of_another_provider_are_refused(load, tmp_path):
    put_focus(folder_put(tmp_path), [packed(*rows(200), V1_2 | {"ProviderName": "Microsoft"})])
    warehouse, result = load()
    assert result.status == "partial"
    assert warehouse.column("reason", table="quarantine") == [
        "the row belongs to another provider, Microsoft"
    ]


def test_it_loads_from_s3_and_a_second_run_only_lists(bucket, tmp_path):
    put_focus(bucket.put, [packed(*rows(10)), packed(*rows(5))], bucket=bucket.name)
    warehouse = Warehouse(
        tmp_path / "ogf.duckdb",
        "",
        **s3_settings(
            bucket,
            ingestion__aws__cur__location=None,
            ingestion__aws__focus__location=f"s3://{bucket.name}/exports",
        ),
    )
    assert warehouse.run().status == "succeeded"
    assert warehouse.facts() == (15, Decimal("55.15"))
    bucket.aws.faults.clear()
    assert warehouse.run().count("unchanged") == 1
    assert not [call for call in bucket.aws.faults.calls if "GET" in call and ".csv.gz" in call]
