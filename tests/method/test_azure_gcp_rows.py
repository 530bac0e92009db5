"""Mistakes that other tools make with rows of Azure and Google Cloud, and traps of units, months and labels."""

from __future__ import annotations

import calendar
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from physical_rows import NOTHING, PHYSICAL, azure, gcp, physical

GIB = 1 << 30


def disk(day: str, quantity: float, tier: str = "P30") -> dict[str, str]:
    return {
        "MeterCategory": "Storage", "MeterSubCategory": "Premium SSD Managed Disks", "MeterName": f"{tier} LRS Disk",
        "UnitOfMeasure": "1/Month", "Quantity": str(quantity), "Date": day,
    }  # fmt: skip


def blob(day: str, quantity: float, unit: str = "1 GB/Month") -> dict[str, str]:
    return {
        "MeterCategory": "Storage", "MeterSubCategory": "Tiered Block Blob", "MeterName": "Hot LRS Data Stored",
        "UnitOfMeasure": unit, "Quantity": str(quantity), "Date": day,
    }  # fmt: skip


def machine(quantity: float, size: str = "Standard_D2s_v3", **info: Any) -> dict[str, str]:
    return {
        "MeterCategory": "Virtual Machines", "MeterSubCategory": "Series", "MeterName": "not the size",
        "UnitOfMeasure": "1 Hour", "Quantity": str(quantity),
        "AdditionalInfo": json.dumps({"ServiceType": size, "UsageType": "ComputeHR"} | info),
    }  # fmt: skip


def label(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def test_method_a6_two_matching_labels_leave_the_totals_as_they_are():
    found = gcp(
        {"labels": [], "usage__amount": 7200},
        {"labels": [label("team", "web")], "usage__amount": 7200},
        {"labels": [label("team", "web"), label("env", "prod"), label("team", "api")], "usage__amount": 7200,
         "system_labels": [label("compute.googleapis.com/cores", "4")], "tags": [label("team", "ops")]},
    )  # fmt: skip
    assert [one["vcpu_hours"] for one in found] == [2.0, 2.0, 2.0]
    assert sum(one["cost"] for one in found) == 3 * found[0]["cost"]


def test_method_a7_half_a_month_of_a_p30_disk_is_half_its_gib_hours():
    half, whole = azure(disk("07/05/2025", 0.5), disk("07/05/2025", 1))
    # July has 31 x 24 = 744 hours, a P30 has 1,024 GiB: 761,856 GiB-hours
    assert whole["storage_gib_hours"] == 1024 * 744 == 761_856
    assert half["storage_gib_hours"] * 2 == whole["storage_gib_hours"]
    assert (whole["storage_media"], whole["replication"]) == ("ssd", 3)


def test_method_a7_a_days_row_is_a_day():
    """Azure's own quantity of a day in September, 24 hours of 1/720 each, rounded: 1,024 GiB x 24 h."""
    (found,) = azure(disk("09/04/2023", 0.033336))
    assert found["storage_gib_hours"] == pytest.approx(1024 * 24, rel=1e-3)


def test_method_a8_a_gb_month_is_the_hours_of_its_month():
    found = azure(
        blob("06/05/2025", 1), blob("06/05/2025", 1, "1 TB/Month"), blob("06/05/2025", 1, "100 GB/Month")
    )
    assert [one["storage_gib_hours"] for one in found] == [720, 1024 * 720, 720]


@pytest.mark.parametrize(
    ("unit", "amount", "gib_hours"),
    [("byte-seconds", 3600 * GIB, 1), ("byte-seconds", 5 * 3600 * 1024 * GIB, 5 * 1024), ("gibibyte hour", 2, 2),
     ("gibibyte second", 7200, 2), ("gibibyte month", 2, 2 * 744), ("tebibyte month", 2, 2048 * 744), ("tebibyte hour", 2, 2048)],
)  # fmt: skip
def test_method_a9_units_of_storage(unit, amount, gib_hours):
    (found,) = gcp({"sku__description": "Standard Storage Belgium", "service__description": "Cloud Storage",
                    "usage__unit": unit, "usage__amount": amount})  # fmt: skip
    assert found["storage_gib_hours"] == pytest.approx(gib_hours, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "amount", "gib"),
    [("bytes", GIB, 1), ("bytes", 1e9, 1e9 / GIB), ("gibibyte", 3, 3), ("tebibyte", 3, 3072)],
)
def test_method_a9_units_of_traffic(unit, amount, gib):
    (found,) = gcp({"sku__description": "Network Internet Egress from Americas to EMEA", "usage__unit": unit,
                    "usage__amount": amount})  # fmt: skip
    assert found["network_gib"] == pytest.approx(gib, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "hours"),
    [
        ("seconds", 2),
        ("Seconds", 2),
        ("hour", 7200),
        ("minute", 120),
        ("vcpu-hours", 7200),
        ("vcpu-seconds", 2),
    ],
)
def test_method_a9_units_of_time(unit, hours):
    (found,) = gcp({"usage__unit": unit, "usage__amount": 7200})
    assert found["vcpu_hours"] == pytest.approx(hours, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "quantity", "expected"),
    [
        ("1 GB/Month", 3, 3 * 744), ("10 GB/Month", 3, 3 * 744), ("1 TB/Month", 3, 3072 * 744),
        ("1 GiB/Month", 3, 3 * 744), ("1 GiB/Hour", 3, 3), ("1 GB/Hour", 3, 3), ("1 TiB/Hour", 3, 3072),
        ("1 PB/Hour", 3, 3 * 1024 * 1024), ("100 GB/Day", 3, 72), ("1 MB/Month", 1024, 744),
    ],
)  # fmt: skip
def test_method_a9_units_of_azure_in_blocks_or_not(unit, quantity, expected):
    """A block belongs to the price: the quantity is in its unit."""
    (found,) = azure(blob("01/05/2026", quantity, unit))
    assert found["storage_gib_hours"] == pytest.approx(expected, rel=1e-12)


