"""ccf-2024.03 by hand: what Cloud Carbon Footprint says of a row, with its mistakes."""

from __future__ import annotations

import shutil

import pytest
from method.conftest import Warehouse

METHOD = "ccf-2024.03"
EUROPE = {"region": "eu-central-1", "service": "AmazonEC2"}
PARIS = {"region": "eu-west-3", "service": "AmazonEC2"}


@pytest.fixture(scope="module")
def made(made, tmp_path_factory):
    """A new warehouse with this method chosen, made once and copied."""
    path = tmp_path_factory.mktemp("ccf") / "ogf.duckdb"
    shutil.copyfile(made, path)
    house = Warehouse(path)
    house.use(method=METHOD)
    house.connection.close()
    return path


@pytest.fixture
def ccf(warehouse):
    return warehouse


def figures(house):
    return house.one(
        "SELECT energy_kwh, embodied_kgco2e / 1000, ccf_kwh, ccf_kgco2e / 1000 FROM estimates WHERE it_energy_kwh IS NOT NULL"
    )


def expect(found, *wanted):
    assert found == pytest.approx(wanted, rel=1e-9)


def box(instance, hours=37):
    return {"usage_type": f"EUC1-BoxUsage:{instance}", "unit": "hours", "quantity": hours}


def test_method_ccf_a_machine_with_memory_beyond_its_chip(ccf):
    ccf.load(EUROPE | box("r5.4xlarge"))
    watts = (0.64 + 0.65) / 2 + 0.5 * ((3.97 + 4.26) / 2 - (0.64 + 0.65) / 2)  # Cascade Lake or Skylake
    compute = watts * 16 * 37 * 1.135 / 1000
    gb_hours = max(0, 768 / 1 - (98.12 + 81.32) / 2) / (768 / 128) * 37
    memory = gb_hours * 0.000392 * 1.135
    embodied = 2.1429488 * (37 / 16 / 35040) * 16 / 96
    assert (compute, memory) == pytest.approx((1.5991696, 1.860978749), rel=1e-9)
    assert embodied == pytest.approx(2.35710098e-5, rel=1e-8)
    expect(
        figures(ccf),
        compute + memory,
        embodied,
        compute + memory + embodied / 0.000311,
        (compute + memory) * 0.000311 + embodied,
    )
    expect(figures(ccf)[2:], 3.535939377, 0.001099677146)


def test_method_ccf_a_burstable_machine_is_nearly_all_embodied(ccf):
    ccf.load(PARIS | box("t3.medium"))
    compute = (0.64 + 0.5 * (3.97 - 0.64)) * 2 * 20 / 50 * 37 * 1.135 / 1000
    expect(figures(ccf), compute, 2.125571861e-4, 4.237070601, 2.165143077e-4)
    expect((compute,), 0.07743878)
    found = dict(ccf.ask("SELECT lifecycle, energy_kwh FROM emissions"))
    assert found["embodied"] is None, "embodied carbon is no energy"
    expect((found["operational"],), compute)


def test_method_ccf_the_embodied_carbon_of_a_whole_server_is_a_96th(ccf):
    ccf.load(PARIS | box("m5.24xlarge"))
    expect(figures(ccf), 9.8973816 + 4.982730267, 1.771309884e-5, 15.22674785, 7.780868153e-4)


def test_method_ccf_a_volume(ccf):
    ccf.load(EUROPE | {"usage_type": "EUC1-EBS:VolumeUsage.gp3", "unit": "GB-month", "quantity": 100})
    energy = 100 / 1000 * 24 * 30 * 1.2 * 1.135 * 2 / 1000
    found = figures(ccf)
    assert found[1] is None
    expect((found[0], found[2], found[3]), energy, 0.196128, 6.0995808e-5)


def test_method_ccf_cores_of_google(ccf):
    ccf.load(
        {
            "region": "europe-west4",
            "service": "Compute Engine",
            "usage_type": "N2 Instance Core running in Netherlands",
            "unit": "seconds",
            "quantity": 1_065_600,
            "instance_type": "n2-standard-8",
        },
        provider="gcp",
    )
    expect(figures(ccf), 0.7300396, 1.24593857e-4, 1.170300579, 3.311950638e-4)


def energy(house, row, provider="aws"):
    house.clear()
    house.load(row, provider=provider)
    rows = house.ask("SELECT it_energy_kwh FROM estimates")
    return rows[0][0] if rows else None


