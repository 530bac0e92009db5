"""The provider's lookup tables: every code and name once, each pointing into the core's vocabularies."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import ClassVar

import pytest


def rows(package: str, name: str) -> list[dict[str, str]]:
    with files(package).joinpath(name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


REGIONS = rows("ogf_gcp", "data/regions.csv")
SERVICES = {row["name"]: row["category"] for row in rows("ogf_gcp", "data/services.csv")}
LOCATIONS = {row["name"] for row in rows("ogf", "locations.csv")}
CATEGORIES = {row["name"] for row in rows("ogf", "categories.csv")}
# A city's region, but no zone of one, no multi-region, no country.
_CITY = re.compile(r"[a-z]+-[a-z]+\d+")
_ID = re.compile(r"([0-9a-f]{4}-){2}[0-9a-f]{4}")
MULTI_REGIONS = {
    "us": "US", "nam4": "US", "nam16": "US", "eu": "EU", "europe": "EU", "eur3": "EU", "eur8": "EU",
    "asia": "ASIA-PACIFIC", "asia1": "ASIA-PACIFIC", "nam-eur-asia1": "GLOBAL", "nam-eur-asia3": "GLOBAL",
    "global": "GLOBAL",
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "key"), [("regions.csv", "code"), ("services.csv", "name"), ("errors.csv", "code")]
)
def test_keys_are_unique_and_no_cell_has_stray_blanks(table, key):
    found = rows("ogf_gcp", f"data/{table}")
    assert next(iter(found[0])) == key
    keys = [row[key].casefold() for row in found]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    for row in found:
        assert None not in row, row
        assert all(cell is not None and cell == cell.strip() for cell in row.values()), row


class TestRegions:
    codes: ClassVar = {row["code"]: row for row in REGIONS}

    def test_b132_every_region_has_a_location_and_a_status(self):
        for region in REGIONS:
            assert region["location"] in LOCATIONS, region
            assert region["status"] in set("ANSX"), region
            assert region["code"] == region["code"].lower()

    def test_b132_one_city_is_named_once(self):
        names = [row["name"] for row in REGIONS if _CITY.fullmatch(row["code"])]
        assert len(names) > 40
        assert len(set(names)) == len(names)

    def test_b132_no_code_looks_like_a_zone(self):
        """A zone's letter is cut off before the join: a code with one would never be found."""
        assert [code for code in self.codes if re.search(r"-[a-z]$", code)] == []

    def test_b132_one_country_has_one_location_outside_the_united_states(self):
        by_country: dict[str, set[str]] = {}
        for region in REGIONS:
            by_country.setdefault(region["country"], set()).add(region["location"])
        several = {country for country, found in by_country.items() if country and len(found) > 1}
        # Berlin and Frankfurt are one country and one location.
        assert several == {"US"}

    @pytest.mark.parametrize(
        ("code", "location"),
        [
            ("us-central1", "US-CENTRAL"), ("us-east1", "US-EAST"), ("us-west1", "US-WEST"),
            ("europe-west1", "EU-WEST"), ("europe-north1", "EU-NORTH"), ("asia-east1", "ASIA-PACIFIC"),
            ("europe-central2", "EU-CENTRAL"),
        ],
    )  # fmt: skip
    def test_b53_regions_of_the_seven_cases(self, code, location):
        assert self.codes[code]["location"] == location

    @pytest.mark.parametrize(
        ("code", "location"),
        [
            ("us-south1", "US-SOUTH"), ("us-east5", "US-EAST"), ("northamerica-northeast1", "CANADA"),
            ("northamerica-south1", "LATAM"), ("southamerica-west1", "LATAM"), ("europe-west3", "EU-CENTRAL"),
            ("europe-west8", "EU-SOUTH"), ("europe-southwest1", "EU-SOUTH"), ("me-west1", "MENA"),
            ("africa-south1", "AFRICA"), ("australia-southeast2", "ASIA-PACIFIC"),
        ],
    )  # fmt: skip
    def test_b74_b75_location_says_where_the_data_centre_stands(self, code, location):
        assert self.codes[code]["location"] == location

    @pytest.mark.parametrize(("code", "location"), MULTI_REGIONS.items())
    def test_b132_multi_regions(self, code, location):
        assert self.codes[code]["location"] == location

    def test_b132_a_country_lies_where_its_regions_do(self):
        of_regions = {row["country"]: row["location"] for row in REGIONS if _CITY.fullmatch(row["code"])}
        for country, location in of_regions.items():
            if country != "US":
                assert self.codes[country.lower()]["location"] == location


class TestServices:
    def test_b133_every_service_has_a_category_of_the_vocabulary(self):
        assert set(SERVICES.values()) <= CATEGORIES

    def test_b133_names_are_folded_so_that_each_maps_once(self):
        assert all(name == name.casefold() for name in SERVICES)

    @pytest.mark.parametrize(
        ("name", "category"),
        [
            ("Compute Engine", "cloud_compute"), ("Cloud Storage", "cloud_storage"), ("BigQuery", "data_warehouse"),
            ("Cloud Run", "cloud_compute_serverless"), ("Cloud Functions", "cloud_compute_serverless"),
            ("Cloud SQL", "cloud_database"), ("Networking", "cloud_network"), ("Cloud CDN", "cloud_cdn"),
            ("Kubernetes Engine", "cloud_compute_kubernetes"), ("Vertex AI", "cloud_ai"), ("Support", "cloud_support"),
            ("Artifact Registry", "cloud_compute_containers"), ("Cloud Pub/Sub", "cloud_integration"),
            ("Cloud Dataflow", "data_processing"), ("Cloud Logging", "cloud_management"),
            ("Cloud Key Management Service (KMS)", "cloud_security"),
        ],
    )  # fmt: skip
    def test_b74_b75_descriptions(self, name, category):
        assert SERVICES[name.casefold()] == category

    @pytest.mark.parametrize(
        ("identifier", "category"),
        [
            ("6F81-5844-456A", "cloud_compute"), ("95FF-2EF5-5EA1", "cloud_storage"),
            ("152E-C115-5142", "cloud_compute_serverless"), ("29E7-DA93-CA13", "cloud_compute_serverless"),
            ("24E6-581D-38E5", "data_warehouse"), ("E505-1604-58F8", "cloud_network"),
            ("9662-B51E-5089", "cloud_database"), ("2062-016F-44A2", "cloud_support"),
        ],
    )  # fmt: skip
    def test_b54_ids_are_those_of_real_bills(self, identifier, category):
        assert SERVICES[identifier.casefold()] == category

    def test_b54_an_id_has_the_form_of_one(self):
        ids = [name for name in SERVICES if re.match(r"[0-9a-f]{4}-", name)]
        assert len(ids) > 20
        assert all(_ID.fullmatch(name) for name in ids)
