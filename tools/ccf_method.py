"""The tables of the method `ccf-2024.03`, from `ccf_app/` (cloud-carbon-footprint @ b7a049c). Called by factors.py.

What that application works out of a list for every row, the mean of several processors or the memory that counts, is
worked out here once for each entry. Its mistakes are kept: who compares with his history wants the same figures.
"""

from __future__ import annotations

from math import ceil
from statistics import mean, median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from factors import Sources

PROVIDERS = ("aws", "azure", "gcp")
# Sizes by name: what is contained in a meter's name stands for so many GB.
_SIZES = {
    "SSD_MANAGED_DISKS_STORAGE_GB": "ssd_disk",
    "HDD_MANAGED_DISKS_STORAGE_GB": "hdd_disk",
    "CONTAINER_REGISTRY_STORAGE_GB": "registry",
    "CACHE_MEMORY_GB": "cache",
}
_LISTS = {
    "aws": ("UNSUPPORTED", "UNKNOWN", "SSD", "HDD", "BYTE_HOURS", "NETWORKING"),
    "azure": ("UNSUPPORTED", "UNKNOWN", "STORAGE", "NETWORKING", "MEMORY"),
    "gcp": ("UNSUPPORTED", "UNKNOWN", "MEMORY"),
}
_OTHER_LISTS = {
    ("aws", "SSD_SERVICES"): "ssd_service",
    ("azure", "UNKNOWN_SERVICES"): "unknown_service",
    ("gcp", "UNKNOWN_SERVICE_TYPES"): "unknown_service",
    ("gcp", "COMPUTE_STRING_FORMATS"): "compute",
    ("gcp", "NETWORKING_STRING_FORMATS"): "networking",
}
# Service, what its usage type contains (both), the name of the factor. The first that fits counts.
_COPIES = {
    "aws": (
        ("AmazonS3", "TimedStorage-ZIA", "", "S3_ONE_ZONE_REDUCED_REDUNDANCY"),
        ("AmazonS3", "EarlyDelete-ZIA", "", "S3_ONE_ZONE_REDUCED_REDUNDANCY"),
        ("AmazonS3", "TimedStorage-RRS", "", "S3_ONE_ZONE_REDUCED_REDUNDANCY"),
        ("AmazonS3", "TimedStorage", "", "S3"),
        ("AmazonS3", "EarlyDelete", "", "S3"),
        ("AmazonEC2", "VolumeUsage", "", "EC2_EBS_VOLUME"),
        ("AmazonEC2", "SnapshotUsage", "", "EC2_EBS_SNAPSHOT"),
        ("AmazonEFS", "ZIA", "", "EFS_ONE_ZONE"),
        ("AmazonEFS", "", "", "EFS"),
        ("AmazonRDS", "BackupUsage", "", "RDS_BACKUP"),
        ("AmazonRDS", "Aurora", "", "RDS_AURORA"),
        ("AmazonRDS", "Multi-AZ", "", "RDS_MULTI_AZ"),
        ("AmazonDocDB", "BackupUsage", "", "DOCUMENT_DB_BACKUP"),
        ("AmazonDocDB", "", "", "DOCUMENT_DB_STORAGE"),
        ("AmazonDynamoDB", "", "", "DYNAMO_DB"),
        ("AmazonECR", "TimedStorage", "", "ECR_STORAGE"),
        ("AmazonElastiCache", "BackupUsage", "", "DOCUMENT_ELASTICACHE_BACKUP"),
        ("AmazonSimpleDB", "TimedStorage", "", "SIMPLE_DB"),
    ),
    "azure": (
        ("Storage", "LRS", "", "STORAGE_LRS"),
        ("Storage", "GZRS", "", "STORAGE_GZRS"),
        ("Storage", "ZRS", "", "STORAGE_ZRS"),
        ("Storage", "GRS", "", "STORAGE_GRS"),
        ("Storage", "Disks", "", "STORAGE_DISKS"),
        ("Azure Database for MySQL", "", "", "DATABASE_MYSQL"),
        ("Azure Cosmos DB", "Data Stored", "", "COSMOS_DB"),
        ("SQL Database", "Data Stored", "", "SQL_DB"),
        ("SQL Database", "vCore", "", "SQL_DB"),
        ("Redis Cache", "", "", "REDIS_CACHE"),
    ),
    "gcp": (
        ("Cloud Storage", "", "", "CLOUD_STORAGE_SINGLE_REGION"),
        ("Compute Engine", "Regional", "", "COMPUTE_ENGINE_REGIONAL_DISKS"),
        ("Compute Engine", "Snapshot", "", "CLOUD_STORAGE_SINGLE_REGION"),
        ("Compute Engine", "Image", "", "CLOUD_STORAGE_SINGLE_REGION"),
        ("Cloud Filestore", "", "", "CLOUD_FILESTORE"),
        ("Cloud SQL", "Regional - Standard storage", "", "CLOUD_SQL_HIGH_AVAILABILITY"),
        ("Cloud SQL", "HA", "", "CLOUD_SQL_HIGH_AVAILABILITY"),
        ("Cloud Memorystore for Redis", "Standard", "", "CLOUD_MEMORY_STORE_REDIS"),
        ("Cloud Spanner", "Regional", "", "CLOUD_SPANNER_SINGLE_REGION"),
        ("Cloud Spanner", "Multi-Region", "", "CLOUD_SPANNER_MULTI_REGION"),
        ("Kubernetes Engine", "Clusters", "Regional", "KUBERNETES_ENGINE"),
        ("Kubernetes Engine", "Clusters", "Autopilot", "KUBERNETES_ENGINE"),
        ("Cloud Composer", "Storage", "", "CLOUD_STORAGE_SINGLE_REGION"),
        ("Cloud Composer", "storage", "", "CLOUD_STORAGE_SINGLE_REGION"),
    ),
}


