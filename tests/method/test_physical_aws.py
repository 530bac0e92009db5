"""What AWS billing rows stand for physically: each family by hand, and what must carry nothing. Arithmetic beside it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from importlib.resources import files

import pytest
from aws.cur_files import Warehouse, csv_file, folder_put, gz, line, parquet_file, put_legacy

from ogf.files.store import File
from ogf.files.table import open_table
from ogf.files.worker import connect
from ogf.runner.contexts import core_lookups
from ogf_aws.cur.mapping import activities_sql
from ogf_aws.plugin import provider

NOTHING = dict.fromkeys(
    [
        "vcpu_hours",
        "memory_gib_hours",
        "gpu_hours",
        "storage_gib_hours",
        "storage_media",
        "replication",
        "network_gib",
        "network_route",
        "processor",
        "gpu_model",
    ]
)


def row(service: str, usage_type: str, amount: float, unit: str = "Hrs", **changes: str) -> dict[str, str]:
    return {
        "line_item_product_code": service,
        "line_item_usage_type": usage_type,
        "line_item_usage_amount": str(amount),
        "pricing_unit": unit,
        "product_instance_type": "",
    } | changes


def of(**known: object) -> dict[str, object]:
    return NOTHING | known


def machine(vcpu: float, memory: float, processor: str | None, **more: object) -> dict[str, object]:
    return of(vcpu_hours=vcpu, memory_gib_hours=memory, processor=processor, **more)


def stored(hours: float, media: str, copies: float) -> dict[str, object]:
    return of(storage_gib_hours=hours, storage_media=media, replication=copies)


def sent(gib: float, route: str) -> dict[str, object]:
    return of(network_gib=gib, network_route=route)


ICE, G2 = "Ice Lake", "Graviton2"
JUNE = {
    "line_item_usage_start_date": "2026-06-01T00:00:00Z",
    "line_item_usage_end_date": "2026-06-01T01:00:00Z",
}
# Name → (line, what it stands for). The lines are of January (744 hours) where they do not say another month.
LINES = {
    # m6i.2xlarge: 8 vCPU, 32 GiB. 720 h: 5,760 vCPU-hours, 23,040 GiB-hours.
    "ec2": (row("AmazonEC2", "EUC1-BoxUsage:m6i.2xlarge", 720), machine(5760, 23040, ICE)),
    "ec2-without-unit": (row("AmazonEC2", "BoxUsage:m6i.2xlarge", 1, ""), machine(8, 32, ICE)),
    "ec2-reserved": (row("AmazonEC2", "BoxUsage:m6i.2xlarge", 1, line_item_line_item_type="DiscountedUsage"),
                     machine(8, 32, ICE)),
    "ec2-savings-plan": (row("AmazonEC2", "BoxUsage:m6i.2xlarge", 1, line_item_line_item_type="SavingsPlanCoveredUsage"),
                         machine(8, 32, ICE)),
    "ec2-spot": (row("AmazonEC2", "SpotUsage:m6i.2xlarge", 1), machine(8, 32, ICE)),
    "ec2-dedicated": (row("AmazonEC2", "DedicatedUsage:m6i.2xlarge", 1), machine(8, 32, ICE)),
    "ec2-correction": (row("AmazonEC2", "BoxUsage:m6i.2xlarge", -2), machine(-16, -64, ICE)),
    "ec2-type-from-product": (row("AmazonEC2", "BoxUsage", 1, product_instance_type="m6i.2xlarge"), machine(8, 32, ICE)),
    "ec2-several-processors": (row("AmazonEC2", "BoxUsage:c5.large", 2), machine(4, 8, "Cascade Lake/Skylake")),
    "ec2-metal": (row("AmazonEC2", "BoxUsage:m7i.metal-24xl", 1), machine(96, 384, "Sapphire Rapids")),
    # g4dn.12xlarge: 48 vCPU, 192 GiB, 4 T4.
    "ec2-gpu": (row("AmazonEC2", "BoxUsage:g4dn.12xlarge", 10),
                machine(480, 1920, "Cascade Lake", gpu_hours=40, gpu_model="T4")),
    # A type of tomorrow: what AWS says about it counts, its processor is unknown.
    "ec2-new-type": (row("AmazonEC2", "BoxUsage:z99.large", 3, product_instance_type="z99.large", product_vcpu="2",
                         product_memory="1,952 GiB"), machine(6, 5856, None)),
    "rds": (row("AmazonRDS", "EU-InstanceUsage:db.r5.2xl", 1), machine(8, 64, "Cascade Lake/Skylake")),
    "rds-multi-az": (row("AmazonRDS", "Multi-AZUsage:db.m5.large", 10), machine(2 * 2 * 10, 2 * 8 * 10, "Skylake")),
    "rds-cluster": (row("AmazonRDS", "Multi-AZClusterUsage:db.m5.large", 10), machine(60, 240, "Skylake")),
    "aurora": (row("AmazonRDS", "Aurora:ServerlessV2Usage", 8, "ACU-Hr"), machine(2, 16, None)),
    "rds-storage": (row("AmazonRDS", "RDS:GP3-Storage", 1, "GB-Mo"), stored(744, "ssd", 1)),
    "rds-multi-az-storage": (row("AmazonRDS", "RDS:Multi-AZ-PIOPS-Storage", 1, "GB-Mo"), stored(744, "ssd", 2)),
    "rds-backup": (row("AmazonRDS", "USE2-RDS:ChargedBackupUsage", 1, "GB-Mo"), stored(744, "hdd", 3)),
    "aurora-storage": (row("AmazonRDS", "Aurora:StorageUsage", 1, "GB-Mo"), stored(744, "ssd", 6)),
    "cache": (row("AmazonElastiCache", "NodeUsage:cache.r6g.large", 1), machine(2, 16, G2)),
    "search": (row("AmazonES", "ESInstance:r6g.large.search", 1), machine(2, 16, G2)),
    "search-storage": (row("AmazonES", "APS1-ES:GP3-Storage", 1, "GB-Mo"), stored(744, "ssd", 1)),
    "dms": (row("AWSDatabaseMigrationSvc", "APS3-Multi-AZUsg:dms.r5.large", 1), machine(4, 32, "Cascade Lake/Skylake")),
    "docdb": (row("AmazonDocDB", "InstanceUsage:db.r6g.large", 1), machine(2, 16, G2)),
    "neptune": (row("AmazonNeptune", "InstanceUsage:db.r6g.large", 1), machine(2, 16, G2)),
    "msk": (row("AmazonMSK", "USE2-Kafka.m5.large", 1), machine(2, 8, "Skylake")),
    "msk-storage": (row("AmazonMSK", "USE2-Kafka.Storage.GP2", 1, "GB-Mo"), stored(744, "ssd", 1)),
    "mq-cluster": (row("AmazonMQ", "USE1-RabbitMQ-3-InstanceUsage:mq.m5.large", 1), machine(6, 24, "Skylake")),
    "sagemaker": (row("AmazonSageMaker", "USE1-Host:ml.m5.large", 1), machine(2, 8, "Skylake")),
    "sagemaker-studio": (row("AmazonSageMaker", "USE1-Studio:KernelGateway-ml.m5.large", 1), machine(2, 8, "Skylake")),
    "sagemaker-volume": (row("AmazonSageMaker", "USE1-Host:VolumeUsage.gp2", 1, "GB-Mo"), stored(744, "ssd", 1)),
    # 3,600 GB-seconds are 1 GiB-hour, and 1 / 1.75 vCPU-hours at 1,792 MB a vCPU.
    "lambda": (row("AWSLambda", "EU-Lambda-GB-Second", 3600, "Lambda-GB-Second"), machine(1 / 1.75, 1, None)),
    "lambda-arm": (row("AWSLambda", "Lambda-GB-Second-ARM", 3600, "Seconds"), machine(1 / 1.75, 1, G2)),
    # Warm memory is there all the time; the duration adds only the processor.
    "lambda-warm": (row("AWSLambda", "Lambda-Provisioned-Concurrency", 3600, "Lambda-GB-Second"), of(memory_gib_hours=1)),
    "lambda-warm-run": (row("AWSLambda", "Lambda-Provisioned-GB-Second", 3600, "Lambda-GB-Second"), of(vcpu_hours=1 / 1.75)),
    "fargate-vcpu": (row("AmazonECS", "EUC1-SpotUsage-Fargate-ARM-vCPU-Hours:perCPU", 5, "hours"),
                     of(vcpu_hours=5, processor=G2)),
    "apprunner": (row("AWSAppRunner", "USE1-AppRunner-vCPU-hours", 5, "vCPU-Hours"), of(vcpu_hours=5)),
    "glue": (row("AWSGlue", "USE1-ETL-DPU-Hour", 3, "DPU-Hour"), machine(12, 48, None)),
    "emr-serverless": (row("ElasticMapReduce", "APS1-EMR-SERVERLESS-vCPUHours", 5, "vCPU-Hours"), of(vcpu_hours=5)),
    "ebs": (row("AmazonEC2", "EUC1-EBS:VolumeUsage.gp3", 100, "GB-Mo", **JUNE), stored(100 * 720, "ssd", 2)),
    "ebs-cold": (row("AmazonEC2", "EBS:VolumeUsage.sc1", 1, "GB-Mo"), stored(744, "hdd", 2)),
    "ebs-snapshot": (row("AmazonEC2", "EBS:SnapshotUsage", 1, "GB-Mo"), stored(744, "hdd", 3)),
    "s3-one-zone": (row("AmazonS3", "EU-TimedStorage-ZIA-ByteHrs", 1, "GB-Mo"), stored(744, "hdd", 2)),
    "efs": (row("AmazonEFS", "USW2-IATimedStorage-Z-ByteHrs", 1, "GB-Mo"), stored(744, "ssd", 2)),
    "ecr": (row("AmazonECR", "TimedStorage-ByteHrs", 1, "GB-Mo"), stored(744, "hdd", 3)),
    "dynamodb": (row("AmazonDynamoDB", "TimedStorage-ByteHrs", 1, "GB-Mo"), stored(744, "ssd", 2)),
    "backup": (row("AWSBackup", "EU-WarmStorage-ByteHrs-EFS", 1, "GB-Mo"), stored(744, "hdd", 1)),
    "out": (row("AmazonEC2", "DataTransfer-Out-Bytes", 3, "GB"), sent(3, "internet")),
    "out-edge": (row("AmazonCloudFront", "JP-DataTransfer-Out-Bytes", 3, "GB"), sent(3, "internet")),
    "between-regions": (row("AmazonS3", "USE1-APN1-AWS-Out-Bytes", 3, "GB"), sent(3, "inter_region")),
    "from-another-region": (row("AmazonS3", "USE1-APN1-AWS-In-Bytes", 3, "GB"), sent(3, "inbound")),
    "to-the-edge": (row("AmazonS3", "USE1-CloudFront-Out-Bytes", 3, "GB"), sent(3, "inter_region")),
    "between-zones": (row("AmazonEC2", "EU-DataTransfer-Regional-Bytes", 3, "GB", line_item_operation="InterZone-Out"),
                      sent(3, "intra_region")),
    # The receiver is billed for the same bytes.
    "between-zones-in": (row("AmazonEC2", "EU-DataTransfer-Regional-Bytes", 3, "GB", line_item_operation="InterZone-In"),
                         sent(3, "inbound")),
    "gateway": (row("AmazonVPC", "EU-TransitGateway-Bytes", 3, "GB"), sent(3, "intra_region")),
    # What CCF gets wrong.
    "a9-gib": (row("AmazonS3", "DataTransfer-Out-Bytes", 0.5, "GB"), sent(0.5, "internet")),
    "b1": (row("AmazonS3", "TimedStorage-ByteHrs", 5, "GB-Mo", **JUNE), stored(5 * 720, "hdd", 6)),
    "b2": (row("AmazonECS", "USE1-Fargate-GB-Hours", 4, "hours"), of(memory_gib_hours=4)),
    "b3": (row("AWSLambda", "Lambda-GB-Second", 1750, "Lambda-GB-Second"), machine(1000 / 3600, 1750 / 3600, None)),
    "b4": (row("AmazonRedshift", "USW2-Node:ra3.4xlarge", 1), machine(12, 96, "Haswell")),
    "b6": (row("AmazonEC2", "BoxUsage:z99.large", 1), NOTHING),
    "b6-named": (row("AmazonEC2", "BoxUsage:z99.large", 1, product_instance_type="z99.large"), NOTHING),
    # T family: real vCPU-hours, whatever the baseline; surplus credits are vCPU-hours of their own.
    "burstable": (row("AmazonEC2", "BoxUsage:t3.micro", 10), machine(20, 10, "Skylake")),
    "surplus": (row("AmazonEC2", "USE1-CPUCredits:t3", 7, "vCPU-Hours"), of(vcpu_hours=7, processor="Skylake")),
    # A host is the whole machine, m5 on 96 vCPU with 384 GiB; the instances on it are the same machine again.
    "host": (row("AmazonEC2", "EUC1-HostUsage:m5", 2), machine(192, 768, "Skylake")),
    "host-reserved": (row("AmazonEC2", "ReservedHostUsage:m5", 1), machine(96, 384, "Skylake")),
    "instance-on-host": (row("AmazonEC2", "EUC1-HostBoxUsage:m5.large", 2), NOTHING),
}  # fmt: skip
# Lines that carry nothing, whatever their amount.
EMPTY = {
    **{
        f"charge-{kind}": row("AmazonEC2", "BoxUsage:m5.large", 5, line_item_line_item_type=kind)
        for kind in ("Tax", "Credit", "Refund", "Fee", "RIFee", "SavingsPlanUpfrontFee", "SavingsPlanRecurringFee",
                     "SavingsPlanNegation", "BundledDiscount", "EdpDiscount", "SomethingElse")
    },
    "reservation": row("AmazonEC2", "Reservation:m5.large", 5),
    "reservation-unused": row("AmazonEC2", "UnusedBox:m5.large", 5, product_instance_type="m5.large", product_vcpu="2"),
    "reservation-unused-dedicated": row("AmazonEC2", "UnusedDed:m5.large", 5),
    "reservation-heavy": row("AmazonEC2", "HeavyUsage:m5.large", 5),
    "ebs-optimised": row("AmazonEC2", "EBSOptimized:m5.large", 5, product_instance_type="m5.large", product_vcpu="2"),
    "emr-beside-ec2": row("ElasticMapReduce", "BoxUsage:m5.xlarge", 5, product_instance_type="m5.xlarge", product_vcpu="4"),
    "emr-on-eks": row("ElasticMapReduce", "APS3-EMR-EKS-EC2-vCPUHours", 5, "vCPU-Hours"),
    "split-fargate": row("AmazonECS", "Fargate-vCPU-Hours:perCPU", 5, "vCPU-Hours",
                         split_line_item_parent_resource_id="arn:aws:ecs:parent"),
    "split-ec2": row("AmazonECS", "USE1-ECS-EC2-vCPU-Hours", 5, "vCPU-Hours",
                     split_line_item_parent_resource_id="i-0"),
    "split-machine": row("AmazonEC2", "BoxUsage:m5.large", 5, split_line_item_parent_resource_id="i-0"),
    "software": row("aw0evgkw8e5c1q413zgy5pjce", "SoftwareUsage:m5.large", 5, product_instance_type="m5.large"),
    "nat": row("AmazonEC2", "NatGateway-Bytes", 5, "GB"),
    "iops": row("AmazonRDS", "RDS:Multi-AZ-PIOPS", 5, "IOPS-Mo"),
    "early-delete": row("AmazonS3", "EarlyDelete-GDA", 5, "GB-Mo"),
    "another-unit": row("AmazonEC2", "BoxUsage:m5.large", 5, "Furlongs"),
    "requests": row("AmazonS3", "Requests-Tier1", 5, "Requests"),
    "nothing": row("AmazonEC2", "", 5),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Every line of the tables above, read in one run; by its name."""
    root = tmp_path_factory.mktemp("physical")
    rows = [
        line(line_item_resource_id=name, **{"split_line_item_parent_resource_id": "", "product_vcpu": "",
                                            "product_memory": ""} | changes)
        for name, changes in {**{name: changes for name, (changes, _) in LINES.items()}, **EMPTY}.items()
    ]  # fmt: skip
    put_legacy(folder_put(root / "exports"), [gz(csv_file(rows))])
    warehouse = Warehouse(root / "ogf.duckdb", root / "exports")
    warehouse.run()
    columns = [*NOTHING, "instance_type", "quantity"]
    asked = warehouse.query(f"SELECT resource_id, {', '.join(columns)} FROM activities")
    return {name: dict(zip(columns, values, strict=True)) for name, *values in asked}


