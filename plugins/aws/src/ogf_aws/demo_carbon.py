"""The carbon export of `ogf demo`, derived from what its cost report uses. Every figure is invented.

Two model versions of the first month: the older one has totals only, as AWS's exports had until October 2025.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import uuid
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ogf.files.sample import put

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

EXPORT = "sample-carbon"
NEWEST, OLDER = "v3.0.0", "v2.0.0"

# kg CO2e for each kWh, location-based and market-based; and kWh for each unit of usage.
_TABLES = """
CREATE OR REPLACE TEMP TABLE grids AS FROM (VALUES
    ('eu-central-1', 0.350, 0.000), ('eu-west-1', 0.300, 0.000), ('eu-north-1', 0.020, 0.000),
    ('us-east-1', 0.380, 0.000), ('ap-southeast-2', 0.620, 0.050)
) AS grids(region, by_location, by_market);
CREATE OR REPLACE TEMP TABLE takes AS FROM (VALUES
    ('Hrs', 0.060), ('GB-Mo', 0.002), ('GB', 0.001), ('Requests', 0.0000001), ('Lambda-GB-Second', 0.000002)
) AS takes(unit, kwh_per_unit);
"""

# Tonnes to the gram, as AWS gives them: totals are sums of what is shown.
_FIGURES = """
WITH energy AS (
    SELECT account, region, location, CASE code WHEN 'AmazonEC2' THEN 'EC2' WHEN 'AmazonS3' THEN 'S3' ELSE 'Other' END
        AS product, CAST(sum(CAST(used AS DOUBLE) * kwh_per_unit) AS DECIMAL(18, 3)) AS kwh
    FROM usage JOIN takes USING (unit) WHERE month = ':month' GROUP BY ALL
), scopes AS (
    SELECT *, [kwh * 0.0008, kwh * by_location, kwh * by_market, kwh * 0.055, kwh * 0.050] AS kilograms,
        list_transform(kilograms, lambda kg: CAST(round(CAST(kg AS DOUBLE) / 1000, 6) AS DECIMAL(18, 6))) AS tonnes
    FROM energy JOIN grids USING (region)
)
SELECT account, region, location, product, tonnes[1] + tonnes[2] + tonnes[4], tonnes[1] + tonnes[3] + tonnes[5],
    tonnes[1], tonnes[2], tonnes[3], tonnes[4], tonnes[5]
FROM scopes ORDER BY account, region, product
"""

_HEADER = (
    "last_refresh_timestamp",
    "location",
    "model_version",
    "payer_account_id",
    "product_code",
    "region_code",
)
_TOTALS = ("total_lbm_emissions", "total_mbm_emissions")
_SCOPES = (
    "total_scope_1_emissions",
    "total_scope_2_lbm_emissions",
    "total_scope_2_mbm_emissions",
    "total_scope_3_lbm_emissions",
    "total_scope_3_mbm_emissions",
)
_FOOTER = ("usage_account_id", "usage_period_start", "usage_period_end")


def write(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    months: dict[str, str],
    *,
    payer: str,
) -> dict[str, str]:
    """Write the export of these months (month → the following one) from the connection's table `usage`.

    Returns:
        the settings of the stream that read it.
    """
    connection.execute(_TABLES)
    first = min(months)
    for month, after in months.items():
        figures = connection.execute(_FIGURES.replace(":month", month)).fetchall()
        for version in (NEWEST, OLDER) if month == first else (NEWEST,):
            body = gzip.compress(_body(figures, month, after, version, payer), mtime=0)
            _deliver(folder, PurePosixPath(f"carbon_model_version={version}/usage_period={month}"), body)
    return {"location": str(folder)}


def _body(figures: list[tuple[object, ...]], month: str, after: str, version: str, payer: str) -> bytes:
    named = (*_TOTALS, *(_SCOPES if version == NEWEST else ()))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"{name}_{part}" for name in named for part in ("value", "unit")]
    writer.writerow([*_HEADER, *columns, *_FOOTER])
    for account, region, location, product, *tonnes in figures:
        shown = [cell for value in tonnes[: len(named)] for cell in (value, "MTCO2e")]
        about = (f"{after}-18 09:00:00Z", location, version, payer, product, region)
        writer.writerow([*about, *shown, account, f"{month}-01 00:00:00Z", f"{after}-01 00:00:00Z"])
    return text.getvalue().encode()


def _deliver(folder: Path, place: PurePosixPath, body: bytes) -> None:
    name = f"{EXPORT}-00001.csv.gz"
    execution = str(uuid.UUID(hashlib.md5(body, usedforsecurity=False).hexdigest()))
    manifest = {
        "executionId": execution,
        "exportName": EXPORT,
        "dataFiles": [f"s3://sample-bucket/{EXPORT}/data/{place}/{name}"],
    }
    put(folder / "data" / place / name, body)
    put(folder / "metadata" / place / f"{EXPORT}-Manifest.json", json.dumps(manifest, indent=2).encode())
