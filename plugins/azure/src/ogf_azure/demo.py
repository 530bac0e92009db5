"""Sample exports for `ogf demo`: three months of actual cost, as Cost Management exports a Customer Agreement's (MCA).

Everything is invented, prices too, and derived from the tables below by decimal arithmetic and MD5 alone: each call
writes the same bytes. There is a story in it: the company grows 4 % a month, works less at weekends, and sends the
reservation that it bought in August back in September.

There are no emissions: Azure's carbon comes only from an API (the stream `carbon`), never from an export.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.files.sample import put

if TYPE_CHECKING:
    from collections.abc import Iterator

MONTHS = ("2026-07", "2026-08", "2026-09")
BILLING_ACCOUNT = "00000000-0000-4000-8000-0000000000b1:00000000-0000-4000-8000-0000000000b2_2019-05-31"
EXPORT = "sample-cost"

_SHOP, _SANDBOX = (f"00000000-0000-4000-8000-00000000040{number}" for number in (1, 2))
_SCOPE = f"/providers/Microsoft.Billing/billingAccounts/{BILLING_ACCOUNT}"
_SMALLEST = Decimal("0.000001")
_RESERVATION = Decimal("412.50")
_RESERVATION_DAYS = {"Purchase": date(2026, 8, 3), "Refund": date(2026, 9, 7)}
_HEADER = """
    invoiceId previousInvoiceId billingAccountId billingAccountName billingProfileId billingProfileName
    invoiceSectionId invoiceSectionName costCenter billingPeriodEndDate billingPeriodStartDate servicePeriodEndDate
    servicePeriodStartDate date serviceFamily productOrderId productOrderName consumedService meterId meterName
    meterCategory meterSubCategory meterRegion ProductId ProductName SubscriptionId subscriptionName publisherType
    publisherId publisherName resourceGroupName ResourceId resourceLocation location effectivePrice quantity
    unitOfMeasure chargeType billingCurrency pricingCurrency costInBillingCurrency costInPricingCurrency costInUsd
    exchangeRatePricingToBilling exchangeRateDate isAzureCreditEligible serviceInfo1 serviceInfo2 additionalInfo tags
    PayGPrice frequency term reservationId reservationName pricingModel unitPrice benefitId benefitName provider
