"""From a row of cost details to an activity: dates, units, machines, tags, places, charges, what is refused."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from azure.test_exports import Exports, csv_file, plugin, rows

from ogf.files.store import File
from ogf.files.table import open_table
from ogf.files.worker import connect
from ogf.runner.contexts import core_lookups
from ogf_azure.actual_cost.mapping import activities_sql, months_sql


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """What a worker's connection has, the provider's tables included."""
    lookups = {**core_lookups(), **plugin().provider.lookups}
    connection = connect(scratch=tmp_path_factory.mktemp("db"), threads=1, memory_mb=256, lookups=lookups)
    yield connection
    connection.close()


@pytest.fixture
def mapped(connection, tmp_path):
    """Map rows: `mapped("unit, quantity", {"UnitOfMeasure": "10K"})`; keys given as None are no columns."""

    def mapping(columns: str, *changes: dict[str, Any], sql=activities_sql) -> list[tuple[Any, ...]]:
        made = [
            {k: v for k, v in (rows("1.25")[0] | change).items() if v is not None}
            for change in changes or [{}]
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(made[0]))
        writer.writeheader()
        writer.writerows(made)
        path = tmp_path / "rows.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        file = File(path, path.as_uri(), "etag", owned=False)
        table = open_table(file, connection=connection, scratch=tmp_path)
        try:
            return connection.execute(f"SELECT {columns} FROM ({sql(table)})").fetchall()
        finally:
            table.close()

    return mapping


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("1 Hour", "hours"), ("10 Hours", "hours"), ("100 Hours", "hours"), ("100\u00a0Hours ", "hours"),
        ("10K", "units"), ("1M", "units"), ("1", "units"), ("100000000", "units"), ("1 GB/Month", "GB-month"),
        ("100 GB Seconds", "GB-seconds"), ("1024 GB", "GB"), ("1 GB", "GB"), ("10K/Month", "1/Month"),
        ("1/Day", "1/Day"), ("1 /Month", "1/Month"), ("1M Requests", "requests"), ("1 MB", "MB"),
        ("1.5 GB Hours", "gb-hours"), ("0 Unassigned", None), ("", None), ("Parsecs", "Parsecs"),
    ],
)  # fmt: skip
def test_b134_a_block_leaves_its_unit_and_the_quantity_as_it_is(mapped, written, unit):
    ((found, quantity),) = mapped("unit, quantity", {"UnitOfMeasure": written, "Quantity": "0.5"})
    assert (found, quantity) == (unit, 0.5)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("01/05/2026", "2026-01-05"), ("1/5/2026", "2026-01-05"), ("2026-01-05", "2026-01-05"),
        ("2026-01-05 00:00:00", "2026-01-05"), ("2026-01-05T00:00:00Z", "2026-01-05"),
        ("01/05/2026 00:00:00", "2026-01-05"), ("12/31/2026", "2026-12-31"),
    ],
)  # fmt: skip
def test_b130_dates_of_every_dialect_are_one_day_of_utc(mapped, written, day):
    ((start, seconds, refused),) = mapped(
        "strftime(period_start, '%Y-%m-%d %H:%M'), epoch(period_end) - epoch(period_start), _reject",
        {"Date": written},
    )
    assert (start, seconds, refused) == (f"{day} 00:00", 86_400, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Date": ""}, "the date is missing or not a date"),
        ({"Date": "31/12/2026"}, "the date is missing or not a date"),
        ({"CostInBillingCurrency": ""}, "the cost is missing"),
        ({"CostInBillingCurrency": "1,25"}, "the cost is not a number"),
        ({"Quantity": "many"}, "the quantity is not a number"),
        ({"Tags": '"env": "pro'}, "the tags are not JSON"),
    ],
)
def test_rows_that_make_no_sense_are_refused_with_what_the_file_says(mapped, changes, reason):
    ((found, raw),) = mapped("_reject, _raw", changes)
    assert found == reason
    assert json.loads(raw)["meter_category"] == "Virtual Machines"


INFO = '{"UsageType":"ComputeHR","ServiceType":"Standard_D2_v3","VCPUs":2}'


@pytest.mark.parametrize(
    ("changes", "machine", "hours"),
    [
        ({}, "Standard_D2_v3", 48.0),
        ({"AdditionalInfo": INFO[1:-1]}, "Standard_D2_v3", 48.0),  # without braces
        ({"AdditionalInfo": INFO.replace("2}", '"2"}')}, "Standard_D2_v3", 48.0),
        ({"UnitOfMeasure": "100 Hours"}, "Standard_D2_v3", 48.0),
        ({"UnitOfMeasure": "1 GB"}, "Standard_D2_v3", None),
        ({"ChargeType": "UnusedReservation"}, "Standard_D2_v3", None),
        ({"ChargeType": "Purchase"}, "Standard_D2_v3", None),
        ({"MeterCategory": "Virtual Machines Licenses"}, "Standard_D2_v3", None),
        ({"AdditionalInfo": '{"ServiceType":"SQLThreatDetection"}'}, None, None),
        ({"AdditionalInfo": INFO.replace("2}", "0}")}, "Standard_D2_v3", 48.0),  # of the catalogue
        ({"AdditionalInfo": "no details at all"}, None, None),
        ({"AdditionalInfo": ""}, None, None),
    ],
)
def test_the_hours_of_a_machine_s_processors(mapped, changes, machine, hours):
    found = mapped("instance_type, vcpu_hours, _reject", {"AdditionalInfo": INFO} | changes)
    assert found == [(machine, hours, None)]


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ('{"env":"prod","a":"1"}', {"a": "1", "env": "prod"}), ('"env": "prod","a": "1"', {"a": "1", "env": "prod"}),
        ("", None), ("{}", None), ('"hidden-link:/x": ""', {"hidden-link:/x": ""}),
    ],
)  # fmt: skip
def test_tags_with_and_without_braces(mapped, written, tags):
    assert mapped("tags, _reject", {"Tags": written}) == [(tags, None)]


@pytest.mark.parametrize(
    ("charge", "category"),
    [
        ("Usage", "Usage"), ("usage", "Usage"), ("Purchase", "Purchase"), ("Refund", "Purchase"), ("Tax", "Tax"),
        ("UnusedReservation", "Usage"), ("Unused Savings Plan", "Usage"), ("RoundingAdjustment", "Adjustment"),
        ("Something", None),
    ],
)  # fmt: skip
def test_charge_types_are_those_of_focus(mapped, charge, category):
    assert mapped("charge_category", {"ChargeType": charge}) == [(category,)]


def test_a_dialect_without_charge_types_has_usage_only(mapped):
    assert mapped("charge_category", {"ChargeType": None}) == [("Usage",)]


@pytest.mark.parametrize("nobody", ["", "00000000-0000-0000-0000-000000000000"])
def test_what_belongs_to_no_subscription_belongs_to_who_is_billed(mapped, nobody):
    found = mapped("account_id, cost, _reject", {"SubscriptionId": nobody, "ChargeType": "UnusedReservation"})
    assert [(account, float(cost), refused) for account, cost, refused in found] == [("12345678", 1.25, None)]


def test_ids_are_the_same_in_any_case(mapped):
    one = mapped("activity_id, account_id, resource_id")
    lower = rows("1.25")[0]
    upper = {name: lower[name].upper() for name in ("SubscriptionId", "ResourceId")} | {"ResourceGroup": None}
    assert mapped("activity_id, account_id, resource_id", upper) == one
    assert one[0][2].endswith("/providers/microsoft.compute/virtualmachines/vm0")


@pytest.mark.parametrize(
    ("written", "location"),
    [
        ("EastUS", "US-EAST"), ("eastus", "US-EAST"), ("US East", "US-EAST"), ("East US", "US-EAST"),
        ("(US) East US", "US-EAST"), ("WESTEUROPE", "EU-WEST"), ("west europe", "EU-WEST"), ("", "GLOBAL"),
        ("Global", "GLOBAL"), ("Unassigned", "GLOBAL"), ("atlantis", None),
    ],
)  # fmt: skip
def test_places_are_told_by_any_spelling_and_kept_as_written(mapped, written, location):
    assert mapped("region, location", {"ResourceLocation": written}) == [(written or None, location)]


def test_an_unknown_meter_s_category_is_that_of_its_resource(mapped):
    disk = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
    web = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Web/sites/x/slots/y"
    for resource, category in ((disk, "cloud_storage"), (web, "cloud_compute_serverless")):
        assert mapped("category", {"MeterCategory": "New", "ResourceId": resource}) == [(category,)]


def test_months_are_billing_periods_or_days_of_use(mapped):
    changes = ({}, {"BillingPeriodStartDate": "", "Date": "2/1/2026"}, {"BillingAccountId": "", "Date": "x"})
    assert mapped("*", *changes, sql=months_sql) == [
        ("00000000-0000-4000-8000-000000000001", "2026-01"), ("12345678", "2026-01"), ("12345678", "2026-02"),
    ]  # fmt: skip


def test_columns_that_come_and_go_between_months_change_nothing_else(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.csv").write_bytes(csv_file("1"))
    (folder / "b.csv").write_bytes(
        csv_file("2", month="2026-02").replace(b"CostInBillingCurrency", b"costInBillingCurrency")
        .replace(b"ChargeType", b"newThing").replace(b"BillingCurrencyCode", b"billingCurrency")
    )  # fmt: skip
    warehouse = Exports(tmp_path / "ogf.duckdb", actual_cost=folder)
    warehouse.run()
    assert warehouse.query("SELECT currency, charge_category, sum(cost) FROM activities GROUP BY ALL") == [
        ("EUR", "Usage", 3)
    ]
