from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from ogf.config import load
from ogf.errors import ConfigError, ExitCode
from ogf_aws.settings import AwsSettings, location_of

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "planted-secret"}


def aws(path: Path | None = None, **environ: str) -> AwsSettings:
    config = load(path=path, environ=environ, providers={"aws": AwsSettings})
    return config.providers["aws"]


def mistakes(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        AwsSettings.model_validate(values)
    return str(caught.value)


def test_b10_minimal_settings_have_the_documented_defaults():
    settings = AwsSettings()
    assert (settings.rate_limit_per_sec, settings.rate_limit_capacity) == (5.0, 100)
    assert (settings.max_retries, settings.request_timeout) == (3, 30.0)
    assert (settings.max_pages, settings.page_size) == (1000, 1000)
    assert settings.region == "us-east-1"
    assert not settings.enabled
    assert not settings.cur.keeps_history


def test_b11_a_capacity_below_one_is_told_with_its_setting_and_variable():
    with pytest.raises(ConfigError) as caught:
        aws(OFFGRIDFLOW_AWS_RATE_LIMIT_CAPACITY="-1")
    assert "ingestion.aws.rate_limit_capacity (OFFGRIDFLOW_AWS_RATE_LIMIT_CAPACITY)" in str(caught.value)
    assert "-1" in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limit_per_sec", 0),
        ("max_retries", 0),
        ("request_timeout", "500ms"),
        ("page_size", 1001),
        ("page_size", 0),
    ],
)
def test_limits_have_bounds(name, value):
    assert name in mistakes(**{name: value})


def test_every_setting_of_the_original_has_its_variable():
    settings = aws(
        OFFGRIDFLOW_AWS_INGEST_ENABLED="yes",
        OFFGRIDFLOW_AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY="planted-secret",
        OFFGRIDFLOW_AWS_REGION="eu-west-1",
        OFFGRIDFLOW_AWS_ROLE_ARN="arn:aws:iam::123456789012:role/reader",
        OFFGRIDFLOW_AWS_EXTERNAL_ID="ext",
        OFFGRIDFLOW_AWS_ACCOUNT_ID="012345678901",
        OFFGRIDFLOW_AWS_S3_BUCKET="exports",
        OFFGRIDFLOW_AWS_S3_PREFIX="/cur/",
        OFFGRIDFLOW_AWS_ORG_ID="org",
        OFFGRIDFLOW_AWS_CUR_KEEPS_HISTORY="on",
    )
    assert settings.enabled
    assert settings.secret_access_key.get_secret_value() == "planted-secret"
    assert settings.account_id == "012345678901"
    assert (settings.bucket, settings.prefix) == ("exports", "cur")
    assert (settings.org_id, settings.external_id) == ("org", "ext")
    assert settings.cur.keeps_history


def test_the_originals_yaml_names_are_accepted(tmp_path):
    path = tmp_path / "ogf.yaml"
    path.write_text('ingestion:\n  aws:\n    s3_bucket: exports\n    s3_prefix: cur/\n    role_arn: ""\n')
    settings = aws(path)
    assert (settings.bucket, settings.prefix, settings.role_arn) == ("exports", "cur", None)


@pytest.mark.parametrize(
    ("given", "absent"), [("access_key_id", "secret_access_key"), ("secret_access_key", "access_key_id")]
)
def test_one_half_of_a_key_pair_asks_for_the_other(given, absent):
    with pytest.raises(ConfigError) as caught:
        aws(**{f"OFFGRIDFLOW_AWS_{given.upper()}": "planted-secret"})
    assert f"ingestion.aws.{absent} (OFFGRIDFLOW_AWS_{absent.upper()})" in str(caught.value)


def test_what_is_of_no_use_alone_is_refused():
    assert "session_token" in mistakes(session_token="planted-secret")
    assert "external_id" in mistakes(external_id="ext")
    AwsSettings(**KEYS, session_token="planted-secret")
    AwsSettings(role_arn="arn:aws-us-gov:iam::123456789012:role/path/reader", external_id="ext")


@pytest.mark.parametrize("yaml", ["012345670123", '"012345670123"'])
def test_an_account_id_in_a_file_keeps_its_leading_zeros(tmp_path, yaml):
    path = tmp_path / "ogf.yaml"
    path.write_text(f"ingestion:\n  aws:\n    account_id: {yaml}\n")
    assert aws(path).account_id == "012345670123"


def test_an_account_id_is_twelve_digits():
    assert "leading zeros" in mistakes(account_id=123456789012)
    assert "12 digits" in mistakes(account_id="1234")
    assert "12 digits" in mistakes(account_id="12345678901x")
    assert AwsSettings(account_id="").account_id is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role_arn", "reader"),
        ("role_arn", "arn:aws:iam::123456789012:user/reader"),
        ("bucket", "s3://exports"),
        ("bucket", "exports/cur"),
        ("endpoint_url", "127.0.0.1:9000"),
        ("endpoint_url", "http://user:planted@127.0.0.1"),
        ("region", " "),
    ],
)
def test_values_that_cannot_be_meant(name, value):
    text = mistakes(**{name: value})
    assert name in text
    assert "planted" not in text


@pytest.mark.parametrize("prefix", ["cur", "/cur", "cur/", "//cur//"])
def test_slashes_around_a_prefix_do_not_matter(prefix):
    assert location_of(AwsSettings(bucket="exports", prefix=prefix), "cur") == "s3://exports/cur"


def test_a_location_wins_over_bucket_and_prefix():
    assert location_of(AwsSettings(bucket="exports"), "cur") == "s3://exports"
    settings = AwsSettings.model_validate(
        {"bucket": "exports", "prefix": "cur", "cur": {"location": "./exports"}}
    )
    assert location_of(settings, "cur") == "./exports"


def test_what_is_missing_is_named():
    (missing,) = AwsSettings().missing("cur")
    assert "ingestion.aws.cur.location (OFFGRIDFLOW_AWS_CUR_LOCATION)" in missing
    assert "ingestion.aws.bucket (OFFGRIDFLOW_AWS_S3_BUCKET)" in missing
    assert AwsSettings(bucket="exports").missing("cur") == []
    assert AwsSettings.model_validate({"cur": {"location": "."}}).missing("cur") == []
    with pytest.raises(ConfigError, match=r"cur\.location"):
        location_of(AwsSettings(), "cur")


def test_secrets_do_not_show():
    settings = AwsSettings(**KEYS, session_token="planted-secret")
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "planted" not in text