""".split()  # noqa: SIM905 - one name a line would hide the story below


@dataclass(frozen=True)
class _Meter:
    """What is sold: its unit with the block in which it is priced, and what a place of size 1 uses in a day."""

    service: str
    family: str
    kind: str
    thing: str
    sub_category: str
    name: str
    unit: str
    block: int
    amount: Decimal
    price: Decimal
    info: str = ""


@dataclass(frozen=True)
class _Place:
    """Who uses what where: `size` in the first month, and what each further month adds to it."""

    subscription: str
    name: str
    region: str
    location: str
    services: tuple[str, ...]
    size: Decimal
    step: Decimal
    tags: tuple[tuple[str, str], ...]

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group_name}"

    @property
    def group_name(self) -> str:
        return f"{self.name.lower().replace(' ', '-')}-{self.region}"


_MACHINE = "Microsoft.Compute/virtualMachines"
_INFO = '{"UsageType":"ComputeHR","ServiceType":"Standard_D4s_v5","VCPUs":4}'
_METERS = (
    _Meter("Virtual Machines", "Compute", _MACHINE, "web", "Dsv5 Series", "D4s v5",
           "1 Hour", 1, Decimal(72), Decimal("0.23"), _INFO),
    _Meter("Storage", "Storage", "Microsoft.Storage/storageAccounts", "samplefiles", "Tiered Block Blob",
           "Hot LRS Data Stored", "1 GB/Month", 1, Decimal(80), Decimal("0.0196")),
    _Meter("Storage", "Storage", "Microsoft.Storage/storageAccounts", "samplefiles", "Tiered Block Blob",
           "Hot LRS Write Operations", "10K", 10_000, Decimal(90_000), Decimal("0.054")),
    _Meter("SQL Database", "Databases", "Microsoft.Sql/servers", "orders", "Single/Elastic Pool General Purpose",
           "vCore", "1 Hour", 1, Decimal(96), Decimal("0.1521")),
    _Meter("Bandwidth", "Networking", _MACHINE, "web", "Rtn Preference: MGN", "Standard Data Transfer Out",
           "1 GB", 1, Decimal(120), Decimal("0.08")),
)  # fmt: skip

_PRODUCTION = (("environment", "production"), ("team", "shop"))
_PLACES = (
    _Place(_SHOP, "Sample shop", "westeurope", "EU West",
           ("Virtual Machines", "Storage", "SQL Database", "Bandwidth"), Decimal(1), Decimal(0), _PRODUCTION),
    _Place(_SHOP, "Sample shop", "eastus", "US East",
           ("Virtual Machines", "Bandwidth"), Decimal("0.5"), Decimal("0.05"), _PRODUCTION),
    _Place(_SANDBOX, "Sample sandbox", "swedencentral", "SE Central",
           ("Virtual Machines", "Storage"), Decimal("0.2"), Decimal(0), (("environment", "sandbox"),)),
)  # fmt: skip


def write_exports(folder: Path) -> dict[str, Any]:
    """Write the sample exports; files that are there already with the same content are left untouched.

    Returns:
        the settings that read them.
    """
    for month in MONTHS:
        _write_month(folder / "actual_cost", month)
    return {"actual_cost": {"location": str(folder / "actual_cost")}}


def _write_month(container: Path, month: str) -> None:
    first, last = _days(month)[0], _days(month)[-1]
    lines = sorted(_rows(month), key=lambda row: (row["date"], row["ResourceId"], row["meterName"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, _HEADER, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    body = b"\xef\xbb\xbf" + text.getvalue().encode()  # with a byte order mark, as Azure writes it
    packed = gzip.compress(body, mtime=0)
    run = _id(body)
    delivery = f"{EXPORT}/{first:%Y%m%d}-{last:%Y%m%d}/{run}"
    blob = f"{delivery}/part_0_0001.csv.gz"
    manifest = {
        "byteCount": len(packed),
        "blobCount": 1,
        "dataRowCount": len(lines),
        "exportConfig": {
            "exportName": EXPORT,
            "resourceId": f"{_SCOPE}/providers/Microsoft.CostManagement/exports/{EXPORT}",
            "dataVersion": "2021-10-01",
            "apiVersion": "2023-07-01-preview",
            "type": "ActualCost",
            "timeFrame": "TheLastMonth",
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": True,
            "dataOverwriteBehavior": "OverwritePreviousReport",
            "fileFormat": "Csv",
            "compressionMode": "Gzip",
            "rootFolderPath": "",
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": f"{last + timedelta(days=5):%Y-%m-%d}T06:00:00.0000000Z",
            "runId": run,
            "startDate": f"{first}T00:00:00",
            "endDate": f"{last}T00:00:00",
        },
        "blobs": [{"blobName": blob, "byteCount": len(packed), "dataRowCount": len(lines)}],
    }
    put(container / blob, packed)
    # Last: what it names is there.
    put(container / delivery / "manifest.json", json.dumps(manifest, indent=2).encode())


def _rows(month: str) -> Iterator[dict[str, Any]]:
    for place in _PLACES:
        for meter in _METERS:
            if meter.service in place.services:
                yield from (_usage(place, meter, day) for day in _days(month))
    for charge, day in _RESERVATION_DAYS.items():
        if f"{day:%Y-%m}" == month:
            yield _reservation(charge, day)


def _usage(place: _Place, meter: _Meter, day: date) -> dict[str, Any]:
    since = MONTHS.index(f"{day:%Y-%m}")
    size = (place.size + place.step * since) * Decimal("1.04") ** since
    if day.isoweekday() > 5 and place.name == "Sample sandbox":
        size *= Decimal("0.4")
    used = _rounded(size * meter.amount * _wobble(f"{place.group}/{meter.name}/{day}"))
    unit_price = meter.price / meter.block
    return _line(day, "Usage", _rounded(used * unit_price)) | {
        "serviceFamily": meter.family,
        "consumedService": meter.kind.split("/", maxsplit=1)[0],
        "meterId": _id(f"{meter.service}/{meter.name}/{place.region}".encode()),
        "meterName": meter.name,
        "meterCategory": meter.service,
        "meterSubCategory": meter.sub_category,
        "meterRegion": place.location,
        "ProductName": f"{meter.service} - {meter.sub_category} - {meter.name} - {place.location}",
        "SubscriptionId": place.subscription,
        "subscriptionName": place.name,
        "resourceGroupName": place.group_name,
        "ResourceId": f"{place.group}/providers/{meter.kind}/{meter.thing}",
        "resourceLocation": place.region,
        "location": place.location,
        "effectivePrice": f"{unit_price:f}",
        "quantity": f"{used:f}",
        "unitOfMeasure": meter.unit,
        "additionalInfo": meter.info if meter.service == "Virtual Machines" else "",
        "tags": json.dumps(dict(place.tags)),
        "PayGPrice": f"{meter.price:f}",
        "frequency": "UsageBased",
        "pricingModel": "OnDemand",
        "unitPrice": f"{meter.price:f}",
    }


def _reservation(charge: str, day: date) -> dict[str, Any]:
    """A machine's reservation, bought or sent back: costs of the shop's that no resource of its caused."""
    cost = -_RESERVATION if charge == "Refund" else _RESERVATION
    order = _id(b"reservation")
    return _line(day, charge, cost) | {
        "serviceFamily": "Compute",
        "productOrderId": order,
        "productOrderName": "Standard_D4s_v5, EU West, 1 Year",
        "consumedService": "Microsoft.Capacity",
        "meterId": _id(b"reservation of D4s v5"),
        "meterName": "D4s v5",
        "meterCategory": "Virtual Machines",
        "meterSubCategory": "Dsv5 Series",
        "meterRegion": "EU West",
        "ProductName": "Reserved VM Instance, Standard_D4s_v5, EU West, 1 Year",
        "SubscriptionId": _SHOP,
        "subscriptionName": "Sample shop",
        "ResourceId": f"/providers/Microsoft.Capacity/reservationOrders/{order}",
        "resourceLocation": "westeurope",
        "location": "EU West",
        "effectivePrice": f"{_RESERVATION}",
        "quantity": "-1" if charge == "Refund" else "1",
        "unitOfMeasure": "1",
        "frequency": "OneTime",
        "term": "12",
        "reservationId": order,
        "reservationName": "sample-reservation",
        "pricingModel": "Reservation",
        "unitPrice": f"{_RESERVATION}",
    }


def _line(day: date, charge: str, cost: Decimal) -> dict[str, Any]:
    """What every line has."""
    days = _days(f"{day:%Y-%m}")
    period = {"PeriodStartDate": f"{days[0]:%m/%d/%Y}", "PeriodEndDate": f"{days[-1]:%m/%d/%Y}"}
    return {
        "billingAccountId": BILLING_ACCOUNT,
        "billingAccountName": "Sample company",
        "billingProfileName": "Sample company",
        "invoiceSectionName": "Sample company",
        **{f"{name}{part}": value for name in ("billing", "service") for part, value in period.items()},
        "date": f"{day:%m/%d/%Y}",
        "publisherType": "Azure",
        "publisherName": "Microsoft",
        "chargeType": charge,
        "billingCurrency": "USD",
        "pricingCurrency": "USD",
        **{f"costIn{currency}": f"{cost:f}" for currency in ("BillingCurrency", "PricingCurrency", "Usd")},
        "exchangeRatePricingToBilling": "1",
        "exchangeRateDate": f"{days[0]:%m/%d/%Y}",
        "isAzureCreditEligible": "True",
        "provider": "Azure",
    }


def _wobble(name: str) -> Decimal:
    """Between 0.9 and 1.1, depending on nothing but the name."""
    return Decimal("0.9") + Decimal(_digest(name.encode()) % 2001) / 10_000


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_SMALLEST)


def _id(content: bytes) -> str:
    return str(uuid.UUID(int=_digest(content), version=4))


def _digest(content: bytes) -> int:
    return int(hashlib.md5(content, usedforsecurity=False).hexdigest(), 16)


def _days(month: str) -> list[date]:
    first = date.fromisoformat(f"{month}-01")
    days = (first + timedelta(days=number) for number in range(31))
    return [day for day in days if day.month == first.month]
