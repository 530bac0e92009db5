"""ogf on exported Google Cloud billing rows and on FOCUS rows against the floor: one DuckDB statement (floor.py).

    python benchmarks/gcp.py [--rows 2000000] [--rounds 3] [--only billing1,billing4,focus1,focus4]

The same comparison as cur.py, with the real nested schemas, as Parquet.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import duckdb
from compare import COLUMNS, Load, arguments, compare


class Case(NamedTuple):
    name: str
    title: str
    stream: str
    files: int
    workers: int
    limit: float


CASES = (
    Case("billing1", "billing, Parquet, 1 file, 1 worker", "billing", 1, 1, 1.40),
    Case("billing4", "billing, Parquet, 4 files, 2 workers", "billing", 4, 2, 1.25),
    Case("focus1", "FOCUS, Parquet, 1 file, 1 worker", "focus", 1, 1, 1.40),
    Case("focus4", "FOCUS, Parquet, 4 files, 2 workers", "focus", 4, 2, 1.25),
)

# Believable rows: 30 projects, 60 SKUs, 20,000 resources; one row in five has a credit, two in three have labels.
_SKUS = """[
        ('Compute Engine', 'N2 Instance Core running in Belgium', 'seconds', 'hour'),
        ('Compute Engine', 'N2 Instance Ram running in Belgium', 'byte-seconds', 'gibibyte hour'),
        ('Compute Engine', 'Spot Preemptible E2 Instance Core running in Belgium', 'seconds', 'hour'),
        ('Compute Engine', 'Spot Preemptible E2 Instance Ram running in Belgium', 'byte-seconds', 'gibibyte hour'),
        ('Compute Engine', 'Nvidia Tesla T4 GPU running in EMEA', 'seconds', 'hour'),
        ('Compute Engine', 'Balanced PD Capacity in Belgium', 'byte-seconds', 'gibibyte month'),
        ('Compute Engine', 'Network Inter Zone Data Transfer Out', 'bytes', 'gibibyte'),
        ('Compute Engine', 'Network Internet Data Transfer Out from EMEA to EMEA', 'bytes', 'gibibyte'),
        ('Compute Engine', 'Licensing Fee for Ubuntu Pro (CPU cost)', 'seconds', 'hour'),
        ('Cloud SQL', 'Cloud SQL for PostgreSQL: Regional - vCPU in Belgium', 'seconds', 'hour'),
        ('Cloud Storage', 'Standard Storage Europe Multi-region', 'byte-seconds', 'gibibyte month'),
        ('BigQuery', 'Analysis', 'bytes', 'tebibyte')][1 + h % 12]"""
_COMMON = """
    FROM (SELECT i, (hash(i) % 1000003)::BIGINT AS h, TIMESTAMPTZ '2025-03-01' + to_hours((i % 744)::BIGINT) AS ts
          FROM range({first}, {last}) AS numbers(i))"""
_ROWS = {
    "billing": """
    SELECT '012345-6789AB-CDEF01' AS billing_account_id,
        {{'id': '6F81-5844-456A', 'description': {skus}[1]}} AS service,
        {{'id': upper(substr(md5((h % 60)::VARCHAR), 1, 12)),
          'description': {skus}[2]}} AS sku,
        ts AS usage_start_time, ts + INTERVAL 1 HOUR AS usage_end_time,
        {{'id': 'project-' || h % 30, 'number': (h % 30 + 1000)::VARCHAR, 'name': 'Project ' || h % 30,
          'labels': []::STRUCT("key" VARCHAR, "value" VARCHAR)[], 'ancestry_numbers': '/1/2/'}} AS project,
        CASE WHEN h % 3 > 0 THEN [{{'key': 'team', 'value': 'team-' || h % 12}},
            {{'key': 'env', 'value': ['dev', 'prod'][1 + h % 2]}}] ELSE [] END AS labels,
        CASE WHEN h % 3 = 0 THEN [{{'key': 'compute.googleapis.com/machine_spec', 'value': 'n2-standard-4'}},
            {{'key': 'compute.googleapis.com/cores', 'value': '4'}}] ELSE [] END AS system_labels,
        {{'location': 'europe-west1-b', 'country': 'BE',
          'region': 'europe-west1', 'zone': 'europe-west1-b'}} AS location,
        {{'name': 'resource-' || h % 20000, 'global_name': '//compute/resource-' || h % 20000}} AS resource,
        ts + INTERVAL 9 HOUR AS export_time, ((h % 100000) * 1000000 + i % 1000000)::DECIMAL(38,9) / 1000000000 AS cost,
        'USD' AS currency, 1.0::DOUBLE AS currency_conversion_rate,
        {{'amount': (h % 3600)::DOUBLE, 'unit': {skus}[3], 'amount_in_pricing_units': (h % 3600) / 3600.0,
          'pricing_unit': {skus}[4]}} AS usage,
        CASE WHEN h % 5 = 0 THEN [{{'id': 'SUD', 'full_name': 'Sustained use', 'type': 'SUSTAINED_USAGE_DISCOUNT',
            'name': 'Sustained use', 'amount': -(h % 1000)::DECIMAL(38,9) / 1000}}] ELSE [] END AS credits,
        {{'month': '202503'}} AS invoice, 'regular' AS cost_type""",
    "focus": """
    SELECT round((h % 100000) / 12345.0, 9)::DECIMAL(38,9) AS BilledCost, '012345-6789AB-CDEF01' AS BillingAccountId,
        'Billing account' AS BillingAccountName, 'USD' AS BillingCurrency,
        TIMESTAMPTZ '2025-03-01' AS BillingPeriodStart, TIMESTAMPTZ '2025-04-01' AS BillingPeriodEnd,
        'Usage' AS ChargeCategory, NULL::VARCHAR AS ChargeClass, 'SKU number ' || h % 60 AS ChargeDescription,
        ts AS ChargePeriodStart, ts + INTERVAL 1 HOUR AS ChargePeriodEnd,
        (h % 3600)::DOUBLE AS ConsumedQuantity, 'Hours' AS ConsumedUnit, (h % 3600)::DOUBLE AS PricingQuantity,
        'Hours' AS PricingUnit, 'Google Cloud' AS ProviderName, 'europe-west1' AS RegionId, 'Belgium' AS RegionName,
        '//compute/resource-' || h % 20000 AS ResourceId, 'resource-' || h % 20000 AS ResourceName,
        ['Compute', 'Storage', 'Analytics'][1 + h % 3] AS ServiceCategory,
        ['Compute Engine', 'Cloud Storage', 'BigQuery'][1 + h % 3] AS ServiceName, 'SKU' || h % 60 AS SkuId,
        'Compute' AS SkuMeter, 'PRICE' || h % 60 AS SkuPriceId, 'project-' || h % 30 AS SubAccountId,
        'Project ' || h % 30 AS SubAccountName,
        CASE WHEN h % 3 = 0
             THEN '{{"InstanceType":"n2-standard-4","CoreCount":4,"MemorySize":16}}' END AS SkuPriceDetails,
        CASE WHEN h % 3 > 0 THEN [{{'Key': 'team', 'Value': 'team-' || h % 12, 'x_Inherited': false}},
            {{'Key': 'env', 'Value': ['dev', 'prod'][1 + h % 2], 'x_Inherited': false}}] ELSE [] END AS Tags""",
}


def exports(data: Path, stream: str, rows: int, files: int) -> Path:
    """The folder of a cached data set."""
    folder = data / f"gcp-{stream}-{rows}x{files}"
    if folder.exists():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    print(f"making {rows:,} rows of {stream} in {files} files …", file=sys.stderr, flush=True)
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": f"{partial}.spill"}) as connection:
        connection.execute(
            "SET enable_progress_bar = false; SET preserve_insertion_order = false; SET TimeZone = 'UTC'"
        )
        for part in range(files):
            between = {"first": part * rows // files, "last": (part + 1) * rows // files, "skus": _SKUS}
            select = (_ROWS[stream] + _COMMON).format(**between)
            connection.execute(
                f"COPY ({select}) TO '{partial}/part-{part:05d}.parquet' (FORMAT parquet, COMPRESSION snappy)"
            )
    partial.rename(folder)
    return folder


def main() -> None:
    given = arguments(__doc__, rows=2_000_000).parse_args()
    chosen = set(given.only.split(",")) - {""} or {case.name for case in CASES}
    given.data.mkdir(exist_ok=True)
    print(f"{given.rows:,} rows, {given.rounds} rounds, as cur.py.\n\n{COLUMNS}")
    with tempfile.TemporaryDirectory(dir=given.data) as folder:
        for case in CASES:
            if case.name in chosen:
                compare(
                    Load("gcp", case.stream, exports(given.data, case.stream, given.rows, case.files)),
                    title=case.title,
                    workers=case.workers,
                    limit=case.limit,
                    rounds=given.rounds,
                    scratch=Path(folder),
                    storage=given.floor_storage,
                )


if __name__ == "__main__":
    main()
