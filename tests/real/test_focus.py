"""The FOCUS samples of ../shared/samples, every dialect: rows and exact BilledCost through the real pipeline."""

from __future__ import annotations

import csv
import json
import math
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from aws.cur_files import Warehouse, folder_put, put_export
from gcp.export_files import Exports

from ogf import focus
from ogf.files.loose import Months, data_files, loose_partitions
from ogf.files.store import LocalStore
from ogf.hookspecs import Page, Provider, Stream, hookimpl
from ogf.testing.provider import FakeCloud

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
FOCUS = SAMPLES / "focus"

pytestmark = pytest.mark.skipif(
    not (SAMPLES / "totals.json").is_file(), reason=f"the sample exports are not at {SAMPLES}"
)

FILES = sorted(path.relative_to(SAMPLES).as_posix() for path in FOCUS.rglob("*.csv"))
USAGE = [name for name in FILES if "_cost_and_usage_" in name or name.endswith("focus_sample.csv")]
AMAZON = [name for name in USAGE if Path(name).name.startswith("aws_")]
GOOGLE = [name for name in USAGE if Path(name).name.startswith("gcp_")]
COMMITMENTS = [name for name in FILES if "_contract_commitment_" in name]
SCENARIOS = [name for name in FILES if Path(name).name.startswith("scenarios_")]


def totals(name: str) -> dict:
    return json.loads((SAMPLES / "totals.json").read_text())[name]["totals"]


