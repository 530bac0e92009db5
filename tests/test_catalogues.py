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
FACTORS = Path(__file__).parents[1] / "core/src/ogf/emissions/data"


def named(path: Path) -> str:
    return f"{path.parts[-5]}-{path.name.partition('.')[0]}"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told(table: str, column: str) -> set[str]:
    """What the carbon arithmetic knows."""
    return {row[column] for row in rows(FACTORS / f"{table}.csv")}


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
            assert set(found) <= told("processors", "architecture"), row
            assert len(found) < 2 or row["processor"] in told("processor_sets", "processor"), row
            assert found == sorted(set(found)), row

    def test_gpus_come_with_a_model_that_is_known_or_none(self, path):
        for row in rows(path):
            assert row["gpu_model"] in {*told("gpus", "gpu_model"), ""}, row
            assert not row["gpu_model"] or 0 < float(row["gpus"]) <= 16, row


def test_processors_of_families_are_known_too():
    found = {
        name
        for row in rows(PLUGINS / "gcp/src/ogf_gcp/data/machine_families.csv")
        for name in row["processor"].split("/")
    }
    assert found <= told("processors", "architecture")
