"""The S3 server of the AWS tests, and exports to kill runs over: in a folder and on that server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws.conftest import Aws, aws, aws_server, bucket, clean_environment
from faults.killing import Source
from faults.stalling import Stall

from ogf_aws import session

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aws", "aws_server", "bucket", "clean_environment"]


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Exports in a folder."""
    return Source.local(tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="session")
def remote(aws_server: Aws, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The same exports in a bucket."""
    name = "exports-to-kill-over"
    s3 = session.client(aws_server.settings(), "s3")
    s3.create_bucket(Bucket=name)

    def put(key: str, body: bytes) -> None:
        s3.put_object(Bucket=name, Key=key, Body=body)

    env = {
        "OFFGRIDFLOW_AWS_S3_BUCKET": name,
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": aws_server.endpoint_url,
        "OFFGRIDFLOW_AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY": "planted-secret",
        "OFFGRIDFLOW_AWS_RATE_LIMIT_PER_SEC": "1000",
    }
    return Source.make(tmp_path_factory.mktemp("remote"), put, env)


@pytest.fixture
def stall(aws_server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    """The server, able to stall."""
    stall = Stall(aws_server.faults.app)
    monkeypatch.setattr(aws_server.faults, "app", stall)
    yield stall
    stall.go.set()
