"""Makes `instance_types.csv` of the plugin aws and its sidecar: `python tools/aws_instance_types.py FOLDER`.

FOLDER holds the source tables: `ccf_coefficients/`, `ccf_app/`, `accelerators/`, `merged/cpu_architecture.csv`.
A family's name alone, `m5`, stands for its whole machine: what a Dedicated Host is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import NamedTuple

TARGET = Path(__file__).parent.parent / "plugins/aws/src/ogf_aws/data/instance_types.csv"
COLUMNS = ("instance_type", "vcpu", "memory_gib", "gpus", "gpu_model", "processor")
LATEST, EARLIER = "aws-instances-latest-2026.csv", "aws-instances.csv"
# Services whose machines are no EC2 types and no others under a prefix.
_PREFIXES = ("cache.", "db.")
_SUFFIXES = (".elasticsearch",)
_MAKERS = ("NVIDIA_TESLA_", "NVIDIA_", "AMD_RADEON_PRO_")
SOURCE = {
    "source": "Cloud Carbon Footprint; GPUs from DigitalPebble SPRUCE",
    "repository": "cloud-carbon-footprint/ccf-coefficients; cloud-carbon-footprint/cloud-carbon-footprint; "
    "DigitalPebble/spruce",
    "commit": "b0032d9; b7a049c; 8840d3c",
    "path": "data/aws-instances.csv; data/aws-instances-latest-2026.csv; packages/aws/src/lib/AWSInstanceTypes.ts; "
    "src/main/resources/ccf/accelerators.json",
    "licence": "Apache-2.0",
    "attribution": "Instance types: Cloud Carbon Footprint, (c) 2021 Thoughtworks, Inc., Apache License 2.0; AWS "
    "instance measurements originate from Teads. GPUs: DigitalPebble SPRUCE, Apache License 2.0",
    "year": "2023; 2026",
    "retrieved": "2026-11",
}


class Machine(NamedTuple):
    vcpu: float
    memory_gib: float
    gpus: int
    gpu_model: str
    processors: frozenset[str]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float:
    """A number of the earlier table: `3,75` and `3.75` are the same."""
    return float(text.replace(",", "."))


def model(name: str) -> str:
    for maker in _MAKERS:
        name = name.removeprefix(maker)
    return name


def machines(folder: Path) -> dict[str, Machine]:
    """Instance type → machine."""
    tables = folder / "ccf_coefficients"
    named = {
        (row["instance_table"], row["cpu_name"]): row["architecture"]
        for row in rows_of(folder / "merged/cpu_architecture.csv")
    }
    app = json.loads((folder / "ccf_app/aws_instance_types.json").read_text(encoding="utf-8"))
    several = {
        kind: frozenset(names)
        for kind, names in app["INSTANCE_TYPE_COMPUTE_PROCESSOR_MAPPING"].items()
        if len(names) > 1
    }
    cards = json.loads((folder / "accelerators/accelerators.json").read_text(encoding="utf-8"))[
        "GPU_INSTANCES_TYPES"
    ]
    found: dict[str, tuple[float, float, frozenset[str]]] = {}
    for row in rows_of(tables / EARLIER):
        kind = row["Instance type"]
        if kind.startswith(_PREFIXES) or kind.endswith(_SUFFIXES):
            continue
        processor = named[EARLIER, row["Platform CPU Name"]]
        memory = number(row["Instance Memory (in GB)"])
        found[kind] = (number(row["Instance vCPU"]), memory, frozenset(filter(None, [processor])))
    for row in rows_of(tables / LATEST):
        kind = row["Instance Type"]
        processor = named[LATEST, row["Platform CPU Name"]]
        known = frozenset([processor]) if processor else found.get(kind, (0, 0, frozenset()))[2]
        found[kind] = (float(row["vCPUs"]), float(row["Memory (GiB)"].replace(",", "")), known)
    for family, sizes in app["REDSHIFT_INSTANCE_TYPES"].items():
        for size, (vcpu, memory) in sizes.items():
            known = found.get(f"{family}.{size}", (0, 0, frozenset()))[2]
            found[f"{family}.{size}"] = (float(vcpu), float(memory), known)
    result = {}
    for kind, (vcpu, memory, processors) in found.items():
        card = cards.get(kind)
        result[kind] = Machine(
            vcpu,
            memory,
            card["quantity"] if card else 0,
            model(card["type"]) if card else "",
            processors | several.get(kind, frozenset()),
        )
    return result


def hosts(folder: Path, found: dict[str, Machine]) -> dict[str, Machine]:
    """Family → its whole machine: as large as its platform is said to be, else as its largest type."""
    platforms: dict[str, tuple[float, float]] = {}
    for row in rows_of(folder / "ccf_coefficients" / EARLIER):
        kind = row["Instance type"]
        if kind not in found:
            continue
        vcpu, memory = platforms.get(kind.split(".")[0], (0.0, 0.0))
        platforms[kind.split(".")[0]] = (
            max(vcpu, number(row["Platform Total Number of vCPU"])),
            max(memory, number(row["Platform Memory (in GB)"])),
        )
    families: dict[str, list[Machine]] = {}
    for kind, machine in found.items():
        families.setdefault(kind.split(".")[0], []).append(machine)
    result = {}
    for family, members in families.items():
        vcpu, memory = platforms.get(family, (0.0, 0.0))
        largest = max(members, key=lambda machine: machine.gpus)
        result[family] = Machine(
            max(vcpu, *(machine.vcpu for machine in members)),
            max(memory, *(machine.memory_gib for machine in members)),
            largest.gpus,
            largest.gpu_model,
            frozenset().union(*(machine.processors for machine in members)),
        )
    return result


def main(folder: Path) -> None:
    found = machines(folder)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for kind, machine in sorted((hosts(folder, found) | found).items()):
            sizes = (
                kind,
                f"{machine.vcpu:g}",
                f"{machine.memory_gib:.6g}",
                machine.gpus or "",
                machine.gpu_model,
            )
            writer.writerow([*sizes, "/".join(sorted(machine.processors))])
    digest = hashlib.sha256(TARGET.read_bytes()).hexdigest()
    TARGET.with_suffix(".source.json").write_text(
        json.dumps(SOURCE | {"sha256": digest}, indent=2) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
