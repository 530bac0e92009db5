"""What a meter of cost details says that was used, family by family, with the arithmetic."""

from __future__ import annotations

import pytest
from physical_rows import NOTHING, PHYSICAL, azure, physical

# January 2026, the month of the rows: 31 x 24 hours.
MONTH = 744
V3 = "Broadwell/Cascade Lake/Haswell/Skylake"


def row(category: str, series: str, meter: str, unit: str, quantity: float, **more: str) -> dict[str, str]:
    return {
        "MeterCategory": category, "MeterSubCategory": series, "MeterName": meter, "UnitOfMeasure": unit,
        "Quantity": str(quantity), "AdditionalInfo": "", "PublisherType": "Azure",
    } | more  # fmt: skip


def details(**info: object) -> dict[str, str]:
    import json

    return {"AdditionalInfo": json.dumps(info)}


@pytest.mark.parametrize(
    ("given", "expected", "machine"),
    [
        # 24 h x 2 vCPUs, x 8 GiB
        (row("Virtual Machines", "Dv3/DSv3 Series", "D2 v3/D2s v3", "1 Hour", 24,
             **details(UsageType="ComputeHR", ServiceType="Standard_D2s_v3", VCPUs=2)),
         {"vcpu_hours": 48, "memory_gib_hours": 192, "processor": V3}, "Standard_D2s_v3"),
        # the unit is a block of ten, the quantity is hours: 22 h x 4 vCPUs, x 16 GiB
        (row("Virtual Machines", "Dv3/DSv3 Series", "D4 v3/D4s v3", "10 Hours", 22,
             **details(ServiceType="Standard_D4s_v3", VCPUs=4)),
         {"vcpu_hours": 88, "memory_gib_hours": 352, "processor": V3}, "Standard_D4s_v3"),
        # the details tell nothing, the price list's name does: 0.5 h x 8 vCPUs, x 28 GiB
        (row("Virtual Machines", "DSv2 Series VM", "DS4 v2 Spot", "1 Hour", 0.5),
         {"vcpu_hours": 4, "memory_gib_hours": 14, "processor": V3}, "Standard_DS4_v2"),
        (row("Virtual Machines", "Dv5 Series", "D2 v5/D2s v5 Low Priority", "1 Hour", 10),
         {"vcpu_hours": 20, "memory_gib_hours": 80, "processor": "Emerald Rapids/Ice Lake/Sapphire Rapids"},
         "Standard_D2_v5"),
        # a size that no catalogue has: the details' vCPUs, and nothing else
        (row("Virtual Machines", "Dxv9 Series", "D2x v9", "1 Hour", 24,
             **details(ServiceType="Standard_D2x_v9", VCPUs=2)), {"vcpu_hours": 48}, "Standard_D2x_v9"),
        # 24 h x 24 vCPUs, x 220 GiB, x 1 GPU
        (row("Virtual Machines", "NCads A100 v4", "NC24ads A100 v4", "1 Hour", 24),
         {"vcpu_hours": 576, "memory_gib_hours": 5280, "gpu_hours": 24, "gpu_model": "A100",
          "processor": "EPYC 3rd Gen"}, "Standard_NC24ads_A100_v4"),
        # a sixth of a GPU: 12 h x 1/6
        (row("Virtual Machines", "NVadsA10 v5", "NV6ads A10 v5", "1 Hour", 12),
         {"vcpu_hours": 72, "memory_gib_hours": 660, "gpu_hours": 12 * 0.166667, "processor": "EPYC 3rd Gen"},
         "Standard_NV6ads_A10_v5"),
        # a correction: the sign stays
        (row("Virtual Machines", "Dv3/DSv3 Series", "D2 v3/D2s v3", "1 Hour", -24,
             **details(ServiceType="Standard_D2s_v3", VCPUs=2)),
         {"vcpu_hours": -48, "memory_gib_hours": -192, "processor": V3}, "Standard_D2s_v3"),
        (row("Azure App Service", "Azure App Service Premium v3 Plan", "P1 v3 App", "1 Hour", 24),
         {"vcpu_hours": 48, "memory_gib_hours": 192}, None),
        (row("Azure App Service", "Azure App Service Standard Plan", "S2", "100 Hours", 24),
         {"vcpu_hours": 48, "memory_gib_hours": 84}, None),
        (row("SQL Database", "Single/Elastic Pool General Purpose - Compute Gen5", "vCore", "1 Hour", 96),
         {"vcpu_hours": 96}, None),
        # one row pays for the four nodes of the cluster: 48 x 4
        (row("SQL Database", "Single/Elastic Pool Business Critical - Compute Gen5", "vCore", "1 Hour", 48),
         {"vcpu_hours": 192}, None),
        (row("Azure Database for MySQL", "Basic - Compute Gen5", "2 vCore", "1 Hour", 24), {"vcpu_hours": 48}, None),
        # 3,600,000 vCPU-seconds are 1,000 vCPU-hours
        (row("Azure Container Apps", "", "Standard vCPU Active Usage", "1 Second", 3_600_000), {"vcpu_hours": 1000}, None),
        (row("Container Instances", "", "Standard Memory Duration", "1 GB Hour", 30), {"memory_gib_hours": 30}, None),
        # GB-seconds are memory's time: 50,000 / 3,600
        (row("Functions", "", "Standard Execution Time", "50000 GB Seconds", 50_000),
         {"memory_gib_hours": 50_000 / 3600}, None),
        # two nodes of 2.5 GB each, one in the Basic tier
        (row("Redis Cache", "Azure Redis Cache Standard", "C2 Cache Instance", "1 Hour", 24),
         {"memory_gib_hours": 120}, None),
        (row("Redis Cache", "Azure Redis Cache Basic", "C2 Cache Instance", "1 Hour", 24), {"memory_gib_hours": 60}, None),
    ],
)  # fmt: skip
def test_machines(given, expected, machine):
    (found,) = azure(given)
    assert found["_reject"] is None
    assert physical(found) == pytest.approx(expected)
    assert found["instance_type"] == machine


