"""The plugins' catalogues of machines: each with where it comes from, each row usable."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
SIDECARS = sorted(PLUGINS.glob("*/src/*/data/*.source.json"))
CATALOGUES = sorted(PLUGINS.glob("*/src/*/data/instance_types.csv"))
KEYS = {"source", "repository", "commit", "path", "licence", "attribution", "year", "retrieved", "sha256"}
# Rows of coefficients-*-use.csv: what the carbon arithmetic knows.
ARCHITECTURES = {
    "Sandy Bridge", "Ivy Bridge", "Haswell", "Broadwell", "Skylake", "Cascade Lake", "Coffee Lake", "Ice Lake",
    "Sapphire Rapids", "Emerald Rapids", "Granite Rapids", "EPYC 1st Gen", "EPYC 2nd Gen", "EPYC 3rd Gen",
    "EPYC 4th Gen", "EPYC 5th Gen", "Graviton", "Graviton2", "Graviton3", "Graviton3E", "Graviton4",
}  # fmt: skip
GPUS = {
    "P4",
    "T4",
    "L4",
    "A10G",
    "L40S",
    "K520",
    "V520",
    "P40",
    "M60",
    "K80",
    "V100",
    "P100",
    "A100",
    "H100",
    "H200",
    "B200",
}


def named(path: Path) -> str:
    return f"{path.parts[-5]}-{path.name.partition('.')[0]}"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_they_are_all_here():
    assert len(CATALOGUES) >= 2
    assert len(SIDECARS) >= 4


@pytest.mark.parametrize("path", SIDECARS, ids=named)
def test_a_sidecar_names_source_licence_and_content(path):
    sidecar = json.loads(path.read_text(encoding="utf-8"))
    assert set(sidecar) == KEYS
    assert all(sidecar.values())
    table = path.with_name(path.name.replace(".source.json", ".csv"))
    assert sidecar["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", CATALOGUES, ids=named)
class TestCatalogue:
    def test_has_a_sidecar(self, path):
        assert path.with_suffix(".source.json") in SIDECARS

    def test_each_machine_is_there_once_in_any_case(self, path):
        names = [row["instance_type"].lower() for row in rows(path)]
        assert len(names) == len(set(names)) > 300

    def test_columns_are_those_that_mappings_join(self, path):
        assert list(rows(path)[0]) == [
            "instance_type",
            "vcpu",
            "memory_gib",
            "gpus",
            "gpu_model",
            "processor",
        ]

    def test_every_machine_has_vcpus_and_memory(self, path):
        for row in rows(path):
            assert 0 < float(row["vcpu"]) <= 2000, row
            assert 0.1 <= float(row["memory_gib"]) / float(row["vcpu"]) <= 120, row

    def test_processors_are_known_architectures_in_alphabetical_order(self, path):
        for row in rows(path):
            found = row["processor"].split("/") if row["processor"] else []
            assert set(found) <= ARCHITECTURES, row
            assert found == sorted(set(found)), row

    def test_gpus_come_with_a_model_that_is_known_or_none(self, path):
        for row in rows(path):
            assert row["gpu_model"] in {*GPUS, ""}, row
            assert not row["gpu_model"] or 0 < float(row["gpus"]) <= 16, row


def test_processors_of_families_are_known_too():
    found = {
        name
        for row in rows(PLUGINS / "gcp/src/ogf_gcp/data/machine_families.csv")
        for name in row["processor"].split("/")
    }
    assert found <= ARCHITECTURES
