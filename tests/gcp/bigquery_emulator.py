"""A real `bqemulator` process on loopback, and Google's export tables in it.

It lives in a virtual environment of its own, found by `OGF_BQEMULATOR` (path of the program) or `OGF_BQ_VENV`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "demo"
BILLING_ACCOUNT = "012345-6789AB-CDEF01"
_SUFFIX = BILLING_ACCOUNT.replace("-", "_")
CARBON = "carbon_footprint"
BILLING = f"gcp_billing_export_v1_{_SUFFIX}"
DETAILED = f"gcp_billing_export_resource_v1_{_SUFFIX}"
FOCUS = f"gcp_billing_export_focus_{_SUFFIX}"
# bqemulator has no ingestion time: it reads `_PARTITIONTIME` as the current time. The tables made here keep theirs
# in this column, and the emulator is told so.
PARTITION = "ogf_partition_time"

_DEFAULT = Path(__file__).parents[2] / ".venv-bigquery"  # where `make emulators` puts it

_START = f"""
import os, sys, threading
import bqemulator.sql.rewriter.partition_pseudo_columns as pseudo
pseudo._REPLACEMENTS["_PARTITIONTIME"] = "{PARTITION}"
pseudo._REPLACEMENTS["_PARTITIONDATE"] = "CAST({PARTITION} AS DATE)"
import datetime
import bqemulator.storage.partition_state as state
listed, seen = state._list_time_partitions, dict()
def changed(engine, table, ref, found):  # it gives all partitions their table's time: here a change of rows tells
    column = table.time_partitioning.field
    whole = state._GRANULARITY_FORMAT[table.time_partitioning.type]
    rows = "SELECT strftime(" + column + ", '" + whole + "'), sum(hash(t)) FROM " + ref + " AS t GROUP BY 1"
    prints = dict(engine.execute(rows).fetchall())
    for part in found:
        key = (ref, part.partition_id)
        now = prints.get(part.partition_id)
        if key not in seen or seen[key][0] != now:
            seen[key] = (now, datetime.datetime.now(datetime.UTC))
        yield part.model_copy(update=dict(last_modified_time=seen[key][1]))
def partitions(engine, table, ref):
    found = listed(engine, table, ref)
    return tuple(changed(engine, table, ref, found)) if table.time_partitioning.field else found
state._list_time_partitions = partitions
def follow():  # the tests hold the other end: no test process, no emulator
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=follow, daemon=True).start()
from bqemulator.cli import main
main()
"""
_SPATIAL = """
import duckdb
from duckdb_extensions import import_extension
connection = duckdb.connect()
import_extension("spatial", con=connection)
"""


class NotInstalled(Exception):
    """Why there is no emulator here."""


def find() -> Path:
    """Find the Python of the emulator's environment."""
    given = os.environ.get("OGF_BQEMULATOR")
    program = Path(given) if given else Path(os.environ.get("OGF_BQ_VENV") or _DEFAULT) / "bin" / "bqemulator"
    python = program.with_name("python")
    if not program.is_file() or not python.exists():
        raise NotInstalled(
            f"no bqemulator at {program}: set OGF_BQEMULATOR or OGF_BQ_VENV, see tests/README.md"
        )
    return python