@pytest.mark.parametrize(
    ("given", "gib_hours", "media", "copies"),
    [
        # a day of a month's disk, 1/31: 1,024 GiB x 24 h
        (row("Storage", "Premium SSD Managed Disks", "P30 LRS Disk", "1/Month", 1 / 31), 1024 * 24, "ssd", 3),
        (row("Storage", "Standard SSD Managed Disks", "E4 Disks", "1 /Month", 1), 32 * MONTH, "ssd", 3),
        (row("Storage", "Standard HDD Managed Disks", "S10 Disks", "1/Month", 2), 2 * 128 * MONTH, "hdd", 3),
        (row("Storage", "Ultra Disks", "Ultra LRS Provisioned Capacity", "1 GiB/Hour", 100), 100, "ssd", 3),
        (row("Storage", "Premium SSD Managed Disks", "LRS Snapshots", "1 GB/Month", 10), 10 * MONTH, "hdd", 3),
        (row("Storage", "Tiered Block Blob", "Hot LRS Data Stored", "1 GB/Month", 10), 10 * MONTH, "hdd", 3),
        (row("Storage", "Tiered Block Blob", "Cool ZRS Data Stored", "100 GB/Month", 10), 10 * MONTH, "hdd", 3),
        (row("Storage", "Tiered Block Blob", "Hot RA-GRS Data Stored", "1 GB/Month", 10), 10 * MONTH, "hdd", 6),
        (row("Storage", "Tiered Block Blob", "Hot GZRS Data Stored", "1 GB/Month", 10), 10 * MONTH, "hdd", 6),
        (row("Storage", "Tiered Block Blob", "Archive LRS Data Stored", "1 TB/Month", 2), 2048 * MONTH, "hdd", 3),
        (row("Storage", "Premium Files", "LRS Provisioned", "1 GiB/Month", 100), 100 * MONTH, "ssd", 3),
        (row("Storage", "Tables", "LRS Data Stored", "", 0.5, UnitOfMeasure=""), 0.5 * MONTH, "hdd", 3),
        (row("SQL Database", "Single/Elastic Pool General Purpose - Storage", "Data Stored", "1 GB/Month", 32),
         32 * MONTH, "ssd", 3),
        (row("SQL Database", "Single/Elastic Pool PITR Backup Storage", "RA-GRS Data Stored", "1 GB/Month", 32),
         32 * MONTH, "hdd", 6),
        (row("Azure Cosmos DB", "", "Data Stored", "1 GB/Month", 5), 5 * MONTH, "ssd", 4),
        (row("Backup", "", "GRS Data Stored", "1 GB/Month", 5), 5 * MONTH, "hdd", 6),
        (row("Log Analytics", "", "Pay-as-you-go Data Retention", "1 GB/Month", 24.8), 24.8 * MONTH, "hdd", 3),
    ],
)  # fmt: skip
def test_storage(given, gib_hours, media, copies):
    (found,) = azure(given)
    expected = {"storage_gib_hours": gib_hours, "storage_media": media, "replication": copies}
    assert physical(found) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "gib", "route"),
    [
        (row("Bandwidth", "", "Standard Data Transfer Out", "1 GB", 3), 3, "internet"),
        (row("Bandwidth", "Rtn Preference: MGN", "Standard Data Transfer Out", "100 GB", 3), 3, "internet"),
        (row("Bandwidth", "", "Data Transfer In", "1 TB", 3), 3072, "inbound"),
        (row("Bandwidth", "Inter-Region", "Intra Continent Data Transfer Out", "1 GB", 3), 3, "inter_region"),
        (row("Bandwidth", "Inter-Region", "Inter Continent Data Transfer Out - NAM or EU To Any", "1 GB", 3), 3,
         "inter_region"),
        (row("Bandwidth", "", "Standard Inter-Availability Zone Data Transfer Out", "1 GB", 3), 3, "intra_region"),
        (row("Virtual Network", "Peering", "Intra-Region Egress", "1 GB", 3), 3, "intra_region"),
        (row("Virtual Network", "Peering", "Intra-Region Ingress", "1 GB", 3), 3, "inbound"),
        (row("Virtual Network", "Global Peering", "Inter-Region Egress", "1 GB", 3), 3, "inter_region"),
        (row("Virtual Network", "Private Link", "Standard Data Processed - Egress", "1 GB", 3), 3, "intra_region"),
        (row("Storage", "Bandwidth", "Geo-Replication v2 Data transfer", "1 GB", 3), 3, "inter_region"),
        (row("Content Delivery Network", "Azure CDN from Microsoft", "Standard Data Transfer", "1 GB", 3), 3, "internet"),
    ],
)  # fmt: skip
def test_traffic(given, gib, route):
    (found,) = azure(given)
    assert physical(found) == {"network_gib": gib, "network_route": route}