def physical(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in NOTHING}


def check(found, name: str) -> None:
    numbers = {key: value for key, value in LINES[name][1].items() if isinstance(value, float | int)}
    assert physical(found[name]) == LINES[name][1] | {
        key: pytest.approx(value, rel=1e-12) for key, value in numbers.items()
    }


@pytest.mark.parametrize(
    "name", [name for name in LINES if not name.startswith(("a9", "b1", "b2", "b3", "b4", "b6"))]
)
def test_method_what_a_line_stands_for(found, name):
    check(found, name)


def test_method_a9_gigabytes_of_aws_are_gib(found):
    check(found, "a9-gib")


def test_method_b1_byte_hours_are_gb_months(found):
    """CCF's constants: 3,600 GiB-hours x 1.073741824e-3 x 0.65 W/TB / 1000 x 6 copies: not 2e-14 kWh."""
    check(found, "b1")
    kwh = found["b1"]["storage_gib_hours"] * 1.073741824e-3 * 0.65 / 1000 * found["b1"]["replication"]
    assert kwh == pytest.approx(0.01507533520896, rel=1e-9)


def test_method_b2_fargates_memory_is_memory(found):
    check(found, "b2")


def test_method_b3_lambdas_gb_seconds_are_memory_and_a_share_of_a_vcpu(found):
    check(found, "b3")


