"""Bad requests and bad clients: always the envelope, never a stack trace, and the others go on."""

from __future__ import annotations

import http.client
import json
import resource
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from service.conftest import Served

SYNC = "/api/connectors/sync/gcp"


def raw(served: Served, *parts: bytes, wait: float = 30.0) -> bytes:
    """Send bytes as they are, and read until the other side closes."""
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        with suppress(ConnectionResetError):  # the other side had seen enough
            while more := connection.recv(65536):
                answer += more
    return answer


def error_in(answer: bytes) -> dict:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 50_000])
def test_malformed_json(served: Served, body: bytes) -> None:
    error = served.ask(SYNC, "POST", status=400, content=body, headers={"Content-Type": "application/json"})[
        "error"
    ]
    assert error["code"] in ("malformed_json", "bad_request")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"since": "2026-13"}, "body.since"),
        ({"streams": "carbon"}, "body.streams"),
        ({"nope": 1}, "body.nope"),
        ({"since": "2026-02", "until": "2026-01"}, "body.until"),
    ],
)
def test_a_body_that_cannot_be(served: Served, body: dict, field: str) -> None:
    assert list(served.ask(SYNC, "POST", status=422, json=body)["error"]["fields"]) == [field]


def test_unknown_stream(served: Served) -> None:
    error = served.ask(SYNC, "POST", status=422, json={"streams": ["nope"]})["error"]
    assert list(error["fields"]) == ["body.streams"]


def test_oversized_bodies(served: Served) -> None:
    error = served.ask(SYNC, "POST", status=413, content=b" " * 70_000)["error"]
    assert error["code"] == "body_too_large"
    endless = served.ask(SYNC, "POST", status=413, content=iter([b" " * 1000] * 70))
    assert endless["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/page.py", "//etc/passwd"]
)  # fmt: skip
def test_path_traversal(served: Served, path: str) -> None:
    answer = raw(served, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert error_in(answer)["status"] in (404, 422)
    assert b"root:" not in answer


def test_no_http_at_all(served: Served) -> None:
    error = error_in(raw(served, b"\x16\x03\x01 hello\r\n\r\n"))
    assert (error["status"], error["code"]) == (400, "bad_request")
    endless = raw(served, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 30_000)
    assert not endless or error_in(endless)["code"] == "bad_request"
    served.ask("/healthz")


def test_slow_clients_are_let_go_and_keep_nobody_waiting(served: Served) -> None:
    headers = f"POST {SYNC} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode()
    answers: dict[str, bytes] = {}
    clients = [
        threading.Thread(target=lambda: answers.update(body=raw(served, headers, b"{"))),
        threading.Thread(target=lambda: answers.update(headers=raw(served, b"GET / HTTP/1.1\r\nHost:"))),
    ]
    for client in clients:
        client.start()
    served.ask("/api/jobs")
    for client in clients:
        client.join()
    assert error_in(answers["body"])["code"] == "request_timeout"
    assert answers["headers"] == b""


def test_security_headers_and_request_ids(served: Served) -> None:
    for path in ("/", "/api/jobs", "/healthz", "/nope"):
        with served.client() as client:
            answer = client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert len(answer.headers["x-request-id"]) == 32
        assert "server" not in answer.headers
    assert served.ask("/nope", status=404)["error"]["requestId"]


def test_head_and_unknown_methods(served: Served) -> None:
    host, port = served.address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("BREW", "/api/jobs")
    assert json.loads(connection.getresponse().read())["error"]["code"] == "method_not_allowed"
    connection.close()
    assert served.ask("/", "HEAD").headers["content-type"].startswith("text/html")


def test_as_many_clients_as_it_takes(served: Served) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 6000), hard))
    host, port = served.address.removeprefix("http://").split(":")
    with ExitStack() as crowd:
        crowd.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(4000):
            crowd.enter_context(socket.create_connection((host, int(port)), timeout=30))
        answer = raw(served, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert error_in(answer)["code"] == "too_many_connections"
    assert served.until(lambda: b" 200 " in raw(served, b"GET /healthz HTTP/1.0\r\n\r\n"))
