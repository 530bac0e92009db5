from __future__ import annotations

import json

import pytest
from aws.service_fake import ServiceFake

from ogf_aws.doctor import check
from ogf_aws.settings import AwsSettings

MONTH = "20260101-20260201"
MANIFEST = {
    "assemblyId": "a1",
    "account": "123456789012",
    "reportName": "monthly",
    "columns": [],
    "charset": "UTF-8",
    "compression": "GZIP",
    "contentType": "text/csv",
    "billingPeriod": {"start": "20260101T000000.000Z", "end": "20260201T000000.000Z"},
    "bucket": "exports",
    "reportKeys": [f"cur/monthly/{MONTH}/a1/monthly-1.csv.gz"],
}
KEY = f"monthly/{MONTH}/monthly-Manifest.json"


class Ctx:
    """The little of a context that the checks need."""

    def __init__(self, settings: AwsSettings):
        self.settings = settings
        self.cache = {}
        self.calls = []

    def call(self, function, *args, **named):
        self.calls.append(function)
        return function(*args, **named)


def outcome(settings: AwsSettings) -> dict[str, bool]:
    return {found.name: found.ok for found in check(Ctx(settings), "cur")}


def last(settings: AwsSettings):
    return list(check(Ctx(settings), "cur"))[-1]


def reading(folder) -> AwsSettings:
    return AwsSettings.model_validate({"cur": {"location": str(folder)}})


def test_without_a_location_the_settings_to_make_are_named():
    (found,) = check(Ctx(AwsSettings()), "cur")
    assert not found.ok
    assert "OFFGRIDFLOW_AWS_S3_BUCKET" in found.hint


def test_a_place_that_cannot_be_read_from_is_refused_with_the_settings():
    with pytest.raises(ValueError, match="s3://"):
        reading("gs://exports")


class TestBucket:
    def test_passes_every_step_and_shows_no_secret(self, bucket, aws):
        bucket.put(f"cur/{KEY}", json.dumps(MANIFEST).encode())
        ctx = Ctx(aws.settings(bucket=bucket.name, prefix="cur"))
        found = list(check(ctx, "cur"))
        assert [(item.name, item.ok) for item in found] == [
            ("credentials", True), ("identity", True), ("bucket", True), ("manifest", True),
        ]  # fmt: skip
        assert KEY in found[-1].detail
        assert "planted" not in str(found)
        assert len(ctx.calls) >= 4

    def test_stops_at_missing_credentials(self, aws):
        settings = aws.settings(access_key_id=None, secret_access_key=None, bucket="exports")
        assert outcome(settings) == {"credentials": False}
        assert "access_key_id" in last(settings).hint

    def test_stops_at_rejected_credentials(self, aws, bucket):
        aws.faults.inject("GetCallerIdentity", "403 Forbidden", "InvalidClientTokenId")
        assert outcome(aws.settings(bucket=bucket.name)) == {"credentials": True, "identity": False}

    def test_goes_on_where_there_is_no_sts(self, aws, bucket):
        aws.faults.inject("GetCallerIdentity", "501 Not Implemented", "NotImplemented")
        found = list(check(Ctx(aws.settings(bucket=bucket.name)), "cur"))
        assert found[1].ok
        assert "not verified" in found[1].detail
        assert found[2].name == "bucket"

    def test_names_the_permission_to_list(self, aws, bucket):
        aws.faults.inject("list-type=2", "403 Forbidden", "AccessDenied")
        found = last(aws.settings(bucket=bucket.name))
        assert (found.name, found.ok) == ("bucket", False)
        assert "s3:ListBucket" in found.hint
        assert bucket.name in found.detail

    def test_says_when_nothing_lies_there(self, aws, bucket):
        found = last(aws.settings(bucket=bucket.name, prefix="nothing"))
        assert (found.name, found.ok) == ("bucket", False)
        assert "prefix" in found.hint

    def test_names_the_permission_to_read(self, aws, bucket):
        bucket.put(f"cur/{KEY}", json.dumps(MANIFEST).encode())
        aws.faults.inject(f"{KEY}", "403 Forbidden", "AccessDenied")
        found = last(aws.settings(bucket=bucket.name, prefix="cur"))
        assert (found.name, found.ok) == ("manifest", False)
        assert "s3:GetObject" in found.hint

    def test_says_when_there_is_no_manifest(self, aws, bucket):
        bucket.put("cur/readme.txt", b"x")
        found = last(aws.settings(bucket=bucket.name, prefix="cur"))
        assert (found.name, found.ok) == ("manifest", False)


class TestFolder:
    def test_that_is_absent(self, tmp_path):
        found = last(reading(tmp_path / "absent"))
        assert (found.name, found.ok) == ("folder", False)
        assert "`location`" in found.hint

    def test_that_is_empty(self, tmp_path):
        assert outcome(reading(tmp_path)) == {"folder": True, "exports": False}

    def test_with_a_manifest(self, tmp_path):
        path = tmp_path / KEY
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(MANIFEST))
        assert outcome(reading(tmp_path)) == {"folder": True, "exports": True}

    def test_with_data_files_only(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "January.CSV.gz").write_bytes(b"")
        found = last(reading(tmp_path))
        assert found.ok
        assert "January.CSV.gz" in found.detail


class TestCostExplorer:
    def test_is_tried_with_one_request_and_says_what_it_cost(self, aws, monkeypatch):
        with ServiceFake("ce", {"GetCostAndUsage": lambda _: {"ResultsByTime": []}}) as fake:
            monkeypatch.setenv(*fake.environment)
            ctx = Ctx(aws.settings(cost_explorer={"enabled": "yes"}))
            found = list(check(ctx, "cost_explorer"))
        assert [item.ok for item in found] == [True, True, True]
        assert "$0.01" in found[-1].detail
        assert (len(fake.calls), fake.mistakes) == (1, [])

    def test_a_refusal_names_the_permission(self, aws, monkeypatch):
        with ServiceFake("ce", {}) as fake:
            monkeypatch.setenv(*fake.environment)
            fake.fail("AccessDeniedException")
            found = list(check(Ctx(aws.settings(cost_explorer={"enabled": "yes"})), "cost_explorer"))[-1]
        assert not found.ok
        assert "ce:GetCostAndUsage" in found.hint
        assert found.missing == (("ce:GetCostAndUsage", "*"),)