@dataclass
class Emulator:
    """A running emulator. `url` goes into `endpoint_url`; `grpc` is the address of its Storage Read API."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    grpc: str

    @classmethod
    def start(cls, folder: Path) -> Emulator:
        python = find()
        home = folder / "home"
        home.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        subprocess.run([python, "-c", _SPATIAL], env=env, check=True, capture_output=True, timeout=60)
        rest, grpc = _free_port(), _free_port()
        words = f"start --rest-host 127.0.0.1 --rest-port {rest} --grpc-host 127.0.0.1 --grpc-port {grpc} --ephemeral"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [python, "-c", _START, *words.split(), "--project", PROJECT, "--log-level", "warning"],
                env=env, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        emulator = cls(process, folder, f"http://127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
        try:
            emulator._wait()
        except BaseException:
            emulator.stop()
            raise
        return emulator

    def stop(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder / "home", ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"bqemulator ended: {(self.folder / 'log').read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("bqemulator does not answer")

    @property
    def client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        return bigquery.Client(
            project=PROJECT, credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )

    def clear(self) -> None:
        client = self.client
        for dataset in client.list_datasets():
            client.delete_dataset(dataset.reference, delete_contents=True, not_found_ok=True)

    def sql(self, text: str) -> list[tuple]:
        return [tuple(row) for row in self.client.query(text).result()]

    def dataset(self, name: str, *, location: str = "EU") -> None:
        from google.cloud import bigquery

        dataset = bigquery.Dataset(f"{PROJECT}.{name}")
        dataset.location = location
        self.client.create_dataset(dataset, exists_ok=True)

    def table(
        self, dataset: str, name: str, schema: list, *, partitioning: tuple[str, str] | None = None
    ) -> str:
        """Make a table, and its dataset if need be. `partitioning` is a type and a column."""
        from google.cloud import bigquery

        self.dataset(dataset)
        table = bigquery.Table(f"{PROJECT}.{dataset}.{name}", schema=schema)
        if partitioning:
            table.time_partitioning = bigquery.TimePartitioning(type_=partitioning[0], field=partitioning[1])
        self.client.create_table(table)
        return f"{PROJECT}.{dataset}.{name}"

    def carbon_table(self, dataset: str = "carbon", name: str = CARBON) -> str:
        return self.table(dataset, name, carbon_schema(), partitioning=("MONTH", "usage_month"))

    def billing_table(self, dataset: str = "billing", *, detailed: bool = False) -> str:
        name = DETAILED if detailed else BILLING
        return self.table(dataset, name, billing_schema(detailed=detailed), partitioning=("DAY", PARTITION))

    def focus_table(self, dataset: str = "focus") -> str:
        return self.table(dataset, FOCUS, focus_schema())

    def insert(self, table: str, rows: list[dict], *, day: str | None = None) -> None:
        """Insert rows; `day` is the ingestion day of rows of a billing table."""
        if day is not None:
            rows = [{**row, PARTITION: f"{day}T00:00:00Z"} for row in rows]
        errors = self.client.insert_rows_json(table, rows)
        assert errors == []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _col(name: str, kind: str = "STRING") -> Any:
    from google.cloud import bigquery

    return bigquery.SchemaField(name, kind)


def _rec(name: str, *fields: Any, mode: str = "NULLABLE") -> Any:
    from google.cloud import bigquery

    return bigquery.SchemaField(name, "RECORD", mode=mode, fields=fields)


def _texts(*names: str) -> list:
    return [_col(name) for name in names]


def carbon_schema() -> list:
    methods = (_col("location_based", "FLOAT"), _col("market_based", "FLOAT"))
    return [
        _col("usage_month", "DATE"),
        _col("billing_account_id"),
        _rec("project", *_texts("id", "number")),
        _rec("service", *_texts("id", "description")),
        _rec("location", *_texts("location", "region")),
        _col("carbon_model_version", "INTEGER"),
        _rec(
            "carbon_footprint_kgCO2e",
            _col("scope1", "FLOAT"),
            _rec("scope2", *methods),
            _col("scope3", "FLOAT"),
        ),
        _rec("carbon_footprint_total_kgCO2e", *methods, _col("after_offsets", "FLOAT")),
        _col("carbon_offsets_kgCO2e", "FLOAT"),
    ]


def carbon_row(month: str, **values: Any) -> dict:
    """One row of the carbon table: 1500 kg location based, in scopes 1, 2 and 3."""
    return {
        "usage_month": month,
        "billing_account_id": BILLING_ACCOUNT,
        "project": {"id": "shop", "number": "100001"},
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "location": {"location": "us-central1-a", "region": "us-central1"},
        "carbon_model_version": 14,
        "carbon_footprint_kgCO2e": {
            "scope1": 100.0,
            "scope2": {"location_based": 1000.0, "market_based": 250.0},
            "scope3": 400.0,
        },
        "carbon_footprint_total_kgCO2e": {"location_based": 1500.0, "market_based": 750.0},
        **values,
    }


def billing_schema(*, detailed: bool = False) -> list:
    pair = _texts("key", "value")
    price = [
        _col("effective_price", "NUMERIC"), _col("tier_start_amount", "NUMERIC"), _col("unit"),
        _col("pricing_unit_quantity", "NUMERIC"), _col("list_price", "NUMERIC"),
    ]  # fmt: skip
    return [
        _col("billing_account_id"),
        _rec("service", *_texts("id", "description")),
        _rec("sku", *_texts("id", "description")),
        _col("usage_start_time", "TIMESTAMP"),
        _col("usage_end_time", "TIMESTAMP"),
        _rec(
            "project", *_texts("id", "number", "name"), _rec("labels", *pair, mode="REPEATED"),
            _col("ancestry_numbers"), _rec("ancestors", *_texts("resource_name", "display_name"), mode="REPEATED"),
        ),
        _rec("labels", *pair, mode="REPEATED"),
        _rec("system_labels", *pair, mode="REPEATED"),
        _rec("location", *_texts("location", "country", "region", "zone")),
        _rec("tags", *pair, _col("inherited", "BOOLEAN"), _col("namespace"), mode="REPEATED"),
        *([_rec("resource", *_texts("name", "global_name"))] if detailed else []),
        _col("transaction_type"),
        _col("seller_name"),
        _col("export_time", "TIMESTAMP"),
        _col("cost", "FLOAT"),
        _col("currency"),
        _col("currency_conversion_rate", "FLOAT"),
        _rec(
            "usage", _col("amount", "FLOAT"), _col("unit"), _col("amount_in_pricing_units", "FLOAT"),
            _col("pricing_unit"),
        ),
        _rec("credits", *_texts("name"), _col("amount", "FLOAT"), *_texts("full_name", "id", "type"), mode="REPEATED"),
        _rec("invoice", *_texts("month", "publisher_type")),
        _col("cost_type"),
        _rec("adjustment_info", *_texts("id", "description", "mode", "type")),
        *([_rec("price", *price)] if detailed else []),
        _col("cost_at_list", "FLOAT"),
        _col(PARTITION, "TIMESTAMP"),
    ]  # fmt: skip


def billing_row(**values: Any) -> dict:
    """One row of a billing table: 10.00 with two credits, 7.50 net."""
    return {
        "billing_account_id": BILLING_ACCOUNT,
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "0000-AAAA-0001", "description": "N2 Instance Core running in Iowa"},
        "usage_start_time": "2026-01-01T00:00:00Z",
        "usage_end_time": "2026-01-01T01:00:00Z",
        "project": {
            "id": "shop", "number": "100001", "name": "Shop", "labels": [{"key": "team", "value": "web"}],
            "ancestry_numbers": "/9001/", "ancestors": [{"resource_name": "projects/100001", "display_name": "Shop"}],
        },
        "labels": [{"key": "env", "value": "prod"}],
        "system_labels": [{"key": "compute.googleapis.com/cores", "value": "4"}],
        "location": {"location": "us-central1", "country": "US", "region": "us-central1", "zone": "us-central1-a"},
        "tags": [{"key": "cost-center", "value": "42", "inherited": False, "namespace": "9001"}],
        "export_time": "2026-01-02T03:04:05Z",
        "cost": 10.0,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "usage": {
            "amount": 14400.0, "unit": "seconds", "amount_in_pricing_units": 4.0, "pricing_unit": "hour",
        },
        "credits": [
            {"name": "sustained use", "amount": -2.0, "full_name": "", "id": "", "type": "SUSTAINED_USAGE_DISCOUNT"},
            {"name": "promotion", "amount": -0.5, "full_name": "", "id": "p1", "type": "PROMOTION"},
        ],
        "invoice": {"month": "202601"},
        "cost_type": "regular",
        "cost_at_list": 10.0,
        **values,
    }  # fmt: skip


def focus_schema() -> list:
    costs = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice", "ContractedUnitPrice",
             "PricingQuantity", "ConsumedQuantity")  # fmt: skip
    times = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd", "x_ExportTime")
    return [
        *(_col(name, "TIMESTAMP") for name in times),
        *(_col(name, "NUMERIC") for name in costs),
        *_texts(
            "AvailabilityZone", "BillingAccountId", "BillingAccountName", "BillingCurrency", "ChargeCategory",
            "ChargeClass", "ChargeDescription", "ChargeFrequency", "CommitmentDiscountCategory",
            "CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountType", "ConsumedUnit",
            "InvoiceId", "InvoiceIssuerName", "PricingCategory", "PricingUnit", "ProviderName", "PublisherName",
            "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
            "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName",
        ),
        _rec("Tags", *_texts("Key", "Value"), _col("x_Inherited", "BOOLEAN"), _col("x_Namespace"), mode="REPEATED"),
    ]  # fmt: skip


def focus_row(**values: Any) -> dict:
    """One row of the FOCUS table: a usage of 10.00, 7.50 of it effective."""
    return {
        "BillingPeriodStart": "2026-01-01T00:00:00Z",
        "BillingPeriodEnd": "2026-02-01T00:00:00Z",
        "ChargePeriodStart": "2026-01-01T00:00:00Z",
        "ChargePeriodEnd": "2026-01-01T01:00:00Z",
        "x_ExportTime": "2026-01-02T03:04:05Z",
        "BilledCost": "10",
        "EffectiveCost": "7.5",
        "ListCost": "10",
        "ContractedCost": "10",
        "PricingQuantity": "4",
        "ConsumedQuantity": "4",
        "BillingAccountId": BILLING_ACCOUNT,
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeDescription": "N2 Instance Core running in Iowa",
        "ConsumedUnit": "hour",
        "PricingUnit": "hour",
        "ProviderName": "Google Cloud",
        "PublisherName": "Google Cloud",
        "RegionId": "us-central1",
        "ServiceCategory": "Compute",
        "ServiceName": "Compute Engine",
        "SkuId": "0000-AAAA-0001",
        "SubAccountId": "shop",
        "Tags": [{"Key": "env", "Value": "prod", "x_Inherited": False, "x_Namespace": "9001"}],
        **values,
    }
