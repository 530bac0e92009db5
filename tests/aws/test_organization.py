"""Names of accounts from AWS Organizations, in rows that have ids alone."""

from __future__ import annotations

import contextlib

import boto3
import pytest
from aws.carbon_files import row
from aws.cur_files import Warehouse, csv_file, gz, lines, put_legacy, s3_settings
from aws.service_fake import ServiceFake
from aws.sustainability import Sustainability

SHOP, OTHER = "000000000007", "000000000008"


@pytest.fixture
def organization(monkeypatch):
    """An organization in pages of one account."""

    def answer(given):
        accounts = [{"Id": SHOP, "Name": "shop"}, {"Id": "000000000009", "Name": 'it\'s "ours"'}]
        number = int(given.get("NextToken", 0))
        more = {"NextToken": str(number + 1)} if number + 1 < len(accounts) else {}
        return {"Accounts": accounts[number : number + 1], **more}

    with ServiceFake("organizations", {"ListAccounts": answer}) as fake:
        monkeypatch.setenv(*fake.environment)
        yield fake
    assert fake.mistakes == []


@pytest.fixture
def warehouse(tmp_path, bucket):
    files = [lines(2, line_item_usage_account_id=SHOP), lines(1, line_item_usage_account_id=OTHER)]
    put_legacy(bucket.put, [gz(csv_file(rows)) for rows in files])
    return Warehouse(tmp_path / "ogf.duckdb", f"s3://{bucket.name}", **s3_settings(bucket))


def names(warehouse):
    return warehouse.query("SELECT DISTINCT account_id, account_name FROM activities ORDER BY ALL")


def test_fill_in_what_a_report_lacks(warehouse, organization):
    assert warehouse.run().status == "succeeded"
    assert names(warehouse) == [(SHOP, "shop"), (OTHER, None)]
    assert len(organization.calls) == 2


def test_come_from_a_real_server_too(tmp_path, bucket, aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_ORGANIZATIONS", aws.endpoint_url)
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
    service = boto3.client("organizations", endpoint_url=aws.endpoint_url, **keys)
    with contextlib.suppress(service.exceptions.AlreadyInOrganizationException):
        service.create_organization(FeatureSet="ALL")
    made = service.create_account(AccountName="made", Email="made@example.com")["CreateAccountStatus"]
    body = gz(csv_file(lines(1, line_item_usage_account_id=made["AccountId"])))
    put_legacy(bucket.put, [body], prefix="moto/")
    moto = Warehouse(tmp_path / "ogf.duckdb", f"s3://{bucket.name}/moto", **s3_settings(bucket))
    assert moto.run().status == "succeeded"
    assert names(moto) == [(made["AccountId"], "made")]


def test_a_refusal_is_no_fault_and_known_names_stay(warehouse, organization):
    organization.fail("AccessDeniedException", 400)
    assert warehouse.run().status == "succeeded"
    assert names(warehouse) == [(SHOP, None), (OTHER, None)]
    warehouse.run()
    organization.fail("AccessDeniedException", 400)
    warehouse.run(full=True)
    assert names(warehouse) == [(SHOP, "shop"), (OTHER, None)]


def test_can_be_switched_off(warehouse, organization):
    warehouse.run(ingestion__aws__account_names="no")
    assert organization.calls == []
    assert names(warehouse) == [(SHOP, None), (OTHER, None)]


def test_are_not_asked_of_an_s3_server(warehouse, bucket):
    bucket.aws.faults.calls.clear()
    warehouse.run()
    assert all(line.startswith(("GET ", "HEAD ")) for line in bucket.aws.faults.calls)


def test_fill_in_what_the_sustainability_api_lacks(tmp_path, aws, organization, monkeypatch):
    with Sustainability(row(usage_account_id=SHOP)) as service:
        monkeypatch.setenv(*service.environment)
        settings = {
            "ingestion__aws__endpoint_url": aws.endpoint_url,
            "ingestion__aws__access_key_id": "AKIAEXAMPLE",
            "ingestion__aws__secret_access_key": "planted-secret",
            "ingestion__aws__carbon_api__enabled": "yes",
        }
        warehouse = Warehouse(tmp_path / "ogf.duckdb", tmp_path / "nothing", **settings)
        del warehouse.settings["ingestion.aws.cur.location"]
        assert warehouse.run().status == "succeeded"
    assert names(warehouse) == [(SHOP, "shop")]