def test_method_b4_a_redshift_node_hour_is_its_vcpus(found):
    check(found, "b4")


@pytest.mark.parametrize("name", ["b6", "b6-named"])
def test_method_b6_an_unknown_type_is_no_machine(found, name):
    assert physical(found[name]) == NOTHING
    assert found[name]["quantity"] == 1


@pytest.mark.parametrize("name", EMPTY)
def test_method_what_is_no_use_or_counted_elsewhere_carries_nothing(found, name):
    assert physical(found[name]) == NOTHING
    assert found[name]["quantity"] == 5


def test_the_type_in_the_usage_type_is_the_instance_type(found):
    assert found["rds-multi-az"]["instance_type"] == "db.m5.large"
    assert found["ec2-type-from-product"]["instance_type"] == "m6i.2xlarge"
    assert found["ebs"]["instance_type"] is None


def test_method_s7_the_hours_are_those_of_the_months(tmp_path):
    """The same disk in February, leap February and July: 672, 696 and 744 hours."""
    put = folder_put(tmp_path / "exports")
    months = {"2026-02": 672, "2028-02": 696, "2026-07": 744}
    for month in months:
        start = {
            "line_item_usage_start_date": f"{month}-28T23:00:00Z",
            "line_item_usage_end_date": f"{month}-28T23:30:00Z",
            "bill_billing_period_start_date": f"{month}-01T00:00:00Z",
        }
        rows = [line(**row("AmazonEC2", "EBS:VolumeUsage.gp3", 1, "GB-Mo", **start))]
        put_legacy(put, [gz(csv_file(rows))], month=month, report=month)
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
    warehouse.run()
    asked = "SELECT strftime(period_start, '%Y-%m'), storage_gib_hours FROM activities"
    assert dict(warehouse.query(asked)) == months


