"""The shipped tables: where they come from, that their keys are keys, that their values are plausible."""

from __future__ import annotations

import csv
import json
from importlib.resources import files
from pathlib import Path

import pytest

from ogf.emissions.comments import comments
from ogf.emissions.methods import methods
from ogf.emissions.sidecars import damaged, sidecars

ROOT = Path(__file__).parents[2]
KEYS = {
    "factor_grid": "factor_id",
    "factor_pue": "provider, region, year",
    "factor_regions": "provider, reported, usage_year",
    "factor_processors": "provider, processor",
    "factor_gpus": "gpu_model",
    "factor_machines": "provider, instance_type",
    "factor_coefficients": "name",
    "factor_places": "provider, region",
    "emission_services": "provider, service",
    "emission_streams": "provider, stream",
    "factor_ccf_grid": "provider, reported",
    "factor_ccf_lists": "provider, list, entry",
    "factor_ccf_replication": "provider, rank",
    "factor_ccf_watts": "provider, name",
    "factor_ccf_machines": "provider, instance_type",
}


def test_every_table_has_a_sidecar_that_fits():
    told = sidecars()
    assert len(told) >= 14
    assert damaged() == []
    for item in told:
        assert item.licence in {"Apache-2.0", "ODbL-1.0", "CC-BY-4.0"}, item
        assert item.source, item
        assert item.attribution, item
        assert item.year, item
        where = json.loads(
            files("ogf.emissions").joinpath("data", item.table.replace(".csv", ".source.json")).read_text()
        )
        assert set(where) >= {
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


def test_odbl_data_is_apart_with_its_notice():
    odbl = {item.table for item in sidecars() if item.licence == "ODbL-1.0"}
    assert odbl == {"electricity_maps/zones.csv"}
    notice = files("ogf.emissions").joinpath("data", "electricity_maps", "LICENCE.md").read_text()
    assert "https://opendatacommons.org/licenses/odbl/1-0/" in notice
    for name in ("Electricity Maps", "Ember", "Google", "Thoughtworks", "Teads", "SPRUCE"):
        assert name in (ROOT / "NOTICE").read_text()


@pytest.mark.parametrize(("table", "key"), KEYS.items())
def test_keys_are_keys_so_that_no_join_multiplies_rows(warehouse, table, key):
    assert warehouse.one(f"SELECT count(*) FROM {table}") > 0
    assert warehouse.ask(f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1") == []
    described = {row[0] for row in warehouse.ask(f"DESCRIBE {table}")}
    if "factor_id" in described and table not in ("factor_regions", "factor_ccf_grid"):
        assert warehouse.one(f"SELECT count(*) - count(DISTINCT factor_id) FROM {table}") == 0


def test_every_column_is_explained_in_the_warehouse_itself(warehouse):
    for table in dict.fromkeys(item.table for item in comments()):
        told = [item.column for item in comments() if item.table == table and item.column]
        assert not told or told == [row[0] for row in warehouse.ask(f"DESCRIBE {table}")], table
    text = warehouse.one(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'footprint' AND column_name = 'accounting'"
    )
    assert "never add" in warehouse.one("SELECT comment FROM duckdb_views() WHERE view_name = 'footprint'")
    assert "location or market" in text


def _regions(provider):
    path = ROOT / f"plugins/{provider}/src/ogf_{provider}/data/regions.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    return [row | {"region": row.get("region") or row["code"]} for row in csv.DictReader(lines)]


@pytest.mark.parametrize(
    ("provider", "keep"),
    [
        ("aws", lambda row: row["country"]),
        ("azure", lambda row: row["kind"] == "code"),
        ("gcp", lambda row: row["country"] and row["code"].count("-") == 1),
    ],
)
def test_method_s5_regions_are_the_providers_and_each_has_a_factor_or_is_listed_as_missing(
    warehouse, provider, keep
):
    places = {
        region for (region,) in warehouse.ask("SELECT region FROM factor_places WHERE provider = ?", provider)
    }
    listed = {row["region"] for row in _regions(provider) if keep(row)}
    stages = {
        region for region in places if region.endswith("stage")
    }  # Azure's test regions stand in few lists
    assert places - stages == listed
    missing = {
        region
        for (region,) in warehouse.ask(
            "SELECT region FROM factor_places AS p WHERE provider = ? AND NOT EXISTS "
            "(FROM factor_regions AS f WHERE f.provider = p.provider AND f.region = p.region)",
            provider,
        )
    }
    announced = {row["region"] for row in _regions(provider) if row["status"] == "N"}
    assert {region for region in missing if not region.startswith("ussec")} <= announced


def test_a_zone_lies_in_the_country_of_its_region(warehouse):
    countries = {
        (provider, row["region"]): row["country"]
        for provider in ("aws", "azure", "gcp")
        for row in _regions(provider)
    }
    rows = warehouse.ask(
        "SELECT provider, region, electricity_maps_zone FROM factor_places WHERE electricity_maps_zone IS NOT NULL"
    )
    wrong = [row for row in rows if countries.get(row[:2]) and row[2].split("-")[0] != countries[row[:2]]]
    assert wrong == []


def test_no_value_is_an_outlier_among_its_neighbours(warehouse):
    # A year three times the one before would be a mistake of the source, not of the weather.
    jumps = warehouse.ask(
        "SELECT a.factor_id, a.gco2e_per_kwh, b.gco2e_per_kwh FROM factor_grid AS a JOIN factor_grid AS b "
        "ON a.zone = b.zone AND a.year = b.year + 1 SEMI JOIN factor_places AS p ON p.electricity_maps_zone = a.zone "
        "WHERE a.gco2e_per_kwh > 3 * b.gco2e_per_kwh OR b.gco2e_per_kwh > 3 * a.gco2e_per_kwh"
    )
    assert jumps == []
    assert (
        warehouse.ask(
            "FROM factor_pue WHERE pue NOT BETWEEN 1 AND 1.6 OR wue_l_per_it_kwh NOT BETWEEN 0 AND 3"
        )
        == []
    )
    # EPYC 5th Gen was read wrongly by the source: four times its predecessor.
    assert (
        warehouse.ask(
            "FROM factor_processors WHERE max_watts NOT BETWEEN 1 AND 9 OR min_watts NOT BETWEEN 0.3 AND 2.5"
        )
        == []
    )
    assert warehouse.one("SELECT max(server_kgco2e) FROM factor_machines") < 60_000
    assert warehouse.ask("FROM factor_machines WHERE server_vcpus < 1") == []


def test_multi_regions_have_no_sum_of_factors(warehouse):
    assert warehouse.one("SELECT max(gco2e_per_kwh) FROM factor_regions") < 1000


@pytest.mark.parametrize("name", methods())
def test_a_method_has_a_page_and_reads_tables_that_exist(name):
    folder = files("ogf.emissions.methods").joinpath(name)
    assert folder.joinpath("README.md").read_text().startswith(f"# {name}")
    for table in json.loads(folder.joinpath("method.json").read_text())["tables"]:
        assert files("ogf.emissions").joinpath("data", f"{table}.csv").is_file()
