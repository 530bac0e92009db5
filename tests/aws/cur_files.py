"""Writes Cost and Usage Reports as AWS delivers them, and runs ogf on them in this process.

Rows are dictionaries of texts under the names of CUR 2.0; `csv_file` writes them under those or the legacy names.
Deliveries go through a `put(key, body)`: a folder's (`folder_put`) or a bucket's.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ogf import config, plugins
from ogf.runner.report import Silent
from ogf.runner.run import Options, ProviderRun
from ogf.window import Month, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ogf.runner.report import RunResult

    Row = Mapping[str, str]
    Put = Callable[[str, bytes], Any]

LEGACY = {
    "identity_line_item_id": "identity/LineItemId",
    "bill_payer_account_id": "bill/PayerAccountId",
    "bill_billing_period_start_date": "bill/BillingPeriodStartDate",
    "line_item_usage_account_id": "lineItem/UsageAccountId",
    "line_item_line_item_type": "lineItem/LineItemType",
    "line_item_usage_start_date": "lineItem/UsageStartDate",
    "line_item_usage_end_date": "lineItem/UsageEndDate",
    "line_item_product_code": "lineItem/ProductCode",
    "line_item_usage_type": "lineItem/UsageType",
    "line_item_operation": "lineItem/Operation",
    "line_item_availability_zone": "lineItem/AvailabilityZone",
    "line_item_resource_id": "lineItem/ResourceId",
    "line_item_usage_amount": "lineItem/UsageAmount",
    "line_item_currency_code": "lineItem/CurrencyCode",
    "line_item_unblended_cost": "lineItem/UnblendedCost",
    "line_item_unblended_rate": "lineItem/UnblendedRate",
    "pricing_unit": "pricing/unit",
    "product_region": "product/region",
    "product_location": "product/location",
    "product_product_family": "product/productFamily",
    "product_servicecode": "product/servicecode",
    "product_product_name": "product/ProductName",
    "product_instance_type": "product/instanceType",
}
PAYER = "000000000042"
ACCOUNT = "012345678901"
ROW = dict.fromkeys(LEGACY, "") | {
    "identity_line_item_id": "line",
    "bill_payer_account_id": PAYER,
    "bill_billing_period_start_date": "2026-01-01T00:00:00Z",
    "line_item_usage_account_id": ACCOUNT,
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-01-01T00:00:00Z",
    "line_item_usage_end_date": "2026-01-01T01:00:00Z",
    "line_item_product_code": "AmazonEC2",
    "line_item_usage_type": "BoxUsage:m5.large",
    "line_item_operation": "RunInstances",
    "line_item_resource_id": "i-1",
    "line_item_usage_amount": "1",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": "0.096",
    "line_item_unblended_rate": "0.096",
    "pricing_unit": "Hrs",
    "product_region": "us-east-1",
    "product_instance_type": "m5.large",
}
NUMBERS = ("line_item_usage_amount", "line_item_unblended_cost")
DATES = ("bill_billing_period_start_date", "line_item_usage_start_date", "line_item_usage_end_date")


def line(**changes: str) -> dict[str, str]:
    """One line item, like ROW but for `changes`."""
    return ROW | changes


def lines(count: int, **changes: str) -> list[dict[str, str]]:
    """Line items that differ in resource and cost."""
    return [
        line(line_item_resource_id=f"i-{number}", line_item_unblended_cost=f"{number}.01", **changes)
        for number in range(count)
    ]


def month_lines(month: str, count: int, **changes: str) -> list[dict[str, str]]:
    start, end = (f"{month}-01T{hour:02}:00:00Z" for hour in (0, 1))
    return lines(
        count,
        bill_billing_period_start_date=start,
        line_item_usage_start_date=start,
        line_item_usage_end_date=end,
        **changes,
    )


def csv_file(
    rows: Iterable[Row], *, legacy: bool = True, header: Sequence[str] = (), end: str = "\n"
) -> bytes:
    """A plain CSV file; `header` gives the columns where there are no rows or their order matters."""
    rows = list(rows)
    columns = list(header) or list(dict.fromkeys(name for item in rows for name in item)) or list(ROW)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow([LEGACY.get(name, name) if legacy else name for name in columns])
    writer.writerows([item.get(name, "") for name in columns] for item in rows)
    return text.getvalue().encode()


def gz(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def zipped(*bodies: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, body in enumerate(bodies, 1):
            archive.writestr(f"report-{number}.csv", body)
    return file.getvalue()


def parquet_file(rows: Iterable[Row], **types: str) -> bytes:
    """A Parquet file as AWS types it: numbers are DOUBLE, dates TIMESTAMP, a missing text is ''."""
    types = dict.fromkeys(NUMBERS, "DOUBLE") | dict.fromkeys(DATES, "TIMESTAMP") | types
    rows = list(rows)
    names = list(dict.fromkeys(name for item in rows for name in item)) or list(ROW)
    values = [
        f'CAST(nullif("{name}", \'\') AS {types[name]}) AS "{name}"' if name in types else f'"{name}"'
        for name in names
    ]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as connection:
        text, made = Path(folder, "rows.csv"), Path(folder, "rows.parquet")
        text.write_bytes(csv_file(rows, legacy=False, header=names))
        source = f"read_csv('{text}', all_varchar = true, header = true, delim = ',', quote = '\"', nullstr = 'never')"
        connection.execute(f"COPY (SELECT {', '.join(values)} FROM {source}) TO '{made}' (FORMAT parquet)")
        return made.read_bytes()


def folder_put(folder: Path) -> Put:
    def put(key: str, body: bytes) -> None:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return put


def legacy_manifest(keys: Sequence[str], *, month: str, assembly: str, report: str, **fields: Any) -> bytes:
    period = {name: f"{day}T000000.000Z" for name, day in zip(("start", "end"), _days(month), strict=True)}
    manifest = {
        "assemblyId": assembly,
        "account": PAYER,
        "columns": [],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": "0" * 64,
        "reportName": report,
        "billingPeriod": period,
        "bucket": "billing",
        "reportKeys": list(keys),
        "additionalArtifactKeys": [],
    }
    return json.dumps(manifest | fields).encode()


def put_legacy(
    put: Put,
    files: Sequence[bytes],
    *,
    month: str = "2026-01",
    assembly: str = "assembly-1",
    overwrite: bool = False,
    suffix: str = "csv.gz",
    prefix: str = "exports/",
    report: str = "hourly",
    **fields: Any,
) -> str:
    """Deliver a legacy report in CSV; gives the key of its manifest."""
    period = f"{prefix}{report}/{'-'.join(_days(month))}/"
    home = period if overwrite else f"{period}{assembly}/"
    keys = [f"{home}{report}-{number}.{suffix}" for number in range(1, len(files) + 1)]
    manifest = legacy_manifest(keys, month=month, assembly=assembly, report=report, **fields)
    for key, body in zip(keys, files, strict=True):
        put(key, body)
    put(f"{home}{report}-Manifest.json", manifest)
    put(f"{period}{report}-Manifest.json", manifest)
    return f"{period}{report}-Manifest.json"


def put_athena(
    put: Put,
    files: Sequence[bytes],
    *,
    month: str = "2026-01",
    assembly: str = "assembly-1",
    prefix: str = "exports/",
    report: str = "hourly",
    **fields: Any,
) -> str:
    """Deliver a legacy report in Parquet, with the odds and ends that AWS puts beside it."""
    year, number = month.split("-")
    home = f"{prefix}{report}/{report}/year={year}/month={int(number)}/"
    keys = [f"{home}{report}-{index:05}.snappy.parquet" for index in range(1, len(files) + 1)]
    for key, body in zip(keys, files, strict=True):
        put(key, body)
    manifest = legacy_manifest(keys, month=month, assembly=assembly, report=report, **fields)
    put(f"{home}{report}-Manifest.json", manifest)
    put(f"{prefix}{report}/{report}/cost_and_usage_data_status/status.parquet", b"PAR1 no report")
    put(f"{prefix}{report}/{'-'.join(_days(month))}/{report}-create-table.sql", b"CREATE EXTERNAL TABLE")
    return f"{home}{report}-Manifest.json"


def put_export(
    put: Put,
    files: Sequence[bytes],
    *,
    month: str = "2026-01",
    execution: str = "execution-1",
    overwrite: bool = True,
    suffix: str = "csv.gz",
    prefix: str = "exports/",
    report: str = "cur2",
    bucket: str = "billing",
    root: str = "",
    objects: bool = False,
    **fields: Any,
) -> str:
    """Deliver a CUR 2.0 data export. `objects` writes `dataFiles` as objects; `root` is what lies above `prefix`."""
    period = f"BILLING_PERIOD={month}/"
    below = "" if overwrite else f"2026-02-01T00:00:00.000Z-{execution}/"
    data = f"{prefix}{report}/data/{period}{below}"
    keys = [f"{data}{report}-{number:05}.{suffix}" for number in range(1, len(files) + 1)]
    uris = [f"s3://{bucket}/{root}{key}" for key in keys]
    manifest = {"executionId": execution, "exportName": report, "dataFiles": uris} | fields
    if objects:
        manifest["dataFiles"] = [{"s3Uri": uri} for uri in uris]
    for key, body in zip(keys, files, strict=True):
        put(key, body)
    home = f"{prefix}{report}/metadata/{period}"
    for folder in {home, f"{home}{below}"}:
        put(f"{folder}{report}-Manifest.json", json.dumps(manifest).encode())
    return f"{home}{report}-Manifest.json"


def _days(month: str) -> tuple[str, str]:
    first = Month.parse(month)
    return first.first_day.strftime("%Y%m%d"), first.plus(1).first_day.strftime("%Y%m%d")


@cache
def plugin() -> plugins.Plugin:
    return plugins.load("aws")


class _Between(Silent):
    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None:
        self.function()


class Warehouse:
    """A warehouse that is filled from one location. `settings` are dotted, `__` for the dot."""

    def __init__(self, path: Path, location: object, **settings: Any) -> None:
        self.path = path
        self.settings = {
            "warehouse.path": str(path),
            "ingestion.aws.cur.location": str(location),
            "runner.workers": 2,
        } | {name.replace("__", "."): value for name, value in settings.items()}

    def provider_run(self, *, reporter: Any = None, **settings: Any) -> ProviderRun:
        overrides = self.settings | {name.replace("__", "."): value for name, value in settings.items()}
        nothing = self.path.with_suffix(".yaml")  # whatever ogf.yaml lies in the working directory
        nothing.write_text("")
        loaded = config.load(
            path=nothing,
            environ={},
            overrides=overrides,
            providers={"aws": plugin().provider.settings},
            installed=["aws"],
        )
        return ProviderRun(plugin(), loaded, reporter=reporter)

    def run(
        self,
        *,
        since: str = "",
        until: str = "",
        full: bool = False,
        between: Callable[[], object] | None = None,
        **settings: Any,
    ) -> RunResult:
        """Run; `between` is called when everything is planned and nothing is read yet."""
        months = [Month.parse(text) if text else None for text in (since, until)]
        reporter = _Between(between) if between else None
        return self.provider_run(reporter=reporter, **settings).run(
            Options(window=Window(*months), full=full)
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def column(self, expression: str, *, table: str = "activities", order: str = "ALL") -> list[Any]:
        return [value for (value,) in self.query(f"SELECT {expression} FROM {table} ORDER BY {order}")]

    def table(self, *, without: Sequence[str] = ("load_id", "source")) -> list[str]:
        """All activities as a sorted list of texts: equal lists are equal tables."""
        kept = f"(SELECT * EXCLUDE ({', '.join(without)}) FROM activities) AS a"
        return self.column("CAST(a AS VARCHAR)", table=kept)

    def facts(self) -> tuple[Any, ...]:
        """Rows and exact cost."""
        return self.query("SELECT count(*), sum(cost) FROM activities")[0]


def s3_settings(bucket: Any, **settings: Any) -> dict[str, Any]:
    """Settings that lead to the tests' S3 server."""
    return {
        "ingestion__aws__endpoint_url": bucket.aws.endpoint_url,
        "ingestion__aws__access_key_id": "AKIAEXAMPLE",
        "ingestion__aws__secret_access_key": "planted-secret",
        "ingestion__aws__rate_limit_per_sec": 10_000,
        "ingestion__aws__rate_limit_capacity": 10_000,
    } | settings
