"""Makes the plugins' catalogues of machines and their sidecars: `python tools/instance_types.py FOLDER`.

FOLDER holds `ccf_coefficients/` and `ccf_app/` as README.md here says. Machines are compared without case.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLUGINS = HERE.parent / "plugins"
COLUMNS = ("instance_type", "vcpu", "memory_gib", "gpus", "gpu_model", "processor")
_GPU = re.compile(r"(?:Nvidia )?(?:Tesla )?([A-Z]+\d+[A-Z]*)")
# Machine types whose name says how many GPUs they have, and the model.
_GOOGLE_GPUS = {"a2": "A100", "a3-ultragpu": "H200", "a3": "H100"}
_L4 = {"4": 1, "8": 1, "12": 1, "16": 1, "24": 2, "32": 1, "48": 4, "96": 8}
# CPU names of Google's table of 2026 → architecture, as the coefficients spell it; Arm has no coefficients.
_GOOGLE_CPUS = {
    "AMD EPYC 7B12": "EPYC 2nd Gen",
    "AMD EPYC 7B13": "EPYC 3rd Gen",
    "AMD EPYC 9B14": "EPYC 4th Gen",
    "Ampere Altra Q64-30": "",
    "Google Axion": "",
    "Intel Xeon E7-8880 V4": "Broadwell",
    "Intel Xeon Gold 6253CL": "Cascade Lake",
    "Intel Xeon Platinum 8273CL": "Cascade Lake",
    "Intel Xeon Platinum 8280L": "Cascade Lake",
    "Intel Xeon Platinum 8373C": "Ice Lake",
    "Intel Xeon Platinum 8481C": "Sapphire Rapids",
    "Intel Xeon Platinum 8490H": "Sapphire Rapids",
    "Intel Xeon Platinum 8581C": "Emerald Rapids",
    "Intel Xeon Scalable Platinum 8173M": "Skylake",
}
_CCF = {
    "licence": "Apache-2.0; the rest are facts of the provider's documentation",
    "attribution": "Instance types: Cloud Carbon Footprint, (c) 2021 Thoughtworks, Inc., Apache License 2.0",
    "retrieved": "2026-11",
}
SOURCES = {
    "azure": {
        "source": "Cloud Carbon Footprint, completed from Microsoft's documentation of VM sizes",
        "repository": "cloud-carbon-footprint/ccf-coefficients; cloud-carbon-footprint/cloud-carbon-footprint; "
        "MicrosoftDocs/azure-compute-docs",
        "commit": "b0032d9; b7a049c; 1f02b87",
        "path": "data/azure-instances.csv; packages/azure/src/lib/VirtualMachineTypes.ts; "
        "articles/virtual-machines/sizes",
        "year": "2023; sizes from v5 on 2026",
        **_CCF,
    },
    "gcp": {
        "source": "Cloud Carbon Footprint, completed from Google's documentation of machine families",
        "repository": "cloud-carbon-footprint/ccf-coefficients",
        "commit": "b0032d9",
        "path": "data/gcp-instances.csv; data/gcp-instances-latest-2026.csv",
        "year": "2023; 2026",
        **_CCF,
    },
}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# How SKUs of Compute Engine name a family whose machine types they do not name → those families.
_GOOGLE_NAMES = {
    "custom": ("n1",),
    "f1": ("n1",),
    "g1": ("n1",),
    "micro": ("n1",),
    "small": ("n1",),
    "compute": ("c2",),
    "compute-optimized": ("c2",),
    "memory-optimized": ("m1", "m2"),
}
# SKUs that are paid by the machine, not by the core, and which machine it is.
_SHARED_CORE = {"micro": "f1-micro", "small": "g1-small"}


class Catalogue:
    """Machines by name in lower case, each with the processors that any source names for it."""

    def __init__(self) -> None:
        self.machines: dict[str, dict[str, Any]] = {}

    def add(
        self, name: str, vcpu: str, memory: str, processor: str = "", gpus: str = "", model: str = ""
    ) -> None:
        machine = self.machines.setdefault(
            name.lower(), {"instance_type": name, "vcpu": vcpu, "memory_gib": memory, "processors": set()}
        )
        machine["processors"] |= set(filter(None, processor.removeprefix("Unknown").split("/")))
        machine["gpus"] = gpus or machine.get("gpus", "")
        machine["gpu_model"] = model or machine.get("gpu_model", "")

    def add_series(self, path: Path) -> None:
        """A size listed here replaces what was known of it."""
        for row in rows_of(path):
            for size in row["sizes"].split():
                label, vcpu, memory, *gpus = size.split("/")
                name = row["pattern"].replace("{}", label)
                self.machines.pop(name.lower(), None)
                self.add(name, vcpu, memory, row["processor"], *gpus, model=row["gpu_model"])

    def rows(self) -> list[dict[str, Any]]:
        machines = [self.machines[name] for name in sorted(self.machines)]
        return [machine | {"processor": "/".join(sorted(machine["processors"]))} for machine in machines]

    def families(self) -> list[dict[str, Any]]:
        """The processors of all machines of a family: what a SKU's text tells."""
        processors: dict[str, set[str]] = {}
        for name, machine in self.machines.items():
            processors.setdefault(name.partition("-")[0], set()).update(machine["processors"])
        for name, meant in _GOOGLE_NAMES.items():
            processors[name] = set().union(*(processors[family] for family in meant))
        return [
            self.machines.get(_SHARED_CORE.get(family, ""), {})
            | {"family": family, "processor": "/".join(sorted(found))}
            for family, found in sorted(processors.items())
            if found
        ]


