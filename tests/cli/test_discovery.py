"""`ogf doctor` and `ogf init --discover`: reports and exports that exist, and permissions that do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aws.discovery_fakes import Billing, export, report

from ogf import config
from ogf.plugins import load

if TYPE_CHECKING:
    from aws.conftest import Aws, Bucket
    from cli.conftest import Place


@pytest.fixture
def billing():
    billing = Billing(
        reports=[
            report("monthly", resources=False),
            report("hourly"),
            report("broken", status="ERROR_NO_BUCKET"),
        ],
        exports=[
            export("costs", "COST_OPTIMIZATION_RECOMMENDATIONS"),
            export("carbon", "CARBON_EMISSIONS"),
            export("focus-new", "FOCUS_1_2_AWS", prefix=""),
            export("focus-old", "FOCUS_1_0_AWS"),
        ],
    )
    with billing.serve():
        yield billing


@pytest.fixture
def asking(empty: Place, aws: Aws, billing: Billing) -> Place:
    empty.env |= {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": aws.endpoint_url,
        **billing.environment,
    }
    return empty


def test_init_sets_the_best_source_of_each_stream(asking: Place) -> None:
    answer = asking("init", "--discover")
    assert "aws cur: hourly report hourly in s3://billing" in answer.stderr
    loaded = config.load(
        path=asking.folder / "ogf.yaml",
        environ={},
        providers={"aws": load("aws").provider.settings},
        installed=["aws", "azure", "gcp"],
    )
    settings = loaded.providers["aws"]
    assert settings.enabled
    assert settings.cur.location == "s3://billing/cur/hourly"
    assert settings.carbon.location == "s3://billing/exports/carbon"
    assert settings.focus.location == "s3://billing/focus-new"
    text = (asking.folder / "ogf.yaml").read_text()
    assert "# not set: focus: export focus-old of FOCUS_1_0_AWS" in text
    assert "broken in s3://billing (its last delivery failed: ERROR_NO_BUCKET)" in text
    assert "planted-secret" not in text + answer.stderr + answer.stdout


def test_a_cur_2_export_comes_before_a_legacy_report(asking: Place, billing: Billing) -> None:
    billing.exports.append(export("cur2", "COST_AND_USAGE_REPORT"))
    asking("init", "--discover")
    assert "location: s3://billing/exports/cur2" in (asking.folder / "ogf.yaml").read_text()


def test_an_unhealthy_export_comes_last(asking: Place, billing: Billing) -> None:
    billing.unhealthy = {"focus-new"}
    asking("init", "--discover")
    assert "location: s3://billing/exports/focus-old" in (asking.folder / "ogf.yaml").read_text()


def test_doctor_names_what_is_there_and_not_read(asking: Place, bucket: Bucket) -> None:
    bucket.put("x/readme.txt", b"x")
    answer = asking(
        "doctor", "--provider", "aws", code=1, OFFGRIDFLOW_AWS_FOCUS_LOCATION="s3://billing/focus-new"
    )
    assert "ok    aws carbon: found: export carbon of CARBON_EMISSIONS in s3://billing" in answer.stdout
    assert "set carbon.location: s3://billing/exports/carbon" in answer.stdout
    assert "focus-new" not in answer.stdout.replace("s3://billing/focus-new", "")


def test_whoever_may_not_look_for_exports_is_told_how(asking: Place, billing: Billing) -> None:
    billing.services["bcm-data-exports"].fail("AccessDeniedException", 403)
    answer = asking("init", "--discover")
    assert "exports were not looked for" in answer.stderr
    assert "bcm-data-exports:ListExports" in answer.stderr
    assert "location: s3://billing/cur/hourly" in (asking.folder / "ogf.yaml").read_text()


def test_doctor_writes_one_policy_for_all_that_is_missing(
    asking: Place, bucket: Bucket, billing: Billing
) -> None:
    billing.services["cur"].fail("AccessDeniedException", 403, times=9)
    bucket.aws.faults.inject("list-type=2", "403 Forbidden", "AccessDenied", times=2)
    env = {"OFFGRIDFLOW_AWS_S3_BUCKET": bucket.name, "OFFGRIDFLOW_AWS_S3_PREFIX": "cur"}
    answer = asking("doctor", "--provider", "aws", "--json", code=1, **env)
    (policy,) = json.loads(answer.stdout)["policies"]
    assert json.loads(policy["document"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["cur:DescribeReportDefinitions"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": f"arn:aws:s3:::{bucket.name}"},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{bucket.name}/*"},
        ],
    }
    shown = asking("doctor", "--provider", "aws", code=1, **env).stdout
    assert "AWS: an IAM policy that grants what is missing" in shown
    assert json.loads(shown[shown.index("\n{") :])["Version"] == "2012-10-17"


def test_an_object_whose_head_can_be_read_wants_its_key(asking: Place, bucket: Bucket) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    name = "cur/monthly/20260101-20260201/monthly-Manifest.json"
    bucket.s3.put_object(
        Bucket=bucket.name, Key=name, Body=b"{}", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    bucket.aws.faults.inject(f"GET /{bucket.name}/{name}", "403 Forbidden", "AccessDenied", times=2)
    answer = asking("doctor", "--provider", "aws", "--json", code=1, OFFGRIDFLOW_AWS_S3_BUCKET=bucket.name)
    (policy,) = json.loads(answer.stdout)["policies"]
    assert {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": key} in json.loads(policy["document"])[
        "Statement"
    ]


def test_without_credentials_nothing_is_asked(empty: Place, billing: Billing) -> None:
    empty("init", "--discover", **billing.environment)
    assert all(fake.calls == [] for fake in billing.services.values())


def test_a_configuration_of_local_folders_asks_nobody(place: Place, billing: Billing) -> None:
    place("doctor", AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="x", **billing.environment)
    assert all(fake.calls == [] for fake in billing.services.values())
