from __future__ import annotations

import csv
from importlib.resources import files
from typing import ClassVar

import pytest

TABLES = {
    ("ogf_aws", "data/errors.csv"): "code",
    ("ogf_aws", "data/permissions.csv"): "operation",
    ("ogf_aws", "data/regions.csv"): "code",
    ("ogf_aws", "data/region_prefixes.csv"): "prefix",
    ("ogf_aws", "data/region_names.csv"): "name",
    ("ogf_aws", "data/services.csv"): "name",
    ("ogf", "units.csv"): "spelling",
    ("ogf", "locations.csv"): "name",
    ("ogf", "categories.csv"): "name",
}
LOCATIONS = frozenset(
    [
        "US-EAST",
        "US-CENTRAL",
        "US-SOUTH",
        "US-WEST",
        "CANADA",
        "LATAM",
        "EU-WEST",
        "EU-CENTRAL",
        "EU-NORTH",
        "EU-SOUTH",
        "ASIA-PACIFIC",
        "MENA",
        "AFRICA",
        "US",
        "EU",
        "GLOBAL",
    ]
)
CATEGORIES = frozenset(
    [
        "cloud_compute",
        "cloud_compute_serverless",
        "cloud_compute_containers",
        "cloud_compute_kubernetes",
        "cloud_database",
        "cloud_storage",
        "cloud_cdn",
        "cloud_network",
        "data_transfer",
        "data_processing",
        "data_warehouse",
        "cloud_other",
        "cloud_ai",
        "cloud_integration",
        "cloud_management",
        "cloud_security",
        "cloud_support",
    ]
)


def rows(package: str, name: str) -> list[dict[str, str]]:
    with files(package).joinpath(name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def mapping(package: str, name: str) -> dict[str, str]:
    """First column → second."""
    return {key: value for key, value, *_ in (row.values() for row in rows(package, name))}


@pytest.mark.parametrize(
    ("table", "key"), TABLES.items(), ids=lambda value: value[1] if isinstance(value, tuple) else value
)
def test_keys_are_unique_and_no_cell_has_stray_blanks(table, key):
    found = rows(*table)
    assert next(iter(found[0])) == key
    keys = [row[key] for row in found]
    assert len(set(keys)) == len(keys)
    assert all(keys)
    for row in found:
        assert None not in row, row
        assert all(cell is not None and cell == cell.strip() for cell in row.values()), row


def test_the_vocabularies_are_offgridflows():
    assert {row["name"] for row in rows("ogf", "locations.csv")} == LOCATIONS
    assert {row["name"] for row in rows("ogf", "categories.csv")} == CATEGORIES
    for table in ("locations.csv", "categories.csv"):
        assert all(row["description"] for row in rows("ogf", table))


class TestRegions:  # B132
    regions = rows("ogf_aws", "data/regions.csv")
    codes: ClassVar = {region["code"]: region for region in regions}

    def test_every_region_has_a_location_a_country_and_a_status(self):
        for region in self.regions:
            assert region["location"] in LOCATIONS - {"US", "EU"}
            assert region["status"] in "ANSX"
            assert bool(region["country"]) == (region["location"] != "GLOBAL")

    def test_codes_and_names_are_unique_in_any_case(self):
        for column in ("code", "name"):
            values = [region[column].casefold() for region in self.regions]
            assert len(set(values)) == len(values)
        assert all(code == code.lower() for code in self.codes)

    @pytest.mark.parametrize(
        ("code", "location"),
        [
            ("us-east-1", "US-EAST"), ("us-west-2", "US-WEST"), ("ca-central-1", "CANADA"), ("sa-east-1", "LATAM"),
            ("eu-west-1", "EU-WEST"), ("eu-central-1", "EU-CENTRAL"), ("eu-central-2", "EU-CENTRAL"),
            ("eu-north-1", "EU-NORTH"), ("eu-south-1", "EU-SOUTH"), ("eu-south-2", "EU-SOUTH"),
            ("cn-north-1", "ASIA-PACIFIC"), ("il-central-1", "MENA"), ("af-south-1", "AFRICA"), ("global", "GLOBAL"),
        ],
    )  # fmt: skip
    def test_location_says_where_the_data_centre_stands(self, code, location):
        assert self.codes[code]["location"] == location

    def test_one_country_has_one_location_outside_the_united_states(self):
        by_country: dict[str, set[str]] = {}
        for region in self.regions:
            by_country.setdefault(region["country"], set()).add(region["location"])
        assert {country for country, found in by_country.items() if len(found) > 1} == {"US"}

    def test_every_region_of_the_sdk_is_mapped(self):
        import boto3

        session = boto3.Session()
        known = {
            region
            for partition in session.get_available_partitions()
            if "iso" not in partition
            for region in session.get_available_regions("ec2", partition_name=partition)
        }
        assert known <= set(self.codes)

    @pytest.mark.parametrize("table", ["data/region_prefixes.csv", "data/region_names.csv"])
    def test_aliases_point_at_regions_and_equal_no_other_code(self, table):
        for alias, code in mapping("ogf_aws", table).items():
            assert code in self.codes
            assert alias.casefold() not in self.codes or alias.casefold() == code

    def test_every_name_is_its_own_alias(self):
        names = mapping("ogf_aws", "data/region_names.csv")
        assert all(name == name.lower() for name in names)
        for region in self.regions:
            if region["location"] != "GLOBAL":
                assert names[region["name"].lower()] == region["code"]

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("EU (Ireland)", "eu-west-1"), ("Europe (Ireland)", "eu-west-1"), ("EU (Milan)", "eu-south-1"),
            ("Asia Pacific (Osaka-Local)", "ap-northeast-3"), ("US East (Northern Virginia)", "us-east-1"),
            ("South America (São Paulo)", "sa-east-1"), ("South America (Sao Paulo)", "sa-east-1"),
        ],
    )  # fmt: skip
    def test_old_spellings_of_names(self, name, code):
        assert mapping("ogf_aws", "data/region_names.csv")[name.lower()] == code

    @pytest.mark.parametrize(
        ("prefix", "code"),
        [
            ("USE1", "us-east-1"), ("EU", "eu-west-1"), ("EUW1", "eu-west-1"), ("APS1", "ap-southeast-1"),
            ("APS3", "ap-south-1"), ("CPT", "af-south-1"), ("AFS1", "af-south-1"), ("UGW1", "us-gov-west-1"),
        ],
    )  # fmt: skip
    def test_usage_type_prefixes(self, prefix, code):
        assert mapping("ogf_aws", "data/region_prefixes.csv")[prefix] == code

    def test_every_available_region_has_a_prefix(self):
        prefixed = set(mapping("ogf_aws", "data/region_prefixes.csv").values())
        available = {
            code for code, region in self.codes.items() if region["status"] == "A" and region["country"]
        }
        assert available <= prefixed


