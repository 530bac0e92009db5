"""Sample exports for `ogf demo`: three months of a small company's Cloud Billing and Carbon Footprint exports.

Everything is invented, prices and kilograms too, and derived from the tables below by arithmetic and MD5 alone: each
call writes the same bytes. There is a story in it: the company grows 4 % a month, works less at weekends, and moves
the training of its models from Iowa to Finland, where a kilowatt-hour costs the climate a tenth.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.files.sample import put
from ogf.window import Month

if TYPE_CHECKING:
    import duckdb

MONTHS = ("2026-07", "2026-08", "2026-09")
BILLING_ACCOUNT = "000000-ABCDEF-000100"

# As `EXPORT DATA` of BigQuery numbers its files.
_SHARD = "000000000000"

# What a place of size 1 uses in a day, in the pricing unit; what a pricing unit is in the unit of usage, costs and
# takes of electricity. `:place` in a SKU's name is where it runs.
_KINDS = """
CREATE TABLE kinds AS FROM (VALUES
    ('6F81-5844-456A', 'Compute Engine', 'N2 Instance Core running in :place', 'seconds', 'hour', 3600,
        576.0, 0.031611, 0.0060),
    ('6F81-5844-456A', 'Compute Engine', 'N2 Instance Ram running in :place', 'byte-seconds', 'gibibyte hour',
        1073741824.0 * 3600, 2304.0, 0.004237, 0.0004),
    ('6F81-5844-456A', 'Compute Engine', 'Balanced PD Capacity in :place', 'byte-seconds', 'gibibyte month',
        1073741824.0 * 2628000, 25.0, 0.1, 0.0017),
    ('95FF-2EF5-5EA1', 'Cloud Storage', 'Standard Storage :place', 'byte-seconds', 'gibibyte month',
        1073741824.0 * 2628000, 90.0, 0.02, 0.0015),
    ('95FF-2EF5-5EA1', 'Cloud Storage', 'Regional Standard Class A Operations', 'requests', 'count', 1,
        42000.0, 0.000005, 0),
    ('24E6-581D-38E5', 'BigQuery', 'Analysis (:place)', 'bytes', 'tebibyte', 1099511627776, 1.8, 6.25, 0.9),
    ('24E6-581D-38E5', 'BigQuery', 'Active Logical Storage (:place)', 'byte-seconds', 'gibibyte month',
        1073741824.0 * 2628000, 160.0, 0.02, 0.0015),
    ('152E-C115-5142', 'Cloud Run', 'Services CPU (Instance-based billing) in :place', 'seconds', 'second', 1,
        260000.0, 0.000018, 0.0000017),
    ('E505-1604-58F8', 'Networking', 'Network Internet Data Transfer Out from :place', 'bytes', 'gibibyte',
        1073741824, 140.0, 0.085, 0.001)
) AS kinds(service_id, service, sku, unit, pricing_unit, per_unit, amount, price, kwh_per_unit);
"""

# Who uses it where: `first` and `step` are the size in the first month and what each further month adds to it.
_PLACES = """
CREATE TABLE places AS FROM (VALUES
    ('sample-shop', '100000000301', 'Sample shop', 'production', 'europe-west1', 'b', 'BE', 'Belgium',
        ['Compute Engine', 'Cloud Storage', 'Cloud Run', 'Networking'], 1.0, 0.00, 'shop'),
    ('sample-shop', '100000000301', 'Sample shop', 'production', 'us-central1', 'a', 'US', 'Iowa',
        ['Cloud Run', 'Networking'], 0.5, 0.05, 'shop'),
    ('sample-training', '100000000302', 'Sample training', 'production', 'us-central1', 'f', 'US', 'Iowa',
        ['Compute Engine', 'Cloud Storage'], 0.9, -0.35, 'insight'),
    ('sample-training', '100000000302', 'Sample training', 'production', 'europe-north1', 'a', 'FI', 'Finland',
        ['Compute Engine', 'Cloud Storage'], 0.1, 0.35, 'insight'),
    ('sample-training', '100000000302', 'Sample training', 'production', 'eu', NULL, 'EU', 'eu',
        ['BigQuery'], 0.8, 0.10, 'insight'),
    ('sample-sandbox', '100000000303', 'Sample sandbox', 'sandbox', 'europe-west1', 'c', 'BE', 'Belgium',
        ['Compute Engine', 'Cloud Run'], 0.2, 0.00, NULL)
) AS places(project, number, name, environment, region, zone, country, place, services, first, step, team);

