"""Compiles the factor tables of `ogf.emissions` from their sources.

    python tools/factors.py SOURCES

SOURCES is a folder with the upstream files: `merged/`, `ccf_coefficients/`, `ccf_app/`, `accelerators/`, `ember/`,
`electricity_maps/`. Each table of `core/src/ogf/emissions/data/` is written with its sidecar, which says where its
values come from, under which licence, and the SHA-256 of the table. Running it again on the same sources changes
nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections import defaultdict
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
DATA = ROOT / "core/src/ogf/emissions/data"
RETRIEVED = "2026-11"
CCF = {
    "source": "Cloud Carbon Footprint coefficients",
    "repository": "cloud-carbon-footprint/ccf-coefficients",
    "commit": "b0032d9",
    "licence": "Apache-2.0",
    "attribution": "Cloud Carbon Footprint, (c) 2021 Thoughtworks, Inc.; AWS instance measurements originate from Teads",
}
CCF_APP = CCF | {
    "source": "Cloud Carbon Footprint",
    "repository": "cloud-carbon-footprint/cloud-carbon-footprint",
    "commit": "b7a049c",
}
SPRUCE = {"repository": "DigitalPebble/spruce", "commit": "8840d3c"}
OWN = {"repository": "", "commit": "", "path": "", "licence": "Apache-2.0", "attribution": "OffGridFlow"}


class Sources:
    """Reads the upstream files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, path: str) -> list[dict[str, str]]:
        lines = (self._folder / path).read_text(encoding="utf-8-sig").splitlines()
        lines = [line for line in lines if line.strip() and not line.startswith("# ")]
        lines[0] = lines[0].removeprefix("#")
        return list(csv.DictReader(lines))

    def json(self, path: str) -> dict:
        return json.loads((self._folder / path).read_text(encoding="utf-8"))