def test_method_hourly_rows_and_their_sum_count_the_same(tmp_path):
    """31 x 24 rows of 1/744 GB-month, or one of a GB-month: 744 GiB-hours."""
    rows = [
        line(**row("AmazonEC2", "EBS:VolumeUsage.gp3", 1 / 744, "GB-Mo",
                   line_item_usage_start_date=f"2026-01-{day:02d}T{hour:02d}:00:00Z",
                   line_item_usage_end_date=f"2026-01-{day:02d}T{hour:02d}:59:59Z"))
        for day in range(1, 32) for hour in range(24)
    ]  # fmt: skip
    put_legacy(folder_put(tmp_path / "exports"), [gz(csv_file(rows))])
    warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "exports")
    warehouse.run()
    assert warehouse.column("fsum(storage_gib_hours)") == [pytest.approx(744, rel=1e-12)]


TABLES = [
    ("ogf_aws", "data/meters"),
    ("ogf_aws", "data/instance_types"),
    ("ogf", "focus/meters"),
]


@pytest.mark.parametrize(("package", "name"), TABLES)
def test_every_table_has_a_sidecar_that_names_its_source(package, name):
    table = files(package).joinpath(f"{name}.csv").read_bytes()
    sidecar = json.loads(files(package).joinpath(f"{name}.source.json").read_text())
    assert set(sidecar) == {
        "source",
        "repository",
        "commit",
        "path",
        "licence",
        "attribution",
        "year",
        "retrieved",
        "sha256",
    }
    assert all(sidecar.values())
    assert hashlib.sha256(table).hexdigest() == sidecar["sha256"]


