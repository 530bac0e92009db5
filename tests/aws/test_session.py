from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import NoCredentialsError

from ogf.errors import ErrorClass, SourceError
from ogf_aws import session
from ogf_aws.errors import classify
from ogf_aws.session import client, credentials_source
from ogf_aws.settings import AwsSettings

ROLE = "arn:aws:iam::123456789012:role/reader"
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>planted-{number}</SecretAccessKey>
<SessionToken>planted-token</SessionToken><Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
<AssumedRoleUser><AssumedRoleId>A:ogf</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/reader/ogf</Arn>
</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""


def assumed(aws) -> int:
    return sum("AssumeRole" in line for line in aws.faults.calls)


def test_importing_the_plugins_modules_imports_no_sdk():
    program = (
        "import sys, ogf_aws.session, ogf_aws.s3, ogf_aws.errors, ogf_aws.settings;"
        "sys.exit(any(name.split('.')[0] in ('boto3', 'botocore') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_equal_settings_share_one_client_per_service(aws):
    assert client(aws.settings(), "s3") is client(aws.settings(), "s3")
    assert client(aws.settings(), "s3") is not client(aws.settings(region="eu-west-1"), "s3")
    assert client(aws.settings(), "s3") is not client(aws.settings(), "sts")


def test_threads_share_one_client(aws):
    settings, found = aws.settings(), []
    threads = [threading.Thread(target=lambda: found.append(client(settings, "s3"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1


def test_a_client_leaves_retries_to_the_runner_and_keeps_its_time_limit(aws):
    config = client(aws.settings(request_timeout=7), "s3").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout) == (7, 7)
    assert "ogf/" in config.user_agent_extra


def test_given_keys_are_used(aws):
    settings = aws.settings(session_token="planted-token")
    credentials = client(settings, "s3")._get_credentials()
    assert (credentials.access_key, credentials.token) == ("AKIAEXAMPLE", "planted-token")
    assert "configuration" in credentials_source(settings)


def test_without_keys_the_sdks_chain_decides(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    assert credentials_source(AwsSettings()) == "environment variables"


def test_a_profile_is_read_from_the_configuration_file(monkeypatch, tmp_path):
    path = tmp_path / "config"
    path.write_text(
        "[profile billing]\naws_access_key_id = AKIAFILE\naws_secret_access_key = planted-secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    assert credentials_source(AwsSettings(profile="billing")) == "the AWS configuration file"
    with pytest.raises(SourceError, match="absent") as caught:
        client(AwsSettings(profile="absent"), "s3")
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    assert "`profile`" in caught.value.hint


def test_no_credentials_at_all(aws):
    settings = aws.settings(access_key_id=None, secret_access_key=None)
    assert credentials_source(settings) is None
    with pytest.raises(NoCredentialsError):
        client(settings, "sts").get_caller_identity()
    with pytest.raises(SourceError) as caught:
        client(settings.model_copy(update={"role_arn": ROLE}), "s3")
    assert caught.value.error_class is ErrorClass.AUTH


class TestRole:
    def test_is_assumed_when_first_needed(self, aws, bucket):
        settings = aws.settings(role_arn=ROLE, external_id="ext-1")
        sts = client(settings, "sts")
        assert assumed(aws) == 0
        assert sts.get_caller_identity()["Arn"].endswith("assumed-role/reader/ogf")
        client(settings, "s3").list_objects_v2(Bucket=bucket.name)
        assert assumed(aws) == 1
        assert credentials_source(settings) == "role_arn"

    def test_is_assumed_again_before_its_credentials_expire(self, aws, bucket):
        now = datetime.now(UTC)
        aws.faults.answer("AssumeRole", ASSUMED.format(number=1, expiration=now + timedelta(seconds=60)))
        aws.faults.answer("AssumeRole", ASSUMED.format(number=2, expiration=now + timedelta(hours=1)))
        s3 = client(aws.settings(role_arn=ROLE), "s3")
        for _ in range(3):
            s3.list_objects_v2(Bucket=bucket.name)
        assert assumed(aws) == 2
        assert s3._get_credentials().get_frozen_credentials().access_key == "ASIA2"

    def test_that_may_not_be_assumed_names_the_permission(self, aws, bucket):
        aws.faults.inject("AssumeRole", "403 Forbidden", "AccessDenied")
        with pytest.raises(Exception) as caught:
            client(aws.settings(role_arn=ROLE), "s3").list_objects_v2(Bucket=bucket.name)
        verdict = classify(caught.value)
        assert verdict.error_class is ErrorClass.AUTH
        assert "sts:AssumeRole" in verdict.hint


def test_no_secret_shows(aws):
    settings = aws.settings(session_token="planted-token", role_arn=ROLE)
    s3 = client(settings, "s3")
    access = session._access(settings)
    for value in (settings, access, s3, s3.meta.config, session._session(access)):
        assert "planted" not in repr(value)
        assert "planted" not in str(value)
    assert b"planted" not in pickle.dumps(settings)