class TestServices:  # B133
    services = mapping("ogf_aws", "data/services.csv")

    def test_every_service_has_a_category_of_the_vocabulary(self):
        assert set(self.services.values()) == CATEGORIES

    def test_names_are_folded_so_that_each_maps_once(self):
        assert all(name == name.casefold() for name in self.services)

    @pytest.mark.parametrize(
        ("name", "category"),
        [
            ("AmazonEC2", "cloud_compute"), ("AWSLambda", "cloud_compute_serverless"),
            ("AmazonECS", "cloud_compute_containers"), ("AmazonEKS", "cloud_compute_kubernetes"),
            ("AmazonRDS", "cloud_database"), ("AmazonS3", "cloud_storage"), ("AmazonDynamoDB", "cloud_database"),
            ("AmazonCloudFront", "cloud_cdn"), ("AmazonVPC", "cloud_network"), ("AWSDataTransfer", "data_transfer"),
        ],
    )  # fmt: skip
    def test_the_originals_ten_entries_keep_their_category(self, name, category):
        assert self.services[name.casefold()] == category

    @pytest.mark.parametrize(
        ("name", "category"),
        [
            ("awskms", "cloud_security"), ("datapipeline", "data_processing"), ("AmazonBraket", "cloud_other"),
            ("Amazon Elastic Compute Cloud - Compute", "cloud_compute"), ("EC2 - Other", "cloud_other"),
            ("AmazonCloudWatch", "cloud_management"), ("AWS Key Management Service", "cloud_security"),
            ("EC2", "cloud_compute"), ("S3", "cloud_storage"), ("CloudFront", "cloud_cdn"), ("Other", "cloud_other"),
        ],
    )  # fmt: skip
    def test_codes_display_names_and_the_names_of_the_carbon_export(self, name, category):
        assert self.services[name.casefold()] == category

    def test_an_ambiguous_display_name_is_left_to_its_usage_type(self):
        assert "amazon elastic compute cloud" not in self.services


class TestUnits:  # B134
    units = mapping("ogf", "units.csv")

    def test_a_canonical_spelling_stays_itself(self):
        for canonical in set(self.units.values()):
            assert self.units[canonical] == canonical

    @pytest.mark.parametrize(
        ("spelling", "canonical"),
        [
            ("Hrs", "hours"), ("GB-Mo", "GB-month"), ("GB", "GB"), ("Requests", "requests"),
            ("Lambda-GB-Sec", "GB-seconds"), ("Lambda-GB-Second", "GB-seconds"), ("GB-Mp", "GB-month"),
            ("GB-Hours", "gb-hours"), ("GB/Hour", "GB-hour"), ("vCPU-Hours", "vcpu-hours"),
            ("mtCO2e", "MTCO2e"), ("IOPS-Mo", "iops-month"), ("GiB/Month", "gibibyte month"), ("Obj-Month", "object-month"),
            ("count", "requests"), ("Count", "units"), ("1", "units"),
        ],
    )  # fmt: skip
    def test_spellings(self, spelling, canonical):
        assert self.units[spelling] == canonical
