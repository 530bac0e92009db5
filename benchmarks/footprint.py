"""`footprint` by month over 10 million activities, against the same GROUP BY over the bare table.

    python benchmarks/footprint.py [ROWS]

The bare query adds up the physical columns that the arithmetic reads, without any factor. `footprint` reads the months
that were added up when the rows were loaded, `footprint_activities` every row; what the adding up costs is told too.
All on the warehouse as `ogf query` opens it; the best of three. Goal: a ratio below 1.5 for `footprint`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ogf.emissions.install import add_up
from ogf.warehouse.file import WarehouseFile

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
LOADS = 36  # three clouds, twelve months
TIMES = 3

_LOADS = f"""
INSERT INTO loads BY NAME
SELECT i AS load_id, 'org' AS org_id, ['aws', 'azure', 'gcp'][1 + i % 3] AS provider,
    ['cur', 'focus', 'billing'][1 + i % 3] AS stream, 'part-' || i AS partition_key, '' AS digest, 'current' AS status,
    'run' AS run_id, 0 AS row_count, 0 AS rejected, now() AS started_at, now() AS published_at, 0 AS dropped
FROM range({LOADS}) AS t(i)"""

# As bills are: two rows in five are machines, one in five disks, one in ten network, the rest without a quantity.
_ROWS = f"""
INSERT INTO activity_log BY NAME
SELECT CAST(i * {LOADS} // {ROWS} AS BIGINT) AS load_id, uuid() AS activity_id, 'payer' AS billing_account_id,
    lpad(CAST(hash(i) % 50 AS VARCHAR), 12, '0') AS account_id,
    ['compute', 'storage', 'database', 'network'][1 + i % 4] AS service, 'Usage' AS charge_category,
    TIMESTAMPTZ '2024-01-01 00:00:00Z' + INTERVAL 1 MONTH * (i * {LOADS} // {ROWS} // 3) + INTERVAL 1 HOUR * (i % 600)
        AS period_start,
    period_start + INTERVAL 1 HOUR AS period_end, 1 AS quantity, CAST(i % 1000 AS DECIMAL(38,18)) / 1000 AS cost,
    CASE (i * {LOADS} // {ROWS}) % 3
        WHEN 0 THEN ['us-east-1', 'eu-central-1', 'eu-west-1'][1 + i % 3]
        WHEN 1 THEN ['eastus', 'westeurope'][1 + i % 2] ELSE ['us-central1', 'europe-west4'][1 + i % 2] END AS region,
    CASE WHEN i % 10 < 4 THEN CASE (i * {LOADS} // {ROWS}) % 3
        WHEN 0 THEN ['m5.large', 'm6i.2xlarge', 'c6g.xlarge'][1 + i % 3]
        WHEN 1 THEN ['Standard_D4s_v3', 'Standard_E8s_v4'][1 + i % 2] ELSE 'n2-standard-8' END END AS instance_type,
    CASE WHEN i % 10 < 4 THEN 1 + i % 8 END AS vcpu_hours, vcpu_hours * 4 AS memory_gib_hours,
    CASE WHEN i % 10 < 4 THEN ['Ice Lake', 'Cascade Lake', 'EPYC 2nd Gen'][1 + i % 3] END AS processor,
    CASE WHEN i % 10 IN (4, 5) THEN 1 + i % 100 END AS storage_gib_hours,
    CASE WHEN i % 10 IN (4, 5) THEN 'ssd' END AS storage_media,
    CASE WHEN i % 10 IN (4, 5) THEN 2 END AS replication,
    CASE WHEN i % 10 = 6 THEN (i % 50) / 10 END AS network_gib,
    CASE WHEN i % 10 = 6 THEN ['internet', 'inter_region', 'intra_region'][1 + i % 3] END AS network_route
FROM range({ROWS}) AS t(i)"""

_MONTH = "CAST(date_trunc('month', make_timestamp(epoch_us(period_start))) AS DATE)"
BARE = f"""
SELECT {_MONTH} AS "month", sum(vcpu_hours) + sum(memory_gib_hours) + sum(storage_gib_hours) + sum(network_gib)
FROM activities WHERE charge_category = 'Usage' GROUP BY ALL"""
FOOTPRINT = (
    "SELECT \"month\", sum(emissions_kgco2e) FROM footprint WHERE accounting = 'location' GROUP BY ALL"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = WarehouseFile(Path(folder) / "ogf.duckdb", memory_mb=2000)
        with file.writing() as connection:
            connection.execute(_LOADS)
            connection.execute(_ROWS)
            began = time.perf_counter()
            add_up(connection, "SELECT load_id FROM loads")
            print(f"{ROWS:,} rows added up by month in {time.perf_counter() - began:.2f} s")
        with WarehouseFile(file.path).reading() as connection:
            best = {}
            for name, query in (
                ("bare", BARE),
                ("footprint", FOOTPRINT.format("footprint")),
                ("footprint_activities", FOOTPRINT.format("footprint_activities")),
            ):
                times = []
                for _ in range(TIMES):
                    began = time.perf_counter()
                    rows = connection.execute(query).fetchall()
                    times.append(time.perf_counter() - began)
                best[name] = min(times)
                print(f"{name:<20} {best[name]:.2f} s, {len(rows)} months")
            print(f"ratio {best['footprint'] / best['bare']:.2f} (goal: below 1.5)")


if __name__ == "__main__":
    main()
