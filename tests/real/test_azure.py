"""The cost exports of ../shared/samples/azure: rows and cost to the last digit, as their README states them."""

from __future__ import annotations

import csv
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from azure.test_exports import Exports

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
AZURE = SAMPLES / "azure"
MIXED = "azure/dialects/koku/mca-camel-bom.csv"  # its last line ends in LF, all others in CR LF
SHORT = "azure/dialects/opencost/values/Template.csv"  # every line has a field less than the header
DATE_ONLY = "azure/dialects/opencost/headersets/BOM.csv"
NO_EXPORT = {
    "azure/dialects/koku/empty-22col.csv": "usage_date (Date), billed_cost",
    "azure/dialects/koku/empty-23col.csv": "usage_date (Date)",
    "azure/dialects/koku/empty-24col-bad-header.csv": "subscription_id (SubscriptionId)",
}
EMPTY = ("azure/ea/EA_NoRows.csv", "azure/dialects/koku/empty-24col.csv")

pytestmark = pytest.mark.skipif(
    not (SAMPLES / "totals.json").is_file(), reason=f"the sample exports are not at {SAMPLES}"
)


def names() -> list[str]:
    found = sorted(path.relative_to(SAMPLES).as_posix() for path in (AZURE / "ea").glob("*.csv"))
    return found + sorted(
        path.relative_to(SAMPLES).as_posix() for path in (AZURE / "dialects").rglob("*.csv")
    )


WHOLE = [name for name in names() if name not in {*NO_EXPORT, *EMPTY, SHORT, DATE_ONLY, MIXED}]


def totals(name: str) -> dict:
    return json.loads((SAMPLES / "totals.json").read_text())[name]["totals"]


def cost_of(found: dict) -> Decimal:
    """The sum of the column that is the bill, in eighteen decimals."""
    columns = {column.partition(" ")[0].lower(): sums for column, sums in found["sums"]["cost"].items()}
    column = next(name for name in ("costinbillingcurrency", "pretaxcost", "cost") if name in columns)
    return Decimal(columns[column].get("sum_at_scale_18") or columns[column]["sum"])


@pytest.fixture
def load(tmp_path):
    """Copy a file into a folder, and read it."""

    def loading(name: str, body: bytes | None = None, **settings):
        folder = tmp_path / "exports"
        folder.mkdir()
        target = folder / Path(name).name
        shutil.copy(SAMPLES / name, target) if body is None else target.write_bytes(body)
        warehouse = Exports(tmp_path / "ogf.duckdb", actual_cost=folder)
        return warehouse, warehouse.run(**settings)

    return loading


def test_all_samples_are_here():
    assert (len(names()), len(WHOLE)) == (28, 20)


def check(warehouse, result, name: str) -> None:
    found = totals(name)
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert warehouse.facts() == (found["rows"], cost_of(found))
    ((quantity, accounts, services, regions),) = warehouse.query(
        "SELECT fsum(quantity), count(DISTINCT account_id), count(DISTINCT service), "
        "count(DISTINCT region) FROM activities"
    )
    for sums in found["sums"].get("usage", {}).values():
        assert quantity == pytest.approx(float(sums["sum"]), rel=1e-14)
    assert (accounts, services) == (found["accounts"]["distinct"], found["services"]["distinct"])
    assert regions == found["regions"]["distinct"]
    if "types" in found:
        written = {kind: (sums["rows"], Decimal(sums["cost"])) for kind, sums in found["types"].items()}
        rows = warehouse.query("SELECT charge_category, count(*), sum(cost) FROM activities GROUP BY ALL")
        assert {kind: (count, cost) for kind, count, cost in rows} == {
            kind: (count, cost.quantize(Decimal("1e-18"))) for kind, (count, cost) in written.items()
        }


@pytest.mark.parametrize("name", WHOLE, ids=lambda name: Path(name).name)
def test_b130_every_dialect_gives_the_exact_totals(load, name):
    check(*load(name), name)


def test_b130_lines_that_end_in_different_ways_are_read(load):
    check(*load(MIXED), MIXED)