def write(name: str, header: str, rows: Iterable[tuple], sidecar: dict[str, str]) -> None:
    """Write one table, sorted, with its sidecar."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    columns = header.split(",")
    out.writerow(columns)
    out.writerows(sorted({tuple("" if v is None else _plain(v) for v in row) for row in rows}))
    target = DATA / f"{name}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text.getvalue(), encoding="utf-8")
    told = {"retrieved": RETRIEVED, **sidecar, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    order = [
        "source",
        "repository",
        "commit",
        "path",
        "licence",
        "attribution",
        "year",
        "retrieved",
        "changes",
        "sha256",
    ]
    target.with_name(f"{target.stem}.source.json").write_text(
        json.dumps({key: told[key] for key in order if key in told}, indent=2, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# Where


def regions(sources: Sources) -> None:
    zones = [
        (
            r["provider"],
            r["region"],
            r["location"],
            r["electricity_maps_zone"],
            r["alternatives"],
            r["confidence"],
            r["note"],
        )
        for r in sources.rows("merged/region_em_zone.csv")
    ]
    known = {row[:2] for row in zones}
    # Those without a zone stay in the list, so that `ogf factors check` can name them.
    for provider, code, name in _listed():
        if (provider, code) not in known:
            zones.append((provider, code, name, "", "", "", "announced or isolated: no published place"))
    write(
        "regions",
        "provider,region,place,electricity_maps_zone,alternative_zones,confidence,note",
        zones,
        OWN
        | {
            "source": "compiled from the providers' published place names; zone names are Electricity Maps'",
            "year": "2026",
        },
    )


def _listed() -> Iterator[tuple[str, str, str]]:
    """The regions that the plugins know, without areas that are none."""
    for row in _own("aws", "regions.csv"):
        if row["country"]:
            yield "aws", row["code"], row["name"]
    for row in _own("azure", "regions.csv"):
        if row["kind"] == "code":
            yield "azure", row["region"], row["name"]
    for row in _own("gcp", "regions.csv"):
        if row["code"].count("-") == 1 and row["country"]:
            yield "gcp", row["code"], row["name"]


def region_members(sources: Sources) -> None:
    everywhere = [r["region"] for r in sources.rows("merged/region_em_zone.csv") if r["provider"] == "gcp"]
    write(
        "region_members",
        "provider,region,member",
        (
            ("gcp", name, member)
            for name, members in _multi_regions(sources, everywhere)
            for member in members
        ),
        OWN | {"source": "Google's documentation of bucket locations", "year": "2026"},
    )


def _multi_regions(sources: Sources, everywhere: list[str]) -> Iterator[tuple[str, list[str]]]:
    for row in sources.rows("merged/gcp_multi_regions.csv"):
        name, text = row["location"], row["members"]
        if ";" in text:
            yield name, text.split(";")
            continue
        prefix = {"us": "us-", "eu": "europe-", "asia": "asia-"}[name]
        but = {"europe-west2", "europe-west6"} if name == "eu" else set()
        members = [region for region in everywhere if region.startswith(prefix) and region not in but]
        yield name, members
        if name == "eu":
            yield "europe", members
    countries = defaultdict(list)
    for row in _own("gcp", "regions.csv"):
        if row["country"] and row["code"] in everywhere:
            countries[row["country"].lower()].append(row["code"])
    # Billing exports write the country of some global services; `us` is a multi-region of that name already.
    yield from ((name, members) for name, members in countries.items() if name != "us")


def _own(provider: str, name: str) -> list[dict[str, str]]:
    path = ROOT / f"plugins/{provider}/src/ogf_{provider}/data/{name}"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


# Local zones hang on their parent's grid, wherever the city is: AWS names no utility for them.
LOCAL_ZONES = {
    "us-east-1": "atl-1 atl-2 bos-1 bue-1 chi-1 chi-2 dfw-1 dfw-2 iah-1 iah-2 lim-1 mci-1 mia-1 mia-2 msp-1 nyc-1 nyc-2 phl-1 qro-1 scl-1",
    "us-west-2": "den-1 hnl-1 las-1 lax-1 pdx-1 phx-1 phx-2 sea-1",
    "af-south-1": "los-1",
    "ap-northeast-1": "tpe-1",
    "ap-south-1": "ccu-1 del-1",
    "ap-southeast-1": "bkk-1 mnl-1",
    "ap-southeast-2": "akl-1 per-1",
    "eu-central-1": "ham-1 waw-1",
    "eu-north-1": "cph-1 hel-1",
    "me-south-1": "mct-1",
}
AMBIGUOUS = {("azure", "chnorth")}  # Switzerland North in a bill, China North in a price list: rather unknown


def region_aliases(sources: Sources) -> None:
    known = {(r["provider"], r["region"]) for r in sources.rows("merged/region_em_zone.csv")}
    several = {("gcp", name) for name, _ in _multi_regions(sources, [r for p, r in known if p == "gcp"])}
    aliases: dict[tuple[str, str], str] = {}

    def add(provider: str, alias: str, region: str) -> None:
        if (provider, region) in known | several:
            key = (provider, alias.lower().replace(" ", ""))
            if key not in AMBIGUOUS:
                aliases.setdefault(key, region)

    for provider, region in sorted(known | several):
        add(provider, region, region)
    for provider, region in sorted(known):
        zones = {"aws": [f"{region}{x}" for x in "abcdefgh"], "gcp": [f"{region}-{x}" for x in "abcdf"]}
        for zone in zones.get(provider, []):
            add(provider, zone, region)
        if provider == "aws":
            add(provider, f"{region}-wl1", region)
    for region, zones_text in LOCAL_ZONES.items():
        for zone in zones_text.split():
            add("aws", f"{region}-{zone}", region)
            add("aws", f"{region}-{zone}a", region)
    for row in _own("aws", "region_names.csv"):
        add("aws", row["name"], row["code"])
    for row in _own("aws", "region_prefixes.csv"):
        add("aws", row["prefix"], row["code"])
    for row in _own("aws", "regions.csv"):
        add("aws", row["name"], row["code"])
    for row in _own("azure", "regions.csv"):
        if row["kind"] != "area":
            add("azure", row["code"], row["region"])
    for row in _own("gcp", "regions.csv"):
        if row["code"].count("-") == 1:
            add("gcp", row["name"], row["code"])
    write(
        "region_aliases",
        "provider,alias,region",
        ((provider, alias, region) for (provider, alias), region in aliases.items()),
        OWN
        | {
            "source": "names of the providers' regions and zones, in lower case without spaces",
            "year": "2026",
        },
    )


# Grid


def electricity_maps(sources: Sources) -> None:
    rows = []
    for year in range(2021, 2026):
        for zone, values in _zones(sources.json(f"electricity_maps/yearly_{year}.json")):
            if values is not None:
                rows.append((zone, year, values))
    write(
        "electricity_maps/zones",
        "zone,year,gco2e_per_kwh",
        rows,
        {
            "source": "Electricity Maps, yearly carbon intensity by zone (lifecycle, consumption-based)",
            "repository": "thegreenwebfoundation/co2.js",
            "commit": "27cbe83",
            "path": "data/output/electricity-maps/",
            "licence": "ODbL-1.0",
            "attribution": "Electricity Maps, https://www.electricitymaps.com; obtained through CO2.js (The Green Web Foundation)",
            "year": "2021-2025",
            "changes": "five files made one; carbon intensity alone",
        },
    )


def _zones(document: dict) -> Iterator[tuple[str, float | None]]:
    for zone, values in document.items():
        yield zone, values["carbonIntensity"]["value"]


def ember(sources: Sources) -> None:
    rows, wrong = [], []
    for r in sources.rows("merged/region_factors_long.csv"):
        if r["metric"] != "grid_intensity_location" or not r["licence"].startswith("CC-BY"):
            continue
        row = (r["provider"], r["region"], r["year"] or "2025", r["value"], r["note"])
        (wrong if r["use"] == "known_wrong" else rows).append(row)
    told = SPRUCE | {
        "source": "Ember, electricity carbon intensity by country or state (lifecycle, production mix), joined to cloud regions by DigitalPebble SPRUCE",
        "path": "src/main/resources/ember/ember_co2_intensity.csv",
        "licence": "CC-BY-4.0",
        "attribution": "Contains electricity data by Ember (https://ember-energy.org), CC BY 4.0, joined to cloud regions by DigitalPebble SPRUCE",
        "year": "2025 (Hong Kong 2023)",
    }
    header = "provider,region,year,gco2e_per_kwh,note"
    write(
        "ember", header, rows, told | {"changes": "wrong rows corrected or left out: ember_known_errors.csv"}
    )
    write("ember_known_errors", header, wrong, told | {"changes": "the rows of the source that are not used"})


def google(sources: Sources) -> None:
    write(
        "google",
        "region,year,gco2e_per_kwh",
        (
            (r["region"], r["year"], r["value"])
            for r in sources.rows("merged/region_factors_long.csv")
            if r["metric"] == "grid_intensity_location"
            and r["basis"] == "operational"
            and r["provider"] == "gcp"
        ),
        {
            "source": "Google Cloud region carbon data (operational grid intensity)",
            "repository": "GoogleCloudPlatform/region-carbon-info",
            "commit": "49f3f26",
            "path": "data/yearly/",
            "licence": "Apache-2.0",
            "attribution": "Google Cloud region carbon data: Copyright Google LLC",
            "year": "2021-2024",
            "changes": "2019 and 2020 left out: their basis is lifecycle",
        },
    )


def pue(sources: Sources) -> None:
    years = {
        (r["provider"], r["region"]): r["year"]
        for r in sources.rows("merged/region_factors_long.csv")
        if r["metric"] == "pue"
    }
    write(
        "pue",
        "provider,region,year,pue,wue_l_per_it_kwh,how",
        (
            (
                r["provider"],
                r["region"],
                years.get((r["provider"], r["region"])) or "2024",
                r["pue"],
                r["wue_l_per_it_kwh"],
                r["how"],
            )
            for r in sources.rows("merged/region_pue.csv")
        ),
        SPRUCE
        | {
            "source": "PUE and WUE published by Amazon Web Services and Microsoft, compiled by DigitalPebble SPRUCE; Google's by Cloud Carbon Footprint",
            "path": "src/main/resources/aws-pue-wue.csv, azure-pue-wue.csv",
            "licence": "Apache-2.0",
            "attribution": "DigitalPebble SPRUCE; figures published by Amazon Web Services and Microsoft; Cloud Carbon Footprint",
            "year": "2024",
            "changes": "geographies resolved to regions, fleet default where nothing is published",
        },
    )


# Machines


def processors(sources: Sources) -> None:
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for provider in ("aws", "azure", "gcp"):
        for table in (
            f"ccf_coefficients/coefficients-{provider}-use.csv",
            "ccf_coefficients/coefficients-aws-use.csv",
        ):
            for row in sources.rows(table):
                found.setdefault((provider, row["Architecture"]), (row["Min Watts"], row["Max Watts"]))
        # Four times its predecessor is a mistake in reading the source: the predecessor's figures stand in.
        found[provider, "EPYC 5th Gen"] = found[provider, "EPYC 4th Gen"]
        found[provider, "Graviton"] = found[provider, "Graviton2"]
    average = {
        (r["name"].rsplit("_", 1)[-1], r["name"].split("_")[3]): r["middle"]
        for r in sources.rows("merged/coefficients_ogf_2026_1.csv")
        if r["name"].startswith("watts_per_vcpu")
    }
    rows = [(p, a, float(low), float(high)) for (p, a), (low, high) in found.items()]
    rows += [(p, "", float(average[p, "min"]), float(average[p, "max"])) for p in ("aws", "azure", "gcp")]
    write(
        "processors",
        "provider,architecture,min_watts,max_watts",
        rows,
        CCF
        | {
            "source": "SPECpower_ssj2008 by CPU architecture, W per vCPU, compiled by Cloud Carbon Footprint",
            "path": "output/coefficients-{aws,azure,gcp}-use.csv",
            "year": "to 2026-03 (Azure: 2023)",
            "changes": "architectures that a provider's file lacks from the AWS file; EPYC 5th Gen from EPYC 4th Gen; "
            "without an architecture: the provider's average of CCF 2024-03",
        },
    )


GENERATIONS = (
    (
        "Sandy Bridge",
        "Ivy Bridge",
        "Haswell",
        "Broadwell",
        "Skylake",
        "Cascade Lake",
        "Ice Lake",
        "Sapphire Rapids",
        "Emerald Rapids",
        "Granite Rapids",
    ),
    ("EPYC 1st Gen", "EPYC 2nd Gen", "EPYC 3rd Gen", "EPYC 4th Gen", "EPYC 5th Gen"),
    ("Graviton", "Graviton2", "Graviton3", "Graviton4"),
)


def processor_sets(sources: Sources) -> None:
    """The processors that one type may have: those of the lists, and any few or any run of generations."""
    by_type = defaultdict(set)
    for table, name, column in (
        ("azure", "Virtual Machine", "Microarchitecture"),
        ("gcp", "Machine type", "Microarchitecture"),
    ):
        for row in sources.rows(f"ccf_coefficients/{table}-instances.csv"):
            if row[column] != "Unknown":
                by_type[table, row[name]].add(row[column])
    sets = {frozenset(found) for found in by_type.values()}
    mapped = sources.json("ccf_app/gcp_machine_types.json")[
        "INSTANCE_TYPE_COMPUTE_PROCESSOR_MAPPING"
    ].values()
    sets |= {frozenset(name.removeprefix("AMD ") for name in names) for names in mapped}
    for line in GENERATIONS:
        sets |= {frozenset(found) for size in (2, 3, 4) for found in combinations(line, size)}
        sets |= {frozenset(line[i:j]) for i in range(len(line)) for j in range(i + 2, len(line) + 1)}
    write(
        "processor_sets",
        "processor",
        (("/".join(sorted(found)),) for found in sets if len(found) > 1),
        CCF
        | {
            "source": "processors that one machine type may have, compiled by Cloud Carbon Footprint; combinations of generations",
            "path": "data/azure-instances.csv, data/gcp-instances.csv",
            "year": "2023",
        },
    )


def gpus(sources: Sources) -> None:
    names = {"NVIDIA_TESLA_": "", "NVIDIA_": "", "AMD_RADEON_PRO_": ""}
    rows = []
    for name, watts in sources.json("accelerators/accelerators.json")["GPU_INFO"].items():
        short = name
        for prefix, short_prefix in names.items():
            short = short.replace(prefix, short_prefix)
        rows.append((short, float(watts["min"]), float(watts["max"])))
    azure = sources.json("ccf_app/azure_constants.json")
    rows.append(
        (
            "P40",
            float(azure["MIN_WATTS_BY_COMPUTE_PROCESSOR"]["Nvidia Tesla P40"]),
            float(azure["MAX_WATTS_BY_COMPUTE_PROCESSOR"]["Nvidia Tesla P40"]),
        )
    )
    write(
        "gpus",
        "gpu_model,min_watts,max_watts",
        rows,
        SPRUCE
        | {
            "source": "watts per GPU of Cloud Carbon Footprint, from L4 on of DigitalPebble SPRUCE",
            "path": "src/main/resources/ccf/accelerators.json",
            "licence": "Apache-2.0",
            "attribution": "DigitalPebble SPRUCE; Cloud Carbon Footprint, (c) 2021 Thoughtworks, Inc.",
            "year": "2026",
        },
    )


def machines(sources: Sources) -> None:
    rows = [*_aws_machines(sources), *_azure_machines(sources), *_gcp_machines(sources)]
    write(
        "machines",
        "provider,instance_type,server_kgco2e,server_vcpus,utilisation,how",
        rows,
        CCF
        | {
            "source": "embodied carbon of the host by machine type, after Teads, compiled by Cloud Carbon Footprint",
            "path": "output/coefficients-*-embodied.csv, data/*-instances.csv, data/*-instances-latest-2026.csv",
            "year": "2021-2026",
            "changes": "types that the embodied files lack are built up by Teads' formula from the largest type of their family; "
            "baseline utilisation of burstable types from cloud-carbon-footprint/cloud-carbon-footprint @ b7a049c",
        },
    )


def built_up(memory_gib: float, vcpus: float, gpus_on_board: float) -> float:
    """Teads: kgCO2e of a server of this size; drives are not told by the lists of types."""
    return 1000 + (memory_gib - 16) * 533 / 384 + 100 * (ceil(vcpus / 96) - 1) + 150 * gpus_on_board


def _aws_machines(sources: Sources) -> Iterator[tuple]:
    platform = {
        r["Instance type"]: int(r["Platform Total Number of vCPU"])
        for r in sources.rows("ccf_coefficients/aws-instances.csv")
    }
    own_vcpus = {
        r["Instance type"]: float(r["Instance vCPU"].replace(",", "."))
        for r in sources.rows("ccf_coefficients/aws-instances.csv")
    }
    listed = {
        r["type"]: float(r["total"]) for r in sources.rows("ccf_coefficients/coefficients-aws-embodied.csv")
    }
    gpu_count = {
        k: v["quantity"]
        for k, v in sources.json("accelerators/accelerators.json")["GPU_INSTANCES_TYPES"].items()
    }
    baseline = sources.json("ccf_app/aws_instance_types.json")["BURSTABLE_INSTANCE_BASELINE_UTILIZATION"]
    latest = sources.rows("ccf_coefficients/aws-instances-latest-2026.csv")
    families = defaultdict(list)
    for r in latest:
        families[r["Instance Type"].split(".")[0]].append(r)
    servers: dict[str, tuple[float, float, str]] = {}
    for name, total in listed.items():
        servers[name] = (total, max(platform[name], own_vcpus[name]), "listed")
    for r in latest:
        name = r["Instance Type"]
        if name not in servers:
            family = families[name.split(".")[0]]
            vcpus = max(float(x["vCPUs"]) for x in family)
            memory = max(float(x["Memory (GiB)"].replace(",", "")) for x in family)
            on_board = max(gpu_count.get(x["Instance Type"], 0) for x in family)
            servers[name] = (built_up(memory, vcpus, on_board), vcpus, "built up")
    for name, (total, vcpus, how) in servers.items():
        used = baseline.get(name)
        yield "aws", name, total, float(vcpus), used / 100 if used is not None else None, how


def _azure_machines(sources: Sources) -> Iterator[tuple]:
    platform: dict[str, float] = {}
    for r in sources.rows("ccf_coefficients/azure-instances.csv"):
        platform[r["Virtual Machine"]] = max(
            float(r["Platform vCPUs (highest vCPU possible)"]), float(r["Instance vCPUs"])
        )
    totals = defaultdict(list)
    for r in sources.rows("ccf_coefficients/coefficients-azure-embodied.csv"):
        totals[r["type"]].append(float(r["total"]))
    constrained = sources.json("ccf_app/azure_vm_types.json")[
        "VIRTUAL_MACHINE_TYPE_CONSTRAINED_VCPU_CAPABLE_MAPPING"
    ]
    for name, values in totals.items():
        if name in constrained:
            continue
        yield "azure", _azure_spelling(name), sum(values) / len(values), platform[name], None, "listed"
    lower = {name.lower(): name for name in totals}
    for name, (vcpus, _, parent_vcpus, *_) in constrained.items():
        size, _, rest = name.partition("-")
        parent = lower.get((size + rest.lstrip("0123456789")).lower())
        if parent is None or parent in constrained:
            continue
        # Fewer vCPUs are billed, the whole of the parent is occupied.
        share = platform[parent] * vcpus / parent_vcpus
        total = sum(totals[parent]) / len(totals[parent])
        yield "azure", _azure_spelling(name), total, share, None, "listed"


def _azure_spelling(name: str) -> str:
    return "standard_" + name.lower().removesuffix(" 1").strip().replace(" ", "_")


def _gcp_machines(sources: Sources) -> Iterator[tuple]:
    platform: dict[str, float] = {}
    for r in sources.rows("ccf_coefficients/gcp-instances.csv"):
        name = r["Machine type"]
        vcpus = max(float(r["Platform vCPUs (highest vCPU possible)"] or 0), float(r["Instance vCPUs"] or 0))
        platform[name] = max(vcpus, platform.get(name, 0))
    totals = defaultdict(list)
    for r in sources.rows("ccf_coefficients/coefficients-gcp-embodied.csv"):
        totals[r["type"]].append(float(r["total"]))
    baseline = sources.json("ccf_app/gcp_machine_types.json")["SHARED_CORE_PROCESSORS_BASELINE_UTILIZATION"]
    names = set()
    for name, values in totals.items():
        if name in platform:
            names.add(name)
            used = baseline.get(name)
            # A baseline of 100 % is no statement about use.
            share = used / 100 if used is not None and used < 100 else None
            yield "gcp", name, sum(values) / len(values), platform[name], share, "listed"
    families = defaultdict(list)
    latest = sources.rows("ccf_coefficients/gcp-instances-latest-2026.csv")
    for r in latest:
        families[r["Instance Type"].split("-")[0]].append(r)
    for r in latest:
        name = r["Instance Type"]
        if name in names:
            continue
        family = families[name.split("-")[0]]
        vcpus = max(float(x["Instance vCPU"]) for x in family)
        memory = max(float(x["Instance Memory"].replace(",", "")) for x in family)
        yield "gcp", name, built_up(memory, vcpus, 0), vcpus, None, "built up"


def own(_: Sources) -> None:
    """The sidecars of the tables that are written by hand."""
    for name, source in (
        ("service_spellings", "names under which services rent the machines of the list of types"),
        ("reported_services", "names in the carbon export of AWS (its user guide), and in its bills"),
        ("streams", "which stream is believed first where two tell of the same account and month"),
    ):
        path = DATA / f"{name}.csv"
        header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
        write(name, ",".join(header), [tuple(row) for row in rows], OWN | {"source": source, "year": "2026"})


def coefficients(sources: Sources) -> None:
    write(
        "coefficients",
        "name,low,middle,high,unit,source",
        (
            (r["name"], r["low"], r["middle"], r["high"], r["unit"], r["source"])
            for r in sources.rows("merged/coefficients_ogf_2026_1.csv")
            if not r["name"].startswith(("watts_per_vcpu", "pue_default"))
        ),
        OWN
        | {
            "source": "compiled, source per row: CCF, LBNL 2016, Teads, Etsy Cloud Jewels, SPRUCE, AWS",
            "year": "2026",
        },
    )


def ccf_method(sources: Sources) -> None:
    from ccf_method import TABLES

    for name, header, rows, path in TABLES:
        write(
            name,
            header,
            rows(sources),
            CCF_APP
            | {
                "source": "Cloud Carbon Footprint: what its application computes with",
                "path": f"packages/{{aws,azure,gcp}}/src: {path}",
                "year": "2019-2021 (grid), 2020-2023",
                "changes": "compiled to one table for three providers; nothing corrected",
            },
        )


def main() -> None:
    sources = Sources(Path(sys.argv[1]))
    for table in (
        regions,
        region_members,
        region_aliases,
        electricity_maps,
        ember,
        google,
        pue,
        processors,
        processor_sets,
        gpus,
        machines,
        coefficients,
        ccf_method,
        own,
    ):
        table(sources)


if __name__ == "__main__":
    main()