VM = row("Virtual Machines", "Dv3/DSv3 Series", "D2 v3/D2s v3", "1 Hour", 24,
         **details(ServiceType="Standard_D2s_v3", VCPUs=2))  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        *({**VM, "ChargeType": kind} for kind in (
            "Purchase", "Refund", "Tax", "Credit", "UnusedReservation", "UnusedSavingsPlan", "RoundingAdjustment", "")),
        {**VM, "MeterCategory": "Virtual Machines Licenses"},
        {**VM, "PublisherType": "Marketplace"},
        # the capacity is kept, no machine runs in it
        {**VM, **details(ServiceType="Standard_D2s_v3", UsageType="ComputeCR", VMCapacityReservationId="x")},
        row("SQL Managed Instance", "Managed Instance General Purpose - SQL License", "vCore", "1 Hour", 47),
        row("SQL Database", "Single Standard", "S0 DTUs", "1/Day", 1),
        row("Storage", "Standard HDD Managed Disks", "Disk Operations", "10K", 0.1351),
        row("Storage", "Premium SSD Managed Disks", "P30 LRS Disk Mount", "1/Month", 1),
        row("Storage", "Tiered Block Blob", "Hot LRS Write Operations", "10K", 3),
        row("Storage", "Tiered Block Blob", "Cool LRS Early Delete", "1 GB/Month", 3),
        row("Storage", "Tiered Block Blob", "Cool Data Retrieval", "1 GB", 3),
        row("Virtual Network", "IP Addresses", "Standard IPv4 Static Public IP", "1 Hour", 24),
        row("Load Balancer", "Standard", "Standard Included LB Rules and Outbound Rules", "1 Hour", 24),
        row("Virtual Machines", "", "D2 v3/D2s v3", "1 GB", 24),
        row("Unassigned", "Unassigned", "Unassigned", "0 Unassigned", 1),
    ],
)  # fmt: skip
def test_what_is_no_use_of_a_machine_has_no_quantity(given):
    (found,) = azure(given)
    assert {name: found[name] for name in PHYSICAL} == NOTHING


def test_a_row_without_a_quantity_has_none_either():
    (found,) = azure({**VM, "Quantity": ""})
    assert (found["vcpu_hours"], found["memory_gib_hours"], found["_reject"]) == (None, None, None)