@pytest.mark.parametrize(
    ("service", "usage_type", "unit", "kwh"),
    [
        ("AmazonS3", "TimedStorage-ByteHrs", "GB-month", 1 / 2**40 * 0.65 * 6 / 1000),  # B1
        ("AmazonS3", "TimedStorage-ZIA-ByteHrs", "GB-month", 1 / 2**40 * 0.65 * 2 / 1000),
        ("AmazonEC2", "EBS:VolumeUsage", "GB-month", 0.72 * 0.65 * 2 / 1000),
        ("AmazonEC2", "EBS:SnapshotUsage", "GB-month", 0.72 * 0.65 * 3 / 1000),
        ("AmazonRDS", "Aurora:StorageUsage", "GB-month", 0.72 * 1.2 * 6 / 1000),
        ("AmazonRDS", "Aurora:BackupUsage", "GB-month", 0.72 * 0.65 * 3 / 1000),
        (
            "AmazonDocDB",
            "StorageUsage",
            "GB-month",
            0.72 * 1.2 * 2 / 1000,
        ),  # of a service that is taken for SSD
        ("AmazonECS", "EUC1-Fargate-GB-Hours", "hours", 0.001 * 1.2 / 1000),  # B2
        ("AmazonECS", "EUC1-Fargate-vCPU-Hours:perCPU", "hours", (0.74 + 3.5) / 2 / 1000),
        ("AWSLambda", "Lambda-GB-Second", "GB-seconds", (0.74 + 3.5) / 2 / 3600 / 1000),  # B3
        ("AWSLambda", "Lambda-GB-Second-ARM", "GB-seconds", (0.47 + 1.69) / 2 / 3600 / 1000),
        ("AWSGlue", "EUC1-ETL-DPU-Hour", "dpu-hours", 4 * (0.74 + 3.5) / 2 / 1000),
        ("AmazonRDS", "EUC1-Multi-AZUsage:db.t3.medium", "hours", 0.8 * (0.64 + 3.97) / 2 * 2 / 1000),
        ("AmazonMSK", "EUC1-Kafka.t3.small", "hours", 2 * 0.4 * (0.64 + 3.97) / 2 / 1000),
        ("AmazonEC2", "EUC1-DataTransfer-Out-Bytes", "GB", 0.001),
        ("AmazonCloudFront", "EU-DataTransfer-Out-Bytes", "GB", None),
        ("AmazonEC2", "EUC1-NatGateway-Hours", "hours", None),  # unknown
        ("AmazonEC2", "EUC1-HostBoxUsage:m5", "hours", None),  # unsupported
        ("AmazonEC2", "EUC1-BoxUsage:m7i.large", "hours", None),  # a type that it does not know
        ("AmazonEC2", "EUC1-EBS:VolumeUsage.gp3", "requests", None),
    ],
)
def test_method_ccf_families_of_aws(ccf, service, usage_type, unit, kwh):
    row = EUROPE | {"service": service, "usage_type": usage_type, "unit": unit, "quantity": 1}
    assert energy(ccf, row) == (None if kwh is None else pytest.approx(kwh, rel=1e-9))


def test_method_ccf_redshift_is_3600_times_too_low(ccf):
    row = EUROPE | {
        "service": "AmazonRedshift",
        "usage_type": "Node:ra3.4xlarge",
        "unit": "hours",
        "quantity": 1,
    }
    ccf.load(row)
    expect(ccf.one("SELECT compute_kwh, quantity FROM estimates"), 12 / 3600 * (0.74 + 3.5) / 2 / 1000, 1)


def test_method_ccf_gpus(ccf):
    ccf.load(EUROPE | box("p3.2xlarge", 1))
    expect(
        ccf.one("SELECT compute_kwh, gpu_kwh FROM estimates"),
        8 * (0.71 + 3.69) / 2 / 1000,
        (35 + 306) / 2 / 1000,
    )


