"""Sample exports for `ogf demo`: three months of a small company's Cost and Usage Report and its carbon export.

Everything is invented, and derived from the tables below by arithmetic and MD5 alone: each call writes the same bytes.
There is a story in it: the company grows 4 % a month, works less at weekends, and moves its analytics from Virginia
to Stockholm. Every kind of line item that a sum of costs must treat right is there once at least.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.files.sample import put
from ogf.window import Month
from ogf_aws import demo_carbon

if TYPE_CHECKING:
    import duckdb

REPORT = "sample-report"
MONTHS = ("2026-07", "2026-08", "2026-09")
PAYER = "000000000100"

_FILES_PER_MONTH = 2

# What one resource uses in a day, and its price in Virginia.
_KINDS = """
CREATE TABLE kinds AS FROM (VALUES
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'BoxUsage:m6i.large', 'RunInstances', 'Compute Instance',
        'm6i.large', 'Hrs', 'i-', 6, 24.0, 0.0960),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'BoxUsage:c7g.xlarge', 'RunInstances', 'Compute Instance',
        'c7g.xlarge', 'Hrs', 'i-', 3, 20.0, 0.1450),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'SpotUsage:r6g.2xlarge', 'RunInstances:SV001', 'Compute Instance',
        'r6g.2xlarge', 'Hrs', 'i-', 2, 9.0, 0.1512),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'EBS:VolumeUsage.gp3', 'CreateVolume-Gp3', 'Storage',
        NULL, 'GB-Mo', 'vol-', 9, 6.6666666667, 0.0800),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'EBS:SnapshotUsage', 'CreateSnapshot', 'Storage Snapshot',
        NULL, 'GB-Mo', 'snapshot/snap-', 3, 12.0, 0.0500),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'NatGateway-Hours', 'NatGateway', 'NAT Gateway',
        NULL, 'Hrs', 'natgateway/nat-', 1, 24.0, 0.0450),
    ('AmazonEC2', 'Amazon Elastic Compute Cloud', 'DataTransfer-Out-Bytes', 'RunInstances', 'Data Transfer',
        NULL, 'GB', 'i-', 6, 18.0, 0.0900),
    ('AWSELB', 'Elastic Load Balancing', 'LoadBalancerUsage', 'LoadBalancing:Application', 'Load Balancer-Application',
        NULL, 'Hrs', 'loadbalancer/app/lb-', 1, 24.0, 0.0225),
    ('AmazonS3', 'Amazon Simple Storage Service', 'TimedStorage-ByteHrs', 'StandardStorage', 'Storage',
        NULL, 'GB-Mo', 'sample-bucket-', 5, 41.5, 0.0230),
    ('AmazonS3', 'Amazon Simple Storage Service', 'Requests-Tier1', 'PutObject', 'API Request',
        NULL, 'Requests', 'sample-bucket-', 5, 21000.0, 0.0000050),
    ('AmazonRDS', 'Amazon Relational Database Service', 'InstanceUsage:db.r6g.large', 'CreateDBInstance:0014',
        'Database Instance', 'db.r6g.large', 'Hrs', 'db:sample-', 1, 24.0, 0.2250),
    ('AmazonRDS', 'Amazon Relational Database Service', 'RDS:GP3-Storage', 'CreateDBInstance:0014', 'Database Storage',
        NULL, 'GB-Mo', 'db:sample-', 1, 16.6666666667, 0.1150),
    ('AWSLambda', 'AWS Lambda', 'Lambda-GB-Second', 'Invoke', 'Serverless',
        NULL, 'Lambda-GB-Second', 'function:sample-', 6, 86000.0, 0.0000166667),
    ('AmazonEKS', 'Amazon Elastic Container Service for Kubernetes', 'AmazonEKS-Hours:perCluster', 'CreateOperation',
        'Compute', NULL, 'Hrs', 'cluster/sample-', 1, 24.0, 0.1000),
    ('AmazonDynamoDB', 'Amazon DynamoDB', 'TimedStorage-ByteHrs', 'StandardStorage', 'Database Storage',
        NULL, 'GB-Mo', 'table/sample-', 2, 3.2, 0.2500),
    ('AmazonCloudWatch', 'AmazonCloudWatch', 'TimedStorage-ByteHrs', 'HourlyStorageMetering', 'Storage Snapshot',
        NULL, 'GB-Mo', 'log-group:sample-', 6, 2.4, 0.0300)
) AS kinds(code, product, usage, operation, family, instance_type, unit, resource, many, amount, price);
"""

# Who uses it where: `first` and `step` are the size in the first month and what each further month adds to it.
_PLACES = """
CREATE TABLE places AS FROM (VALUES
    ('000000000201', 'production', 'eu-central-1', 'EU (Frankfurt)', 'EUC1-', 1.17, 1.0, 0.00, 'shop', '4100'),
    ('000000000201', 'production', 'us-east-1', 'US East (N. Virginia)', '', 1.00, 0.6, 0.00, 'shop', '4100'),
    ('000000000201', 'production', 'ap-southeast-2', 'Asia Pacific (Sydney)', 'APS2-', 1.25, 0.3, 0.05, 'shop', '4100'),
    ('000000000202', 'staging', 'eu-central-1', 'EU (Frankfurt)', 'EUC1-', 1.17, 0.2, 0.00, 'shop', '4200'),
    ('000000000202', 'staging', 'eu-west-1', 'EU (Ireland)', 'EU-', 1.10, 0.1, 0.00, NULL, '4200'),
    ('111122223333', 'analytics', 'us-east-1', 'US East (N. Virginia)', '', 1.00, 0.9, -0.35, 'insight', '5300'),
    ('111122223333', 'analytics', 'eu-north-1', 'EU (Stockholm)', 'EUN1-', 1.06, 0.1, 0.35, 'insight', '5300')
) AS places(account, environment, region, location, prefix, dearness, first, step, team, cost_center);
"""

# One row for each resource and day. `wobble` lies between 0.9 and 1.1 and depends on nothing but the row's own name.
_USAGE = """
CREATE TABLE usage AS
SELECT *, CAST(round(size * amount * wobble, 8) AS DECIMAL(20, 8)) AS used,
    CAST(price * dearness AS DECIMAL(18, 10)) AS rate,
    CAST(round(CAST(used AS DOUBLE) * CAST(rate AS DOUBLE), 10) AS DECIMAL(18, 10)) AS cost