class AnyCloud(FakeCloud):
    """A provider of whatever FOCUS files lie in a folder. All the work is the core's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="anycloud", streams=(Stream("focus", billing=True),))
        self.folder = folder
        for name, header in (("services", "name,category"), ("regions", "code,location")):
            (folder.parent / f"{name}.csv").write_text(f"{header}\nnothing,GLOBAL\n")

    @hookimpl
    def provider(self) -> Provider:
        lookups = {f"any_{name}": self.folder.parent / f"{name}.csv" for name in ("services", "regions")}
        return Provider(name=self.name, settings=self.settings, streams=self.streams, lookups=lookups)

    @hookimpl
    def partitions(self, ctx, stream, window):
        store = LocalStore(self.folder)
        months = Months(stream, focus.months_sql)
        return loose_partitions(ctx, store, list(data_files(ctx, store)), window, months)

    @hookimpl
    def fetch(self, ctx, request):
        return Page(
            LocalStore(self.folder).download(request.params["key"], request.params["etag"], ctx.scratch)
        )

    @hookimpl
    def paginate(self):
        return None

    @hookimpl
    def to_activities(self, ctx, request, page):
        only = (request.params["account"], request.params["month"])
        table = ctx.rows(page.data)
        return ctx.duckdb.sql(
            focus.activities_sql(table, services="any_services", regions="any_regions", only=only)
        )


@pytest.fixture
def load(tmp_path):
    """What a run over one sample makes of it: a function that asks the warehouse, and the result."""

    def loading(name: str):
        folder = tmp_path / "exports"
        folder.mkdir()
        shutil.copy(SAMPLES / name, folder / Path(name).name)
        cloud, db = AnyCloud(folder), tmp_path / "ogf.duckdb"
        result = cloud.run(db)
        return lambda columns, table="activities": cloud.rows(db, columns, table=table), result

    return loading


@pytest.fixture
def google(tmp_path):
    """The same through the plugin `gcp`."""

    def loading(name: str):
        folder = tmp_path / "exports"
        folder.mkdir()
        shutil.copy(SAMPLES / name, folder / Path(name).name)
        warehouse = Exports(tmp_path / "ogf.duckdb", focus=folder)
        return warehouse, warehouse.run()

    return loading


def expect_all_rows(ask, name: str) -> None:
    found = totals(name)
    billed = Decimal(found["sums"]["cost"]["BilledCost"]["sum"])
    assert ask("count(*), sum(cost)") == [(found["rows"], billed)]
    kinds = {kind: (sums["rows"], Decimal(sums["cost"])) for kind, sums in found["types"].items()}
    rows = ask("charge_category, count(*), sum(cost)", "activities GROUP BY charge_category")
    assert {kind: (count, cost) for kind, count, cost in rows} == kinds
    months = ask("right(partition_key, 7), count(*)", "activities GROUP BY ALL")
    assert dict(months) == {month[:7]: sums["rows"] for month, sums in found["billmonth"].items()}
    assert ask("count(DISTINCT billing_account_id), count(DISTINCT account_id)") == [
        (found["payers"]["distinct"], found["accounts"]["distinct"])
    ]
    assert ask("DISTINCT currency") == [(currency,) for currency in found["currency"]]
    assert ask("count(DISTINCT service), count(DISTINCT region), count(DISTINCT resource_id)") == [
        (found["services"]["distinct"], found["regions"]["distinct"], found["resources"]["distinct"])
    ]


def test_all_samples_are_here():
    assert (len(USAGE), len(GOOGLE), len(COMMITMENTS), len(SCENARIOS)) == (17, 6, 3, 4)


@pytest.mark.parametrize("name", USAGE, ids=lambda name: Path(name).stem)
def test_b130_cost_and_usage_gives_the_exact_totals(load, name):
    ask, result = load(name)
    assert {item.outcome for item in result.partitions} == {"loaded"}
    assert result.rejected == 0
    expect_all_rows(ask, name)


@pytest.mark.parametrize("name", USAGE, ids=lambda name: Path(name).stem)
def test_physical_columns_are_those_of_the_files_hours(load, name):
    ask, _ = load(name)
    cores, memory = [], []
    with (SAMPLES / name).open(newline="") as file:
        for row in csv.DictReader(file):
            details = json.loads(row.get("SkuPriceDetails") or "{}")
            if row["ChargeCategory"] != "Usage" or row["ConsumedUnit"] not in ("Hours", "Hrs", "Hour"):
                continue
            hours = float(row["ConsumedQuantity"])
            if "CoreCount" in details:
                cores.append(float(details["CoreCount"]) * hours)
            if "MemorySize" in details:
                memory.append(float(details["MemorySize"]) * hours)
    ((vcpus, vcpu_hours, memories, memory_hours),) = ask(
        "count(vcpu_hours), fsum(vcpu_hours), count(memory_gib_hours), fsum(memory_gib_hours)",
        "activities WHERE unit = 'hours'",
    )
    assert (vcpus, memories) == (len(cores), len(memory))
    assert (vcpu_hours or 0) == pytest.approx(math.fsum(cores), rel=1e-12)
    assert (memory_hours or 0) == pytest.approx(math.fsum(memory), rel=1e-12)


def test_null_texts_and_clouds_of_the_anonymised_sample(load):
    ask, _ = load("focus/1.0/focus_sample.csv")
    assert ask("count(*)", "activities WHERE resource_id = 'NULL' OR region = 'NULL' OR unit = 'NULL'") == [
        (0,)
    ]
    assert ask("count(tags)")[0][0] > 0
    assert ask("right(partition_key, 7), sum(cost)", "activities GROUP BY ALL") == [
        ("2024-09", Decimal("20.28022672899")),
        ("2024-10", Decimal("0.24")),
    ]


@pytest.mark.parametrize("name", GOOGLE, ids=lambda name: Path(name).stem)
def test_googles_files_through_the_plugin(google, name):
    warehouse, result = google(name)
    assert (result.status, result.rejected) == ("succeeded", 0)
    expect_all_rows(
        lambda columns, table="activities": warehouse.query(f"SELECT {columns} FROM {table}"), name
    )
    assert warehouse.column("count(*)", table="activities WHERE category = 'cloud_other' AND service IS NOT NULL "
                            "AND service = 'Compute Engine'") == [0]  # fmt: skip
    assert warehouse.run().count("unchanged") == len(result.partitions)


@pytest.mark.parametrize("delivered", [False, True], ids=["loose", "with a manifest"])
@pytest.mark.parametrize("name", AMAZON, ids=lambda name: Path(name).stem)
def test_amazons_files_through_the_plugin(tmp_path, name, delivered):
    body = (SAMPLES / name).read_bytes()
    if delivered:
        put_export(folder_put(tmp_path), [body], month="2026-05", suffix="csv", report="focus")
    else:
        folder_put(tmp_path)("exports/focus.csv", body)
    locations = {
        "ingestion__aws__cur__location": None,
        "ingestion__aws__focus__location": str(tmp_path / "exports"),
    }
    warehouse = Warehouse(tmp_path / "ogf.duckdb", "", **locations)
    result = warehouse.run()
    assert (result.status, result.rejected) == ("succeeded", 0)

    def ask(columns, table="activities"):
        return warehouse.query(f"SELECT {columns} FROM {table}")

    if not delivered:
        expect_all_rows(ask, name)
    billed = Decimal(totals(name)["sums"]["cost"]["BilledCost"]["sum"])
    assert ask("count(*), sum(cost)") == [(totals(name)["rows"], billed)]
    assert warehouse.run().count("unchanged") == len(result.partitions)


@pytest.mark.parametrize("name", ["focus/1.2/aws_1_2_cost_and_usage_rows25_seed7.csv",
                                  "focus/1.3/azure_1_3_cost_and_usage_rows25_seed7.csv"])  # fmt: skip
def test_another_clouds_rows_are_not_loaded_as_googles(google, name):
    warehouse, result = google(name)
    assert result.status == "failed"
    assert warehouse.facts() == (0, None)
    assert all("another provider" in item.message for item in result.partitions)


@pytest.mark.parametrize("name", COMMITMENTS, ids=lambda name: Path(name).stem)
def test_contract_commitments_are_refused_by_name(load, name):
    ask, result = load(name)
    (outcome,) = result.partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert outcome.key == f"files/{Path(name).name}"
    assert "contract commitment" in outcome.message
    assert ask("count(*)") == [(0,)]


@pytest.mark.parametrize("name", SCENARIOS, ids=lambda name: Path(name).stem)
def test_scenarios_are_refused_by_name(load, name):
    """They are cut-outs of a few columns, without accounts and periods."""
    ask, result = load(name)
    (outcome,) = result.partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert outcome.key == f"files/{Path(name).name}"
    assert "required columns are missing" in outcome.message
    assert "BillingAccountId" in outcome.message
    assert ask("count(*)") == [(0,)]


def test_one_bad_file_does_not_stop_the_others(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    good = "focus/1.3/gcp_1_3_cost_and_usage_rows25_seed7.csv"
    for name in (good, COMMITMENTS[0], SCENARIOS[0]):
        shutil.copy(SAMPLES / name, folder / Path(name).name)
    warehouse = Exports(tmp_path / "ogf.duckdb", focus=folder)
    result = warehouse.run()
    assert result.status == "partial"
    assert result.count("failed") == 2
    assert warehouse.facts() == (25, Decimal("195.30688799351503"))


def test_a_file_that_lies_there_twice_counts_once(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    name = "focus/1.2/gcp_1_2_cost_and_usage_rows25_seed7.csv"
    for copy in ("export.csv", "export (1).csv"):
        shutil.copy(SAMPLES / name, folder / copy)
    warehouse = Exports(tmp_path / "ogf.duckdb", focus=folder)
    result = warehouse.run()
    assert warehouse.facts() == (25, Decimal(totals(name)["sums"]["cost"]["BilledCost"]["sum"]))
    assert "rows that several of its files hold count once" in result.notices[0]