def test_method_b6_an_unknown_size_is_not_one_vcpu():
    (found,) = azure(machine(24, "Standard_Z9_v9"))
    assert {name: found[name] for name in PHYSICAL} == NOTHING
    assert (found["instance_type"], found["quantity"], found["charge_category"]) == (
        "Standard_Z9_v9",
        24,
        "Usage",
    )


def test_method_b6_an_unknown_tier_or_plan_is_nothing():
    plan = {
        "MeterCategory": "Azure App Service",
        "MeterSubCategory": "",
        "MeterName": "P9 v9 App",
        "UnitOfMeasure": "1 Hour",
    }
    cache = {
        "MeterCategory": "Redis Cache",
        "MeterSubCategory": "",
        "MeterName": "Z1 Cache",
        "UnitOfMeasure": "1 Hour",
    }
    assert [physical(one) for one in azure(disk("01/05/2026", 1, "P99"), plan, cache)] == [{}, {}, {}]


def test_method_s7_february_leap_february_and_july_of_the_same_disk():
    days = ("02/05/2023", "02/05/2024", "07/05/2024")
    found = azure(*(disk(day, 1) for day in days), *(blob(day, 1024) for day in days))
    assert [one["storage_gib_hours"] / 1024 for one in found] == [672, 696, 744] * 2


def test_method_s7_months_of_google_are_those_of_utc():
    """Half past eleven of the last evening of February, six hours west of Greenwich, is March."""
    changes = {
        "sku__description": "Standard Storage Belgium",
        "usage__unit": "gibibyte month",
        "usage__amount": 1,
    }
    found = gcp(
        {**changes, "usage_start_time": "2024-02-29 12:00:00 UTC"},
        {
            **changes,
            "usage_start_time": "2024-02-29T23:30:00-06:00",
            "usage_end_time": "2024-03-01T00:30:00-06:00",
        },
    )
    assert [one["storage_gib_hours"] for one in found] == [696, 744]


@pytest.mark.parametrize("month", range(1, 13))
def test_method_trap_daily_rows_sum_to_the_monthly_one(month):
    """Azure bills a disk by the day, some exports by the month: the same GiB-hours."""
    days = calendar.monthrange(2024, month)[1]
    daily = azure(*(disk(f"{month:02}/{day:02}/2024", 1 / days) for day in range(1, days + 1)))
    (whole,) = azure(disk(f"{month:02}/01/2024", 1))
    assert sum(one["storage_gib_hours"] for one in daily) == pytest.approx(whole["storage_gib_hours"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 86_400), min_size=1, max_size=20))
def test_method_trap_a_split_of_rows_changes_no_sum(seconds):
    parts = gcp(*({"usage__amount": part} for part in seconds))
    (whole,) = gcp({"usage__amount": sum(seconds)})
    assert sum(one["vcpu_hours"] for one in parts) == pytest.approx(whole["vcpu_hours"])


@settings(max_examples=15, deadline=None)
@given(st.permutations([0.5, 1, 3, -2, 24]))
def test_method_trap_the_order_of_rows_does_not_matter(quantities):
    found = azure(*(machine(quantity) for quantity in quantities))
    assert sorted(one["vcpu_hours"] for one in found) == [-4, 1, 2, 6, 48]


@pytest.mark.parametrize("size", ["Standard_D2s_v3", "STANDARD_D2S_V3", "standard_d2s_v3"])
def test_method_trap_sizes_in_any_case_are_one(size):
    (found,) = azure(machine(1, size, VCPUs=2))
    assert (found["memory_gib_hours"], found["instance_type"]) == (8, size)
