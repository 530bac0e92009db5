"""The sample exports of `ogf demo`: always the same, never touched twice, and loaded to the last digit."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import Decimal

import pytest
from azure.test_exports import Exports

from ogf.runner.run import Options
from ogf_azure.demo import MONTHS, write_exports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "exports"
    write_exports(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder, tmp_path_factory):
    """What a first run made of the exports: its result, and the warehouse."""
    warehouse = Exports(tmp_path_factory.mktemp("loaded") / "ogf.duckdb", actual_cost=folder / "actual_cost")
    run = warehouse.provider_run()
    return run.run(Options()), run, warehouse


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(folder) -> list[dict[str, str]]:
    """The exported lines, all text."""
    found = []
    for path in sorted(folder.rglob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            found += csv.DictReader(file)
    return found


def activities(run, question: str):
    with run.warehouse.reading() as connection:
        return connection.execute(question).fetchall()


def test_demo_exports_are_deterministic(folder, tmp_path):
    settings = write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)
    assert settings == {"actual_cost": {"location": str(tmp_path / "actual_cost")}}


def test_demo_exports_that_were_damaged_are_mended_and_others_left_untouched(folder, tmp_path):
    write_exports(tmp_path)
    damaged, *others = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    damaged.write_bytes(damaged.read_bytes()[:100])
    before = {path: path.stat().st_mtime_ns for path in others}
    write_exports(tmp_path)
    assert contents(tmp_path) == contents(folder)
    assert {path: path.stat().st_mtime_ns for path in others} == before


def test_demo_is_small_and_has_something_of_everything(folder):
    assert sum(map(len, contents(folder).values())) < 200_000
    found = lines(folder)
    names = ("SubscriptionId", "meterCategory", "resourceLocation", "billingPeriodStartDate")
    assert [len({line[name] for line in found}) for name in names] == [2, 4, 3, len(MONTHS)]
    charges = Counter(line["chargeType"] for line in found)
    assert (charges["Purchase"], charges["Refund"]) == (1, 1)


def test_demo_is_loaded_without_a_remark(folder, loaded):
    result, run, _ = loaded
    assert result.status == "succeeded", result.message
    assert sorted(item.key[-7:] for item in result.partitions) == list(MONTHS)
    for item in result.partitions:
        assert (item.notices, item.rejected, item.unmapped) == ([], 0, {})
    ((rows, ids, emissions),) = activities(
        run, "SELECT count(*), count(DISTINCT activity_id), count(emissions_kgco2e) FROM activities"
    )
    assert (rows, ids, emissions) == (len(lines(folder)), rows, 0)


def test_demo_costs_equal_the_raw_export(folder, loaded):
    _, run, _ = loaded
    expected: dict[tuple[str, ...], Decimal] = {}
    for line in lines(folder):
        month, _, year = line["date"].split("/")
        key = (f"{year}-{month}", line["SubscriptionId"], line["meterCategory"], line["resourceLocation"])
        expected[key] = expected.get(key, Decimal(0)) + Decimal(line["costInBillingCurrency"])
    got = activities(
        run,
        "SELECT strftime(timezone('UTC', period_start), '%Y-%m'), account_id, service, region, sum(cost) "
        "FROM activities GROUP BY ALL",
    )
    assert {tuple(key): cost for *key, cost in got} == expected
    assert sum(expected.values()) == Decimal("5764.584747")


def test_demo_gives_back_what_the_reservation_cost(loaded):
    _, run, _ = loaded
    found = activities(
        run, "SELECT cost FROM activities WHERE charge_category = 'Purchase' ORDER BY period_start"
    )
    assert found == [(Decimal("412.5"),), (Decimal("-412.5"),)]


def test_demo_knows_places_categories_machines_and_tags(loaded):
    _, run, _ = loaded
    where = "FROM activities WHERE charge_category = 'Usage'"
    assert activities(run, f"SELECT DISTINCT region, location {where} ORDER BY ALL") == [
        ("eastus", "US-EAST"),
        ("swedencentral", "EU-NORTH"),
        ("westeurope", "EU-WEST"),
    ]
    assert activities(run, f"SELECT DISTINCT service, category {where} ORDER BY ALL") == [
        ("Bandwidth", "data_transfer"),
        ("SQL Database", "cloud_database"),
        ("Storage", "cloud_storage"),
        ("Virtual Machines", "cloud_compute"),
    ]
    assert activities(
        run, f"SELECT DISTINCT instance_type, vcpu_hours = 4 * quantity {where} ORDER BY ALL"
    ) == [
        ("Standard_D4s_v5", True),
        (None, False),  # a database's vCores are counted one by one
        (None, None),
    ]
    assert activities(run, f"SELECT DISTINCT tags['environment'] {where} ORDER BY ALL") == [
        ("production",),
        ("sandbox",),
    ]


def test_a_second_run_of_the_demo_changes_nothing(folder, loaded):
    _, _, warehouse = loaded
    write_exports(folder)
    again = warehouse.provider_run().run(Options())
    assert [item.outcome for item in again.partitions] == ["unchanged"] * len(MONTHS)
