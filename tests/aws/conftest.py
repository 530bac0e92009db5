"""A real S3 and STS on loopback (moto), with a wrapper that injects faults in front of it."""

from __future__ import annotations

import io
import os
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from ogf_aws import session
from ogf_aws.settings import AwsSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Fault:
    """What to answer to the next requests whose line contains `part`."""

    part: str
    status: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    keep: int | None = None  # pass the request on, but cut the answer's body to this many bytes


class Faults:
    """A WSGI wrapper. A request's line is `GET /bucket/key?query`, or `POST / AssumeRole` for STS."""

    def __init__(self, app):
        self.app = app
        self.queue: list[Fault] = []
        self.calls: list[str] = []

    def inject(self, part: str, status: str, code: str = "", *, times: int = 1, headers=None) -> None:
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode() if code else b""
        self.queue += [Fault(part, status, body, headers or {})] * times

    def answer(self, part: str, body: str) -> None:
        self.queue.append(Fault(part, "200 OK", body.encode()))

    def truncate(self, part: str, *, keep: int) -> None:
        self.queue.append(Fault(part, keep=keep))

    def clear(self) -> None:
        self.queue.clear()
        self.calls.clear()

    def __call__(self, environ, start_response):
        line = self._line(environ)
        self.calls.append(line)
        fault = next((fault for fault in self.queue if fault.part in line), None)
        if fault is None:
            return self.app(environ, start_response)
        self.queue.remove(fault)
        if fault.keep is not None:
            return [b"".join(self.app(environ, start_response))[: fault.keep]]
        headers = {"content-type": "application/xml", "content-length": str(len(fault.body)), **fault.headers}
        start_response(fault.status, list(headers.items()))
        return [fault.body]

    @staticmethod
    def _line(environ) -> str:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if environ.get("QUERY_STRING"):
            line += f"?{environ['QUERY_STRING']}"
        if environ["REQUEST_METHOD"] == "POST":
            line += f" {parse_qs(body.decode(errors='replace')).get('Action', [''])[0]}"
        return line


@dataclass
class Aws:
    endpoint_url: str
    faults: Faults

    def settings(self, **values) -> AwsSettings:
        given = {
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": "planted-secret",
            "endpoint_url": self.endpoint_url,
            "request_timeout": 5,
        }
        return AwsSettings.model_validate(given | values)


@dataclass
class Bucket:
    name: str
    aws: Aws

    @property
    def s3(self):
        return session.client(self.aws.settings(), "s3")

    def put(self, key: str, body: bytes = b"") -> str:
        """Store an object; gives its ETag."""
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body)["ETag"].strip('"')


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Aws]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    faults = Faults(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, faults, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Aws(f"http://127.0.0.1:{server.port}", faults)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """Keep this machine's own AWS and OffGridFlow configuration out of the tests."""
    for name in os.environ:
        if name.startswith(("AWS_", "OFFGRIDFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    session.reset()
    yield
    session.reset()


@pytest.fixture
def aws(aws_server: Aws) -> Iterator[Aws]:
    aws_server.faults.clear()
    yield aws_server
    aws_server.faults.clear()


@pytest.fixture
def bucket(aws: Aws) -> Bucket:
    """A bucket of this test's own, empty: every server of a process shares moto's one memory."""
    bucket = Bucket(f"exports-{uuid.uuid4().hex[:12]}", aws)
    bucket.s3.create_bucket(Bucket=bucket.name)
    aws.faults.clear()
    return bucket


@pytest.fixture
def store(bucket: Bucket) -> Callable[..., object]:
    """Open the bucket as ogf does: `store("prefix")`."""
    from ogf_aws.s3 import open_store

    def opened(prefix: str = "", **settings):
        return open_store(bucket.aws.settings(**settings), f"s3://{bucket.name}/{prefix}")

    return opened