FROM (
    SELECT *, concat_ws('/', account, region, usage, operation, nth) AS name,
        resource || substr(md5(name), 1, 17) AS resource_id,
        (first + step * month_number) * 1.04 ** month_number
            * CASE WHEN isodow(day) > 5 AND environment <> 'production' THEN 0.4 ELSE 1 END AS size,
        0.9 + CAST(md5_number_lower(name || day) % 2001 AS DOUBLE) / 10000 AS wobble
    FROM kinds, places, range(1, many + 1) AS numbers(nth), (
        SELECT CAST(day AS DATE) AS day, date_diff('month', DATE ':first', day) AS month_number,
            strftime(day, '%Y-%m') AS month
        FROM range(TIMESTAMP ':first', TIMESTAMP ':after', INTERVAL 1 DAY) AS days(day))
);
"""

# Line items of the month. A reservation covers the databases of Frankfurt: their hours cost nothing, its fee does.
# A savings plan covers Virginia's c7g in production: full price, negated, and a recurring fee that is the real money.
_ITEMS = """
CREATE TABLE items AS
WITH charged AS (
    SELECT *, CASE
        WHEN code = 'AmazonRDS' AND unit = 'Hrs' AND region = 'eu-central-1' THEN 'DiscountedUsage'
        WHEN usage = 'BoxUsage:c7g.xlarge' AND region = 'us-east-1' AND environment = 'production'
            THEN 'SavingsPlanCoveredUsage'
        ELSE 'Usage' END AS kind
    FROM usage
), lines AS (
    SELECT month, day AS starts, day + INTERVAL 1 DAY AS ends, account, environment, kind, code, product,
        prefix || usage AS usage_type, operation, family, instance_type, unit, region, location,
        CASE WHEN instance_type IS NOT NULL THEN region || 'a' END AS zone, resource_id, used,
        CASE WHEN kind = 'DiscountedUsage' THEN 0 ELSE rate END AS rate,
        CASE WHEN kind = 'DiscountedUsage' THEN 0 ELSE cost END AS cost,
        product || ', ' || usage || ' in ' || location AS description, team, cost_center
    FROM charged
    UNION ALL BY NAME
    SELECT month, day AS starts, day + INTERVAL 1 DAY AS ends, account, 'SavingsPlanNegation' AS kind, code, product,
        usage AS usage_type, operation, region, sum(used) AS used, -rate AS rate, -sum(cost) AS cost,
        'SavingsPlanNegation used by AccountId : ' || account AS description
    FROM charged WHERE kind = 'SavingsPlanCoveredUsage' GROUP BY ALL
    UNION ALL BY NAME
    SELECT month, day AS starts, day + INTERVAL 1 DAY AS ends, ':payer' AS account, 'SavingsPlanRecurringFee' AS kind,
        'ComputeSavingsPlans' AS code, 'Savings Plans for AWS Compute usage' AS product,
        'ComputeSP:1yrNoUpfront' AS usage_type, 24.0 AS used, 0.11 AS rate, 2.64 AS cost,
        '1 year No Upfront Compute Savings Plan' AS description
    FROM (SELECT DISTINCT month, day FROM usage)
    UNION ALL BY NAME
    SELECT month, min(day) AS starts, max(day) + INTERVAL 1 DAY AS ends, ':payer' AS account, kind, code, product,
        usage_type, region, 1 AS used, cost AS rate, cost, description
    FROM (SELECT DISTINCT month, day FROM usage), (VALUES
        ('RIFee', 'AmazonRDS', 'Amazon Relational Database Service', 'EUC1-InstanceUsage:db.r6g.large', 'eu-central-1',
            238.08, 'USD 238.08 monthly fee per RDS instance, db.r6g.large'),
        ('Fee', 'AWSSupportBusiness', 'AWS Support (Business)', 'Dollar', NULL, 100.00, 'AWS Support (Business)'),
        ('Credit', 'AmazonEC2', 'Amazon Elastic Compute Cloud', 'BoxUsage:m6i.large', 'us-east-1', -150.00,
            'Sample credit for new customers')
    ) AS monthly(kind, code, product, usage_type, region, cost, description)
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT month, min(day) AS starts, min(day) + INTERVAL 1 HOUR AS ends, '000000000202' AS account, 'Refund' AS kind,
        'AmazonS3' AS code, 'Amazon Simple Storage Service' AS product, 'Requests-Tier1' AS usage_type,
        'us-east-1' AS region, 1 AS used, -12.5 AS rate, -12.5 AS cost, 'Refund of a misdirected job' AS description
    FROM usage WHERE month_number = 2 GROUP BY month
), taxes AS (
    SELECT month, min(starts) AS starts, max(ends) AS ends, account, 'Tax' AS kind, code, product, 1 AS used,
        CAST(round(sum(cost) * 0.19, 2) AS DECIMAL(18, 10)) AS cost, 'Tax for product code ' || code AS description
    FROM lines WHERE kind = 'Usage' GROUP BY month, account, code, product
)
FROM lines UNION ALL BY NAME FROM taxes;
"""

_EXPORT = """
SELECT
    md5(concat_ws('|', month, starts, account, kind, usage_type, operation, region, resource_id, code))
        AS "identity/LineItemId",
    strftime(starts, :iso) || '/' || strftime(ends, :iso) AS "identity/TimeInterval",
    NULL AS "bill/InvoiceId",
    'AWS' AS "bill/BillingEntity",
    'Anniversary' AS "bill/BillType",
    ':payer' AS "bill/PayerAccountId",
    month || '-01T00:00:00Z' AS "bill/BillingPeriodStartDate",
    strftime(CAST(month || '-01' AS DATE) + INTERVAL 1 MONTH, :iso) AS "bill/BillingPeriodEndDate",
    account AS "lineItem/UsageAccountId",
    kind AS "lineItem/LineItemType",
    strftime(starts, :iso) AS "lineItem/UsageStartDate",
    strftime(ends, :iso) AS "lineItem/UsageEndDate",
    code AS "lineItem/ProductCode",
    usage_type AS "lineItem/UsageType",
    operation AS "lineItem/Operation",
    zone AS "lineItem/AvailabilityZone",
    resource_id AS "lineItem/ResourceId",
    CAST(used AS DECIMAL(20, 8)) AS "lineItem/UsageAmount",
    'USD' AS "lineItem/CurrencyCode",
    CAST(rate AS DECIMAL(18, 10)) AS "lineItem/UnblendedRate",
    CAST(cost AS DECIMAL(18, 10)) AS "lineItem/UnblendedCost",
    CAST(rate AS DECIMAL(18, 10)) AS "lineItem/BlendedRate",
    CAST(cost AS DECIMAL(18, 10)) AS "lineItem/BlendedCost",
    description AS "lineItem/LineItemDescription",
    CASE WHEN kind = 'Tax' THEN 'VAT' END AS "lineItem/TaxType",
    'Amazon Web Services EMEA SARL' AS "lineItem/LegalEntity",
    product AS "product/ProductName",
    instance_type AS "product/instanceType",
    location AS "product/location",
    family AS "product/productFamily",
    region AS "product/region",
    CASE WHEN family = 'Data Transfer' THEN 'AWSDataTransfer' ELSE code END AS "product/servicecode",
    CASE WHEN kind = 'Usage' THEN 'OnDemand' END AS "pricing/term",
    unit AS "pricing/unit",
    CASE WHEN resource_id IS NOT NULL THEN cost_center END AS "resourceTags/user:cost-center",
    CASE WHEN resource_id IS NOT NULL THEN environment END AS "resourceTags/user:environment",
    CASE WHEN resource_id IS NOT NULL THEN team END AS "resourceTags/user:team"
