"""The provider's lookup tables: every code and name once, each pointing into the core's vocabularies."""

from __future__ import annotations

import csv
import re
from collections import Counter
from importlib.resources import files
from typing import ClassVar

import pytest


def rows(package: str, name: str) -> list[dict[str, str]]:
    with files(package).joinpath(name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


REGIONS = rows("ogf_azure", "data/regions.csv")
SERVICES = {row["name"]: row["category"] for row in rows("ogf_azure", "data/services.csv")}
LOCATIONS = {row["name"] for row in rows("ogf", "locations.csv")}
CATEGORIES = {row["name"] for row in rows("ogf", "categories.csv")}


def location_of(text: str) -> str:
    """Look a region up as the mappings do: as it stands in lower case, then squeezed."""
    table = {row["code"]: row["location"] for row in REGIONS}
    place = re.sub(r"^\([^)]*\)\s*", "", text.strip()).lower()
    return table.get(place) or table.get(re.sub("[ _-]", "", place), "GLOBAL")


def category_of(kind: str) -> str:
    """Look a service up as the mappings do: by its whole name, then its type, then its namespace."""
    name = kind.strip().lower()
    first, _, rest = name.partition("/")
    parent = f"{first}/{rest.partition('/')[0]}"
    return SERVICES.get(name) or SERVICES.get(parent) or SERVICES.get(f"{first}/*", "cloud_other")


@pytest.mark.parametrize(
    ("table", "key"),
    [("regions.csv", "code"), ("services.csv", "name"), ("errors.csv", "code"), ("clouds.csv", "name")],
)
def test_keys_are_unique_and_no_cell_has_stray_blanks(table, key):
    found = rows("ogf_azure", f"data/{table}")
    assert next(iter(found[0])) == key
    keys = [row[key].casefold() for row in found]
    assert all(keys)
    assert [name for name, times in Counter(keys).items() if times > 1] == []
    for row in found:
        assert None not in row, row
        assert all(cell is not None and cell == cell.strip() for cell in row.values()), row


class TestRegions:
    regions: ClassVar = {row["code"]: row for row in REGIONS if row["kind"] == "code"}

    def test_b132_every_region_has_a_location_and_a_status(self):
        assert len(self.regions) == 97
        for row in REGIONS:
            assert row["location"] in LOCATIONS, row
            assert row["status"] in set("ANSCX"), row
            assert row["code"] == row["code"].lower()

    def test_b132_a_spelling_says_the_same_as_its_region(self):
        same = ("name", "location", "country", "status", "region")
        for row in REGIONS:
            if row["kind"] != "area":
                assert {k: row[k] for k in same} == {k: self.regions[row["region"]][k] for k in same}, row

    def test_b132_no_spelling_is_another_regions_code_or_name_when_squeezed(self):
        owners: dict[str, set[str]] = {}
        for row in REGIONS:
            if row["code"] != "ch north":  # the one trap: Switzerland's with a blank, China's without
                owners.setdefault(re.sub("[ _-]", "", row["code"]), set()).add(row["region"])
        assert {code: found for code, found in owners.items() if len(found) > 1} == {}

    def test_b132_one_country_has_one_location_outside_the_united_states(self):
        by_country: dict[str, set[str]] = {}
        for row in REGIONS:
            by_country.setdefault(row["country"], set()).add(row["location"])
        assert {country for country, found in by_country.items() if country and len(found) > 1} == {"US"}

    @pytest.mark.parametrize(("clouds", "azure"), [
        ("ogf_gcp", {"us-south1": "southcentralus", "europe-west3": "germanywestcentral", "asia-east2": "eastasia",
                     "europe-west2": "uksouth", "asia-northeast1": "japaneast", "asia-southeast1": "southeastasia",
                     "europe-west6": "switzerlandnorth", "southamerica-east1": "brazilsouth"}),
        ("ogf_aws", {"eu-west-1": "northeurope", "eu-central-1": "germanywestcentral", "eu-west-2": "uksouth",
                     "ca-central-1": "canadaeast", "eu-south-1": "italynorth", "eu-west-3": "francecentral",
                     "eu-north-1": "swedencentral", "me-central-1": "uaenorth"}),
    ])  # fmt: skip
    def test_b132_one_city_has_one_location_whatever_the_cloud(self, clouds, azure):
        theirs = {row["code"]: row["location"] for row in rows(clouds, "data/regions.csv")}
        for code, ours in azure.items():
            assert theirs[code] == self.regions[ours]["location"], (code, ours)

    @pytest.mark.parametrize(
        ("code", "location"),
        [
            ("eastus", "US-EAST"), ("westeurope", "EU-WEST"), ("japaneast", "ASIA-PACIFIC"),
            ("brazilsouth", "LATAM"), ("brasilsouth", "LATAM"), ("atlantis", "GLOBAL"),
        ],
    )  # fmt: skip
    def test_b44_regions_of_the_original(self, code, location):
        assert location_of(code) == location

    @pytest.mark.parametrize(
        ("code", "name", "location"),
        [
            ("eastus", "East US", "US-EAST"), ("westus2", "West US 2", "US-WEST"),
            ("centralus", "Central US", "US-CENTRAL"), ("southcentralus", "South Central US", "US-SOUTH"),
            ("westeurope", "West Europe", "EU-WEST"), ("northeurope", "North Europe", "EU-WEST"),
            ("germanywestcentral", "Germany West Central", "EU-CENTRAL"),
            ("norwayeast", "Norway East", "EU-NORTH"), ("southeastasia", "Southeast Asia", "ASIA-PACIFIC"),
            ("canadacentral", "Canada Central", "CANADA"), ("southafricanorth", "South Africa North", "AFRICA"),
        ],
    )  # fmt: skip
    def test_b48_codes_display_names_and_spaced_forms_give_the_same(self, code, name, location):
        assert self.regions[code]["name"] == name
        for text in (code, name, name.lower(), name.upper(), f"(US) {name}", name.replace(" ", "-")):
            assert location_of(text) == location, text

    @pytest.mark.parametrize(
        ("text", "region"),
        [
            ("US East", "eastus"), ("EastUS", "eastus"), ("EU West", "westeurope"), ("europe", "westeurope"),
            ("eu", "eastus"), ("usa", "usgovarizona"), ("se", "koreacentral"), ("ne", "northeurope"),
            ("koreasoouth", "koreasouth"), ("ch north", "switzerlandnorth"), ("chnorth", "chinanorth"),
        ],
    )  # fmt: skip
    def test_b132_spellings_of_real_exports(self, text, region):
        assert location_of(text) == self.regions[region]["location"]
        by_code = {row["code"]: row["region"] for row in REGIONS}
        assert (by_code.get(text.lower()) or by_code[text.lower().replace(" ", "")]) == region

    @pytest.mark.parametrize(
        ("text", "location"),
        [("global", "GLOBAL"), ("Unassigned", "GLOBAL"), ("No Region", "GLOBAL"), ("unitedstates", "US"),
         ("asiapacific", "ASIA-PACIFIC"), ("azurestack", "GLOBAL")],
    )  # fmt: skip
    def test_b132_areas_that_are_no_region_are_known(self, text, location):
        assert re.sub(" ", "", text.lower()) in {row["code"] for row in REGIONS}
        assert location_of(text) == location


class TestServices:
    def test_b133_every_service_has_a_category_of_the_vocabulary(self):
        assert set(SERVICES.values()) <= CATEGORIES

    def test_b133_names_are_folded_so_that_each_maps_once(self):
        assert all(name == name.casefold() for name in SERVICES)

    def test_b133_a_resource_type_is_a_namespace_or_has_one_level(self):
        kinds = [name for name in SERVICES if "/" in name]
        assert len(kinds) > 60
        assert all(re.fullmatch(r"microsoft\.[a-z]+/([a-z]+|\*)", name) for name in kinds)

    @pytest.mark.parametrize(
        ("meter", "service", "kind", "category"),
        [
            ("Virtual Machines", "Virtual Machines", "Microsoft.Compute/virtualMachines", "cloud_compute"),
            ("SQL Database", "Azure SQL Database", "microsoft.sql/servers/databases", "cloud_database"),
            ("Storage", "Storage Accounts", "microsoft.storage/storageaccounts", "cloud_storage"),
            ("Azure App Service", "App Service", "microsoft.web/sites", "cloud_compute_serverless"),
            ("Azure Kubernetes Service", "Azure Container Service", "microsoft.containerservice/managedclusters",
             "cloud_compute_kubernetes"),
            ("Key Vault", "Key Vault", "microsoft.keyvault/vaults", "cloud_security"),
            ("Quantum Abacus", "Azure Marketplace", "microsoft.unheardof/things", "cloud_other"),
        ],
    )  # fmt: skip
    def test_b43_one_service_has_one_category_in_all_three_vocabularies(self, meter, service, kind, category):
        assert {category_of(name) for name in (meter, service, kind)} == {category}

    @pytest.mark.parametrize(
        ("kind", "category"),
        [
            ("microsoft.compute/disks", "cloud_storage"), ("microsoft.compute/snapshots", "cloud_storage"),
            ("microsoft.compute/virtualmachines/extensions", "cloud_compute"),
            ("microsoft.compute/galleries", "cloud_compute"), ("microsoft.network/frontdoors", "cloud_cdn"),
            ("microsoft.network/publicipaddresses", "cloud_network"),
        ],
    )  # fmt: skip
    def test_b43_the_longest_prefix_of_a_resource_type_wins(self, kind, category):
        assert category_of(kind) == category

    @pytest.mark.parametrize("name", ["App Service", "CDN", "Storage Account", "Data Factory"])
    def test_b43_names_of_the_original_stay(self, name):
        assert category_of(name) != "cloud_other"
