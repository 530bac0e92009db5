"""The GCP billing exports of ../shared/samples: rows, cost and credits to the last digit, through the real plugin."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from gcp.export_files import Exports

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
CSV = SAMPLES / "gcp" / "billing-csv"
NESTED = SAMPLES / "gcp" / "billing-nested"
BACKWARDS = "standard-2020-10.csv"  # nine of its rows end before they start
WINDOWS = [f"growing-window-{number}of3.csv" for number in (1, 2, 3)]

pytestmark = pytest.mark.skipif(
    not (SAMPLES / "totals.json").is_file(), reason=f"the sample exports are not at {SAMPLES}"
)

TABLES = sorted(path.name for path in CSV.glob("*.csv"))
RECORDS = sorted(path.name for path in NESTED.glob("*export*.json") if "schema" not in path.name)


def totals(path: Path) -> dict:
    found = json.loads((SAMPLES / "totals.json").read_text())
    return found[path.relative_to(SAMPLES).as_posix()]["totals"]


@pytest.fixture
def load(tmp_path):
    """Copy files into one folder, and read it."""

    def loading(*paths, **settings):
        folder = tmp_path / "exports"
        folder.mkdir()
        for path in paths:
            shutil.copy(path, folder / path.name)
        warehouse = Exports(tmp_path / "ogf.duckdb", billing=folder)
        return warehouse, warehouse.run(**settings)

    return loading


def use_and_credits(warehouse) -> list[tuple]:
    """Rows and exact cost of what was used, and of what was credited."""
    return warehouse.query(
        "SELECT count(*) FILTER (charge_category <> 'Credit'), "
        "coalesce(sum(cost) FILTER (charge_category <> 'Credit'), 0), "
        "coalesce(sum(cost) FILTER (charge_category = 'Credit'), 0) FROM activities"
    )[0]


def test_all_samples_are_here():
    assert (len(TABLES), len(RECORDS)) == (8, 27)


@pytest.mark.parametrize("name", [name for name in TABLES if name != BACKWARDS])
def test_a_csv_alone_gives_the_exact_totals(load, name):
    found = totals(CSV / name)
    warehouse, result = load(CSV / name)
    assert (result.status, result.rejected) == ("succeeded", 0)
    cost, credited = found["sums"]["cost"]["cost"]["sum"], found["credits"]["sum"]
    assert use_and_credits(warehouse) == (found["rows"], Decimal(cost), Decimal(credited))
    months = warehouse.query("SELECT right(partition_key, 7), count(*) FROM activities "
                             "WHERE charge_category = 'Usage' GROUP BY ALL")  # fmt: skip
    written = {f"{month[:4]}-{month[4:6]}": sums["rows"] for month, sums in found["billmonth"].items()}
    assert dict(months) == written
    ((quantity, accounts, services, currencies, regions),) = warehouse.query(
        "SELECT fsum(quantity), count(DISTINCT account_id), count(DISTINCT service), list(DISTINCT currency), "
        "count(DISTINCT region) FROM activities"
    )
    amount = float(found["sums"]["usage"]["usage.amount"]["sum"])
    assert quantity == pytest.approx(amount, rel=1e-14)
    assert (accounts, services) == (found["accounts"]["distinct"], found["services"]["distinct"])
    assert regions == found["regions"]["distinct"]
    assert currencies == list(found["currency"])


@pytest.mark.parametrize("name", [name for name in TABLES if name != BACKWARDS])
def test_credits_are_as_many_rows_as_the_file_lists(load, name):
    warehouse, _ = load(CSV / name)
    with (CSV / name).open(newline="") as file:
        lists = [row["credits"] for row in csv.DictReader(file)]
    written = sum(text.count("'amount':") for text in lists)
    assert warehouse.column("count(*)", table="activities WHERE charge_category = 'Credit'") == [written]
    assert sum("'amount':" in text for text in lists) == totals(CSV / name)["credits"]["rows_with_credits"]


class TestRowsThatEndBeforeTheyStart:
    def test_are_too_many_by_default(self, load):
        warehouse, result = load(CSV / BACKWARDS)
        assert result.status == "failed"
        assert "9 of 292 rows were refused" in result.partitions[0].message
        assert "the period ends before it starts: 9" in result.partitions[0].message
        assert warehouse.facts() == (0, None)

    def test_loaded_and_quarantined_add_up_to_the_file(self, load):
        found = totals(CSV / BACKWARDS)
        warehouse, result = load(CSV / BACKWARDS, runner__max_reject_share=0.05)
        assert (result.status, result.rejected) == ("partial", 9)
        rows, cost, credited = use_and_credits(warehouse)
        refused = warehouse.query("SELECT reason, CAST(raw AS VARCHAR) FROM quarantine")
        assert {reason for reason, _ in refused} == {"the period ends before it starts"}
        assert rows + len(refused) == found["rows"]
        held = sum(Decimal(str(json.loads(raw, parse_float=Decimal)["cost"])) for _, raw in refused)
        assert cost + held == Decimal(found["sums"]["cost"]["cost"]["sum"])
        assert credited == 0
        with (CSV / BACKWARDS).open(newline="") as file:
            backwards = [
                row for row in csv.DictReader(file) if row["usage_end_time"] < row["usage_start_time"]
            ]
        assert held == sum(Decimal(row["cost"]) for row in backwards)


class TestGrowingWindow:
    @pytest.mark.parametrize("names", [WINDOWS, WINDOWS[::-1], [WINDOWS[2], WINDOWS[0]]], ids=len)
    def test_all_together_are_the_rows_of_the_last(self, load, names):
        warehouse, result = load(*(CSV / name for name in names))
        assert (result.status, result.rejected) == ("succeeded", 0)
        assert use_and_credits(warehouse) == (28, Decimal("0.000042"), Decimal("-0.000042"))

    def test_one_after_the_other_ends_with_the_rows_of_the_last(self, load, tmp_path):
        warehouse, _ = load(CSV / WINDOWS[0])
        assert use_and_credits(warehouse) == (25, Decimal("0.000032"), Decimal("-0.000032"))
        for name, rows, cost in ((WINDOWS[1], 26, "0.000037"), (WINDOWS[2], 28, "0.000042")):
            shutil.copy(CSV / name, tmp_path / "exports" / name)
            assert warehouse.run().count("loaded") == 1
            assert use_and_credits(warehouse) == (rows, Decimal(cost), -Decimal(cost))
        assert warehouse.run().count("unchanged") == 1

    def test_a_copy_with_another_column_adds_nothing(self, load):
        warehouse, result = load(CSV / WINDOWS[0], CSV / "partition-date-29col.csv")
        assert (result.status, result.rejected) == ("succeeded", 0)
        assert use_and_credits(warehouse) == (25, Decimal("0.000032"), Decimal("-0.000032"))


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_bigquery_give_the_exact_totals(load, name):
    """Most are pretty-printed objects one after the other, some are one object a line."""
    found = totals(NESTED / name)
    warehouse, result = load(NESTED / name)
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert use_and_credits(warehouse) == (found["rows"], Decimal(found["cost"]), Decimal(found["credits"]))
    ((quantity, projects, usage_types, net, locations, months),) = warehouse.query(
        "SELECT sum(quantity), count(DISTINCT account_id), count(DISTINCT usage_type), sum(cost), "
        "list(DISTINCT location), count(DISTINCT right(partition_key, 7)) FROM activities"
    )
    assert Decimal(quantity) == Decimal(found["usage_amount"])
    assert (projects, usage_types, months) == (found["projects"], found["skus"], found["invoice_months"])
    assert net == Decimal(found["cost"]) + Decimal(found["credits"])
    assert locations == ["US-WEST"]


def test_pretty_printed_and_one_a_line_are_the_same_rows(tmp_path):
    tables = []
    for name in ("test_10_1__export.json", "test_10_1__export_load.json"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(NESTED / name, folder / name)
        warehouse = Exports(tmp_path / f"{name}.duckdb", billing=folder)
        warehouse.run()
        tables.append(Counter(warehouse.table()))
    assert tables[0] == tables[1]
    assert tables[0].total() > 6


def test_a_list_of_commitments_is_no_export(load):
    warehouse, result = load(NESTED / "test_10_1__commitments.json")
    (outcome,) = result.partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert "required columns are missing" in outcome.message
    assert "test_10_1__commitments.json" in outcome.key
    assert warehouse.facts() == (0, None)


def test_what_was_used_of_machines_memory_disks_and_the_network(load):
    """Summed by hand from the file; licences and addresses have no quantity."""
    name = "standard-2020-10.csv"
    warehouse, _ = load(CSV / name, runner__max_reject_share=0.05)
    with (CSV / name).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["usage_end_time"] >= row["usage_start_time"]]

    def amount(*skus: str) -> float:
        return sum(float(row["usage.amount"]) for row in rows if row["sku.description"].startswith(skus))

    ((vcpu, memory, storage, inbound, outbound, covered),) = warehouse.query(
        "SELECT fsum(vcpu_hours), fsum(memory_gib_hours), fsum(storage_gib_hours), "
        "fsum(network_gib) FILTER (network_route = 'inbound'), fsum(network_gib) FILTER (network_route <> 'inbound'), "
        "count(coalesce(vcpu_hours, memory_gib_hours, storage_gib_hours, network_gib)) FROM activities"
    )
    assert vcpu == pytest.approx(amount("E2 Instance Core") / 3600)
    assert memory == pytest.approx(amount("E2 Instance Ram") / 3600 / 2**30)
    assert storage == pytest.approx(amount("Storage PD Capacity", "Active Storage") / 3600 / 2**30)
    assert outbound + inbound == pytest.approx(amount("Network", "Download") / 2**30)
    none = ("External IP", "Licensing", "Multi-Region Standard Class", "Log Volume", "Analysis")
    assert covered == sum(not row["sku.description"].startswith(none) for row in rows)
    processors = "SELECT DISTINCT processor, instance_type FROM activities WHERE vcpu_hours IS NOT NULL"
    assert warehouse.query(processors) == [("Broadwell/EPYC 2nd Gen/Haswell/Skylake", "e2-medium")]