FROM items
WHERE month = ':month'
ORDER BY "identity/LineItemId"
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
        connection.execute(_KINDS + _PLACES + usage + _ITEMS.replace(":payer", PAYER))
        for month in MONTHS:
            _write_month(connection, folder / REPORT, month, Path(scratch))
        months = {month: str(Month.parse(month).plus(1)) for month in MONTHS}
        carbon = demo_carbon.write(connection, folder / demo_carbon.EXPORT, months, payer=PAYER)
    return {"cur": {"location": str(folder / REPORT)}, "carbon": carbon}


def _write_month(connection: duckdb.DuckDBPyConnection, report: Path, month: str, scratch: Path) -> None:
    period = f"{month}-01-{Month.parse(month).plus(1)}-01".replace("-", "")
    period = f"{period[:8]}-{period[8:]}"
    bodies = [_body(connection, month, part, scratch) for part in range(_FILES_PER_MONTH)]
    assembly = str(uuid.UUID(hashlib.md5(b"".join(bodies), usedforsecurity=False).hexdigest()))
    names = [f"{REPORT}-{part:05d}.csv.gz" for part in range(1, _FILES_PER_MONTH + 1)]
    manifest = {
        "assemblyId": assembly,
        "account": PAYER,
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportName": REPORT,
        "billingPeriod": {"start": f"{period[:8]}T000000.000Z", "end": f"{period[9:]}T000000.000Z"},
        "bucket": "sample-bucket",
        "reportKeys": [f"{REPORT}/{period}/{assembly}/{name}" for name in names],
    }
    text = json.dumps(manifest, indent=2).encode()
    delivery = report / period
    for name, body in zip(names, bodies, strict=True):
        put(delivery / assembly / name, gzip.compress(body, mtime=0))
    put(delivery / assembly / f"{REPORT}-Manifest.json", text)
    put(delivery / f"{REPORT}-Manifest.json", text)  # last, as AWS does: what it names is there


def _body(connection: duckdb.DuckDBPyConnection, month: str, part: int, scratch: Path) -> bytes:
    """One file's CSV text. DuckDB's own gzip would write other bytes with another version of DuckDB."""
    export = _EXPORT.replace(":iso", "'%Y-%m-%dT%H:%M:%SZ'").replace(":payer", PAYER).replace(":month", month)
    path = scratch / "part.csv"
    connection.execute(
        f"COPY (SELECT * FROM ({export}) QUALIFY (row_number() OVER () - 1) % {_FILES_PER_MONTH} = {part}) "
        f"TO '{path}' (FORMAT csv, HEADER)"
    )
    return path.read_bytes()
