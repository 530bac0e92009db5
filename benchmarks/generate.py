"""Synthetic Cost and Usage Reports for the benchmark: the real column names, believable values, any number of rows.

    python benchmarks/generate.py FOLDER parquet|csv.gz ROWS FILES [MONTHS]

writes one legacy CUR delivery for each month, with its manifest; FOLDER appears when all of it is complete.
Numbers are derived from row numbers by hashing, so that equal arguments give equal rows.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import duckdb

REPORT = "bench"
ASSEMBLY = "20260101T000000Z-bench"
SUFFIX = {"parquet": "snappy.parquet", "csv.gz": "csv.gz"}

# What the mapping reads is made to look real: some 40 accounts, 20,000 resources, 150 usage types, 3 of 4 rows tagged.
_READ = """
    md5(i::VARCHAR) AS identity_line_item_id,
    strftime(ts, '%Y-%m-%dT%H:%M:%SZ') || '/' || strftime(ts + INTERVAL 1 HOUR, '%Y-%m-%dT%H:%M:%SZ')
        AS identity_time_interval,
    '' AS bill_invoice_id, 'AWS' AS bill_billing_entity, 'Anniversary' AS bill_bill_type,
    '000000000100' AS bill_payer_account_id,
    month AS bill_billing_period_start_date, month + INTERVAL 1 MONTH AS bill_billing_period_end_date,
    lpad((h % 40 + 100)::VARCHAR, 12, '0') AS line_item_usage_account_id,
    ['Usage', 'Usage', 'Usage', 'Usage', 'Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage',
     'SavingsPlanNegation'][1 + h % 8] AS line_item_line_item_type,
    ts AS line_item_usage_start_date, ts + INTERVAL 1 HOUR AS line_item_usage_end_date,
    ['AmazonEC2', 'AmazonEC2', 'AmazonS3', 'AWSLambda', 'AmazonRDS'][1 + k] AS line_item_product_code,
    ['', 'EUC1-', 'USW2-', 'EUN1-', 'APS2-'][1 + r] || CASE k
        WHEN 0 THEN ['BoxUsage:', 'SpotUsage:', 'DedicatedUsage:'][1 + h % 3] || type
        WHEN 1 THEN 'EBS:VolumeUsage.' || ['gp2', 'gp3', 'st1'][1 + h % 3]
        WHEN 2 THEN 'TimedStorage-' || ['', 'SIA-', 'INT-FA-'][1 + h % 3] || 'ByteHrs'
        WHEN 3 THEN 'Lambda-GB-Second' || ['', '-ARM', ''][1 + h % 3]
        ELSE ['InstanceUsage:db.', 'Multi-AZUsage:db.'][1 + h % 2] || type END AS line_item_usage_type,
    ['RunInstances', 'CreateVolume-Gp3', 'PutObject', 'Invoke', 'CreateDBInstance'][1 + k] AS line_item_operation,
    CASE WHEN k < 2 THEN region || chr((97 + h % 3)::INTEGER) ELSE '' END AS line_item_availability_zone,
    CASE k WHEN 0 THEN 'i-' WHEN 1 THEN 'vol-' ELSE 'arn:aws:s3:::bucket-' END
        || lpad(to_hex(h % 20000), 17, '0') AS line_item_resource_id,
    round((h % 1000) / 7.0, 8)::DOUBLE AS line_item_usage_amount,
    1.0::DOUBLE AS line_item_normalization_factor, 0.0::DOUBLE AS line_item_normalized_usage_amount,
    'USD' AS line_item_currency_code, '0.0960000000' AS line_item_unblended_rate,
    cost AS line_item_unblended_cost, '0.0960000000' AS line_item_blended_rate, cost AS line_item_blended_cost,
    '$0.096 per On Demand Linux instance hour, variant ' || (h % 200) AS line_item_line_item_description,
    '' AS line_item_tax_type, 'Amazon Web Services, Inc.' AS line_item_legal_entity,
    ['Amazon Elastic Compute Cloud', 'Amazon Elastic Compute Cloud', 'Amazon Simple Storage Service', 'AWS Lambda',
     'Amazon Relational Database Service'][1 + k] AS product_product_name,
    CASE k WHEN 0 THEN type WHEN 4 THEN 'db.' || type ELSE '' END AS product_instance_type,
    CASE WHEN k IN (0, 4) THEN '2' ELSE '' END AS product_vcpu,
    CASE WHEN k IN (0, 4) THEN '8 GiB' ELSE '' END AS product_memory,
    '' AS product_location, region AS product_region,
    ['Compute Instance', 'Storage', 'Storage', 'Serverless', 'Database Instance'][1 + k] AS product_product_family,
    ['AmazonEC2', 'AmazonEC2', 'AmazonS3', 'AWSLambda', 'AmazonRDS'][1 + k] AS product_servicecode,
    'SKU' || upper(substr(md5((h % 150)::VARCHAR), 1, 13)) AS product_sku,
    cost AS pricing_public_on_demand_cost, '0.0960000000' AS pricing_public_on_demand_rate,
    'OnDemand' AS pricing_term, ['Hrs', 'GB-Mo', 'GB-Mo', 'Lambda-GB-Second', 'Hrs'][1 + k] AS pricing_unit
