"""What a SKU of the billing export says that was used, family by family, with the arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from gcp.export_files import credit
from physical_rows import NOTHING, PHYSICAL, gcp, physical

GIB = 1 << 30
N1 = "Broadwell/Haswell/Ivy Bridge/Sandy Bridge/Skylake"
E2 = "Broadwell/EPYC 2nd Gen/Haswell/Skylake"


def row(sku: str, amount: float, unit: str, service: str = "Compute Engine", **more: Any) -> dict[str, Any]:
    return {
        "sku__description": sku,
        "usage__amount": amount,
        "usage__unit": unit,
        "service__description": service,
    } | more


def labels(**texts: str) -> list[dict[str, str]]:
    return [{"key": f"compute.googleapis.com/{key}", "value": value} for key, value in texts.items()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # 1,065,600 core-seconds / 3,600
        (row("N2 Instance Core running in Netherlands", 1_065_600, "seconds"),
         {"vcpu_hours": 296, "processor": "Cascade Lake/Ice Lake"}),
        (row("N2 Instance Core running in Netherlands", 7200, "seconds",
             system_labels=labels(machine_spec="n2d-standard-8", cores="8", memory="32768")),
         {"vcpu_hours": 2, "processor": "EPYC 2nd Gen"}),
        (row("Custom Instance Core running in Iowa", 3600, "seconds",
             system_labels=labels(machine_spec="custom-2-4096")), {"vcpu_hours": 1, "processor": N1}),
        (row("Spot Preemptible E2 Custom Instance Core running in Iowa", 3600, "seconds"),
         {"vcpu_hours": 1, "processor": E2}),
        (row("Preemptible N2D AMD Instance Core running in Iowa", 3600, "seconds"),
         {"vcpu_hours": 1, "processor": "EPYC 2nd Gen"}),
        (row("Compute optimized Core running in Iowa", 3600, "seconds"), {"vcpu_hours": 1, "processor": "Cascade Lake"}),
        (row("C4A Arm Instance Core running in Iowa", 3600, "seconds"), {"vcpu_hours": 1}),
        (row("Memory-optimized Instance Core running in Iowa", 3600, "seconds"),
         {"vcpu_hours": 1, "processor": "Broadwell/Cascade Lake/Skylake"}),
        (row("N1 Predefined Instance Core running in Iowa", 24, "hour"), {"vcpu_hours": 24, "processor": N1}),
        # byte-seconds / 2^30 / 3,600
        (row("N2 Instance Ram running in Iowa", 32 * GIB * 3600, "byte-seconds"), {"memory_gib_hours": 32}),
        (row("Preemptible N1 Custom Extended Instance Ram running in Iowa", 2 * GIB * 1800, "byte-seconds"),
         {"memory_gib_hours": 1}),
        (row("N1 Standard Instance Ram running in Americas", 7.5, "gibibyte hour"), {"memory_gib_hours": 7.5}),
        # paid by the machine: 1 vCPU and 0.6 GiB, 1.7 GiB
        (row("Micro Instance with burstable CPU running in Americas", 36_000, "seconds"),
         {"vcpu_hours": 10, "memory_gib_hours": 6, "processor": N1}),
        (row("Small Instance with 1 VCPU running in Americas", 36_000, "seconds"),
         {"vcpu_hours": 10, "memory_gib_hours": 17, "processor": N1}),
        (row("Nvidia Tesla T4 GPU running in Iowa", 7200, "seconds"), {"gpu_hours": 2, "gpu_model": "T4"}),
        (row("Nvidia Tesla A100 80GB GPU attached to Spot Preemptible VMs running in Iowa", 7200, "seconds"),
         {"gpu_hours": 2, "gpu_model": "A100"}),
        (row("Nvidia L4 GPU running in Iowa", 3600, "seconds"), {"gpu_hours": 1, "gpu_model": "L4"}),
        (row("Nvidia Mystery GPU running in Iowa", 3600, "seconds"), {"gpu_hours": 1}),
        # a standby is paid in the same row
        (row("Cloud SQL for MySQL: Zonal - vCPU in Belgium", 14_400, "seconds", "Cloud SQL"), {"vcpu_hours": 4}),
        (row("Cloud SQL for MySQL: Regional - vCPU in Belgium", 14_400, "seconds", "Cloud SQL"), {"vcpu_hours": 8}),
        (row("Cloud SQL for PostgreSQL: Regional - RAM in Belgium", 15 * GIB * 3600, "byte-seconds", "Cloud SQL"),
         {"memory_gib_hours": 30}),
        (row("Cloud SQL for MySQL: Zonal - 2 vCPU + 7.5GB RAM in Americas", 36_000, "seconds", "Cloud SQL"),
         {"vcpu_hours": 20, "memory_gib_hours": 75}),
        (row("CPU Allocation Time", 1800, "seconds", "Cloud Run"), {"vcpu_hours": 0.5}),
        (row("Services Memory (Request-based billing) in europe-west1", 0.5 * GIB * 3600, "byte-seconds", "Cloud Run"),
         {"memory_gib_hours": 0.5}),
        # GHz-seconds, of 2.4 GHz a vCPU: 8,640 / 3,600 / 2.4
        (row("CPU Time", 8640, "GHz-seconds", "Cloud Functions"), {"vcpu_hours": 1}),
        (row("CPU Time", 8640, "seconds", "Cloud Run Functions"), {"vcpu_hours": 1}),
        (row("Memory Time", 2 * GIB * 3600, "byte-seconds", "Cloud Functions"), {"memory_gib_hours": 2}),
        (row("Regional Kubernetes Clusters", 36_000, "seconds", "Kubernetes Engine"), {"vcpu_hours": 30}),
        # thousandths of a vCPU: 250 of them for 4 h
        (row("Autopilot Pod mCPU Requests in us-central1", 250 * 4 * 3600, "seconds", "Kubernetes Engine"),
         {"vcpu_hours": 1}),
        (row("Small Cloud Composer Environment Fee", 3600, "seconds", "Cloud Composer"), {"vcpu_hours": 14}),
        (row("Cloud Composer vCPU time in Iowa", 3600, "seconds", "Cloud Composer"), {"vcpu_hours": 1}),
        # the standard tier has a replica
        (row("Redis Capacity Basic M2 Iowa", 5 * GIB * 3600, "byte-seconds", "Cloud Memorystore for Redis"),
         {"memory_gib_hours": 5}),
        (row("Redis Capacity Standard M2 Iowa", 5 * GIB * 3600, "byte-seconds", "Cloud Memorystore for Redis"),
         {"memory_gib_hours": 10}),
        (row("vCPU Time Batch us-central1", 3600, "seconds", "Cloud Dataflow"), {"vcpu_hours": 1}),
    ],
)  # fmt: skip
def test_machines(given, expected):
    (found,) = gcp(given)
    assert found["_reject"] is None
    assert physical(found) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sku", "service", "media", "copies"),
    [
        ("Storage PD Capacity in Belgium", "Compute Engine", "hdd", 1),
        ("SSD backed PD Capacity", "Compute Engine", "ssd", 1),
        ("Balanced PD Capacity in Belgium", "Compute Engine", "ssd", 1),
        ("Regional Storage PD Capacity in Belgium", "Compute Engine", "hdd", 2),
        ("Regional SSD backed PD Capacity in Belgium", "Compute Engine", "ssd", 2),
        ("Hyperdisk Balanced Capacity in Iowa", "Compute Engine", "ssd", 1),
        ("Hyperdisk Throughput Capacity in Iowa", "Compute Engine", "hdd", 1),
        ("SSD backed Local Storage attached to Spot Preemptible VMs", "Compute Engine", "ssd", 1),
        ("Storage PD Snapshot in US", "Compute Engine", "hdd", 2),
        ("Standard Storage US Regional", "Cloud Storage", "hdd", 2),
        ("Nearline Storage Belgium", "Cloud Storage", "hdd", 2),
        ("Archive Storage EU Multi-region", "Cloud Storage", "hdd", 2),
        ("Cloud SQL for MySQL: Zonal - Standard storage in Belgium", "Cloud SQL", "ssd", 1),
        ("Cloud SQL for MySQL: Regional - Low cost storage in Belgium", "Cloud SQL", "hdd", 2),
        ("Cloud SQL for MySQL: Backups in Belgium", "Cloud SQL", "hdd", 1),
        ("Active Storage", "BigQuery", "hdd", 1),
        ("Filestore Capacity Basic SSD Belgium", "Cloud Filestore", "ssd", 2),
        ("Filestore Capacity Standard Belgium", "Cloud Filestore", "hdd", 2),
    ],
)  # fmt: skip
def test_storage(sku, service, media, copies):
    """100 GiB for ten hours."""
    (found,) = gcp(row(sku, 100 * GIB * 36_000, "byte-seconds", service))
    assert physical(found) == {"storage_gib_hours": 1000.0, "storage_media": media, "replication": copies}


@pytest.mark.parametrize(
    ("sku", "service", "route"),
    [
        ("Network Internet Egress from Americas to EMEA", "Compute Engine", "internet"),
        ("Network Internet Data Transfer Out from Americas to EMEA", "Compute Engine", "internet"),
        ("Network Inter Region Egress from Americas to Zurich", "Compute Engine", "inter_region"),
        ("Network Inter Region Data Transfer Out from Americas to Zurich", "Compute Engine", "inter_region"),
        ("Network Inter Zone Egress", "Compute Engine", "intra_region"),
        ("Network Inter Zone Data Transfer Out", "Compute Engine", "intra_region"),
        ("Network Google Egress from Americas to Americas", "Compute Engine", "inter_region"),
        ("Network Inter Region Ingress from EMEA to Americas", "Compute Engine", "inbound"),
        ("Network Internet Data Transfer In from China to Americas", "Compute Engine", "inbound"),
        ("Network HTTP Load Balancing Ingress from Load Balancer", "Compute Engine", "inbound"),
        ("Download Worldwide Destinations (excluding Asia & Australia)", "Cloud Storage", "internet"),
        ("Network Data Transfer GCP Replication within Europe", "Cloud Storage", "inter_region"),
    ],
)  # fmt: skip
def test_traffic(sku, service, route):
    (found,) = gcp(row(sku, 3 * GIB, "bytes", service))
    assert physical(found) == {"network_gib": 3.0, "network_route": route}


CORE = row("N2 Instance Core running in Iowa", 3600, "seconds")


@pytest.mark.parametrize(
    "given",
    [
        *({**CORE, "cost_type": kind} for kind in ("tax", "adjustment", "rounding_error", None)),
        {**CORE, "system_labels": labels(machine_spec="n2-standard-2", is_unused_reservation="true")},
        {**CORE, "usage__amount": None, "usage__amount_in_pricing_units": None},
        row("Licensing Fee for Debian 10 Buster (CPU cost)", 3600, "seconds",
            system_labels=labels(machine_spec="e2-medium", cores="2")),
        row("Licensing Fee for Debian 10 Buster (RAM cost)", 3600 * GIB, "byte-seconds"),
        row("Commitment v1: Ram in Americas for 1 Year", 24, "gibibyte hour"),
        row("commitment v1: cpu in americas for 3 year", 24, "hour"),
        row("Commitment v1: Nvidia Tesla T4 GPU running in Iowa for 1 Year", 24, "hour"),
        row("Sole Tenancy Premium for N2 Core running in Iowa", 3600, "seconds"),
        row("External IP Charge on a Standard VM", 3600, "seconds"),
        row("Nearline Storage Iowa (Early Delete)", 3600 * GIB, "byte-seconds", "Cloud Storage"),
        row("Nearline Data Retrieval", GIB, "bytes", "Cloud Storage"),
        row("Multi-Region Standard Class B Operations", 5, "requests", "Cloud Storage"),
        row("Analysis", 1 << 40, "bytes", "BigQuery"),
        row("Log Volume", GIB, "bytes", "Stackdriver Logging"),
        row("N2 Instance Core running in Iowa", 3, "parsecs"),
    ],
)  # fmt: skip
def test_what_is_no_use_of_a_machine_has_no_quantity(given):
    (found,) = gcp(given)
    assert {name: found[name] for name in PHYSICAL} == NOTHING


def test_an_unused_reservation_that_is_used_counts():
    (found,) = gcp(
        {**CORE, "system_labels": labels(machine_spec="n2-standard-2", is_unused_reservation="false")}
    )
    assert found["vcpu_hours"] == 1


def test_credits_have_no_quantity_beside_the_row_that_has_one():
    found = gcp({**CORE, "credits": [credit("-0.5"), credit("-0.25")]})
    assert sorted((one["charge_category"], one["vcpu_hours"]) for one in found if one["vcpu_hours"]) == [
        ("Usage", 1.0)
    ]
    assert [physical(one) for one in found if one["charge_category"] == "Credit"] == [{}, {}]


def test_hours_of_a_correction_keep_their_sign():
    (found,) = gcp({**CORE, "usage__amount": -3600})
    assert found["vcpu_hours"] == -1