@pytest.mark.parametrize(("package", "name"), [TABLES[0], TABLES[2]])
def test_a_meter_counts_something_and_is_listed_once_for_each_unit(package, name):
    with files(package).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = [(row["service"], row["meter"], unit) for row in rows for unit in row["units"].split("|")]
    assert len(set(keys)) == len(keys)
    measures = (
        "machines",
        "vcpu_hours",
        "memory_gib_hours",
        "storage_gib_hours",
        "storage_gib_months",
        "network_gib",
    )
    for row in rows:
        assert any(row[measure] for measure in measures), row
        assert float(row["per"]) > 0
        assert not row["machines"] or row["meter"].endswith((":*", ":")), row
        assert row["storage_media"] in ("", "ssd", "hdd")
        assert bool(row["network_gib"]) == bool(row["network_route"])
        assert row["network_route"] in ("", "intra_region", "inter_region", "internet", "inbound")


def test_instance_types_are_named_once_and_have_processors_and_memory():
    with files("ogf_aws").joinpath("data/instance_types.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row["instance_type"] for row in rows]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)
    for row in rows:
        assert float(row["vcpu"]) > 0
        assert float(row["memory_gib"]) > 0
        assert bool(row["gpus"]) == bool(row["gpu_model"])
        assert row["processor"].split("/") == sorted(set(row["processor"].split("/")))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_rows_of_a_file_are_never_what_a_join_holds_in_memory(tmp_path, suffix):
    """However few rows DuckDB takes a file for: the lookup tables are longer than its guess of a CSV."""
    rows = [line(product_vcpu="", product_memory="")]
    path = tmp_path / f"lines.{suffix}"
    path.write_bytes(csv_file(rows) if suffix == "csv" else parquet_file(rows))
    lookups = core_lookups() | dict(provider().lookups)
    connection = connect(scratch=tmp_path, threads=1, memory_mb=256, lookups=lookups)
    file = File(path, path.as_uri(), "", owned=False)
    table = open_table(file, connection=connection, scratch=tmp_path)
    ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json) {activities_sql(table)}").fetchall()
    table.abandon()
    connection.close()
    kinds = set(re.findall(r'"Join Type": "(\w+)"', plan))
    assert "LEFT" in kinds
    assert kinds <= {"LEFT", "MARK", "ANTI", "INNER"}