@pytest.mark.parametrize("name", EMPTY, ids=lambda name: Path(name).name)
def test_a_file_with_only_a_header_holds_nothing(load, name):
    warehouse, result = load(name)
    assert (result.status, warehouse.facts()) == ("succeeded", (0, None))


@pytest.mark.parametrize("name", NO_EXPORT, ids=lambda name: Path(name).name)
def test_a_header_without_what_is_needed_is_refused_by_name(load, name):
    warehouse, result = load(name)
    (outcome,) = result.partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert f"required columns are missing: {NO_EXPORT[name]}" in outcome.message
    assert warehouse.facts() == (0, None)


def test_lines_that_lack_a_field_are_no_rows(load):
    """Of 87 none is whole: which field is lacking, nobody can tell."""
    warehouse, result = load(SHORT)
    (outcome,) = result.partitions
    assert (outcome.outcome, outcome.error_class) == ("failed", "bad_request")
    assert "no line is whole" in outcome.message
    assert warehouse.facts() == (0, None)


def test_a_row_with_only_a_date_is_refused(load):
    warehouse, result = load(DATE_ONLY)
    assert result.status == "failed"
    assert "the cost is missing: 1" in result.partitions[0].message
    assert warehouse.facts() == (0, None)


class TestWhatBecomesOfARow:
    def test_a_virtual_machine_of_an_enterprise_agreement(self, load):
        warehouse, _ = load("azure/dialects/opencost/headersets/Enterprise.csv")
        ((*row, tags),) = warehouse.query(
            "SELECT account_id, billing_account_id, service, category, instance_type, region, location, "
            "strftime(period_start, '%Y-%m-%d'), quantity, unit, vcpu_hours, charge_category, tags FROM activities"
        )
        assert row == [
            "11111111-12ab-34dc-56ef-123456abcdef", "12345678", "Virtual Machines", "cloud_compute",
            "Standard_E4s_v3", "canadacentral", "CANADA", "2021-02-02", 10.0, "hours", 40.0, "Usage",
        ]  # fmt: skip
        assert tags["orchestrator"] == "Kubernetes:1.19.9"

    def test_german_and_english_headers_give_the_same(self, load, tmp_path):
        tables = []
        for name in ("German.csv", "PayAsYouGo.csv"):
            shutil.rmtree(tmp_path / "exports", ignore_errors=True)
            (tmp_path / "ogf.duckdb").unlink(missing_ok=True)
            warehouse, _ = load(f"azure/dialects/opencost/headersets/{name}")
            tables.append(warehouse.table(without=("load_id", "source", "activity_id")))
        assert tables[0] == tables[1]
        assert warehouse.query(
            "SELECT service, category, unit, quantity, region, location FROM activities"
        ) == [("Load Balancer", "cloud_network", "hours", 3.0, "US East", "US-EAST")]

    def test_tags_and_details_without_braces_are_those_with_them(self, load, tmp_path):
        rows = []
        for name in ("MissingBrackets.csv", "VirtualMachine.csv"):
            shutil.rmtree(tmp_path / "exports", ignore_errors=True)
            (tmp_path / "ogf.duckdb").unlink(missing_ok=True)
            warehouse, _ = load(f"azure/dialects/opencost/values/{name}")
            rows.append(
                warehouse.query("SELECT tags, instance_type, resource_id, cost, category FROM activities")
            )
        assert rows[0] == rows[1]
        assert rows[0][0][1] == "Standard_DS2_v2"
        assert len(rows[0][0][0]) == 3

    def test_resource_groups_that_differ_in_case_are_one(self, load):
        warehouse, _ = load("azure/dialects/koku/payg-2019-07.csv")
        name = "azure/dialects/koku/payg-2019-07.csv"
        assert warehouse.column("count(*)", table="activities WHERE resource_id <> lower(resource_id)") == [0]
        assert (
            len(warehouse.column("DISTINCT resource_id", table="activities WHERE resource_id IS NOT NULL"))
            <= (totals(name)["resources"]["distinct"])
        )
        assert set(warehouse.column("DISTINCT right(partition_key, 7)")) == {"2019-07"}

    def test_b134_block_units_keep_the_quantity(self, load):
        warehouse, _ = load("azure/dialects/koku/ea-v2-us-date-SubscriptionId.csv")
        units = "SELECT unit, sum(quantity), count(vcpu_hours) FROM activities GROUP BY ALL ORDER BY ALL"
        assert {unit for unit, _, _ in warehouse.query(units)} == {"1/Month", "hours", "units", None}
        assert warehouse.query("SELECT fsum(quantity) FROM activities") == [(pytest.approx(39.78804),)]