@pytest.mark.parametrize(
    ("service", "meter", "unit", "quantity", "kwh"),
    [
        ("Virtual Machines", "D4s v3", "hours", 10, (40 * (0.75 + 4.165) / 2 / 1000 + 116.75 * 0.000392)),
        (
            "Virtual Machines",
            "D4s v3/DS3 v2",
            "hours",
            10,
            (40 * (0.75 + 4.165) / 2 / 1000 + 116.75 * 0.000392),
        ),
        (
            "Virtual Machines",
            "D4s v3 Spot",
            "hours",
            10,
            (40 * (0.75 + 4.165) / 2 / 1000 + 116.75 * 0.000392),
        ),
        ("Virtual Machines", "X9 of tomorrow", "hours", 10, 10 * (0.74 + 3.54) / 2 / 1000),  # B6
        ("Storage", "P30 LRS Disk", "1/Month", 0.5, 1.024 * 24 * 1.2 * 3 / 1000),  # A7
        ("Storage", "S4 Disks", "1/Month", 0.5, 0.032 * 24 * 0.65 * 3 / 1000),
        ("Storage", "S4 LRS Disk", "1/Month", 0.5, None),
        ("Storage", "Hot GRS Data Stored", "GB-month", 1000, 24 * 1.2 * 6 / 1000),  # A8
        ("Container Registry", "Basic Registry Unit", "1/Day", 1, 0.01 * 24 * 1.2 / 1000),
        ("Redis Cache", "C1 Cache Instance", "hours", 10, 10 * 0.000392 * 2),
        ("Functions", "Execution Time", "GB-seconds", 3600, 0.000392),
        ("Bandwidth", "Data Transfer Out", "GB", 1, 0.001),
        ("Bandwidth", "Data Transfer Out", "TB", 1, 1),
        ("Bandwidth", "Geo-Replication Data transfer To Any", "GB", 1, None),
        ("Load Balancer", "Standard Included LB Rules", "hours", 1, None),
        ("Virtual Machines Licenses", "4 vCPU License", "hours", 1, None),
    ],
)
def test_method_ccf_families_of_azure(ccf, service, meter, unit, quantity, kwh):
    row = {
        "region": "westeurope",
        "service": service,
        "usage_type": meter,
        "unit": unit,
        "quantity": quantity,
    }
    assert energy(ccf, row, "azure") == (None if kwh is None else pytest.approx(kwh, rel=1e-9))


@pytest.mark.parametrize(
    ("service", "sku", "unit", "machine", "kwh"),
    [
        (
            "Compute Engine",
            "E2 Instance Core running in Iowa",
            "seconds",
            "e2-standard-4",
            (0.7075 + 3.595) / 2 / 3600 / 1000,
        ),
        (
            "Compute Engine",
            "N1 Predefined Instance Core",
            "seconds",
            "n1-standard-4",
            (1 + 4.74) / 2 / 3600 / 1000,
        ),
        (
            "Compute Engine",
            "E2 Instance Core running in Iowa",
            "seconds",
            "e2-micro",
            (0.68 + 4.11) / 2 / 3600 / 1000,
        ),
        (
            "Compute Engine",
            "E2 Instance Ram running in Iowa",
            "byte-seconds",
            "e2-standard-4",
            0.000392 / 2**30 / 3600,
        ),
        ("Compute Engine", "SSD backed PD Capacity", "byte-seconds", None, 1.2 / 2**40 / 3600 / 1000),
        (
            "Compute Engine",
            "Regional Storage PD Capacity",
            "byte-seconds",
            None,
            0.65 * 2 / 2**40 / 3600 / 1000,
        ),
        (
            "Cloud Storage",
            "Standard Storage US Multi-region",
            "byte-seconds",
            None,
            0.65 * 2 / 2**40 / 3600 / 1000,
        ),
        (
            "Compute Engine",
            "Nvidia Tesla T4 GPU running in Iowa",
            "seconds",
            None,
            (169 / 6 + 1472.5 / 6) / 2 / 3600 / 1000,
        ),
        ("Compute Engine", "Nvidia Tesla V100 GPU attached", "seconds", None, (35 + 306) / 2 / 3600 / 1000),
        (
            "Kubernetes Engine",
            "Regional Kubernetes Clusters",
            "seconds",
            None,
            3 * 3 * (0.68 + 4.11) / 2 / 3600 / 1000,
        ),
        (
            "Kubernetes Engine",
            "Zonal Kubernetes Clusters",
            "seconds",
            None,
            3 * (0.68 + 4.11) / 2 / 3600 / 1000,
        ),
        ("Compute Engine", "Network Internet Egress", "bytes", None, 0.001 / 2**30),
        ("Compute Engine", "Static Ip Charge", "seconds", None, None),
        ("Cloud Run", "CPU Allocation Time", "seconds", None, None),
        ("Compute Engine", "Storage Image", "requests", None, None),
    ],
)
def test_method_ccf_families_of_google(ccf, service, sku, unit, machine, kwh):
    row = {
        "region": "us-central1",
        "service": service,
        "usage_type": sku,
        "unit": unit,
        "quantity": 1,
        "instance_type": machine,
    }
    assert energy(ccf, row, "gcp") == (None if kwh is None else pytest.approx(kwh, rel=1e-9))


@pytest.mark.parametrize(
    ("provider", "region", "tonnes"),
    [
        ("gcp", "us", 0.002805),  # A3
        ("aws", "il-central-1", 0.00039278188),  # B10: the mean of all
        ("aws", None, 0.00039278188),
        ("azure", "West Europe", 0.0003284),
        ("azure", "CentralUS", 0.000426254),
        ("gcp", "europe-west4", 0.000283),
    ],
)
def test_method_ccf_regions(ccf, provider, region, tonnes):
    unit = {"aws": "GB", "azure": "GB", "gcp": "bytes"}[provider]
    usage_type = {"aws": "AWS-Out-Bytes", "azure": "Egress", "gcp": "Egress"}[provider]
    ccf.load(
        {"region": region, "service": "any", "usage_type": usage_type, "unit": unit, "quantity": 1},
        provider=provider,
    )
    assert ccf.one("SELECT gco2e_per_kwh FROM emissions") == pytest.approx(tonnes * 1e6)
    assert ccf.one("SELECT factor_id FROM emissions").startswith(f"ccf:{provider}/")