"""
# What it does not read, but a reader has to step over.
_PRODUCT = [
    "availability",
    "capacitystatus",
    "clock_speed",
    "current_generation",
    "database_engine",
    "dedicated_ebs_throughput",
    "deployment_option",
    "description",
    "durability",
    "ecu",
    "edition",
    "engine_code",
    "enhanced_networking_supported",
    "event_type",
    "free_query_types",
    "from_location",
    "from_location_type",
    "group",
    "group_description",
    "instance_family",
    "instance_type_family",
    "license_model",
    "location_type",
    "max_iops_burst_performance",
    "max_iopsvolume",
    "max_throughputvolume",
    "max_volume_size",
    "message_delivery_frequency",
    "message_delivery_order",
    "min_volume_size",
    "network_performance",
    "normalization_size_factor",
    "operating_system",
    "operation",
    "physical_processor",
    "pre_installed_sw",
    "processor_architecture",
    "processor_features",
    "queue_type",
    "servicename",
    "storage",
    "storage_class",
    "storage_media",
    "subscription_type",
    "tenancy",
    "to_location",
    "to_location_type",
    "transfer_type",
    "usagetype",
    "version",
    "volume_type",
]
_RESERVATION = [
    "amortized_upfront_cost_for_usage",
    "amortized_upfront_fee_for_billing_period",
    "effective_cost",
    "recurring_fee_for_usage",
    "unused_amortized_upfront_fee_for_billing_period",
    "unused_normalized_unit_quantity",
    "unused_quantity",
    "unused_recurring_fee",
    "upfront_value",
]
_TAGS = [
    "aws_created_by",
    "user_cost_center",
    "user_department",
    "user_environment",
    "user_name",
    "user_workload",
]


def _columns() -> str:
    product = [
        f"CASE WHEN h % {2 + i % 9} = 0 THEN 'value ' || (h % {7 + i}) ELSE '' END AS product_{name}"
        for i, name in enumerate(_PRODUCT)
    ]
    reservation = [f"0.0::DOUBLE AS reservation_{name}" for name in _RESERVATION]
    tags = [
        f"CASE WHEN h % 4 > 0 AND h % {3 + i} = 0 THEN '{name[-6:]}-' || (h % {20 + i}) ELSE '' END "
        f"AS resource_tags_{name}"
        for i, name in enumerate(_TAGS)
    ]
    return ",\n".join([_READ, *product, *reservation, *tags])


def _rows(first: int, last: int, month: str) -> str:
    return f"""
        SELECT {_columns()} FROM (
            SELECT i, h, h % 5 AS k, h // 5 % 5 AS r, TIMESTAMP '{month}-01' AS month,
                ['us-east-1', 'eu-central-1', 'us-west-2', 'eu-north-1', 'ap-southeast-2'][1 + h // 5 % 5] AS region,
                TIMESTAMP '{month}-01' + to_hours((i % 672)::BIGINT) AS ts,
                round((h % 100000) / 12345.0, 10)::DOUBLE AS cost,
                ['m5.large', 'c5.xlarge', 'r5.2xlarge', 't3.micro', 'm6i.large', 'c6g.medium'][1 + h % 6] AS type
            FROM (SELECT i, (hash(i) % 1000003)::BIGINT AS h FROM range({first}, {last}) AS numbers(i)))"""


def _legacy_name(name: str) -> str:
    """`line_item_usage_type` as a legacy CSV spells it: `lineItem/UsageType`."""
    if name.startswith("resource_tags_"):
        kind, _, key = name.removeprefix("resource_tags_").partition("_")
        return f"resourceTags/{kind}:{key}"
    section = next(
        head
        for head in ("identity", "bill", "line_item", "product", "pricing", "reservation")
        if name.startswith(f"{head}_")
    )
    words = name.removeprefix(f"{section}_").split("_")
    rest = "".join(word.capitalize() for word in words)
    if section in ("product", "pricing") and words[0] != "product":
        rest = rest[0].lower() + rest[1:]
    return re.sub("_i", "I", section) + "/" + rest


def write(folder: Path, kind: str, rows: int, files: int, months: int = 1) -> None:
    """Write `rows` rows for each month, spread over `files` files."""
    connection = duckdb.connect(config={"memory_limit": "2GB", "temp_directory": f"{folder}.spill"})
    connection.execute(
        "SET enable_progress_bar = false; SET preserve_insertion_order = false; SET TimeZone = 'UTC'"
    )
    partial = folder.with_name(f"{folder.name}.partial")
    for number in range(months):
        year, month = 2025 + number // 12, 1 + number % 12
        period = f"{year}{month:02d}01-{year + month // 12}{month % 12 + 1:02d}01"
        delivery = partial / REPORT / period
        (delivery / ASSEMBLY).mkdir(parents=True, exist_ok=True)
        names = [f"{REPORT}-{part:05d}.{SUFFIX[kind]}" for part in range(1, files + 1)]
        start = number * rows
        for part, name in enumerate(names):
            select = _rows(
                start + part * rows // files, start + (part + 1) * rows // files, f"{year}-{month:02d}"
            )
            _copy(connection, select, delivery / ASSEMBLY / name, kind)
        manifest = {
            "assemblyId": ASSEMBLY,
            "account": "000000000100",
            "bucket": "bench",
            "reportName": REPORT,
            "billingPeriod": {"start": f"{period[:8]}T000000.000Z", "end": f"{period[9:]}T000000.000Z"},
            "reportKeys": [f"{REPORT}/{period}/{ASSEMBLY}/{name}" for name in names],
        }
        (delivery / f"{REPORT}-Manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    partial.rename(folder)


def _copy(connection: duckdb.DuckDBPyConnection, select: str, path: Path, kind: str) -> None:
    if kind == "parquet":
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)")
        return
    text = {
        "VARCHAR": "nullif({}, '')",  # AWS writes nothing for an empty field, not a pair of quotes
        "TIMESTAMP": "strftime({}, '%Y-%m-%dT%H:%M:%SZ')",
    }
    described = connection.execute(f"DESCRIBE {select}").fetchall()
    renamed = ", ".join(
        f'{text.get(row[1], "{}").format(row[0])} AS "{_legacy_name(row[0])}"' for row in described
    )
    connection.execute(
        f"COPY (SELECT {renamed} FROM ({select})) TO '{path}' (FORMAT csv, HEADER, COMPRESSION gzip)"
    )


if __name__ == "__main__":
    target, kind, *counts = sys.argv[1:]
    write(Path(target), kind, *map(int, counts))