def test_what_was_used_of_machines_disks_blobs_and_the_network(load):
    """Summed by hand from a file that has no units; July has 31 * 24 hours."""
    name = "azure/dialects/koku/payg-2019-07.csv"
    warehouse, _ = load(name)
    with (SAMPLES / name).open(newline="", encoding="utf-8-sig") as file:
        rows = [{key.lower(): value for key, value in row.items()} for row in csv.DictReader(file)]

    def used(category: str, *meters: str) -> list[tuple[float, dict]]:
        return [
            (float(row["usagequantity"]), row)
            for row in rows
            if row["metercategory"] == category and row["metername"].endswith(meters)
        ]

    ((vcpu, memory, disks, blobs, copies, inbound, internet, between),) = warehouse.query(
        "SELECT fsum(vcpu_hours), fsum(memory_gib_hours), fsum(storage_gib_hours) FILTER (storage_media = 'ssd'), "
        "fsum(storage_gib_hours) FILTER (storage_media = 'hdd'), max(replication), "
        + ", ".join(
            f"fsum(network_gib) FILTER (network_route = '{route}')"
            for route in ("inbound", "internet", "inter_region")
        )
        + " FROM activities"
    )
    machines = {"A0": (1, 0.75), "B2s": (2, 4)}
    hours = [(quantity, machines[row["metername"]]) for quantity, row in used("Virtual Machines", *machines)]
    assert vcpu == pytest.approx(sum(quantity * vcpus for quantity, (vcpus, _) in hours))
    assert memory == pytest.approx(sum(quantity * gib for quantity, (_, gib) in hours))
    sizes = {"P10 Disks": 128, "E4 Disks": 32}
    assert disks == pytest.approx(
        744 * sum(q * sizes[row["metername"]] for q, row in used("Storage", *sizes))
    )
    assert blobs == pytest.approx(744 * sum(q for q, _ in used("Storage", "Data Stored")))
    assert copies == 6
    assert inbound == pytest.approx(sum(q for q, _ in used("Bandwidth", "Data Transfer In")))
    assert internet == pytest.approx(sum(q for q, _ in used("Bandwidth", "Data Transfer Out - Free")))
    assert between == pytest.approx(sum(q for q, _ in used("Storage", "Data transfer")))


@pytest.mark.parametrize("name", sorted(path.relative_to(SAMPLES).as_posix()
                                        for path in (SAMPLES / "focus").glob("1.*/azure_*cost_and_usage*.csv")))  # fmt: skip
def test_focus_exports_give_the_exact_totals(tmp_path, name):
    folder = tmp_path / "exports"
    folder.mkdir()
    shutil.copy(SAMPLES / name, folder / "part.csv")
    warehouse = Exports(tmp_path / "ogf.duckdb", focus=folder)
    result = warehouse.run()
    found = totals(name)
    assert (result.status, result.rejected) == ("succeeded", 0)
    billed = found["sums"]["cost"]["BilledCost"]
    assert warehouse.facts() == (found["rows"], Decimal(billed.get("sum_at_scale_18") or billed["sum"]))
    ((ids, accounts),) = warehouse.query(
        "SELECT count(*) FILTER (resource_id <> lower(resource_id)), "
        "count(*) FILTER (account_id LIKE '/subscriptions/%') FROM activities"
    )
    assert (ids, accounts) == (0, 0)