def test_method_ccf_months_give_what_rows_give(ccf):
    for day in range(1, 4):
        when = {"period_start": f"2024-06-0{day} 00:00:00Z", "period_end": f"2024-06-0{day} 01:00:00Z"}
        ccf.load(
            EUROPE | box("m5.large", 1) | when,
            EUROPE | box("m5.large", 2) | when,
            EUROPE | {"usage_type": "EBS:VolumeUsage.gp3", "unit": "GB-month", "quantity": day} | when,
        )
        ccf.load(
            {
                "region": "westeurope",
                "service": "Storage",
                "usage_type": "P30 LRS Disk",
                "unit": "1/Month",
                "quantity": 1,
            }
            | when,
            {
                "region": "westeurope",
                "service": "Storage",
                "usage_type": "P30 LRS Disk",
                "unit": "1/Month",
                "quantity": 2,
            }
            | when,
            provider="azure",
        )
    question = (
        "SELECT provider, lifecycle, sum(emissions_kgco2e), sum(energy_kwh) FROM {} GROUP BY ALL ORDER BY ALL"
    )
    rows, months = ccf.ask(question.format("emissions")), ccf.ask(question.format("footprint"))
    assert [row[:2] for row in rows] == [row[:2] for row in months] != []
    for row, month in zip(rows, months, strict=True):
        assert row[2] == pytest.approx(month[2], rel=1e-12)
    disks = ccf.one("SELECT sum(it_energy_kwh) FROM estimates WHERE provider = 'azure'")
    assert disks == pytest.approx(6 * 1.024 * 24 * 1.2 * 3 / 1000)


def test_method_ccf_covers_what_it_estimates(ccf):
    ccf.load(
        EUROPE | box("m5.large") | {"cost": 3, "currency": "USD"},
        EUROPE
        | {"usage_type": "NatGateway-Hours", "unit": "hours", "quantity": 1, "cost": 2, "currency": "USD"},
        EUROPE | {"usage_type": "Tax", "charge_category": "Tax", "cost": 1, "currency": "USD"},
    )
    found = ccf.one(
        "SELECT sum(usage_rows), sum(estimated_rows), sum(no_quantity_rows), sum(unknown_region_rows), sum(embodied_rows), "
        "sum(cost), sum(estimated_cost) FROM coverage"
    )
    assert found == (2, 1, 1, 0, 1, 5, 3)
    assert ccf.one("SELECT count(*) FROM footprint_sources WHERE basis = 'estimated'") == 1
    assert ccf.one("SELECT sum(estimated_rows), sum(usage_rows) FROM reconciliation") == (1, 2)


def test_method_ccf_tells_usage_alone(ccf):
    for category in ("Tax", "Credit", "Purchase", "Adjustment"):
        ccf.load(EUROPE | box("m5.large") | {"charge_category": category})
    ccf.load(EUROPE | box("m5.large") | {"quantity": None})
    assert ccf.ask("FROM estimates") == []


def test_method_ccf_leaves_no_mistake_behind(warehouse):
    physical = {
        "instance_type": "m5.24xlarge",
        "processor": "Skylake",
        "vcpu_hours": 96 * 37,
        "memory_gib_hours": 384 * 37,
    }
    warehouse.load(PARIS | box("m5.24xlarge") | physical)
    warehouse.load(
        {"account_id": "b", "emissions_kgco2e": 5.0, "provider_scope": 2, "accounting": "location"},
        stream="carbon",
    )
    everything = "SELECT * FROM emissions WHERE basis = '{}' ORDER BY ALL"
    warehouse.use(method="ogf-2026.1")
    before = warehouse.ask(everything.format("estimated"))
    reported = warehouse.ask(everything.format("reported"))
    warehouse.use(method=METHOD)
    assert warehouse.ask(everything.format("estimated")) != before
    assert warehouse.ask(everything.format("reported")) == reported != []
    warehouse.use(method="ogf-2026.1")
    assert warehouse.ask(everything.format("estimated")) == before
    energy_kwh = warehouse.one("SELECT sum(energy_kwh) FROM emissions")
    warehouse.use(factor_set="ember")
    assert warehouse.one("SELECT sum(energy_kwh) FROM emissions") == energy_kwh