def write(provider: str, name: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Write a plugin's table, and beside it where it comes from."""
    path = PLUGINS / provider / f"src/ogf_{provider}/data/{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    sidecar = SOURCES[provider] | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".source.json").write_text(json.dumps(sidecar, indent=2) + "\n", encoding="utf-8")


def standard(size: str) -> str:
    """The name in Azure's API of a size as the price list writes it: `D2s v3` → `Standard_D2s_v3`."""
    return "Standard_" + re.sub(r" 1$", "", size.strip()).replace(" ", "_")


def azure(folder: Path) -> Catalogue:
    found = Catalogue()
    kinds = json.loads((folder / "ccf_app/azure_vm_types.json").read_text(encoding="utf-8"))
    gpus, models = (
        kinds["GPU_VIRTUAL_MACHINE_TYPES"],
        kinds["GPU_VIRTUAL_MACHINE_TYPE_PROCESSOR_MAPPING"],
    )
    for row in rows_of(folder / "ccf_coefficients/azure-instances.csv"):
        if "Large Instances" in row["Series"]:  # bare metal, not a size
            continue
        name = row["Virtual Machine"]
        # The constrained sizes' vCPUs are wrong in this table, and right in the other.
        known = kinds["VIRTUAL_MACHINE_TYPE_CONSTRAINED_VCPU_CAPABLE_MAPPING"].get(name)
        vcpu, memory = map(str, known[:2]) if known else (row["Instance vCPUs"], row["Instance Memory"])
        model = _GPU.match(models.get(name, [""])[0])
        count = str(gpus[name]) if name in gpus and model else ""
        found.add(standard(name), vcpu, memory, row["Microarchitecture"], count, model[1] if model else "")
    found.add_series(HERE / "azure_vm_series.csv")
    for name, machine in found.machines.items():  # fewer vCPUs of the same machine: `E4-2s_v3` of `E4s_v3`
        whole = found.machines.get(re.sub(r"(\d)-\d+", r"\1", name), machine)
        machine["processors"] |= whole["processors"]
    return found


def google(folder: Path) -> Catalogue:
    found = Catalogue()
    for row in rows_of(folder / "ccf_coefficients/gcp-instances.csv"):
        name = row["Machine type"]
        found.add(name, row["Instance vCPUs"], row["Instance Memory"], row["Microarchitecture"], *_gpus(name))
    for row in rows_of(folder / "ccf_coefficients/gcp-instances-latest-2026.csv"):
        name = row["Instance Type"]
        processor = _GOOGLE_CPUS[row["CPU Name"]]
        found.add(name, row["Instance vCPU"], row["Instance Memory"], processor, *_gpus(name))
    found.add_series(HERE / "gcp_machine_series.csv")
    return found


def _gpus(name: str) -> tuple[str, str]:
    family, kind, size = (*name.split("-"), "", "")[:3]
    if family == "g2":
        return str(_L4[size]), "L4"
    model = _GOOGLE_GPUS.get(f"{family}-{kind}") or _GOOGLE_GPUS.get(family)
    return (size.removesuffix("g"), model) if model else ("", "")


def main() -> None:
    folder = Path(sys.argv[1])
    write("azure", "instance_types", COLUMNS, azure(folder).rows())
    machines = google(folder)
    write("gcp", "instance_types", COLUMNS, machines.rows())
    write("gcp", "machine_families", ("family", "processor", "vcpu", "memory_gib"), machines.families())


if __name__ == "__main__":
    main()