-- kg CO2e for each kWh; the market-based figure counts the clean power that was bought. Zero is a figure too.
CREATE TABLE grids AS FROM (VALUES
    ('europe-west1', 0.110, 0.030), ('us-central1', 0.430, 0.060), ('europe-north1', 0.040, 0.000), ('eu', 0.190, 0.050)
) AS grids(region, by_location, by_market);
"""

# One row for each project, region, SKU and day. `wobble` lies between 0.9 and 1.1 and depends on nothing but the name.
_USAGE = """
CREATE TABLE usage AS
SELECT *, CAST(round(size * amount * wobble, 6) AS DECIMAL(18, 6)) AS used,
    CAST(round(size * amount * wobble * price, 6) AS DECIMAL(18, 6)) AS cost,
    CAST(round(size * amount * wobble * kwh_per_unit, 9) AS DECIMAL(18, 9)) AS kwh
FROM (
    SELECT *, replace(sku, ':place', place) AS sku_name,
        (first + step * month_number) * 1.04 ** month_number
            * CASE WHEN isodow(day) > 5 AND environment <> 'production' THEN 0.4 ELSE 1 END AS size,
        0.9 + CAST(md5_number_lower(concat_ws('/', project, region, sku, day)) % 2001 AS DOUBLE) / 10000 AS wobble
    FROM places JOIN kinds ON list_contains(services, service), (
        SELECT CAST(day AS DATE) AS day, date_diff('month', DATE ':first', day) AS month_number,
            strftime(day, '%Y-%m') AS month
        FROM range(TIMESTAMP ':first', TIMESTAMP ':after', INTERVAL 1 DAY) AS days(day))
);
"""

# Lines of the bill. The longer a month a machine of the shop or the sandbox runs, the more of its price is a sustained
# use discount; a promotion pays for what is left of the sandbox, but not in the last month.
_LINES = """
CREATE TABLE lines AS
WITH discounted AS (
    SELECT *, sku LIKE 'N2 %' AS is_machine,
        CAST(CASE WHEN is_machine AND region = 'europe-west1'
            THEN round(-cost * [0, 0.1322, 0.267, 0.4][1 + (day(day) - 1) * 4 // day(last_day(day))], 6)
            ELSE 0 END AS DECIMAL(18, 6)) AS sustained
    FROM usage
), promoted AS (
    SELECT *, CAST(CASE WHEN environment = 'sandbox' AND month_number < 2 THEN -cost - sustained ELSE 0 END
        AS DECIMAL(18, 6)) AS promotion
    FROM discounted
)
SELECT month, service_id, service, sku_name AS sku, day AS starts, day + INTERVAL 1 DAY AS ends, project, number, name,
    environment, region, zone, country, team, 'regular' AS kind, cost, CAST(used AS DOUBLE) AS priced, pricing_unit,
    round(CAST(used AS DOUBLE) * per_unit) AS used, unit, is_machine, list_filter([
        {'id': 'Sustained Usage Discount', 'full_name': '', 'type': 'SUSTAINED_USAGE_DISCOUNT',
            'name': 'Sustained Usage Discount', 'amount': sustained},
        {'id': 'sample-credit', 'full_name': 'Sample credit for new customers', 'type': 'PROMOTION',
            'name': 'Sample credit for new customers', 'amount': promotion}
    ], lambda credit: credit.amount <> 0) AS credits, NULL AS adjustment
FROM promoted
UNION ALL BY NAME
SELECT month, '2062-016F-44A2' AS service_id, 'Support' AS service, 'Standard Support' AS sku, min(day) AS starts,
    max(day) + INTERVAL 1 DAY AS ends, 'regular' AS kind, 29.0 AS cost, [] AS credits
FROM usage GROUP BY month
UNION ALL BY NAME
SELECT month, service_id, service, sku_name AS sku, min(day) AS starts, min(day) + INTERVAL 1 DAY AS ends, project,
    number, name, region, country, 'adjustment' AS kind, -12.5 AS cost, [] AS credits,
    'Correction of traffic that was billed twice' AS adjustment
FROM usage WHERE month_number = 2 AND service = 'Networking' AND region = 'us-central1' GROUP BY ALL;
"""

_BILLING = """
SELECT
    ':account' AS billing_account_id,
    {'id': service_id, 'description': service} AS service,
    {'id': :sku_id, 'description': sku} AS sku,
    strftime(starts, :utc) AS usage_start_time,
    strftime(ends, :utc) AS usage_end_time,
    CASE WHEN project IS NOT NULL THEN {'id': project, 'number': number, 'name': name, 'labels': [],
        'ancestry_numbers': '/' || number || '/', 'ancestors':
        [{'resource_name': 'projects/' || number, 'display_name': name}]} END AS project,
    list_filter([{'key': 'environment', 'value': environment}, {'key': 'team', 'value': team}],
        lambda label: label.value IS NOT NULL) AS labels,
    CASE WHEN is_machine THEN [{'key': 'compute.googleapis.com/cores', 'value': '8'},
        {'key': 'compute.googleapis.com/machine_spec', 'value': 'n2-standard-8'},
        {'key': 'compute.googleapis.com/memory', 'value': '32768'}] ELSE [] END AS system_labels,
    {'location': region, 'country': country, 'region': CASE WHEN region <> 'eu' THEN region END,
        'zone': CASE WHEN is_machine THEN region || '-' || zone END} AS location,
    [] AS tags,
    strftime(ends + INTERVAL 5 HOUR, :utc) AS export_time,
    cost,
    'USD' AS currency,
    1.0 AS currency_conversion_rate,
    {'amount': used, 'unit': unit, 'amount_in_pricing_units': priced, 'pricing_unit': pricing_unit} AS usage,
    credits,
    {'month': replace(month, '-', '')} AS invoice,
    kind AS cost_type,
    CASE WHEN adjustment IS NOT NULL THEN {'id': 'sample-correction', 'description': adjustment,
        'mode': 'PARTIAL_CORRECTION', 'type': 'GENERAL_ADJUSTMENT'} END AS adjustment_info
FROM lines
WHERE month = ':month'
ORDER BY starts, project NULLS FIRST, region, service_id, sku, kind
"""

# Scope 1 is the spare generators' diesel, scope 3 mostly the machines themselves.
_CARBON = """
SELECT
    usage_month,
    ':account' AS billing_account_id,
    {'number': number, 'id': project} AS project,
    {'id': service_id, 'description': service} AS service,
    {'location': region, 'region': CASE WHEN region <> 'eu' THEN region END} AS location,
    CAST(15 AS BIGINT) AS carbon_model_version,
    {'scope1': scope1, 'scope2': {'location_based': by_location, 'market_based': by_market}, 'scope3': scope3}
        AS "carbon_footprint_kgCO2e",
    {'location_based': round(scope1 + by_location + scope3, 6), 'market_based': round(scope1 + by_market + scope3, 6)}
        AS "carbon_footprint_total_kgCO2e"
FROM (
    SELECT *, round(energy * 0.0008, 6) AS scope1, round(energy * grid_by_location, 6) AS by_location,
        round(energy * grid_by_market, 6) AS by_market, round(energy * 0.055, 6) AS scope3
    FROM (
        SELECT DATE ':month-01' AS usage_month, number, project, service_id, service, region,
            grids.by_location AS grid_by_location, grids.by_market AS grid_by_market, CAST(sum(kwh) AS DOUBLE) AS energy
        FROM usage JOIN grids USING (region) WHERE month = ':month' GROUP BY ALL))
ORDER BY number, service_id, region
"""


def write_exports(folder: Path) -> dict[str, Any]:
    """Write the sample exports; files that are there already with the same content are left untouched.

    Returns:
        the settings that read them.
    """
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection, tempfile.TemporaryDirectory() as scratch:
        connection.execute("SET enable_progress_bar = false")
        first, after = (f"{month}-01" for month in (MONTHS[0], Month.parse(MONTHS[-1]).plus(1)))
        usage = _USAGE.replace(":first", first).replace(":after", after)
        connection.execute(_KINDS + _PLACES + usage + _LINES)
        part = Path(scratch) / "part"
        for month in MONTHS:
            table = _copied(connection, _CARBON, month, part, "FORMAT parquet")
            put(folder / "carbon" / month / f"{_SHARD}.parquet", table)
            lines = _copied(connection, _BILLING, month, part, "FORMAT json")
            put(folder / "billing" / month / f"{_SHARD}.json.gz", gzip.compress(lines, mtime=0))
    return {name: {"location": str(folder / name)} for name in ("carbon", "billing")}


def _copied(connection: duckdb.DuckDBPyConnection, query: str, month: str, path: Path, options: str) -> bytes:
    query = (
        query.replace(":account", BILLING_ACCOUNT)
        .replace(":month", month)
        .replace(":utc", "'%Y-%m-%d %H:%M:%S UTC'")
    )
    number = "upper(md5(service_id || sku))"
    query = query.replace(":sku_id", f"concat_ws('-', {number}[1:4], {number}[5:8], {number}[9:12])")
    connection.execute(f"COPY ({query}) TO '{path}' ({options})")
    return path.read_bytes()