class Constants:
    """Of one provider."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._average = "MEDIAN" if "MIN_WATTS_MEDIAN" in told else "AVG"

    def copies(self, name: str) -> int:
        return self._told["REPLICATION_FACTORS"][name]

    def pue(self, region: str) -> float:
        return self._told.get("PUE_TRAILING_TWELVE_MONTH", {}).get(region, self._told["PUE_AVG"])

    def watts(self, processors: Sequence[str]) -> tuple[float, float]:
        """Min and max of a list: one that is not known spoils the list, an old one makes it a median."""
        middle = median if {"Sandy Bridge", "Ivy Bridge"} & {*processors} else mean
        return tuple(
            middle([table[one] for one in processors])
            if processors and all(one in table for one in processors)
            else self._told[f"{bound}_WATTS_{self._average}"]
            for bound in ("MIN", "MAX")
            for table in (self._told[f"{bound}_WATTS_BY_COMPUTE_PROCESSOR"],)
        )  # type: ignore[return-value]

    def chip_gb(self, processors: Sequence[str]) -> float:
        table = self._told["MEMORY_BY_COMPUTE_PROCESSOR"]
        known = processors and all(one in table for one in processors)
        return mean(table[one] for one in processors) if known else self._told["MEMORY_AVG"]


def beyond_chips(largest: Sequence[float], own_gb: float, chips: int, chip_gb: float) -> float:
    """GB of memory that the watts of the processor do not hold yet.

    Of the largest type per chip, and not times the chips: too little for those with several (mistake B5).
    """
    return max(0.0, largest[1] / chips - chip_gb) / (largest[1] / own_gb)


# eGRID 2020 by its regions: RFC, SERC, WECC, MRO, TRE. Google's figures are of 2021, of the others no year is told.
_EGRID = {0.000410608, 0.000379069, 0.000322167, 0.000426254, 0.000373231}


def grid(sources: Sources) -> Iterator[tuple]:
    for provider in PROVIDERS:
        constants = Constants(sources.json(f"ccf_app/{provider}_constants.json"))
        for region, tonnes in sources.json(f"ccf_app/{provider}_grid_factors_t_per_kwh.json").items():
            name = "" if region == "Unknown" else region.lower()
            year = 2020 if tonnes in _EGRID else 2021 if provider == "gcp" and name else None
            yield provider, name, f"{tonnes:.16f}".rstrip("0"), constants.pue(region), year


def lists(sources: Sources) -> Iterator[tuple]:
    for provider in PROVIDERS:
        told = sources.json(f"ccf_app/{provider}_usage_types.json")
        for name in _LISTS[provider]:
            yield from ((provider, name.lower(), entry, "") for entry in told[f"{name}_USAGE_TYPES"])
        for (of, name), ours in _OTHER_LISTS.items():
            if of == provider:
                yield from ((provider, ours, entry, "") for entry in told[name])
        for name, ours in _SIZES.items():
            yield from ((provider, ours, entry, gb) for entry, gb in told.get(name, {}).items())
    for name in sources.json("ccf_app/azure_vm_types.json")["GPU_VIRTUAL_MACHINE_TYPES"]:
        yield "azure", "gpu", name, ""


def replication(sources: Sources) -> Iterator[tuple]:
    for provider in PROVIDERS:
        constants = Constants(sources.json(f"ccf_app/{provider}_constants.json"))
        for rank, (service, contains, also, name) in enumerate(_COPIES[provider], 1):
            yield provider, service, f"{rank:02}", contains, also, constants.copies(name)


def watts(sources: Sources) -> Iterator[tuple]:
    """What is looked up by other names than those of machines; the empty name is what is not known."""
    of = {provider: Constants(sources.json(f"ccf_app/{provider}_constants.json")) for provider in PROVIDERS}
    for provider in PROVIDERS:
        yield provider, "", *of[provider].watts(())
    yield "aws", "AWS Graviton2", *of["aws"].watts(("AWS Graviton2",))
    machines_of = sources.json("ccf_app/gcp_machine_types.json")
    for name, processors in machines_of["INSTANCE_TYPE_COMPUTE_PROCESSOR_MAPPING"].items():
        yield "gcp", name, *of["gcp"].watts(processors)
    gpus = machines_of["GPU_MACHINE_TYPES"]
    yield "gcp", "GPU", *of["gcp"].watts(gpus)
    for name in gpus:
        yield "gcp", name, *of["gcp"].watts((name,))


def machines(sources: Sources) -> Iterator[tuple]:
    yield from _aws(sources)
    yield from _azure(sources)
    yield from _gcp(sources)


def _aws(sources: Sources) -> Iterator[tuple]:
    constants = Constants(sources.json("ccf_app/aws_constants.json"))
    told = sources.json("ccf_app/aws_instance_types.json")
    ec2, redshift = told["EC2_INSTANCE_TYPES"], told["REDSHIFT_INSTANCE_TYPES"]
    processors = told["INSTANCE_TYPE_COMPUTE_PROCESSOR_MAPPING"]
    baseline = told["BURSTABLE_INSTANCE_BASELINE_UTILIZATION"]
    names = {f"{family}.{size}" for table in (ec2, redshift) for family in table for size in table[family]}
    for name in sorted(names | {*processors}):
        family, _, size = name.partition(".")
        own = ec2.get(family, {}).get(size)
        gb = (own or redshift.get(family, {}).get(size) or (0, 0))[1]
        counted = 0.0
        if gb and name not in baseline:
            largest = list((ec2.get(family) or redshift[family]).values())[-1]
            chips = 2 if family in ("m5zn", "z1d") else ceil(largest[0] / 96)
            counted = beyond_chips(largest, gb, chips, constants.chip_gb(processors.get(name, ())))
        gpu = told["INSTANCE_TYPE_GPU_PROCESSOR_MAPPING"].get(name, ())
        yield (
            "aws",
            name,
            own and own[0],
            counted,
            baseline[name] / 50 if name in baseline else None,
            *constants.watts(processors.get(name, ())),
            told["GPU_INSTANCES_TYPES"].get(name),
            *constants.watts(gpu),
            own and own[0],
            own and own[2],
            own and list(ec2[family].values())[-1][0],
        )
    unknown = constants.watts(())
    for name, vcpus in told["MSK_INSTANCE_TYPES"].items():
        used = baseline.get(name.removeprefix("Kafka."))
        yield "aws", name, vcpus, 0, used and used / 50, *unknown, None, *unknown, None, None, None
    for family, sizes in redshift.items():
        for size, (vcpus, _) in sizes.items():
            yield (
                "aws",
                f"Redshift.{family}.{size}",
                vcpus,
                0,
                None,
                *unknown,
                None,
                *unknown,
                None,
                None,
                None,
            )


def _azure(sources: Sources) -> Iterator[tuple]:
    constants = Constants(sources.json("ccf_app/azure_constants.json"))
    told = sources.json("ccf_app/azure_vm_types.json")
    processors, others = (
        told["INSTANCE_TYPE_COMPUTE_PROCESSOR_MAPPING"],
        told["VIRTUAL_MACHINE_TYPE_VCPU_MEMORY_MAPPING"],
    )
    constrained, gpus = (
        told["VIRTUAL_MACHINE_TYPE_CONSTRAINED_VCPU_CAPABLE_MAPPING"],
        told["GPU_VIRTUAL_MACHINE_TYPES"],
    )
    # A size that stands in several series counts as of the last one.
    series = {name: sizes for sizes in told["VIRTUAL_MACHINE_TYPE_SERIES_MAPPING"].values() for name in sizes}
    for name in sorted({*series, *others, *constrained, *gpus, *processors}):
        own, parent = series.get(name, {}).get(name), constrained.get(name)
        counted, made = 0.0, (None, None, None)
        if own:
            largest = list(series[name].values())[-1]
            chips = ceil(largest[0] / 96)
            counted = beyond_chips(largest, own[1], chips, constants.chip_gb(processors.get(name, ())))
            if len(own) > 2:
                made = (own[0], own[2], largest[0])
        elif parent:
            made = (parent[0], parent[3], parent[2])
        gpu = told["GPU_VIRTUAL_MACHINE_TYPE_PROCESSOR_MAPPING"].get(name, ())
        yield (
            "azure",
            name,
            (own or others.get(name) or (None,))[0],
            counted,
            None,
            *constants.watts(processors.get(name, ())),
            gpus.get(name),
            *constants.watts(gpu),
            *made,
        )


def _gcp(sources: Sources) -> Iterator[tuple]:
    told = sources.json("ccf_app/gcp_machine_types.json")
    families = [
        *told["MACHINE_FAMILY_TO_MACHINE_TYPE_MAPPING"].values(),
        *told["MACHINE_FAMILY_SHARED_CORE_TO_MACHINE_TYPE_MAPPING"].values(),
        told["N1_SHARED_CORE_MACHINE_FAMILY_TO_MACHINE_TYPE_MAPPING"],
    ]
    found: dict[str, tuple] = {}
    for sizes in families:
        largest = list(sizes.values())[-1][0]
        for name, (vcpus, tonnes) in sizes.items():
            found.setdefault(name, (vcpus, tonnes, largest))
    for name, made in found.items():
        yield "gcp", name, None, None, None, None, None, None, None, None, *made


TABLES: tuple[tuple[str, str, Callable[[Sources], Iterator[tuple]], str], ...] = (
    (
        "ccf/grid",
        "provider,region,tonnes_per_kwh,pue,year",
        grid,
        "*_grid_factors_t_per_kwh.json, *_constants.json",
    ),
    ("ccf/lists", "provider,list,entry,gb", lists, "*_usage_types.json, azure_vm_types.json"),
    (
        "ccf/replication",
        "provider,service,rank,contains,and_contains,copies",
        replication,
        "ReplicationFactors.ts, *_constants.json",
    ),
    ("ccf/watts", "provider,name,min_watts,max_watts", watts, "*_constants.json, gcp_machine_types.json"),
    (
        "ccf/machines",
        (
            "provider,instance_type,vcpus,memory_gb,baseline,min_watts,max_watts,gpus,gpu_min_watts,gpu_max_watts,"
            "embodied_vcpus,embodied_tonnes,largest_vcpus"
        ),
        machines,
        "aws_instance_types.json, azure_vm_types.json, gcp_machine_types.json, *_constants.json",
    ),
)
