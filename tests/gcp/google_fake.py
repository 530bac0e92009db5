"""Google on loopback: the OAuth token endpoint, service account impersonation, and Cloud Storage's JSON API.

Import the fixtures where they are needed: `from gcp.google_fake import google, google_server`.
`google.fail(...)` answers the next requests whose line contains a text with an error of Google's shape.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from ogf_gcp.settings import GcpSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

EMAIL = "reader@key-project.iam.gserviceaccount.com"
TOKEN = "planted-access-token"


@cache
def rsa_key():
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_key() -> str:
    """A private key in PEM: the secret that must not show anywhere."""
    from cryptography.hazmat.primitives import serialization as form

    pem = rsa_key().private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return pem.decode()


def key_of(**fields: Any) -> dict[str, Any]:
    """A service account's key. A field given as None is left out."""
    key = {
        "type": "service_account",
        "project_id": "key-project",
        "private_key_id": "planted-key-id",
        "private_key": private_key(),
        "client_email": EMAIL,
        "token_uri": "http://127.0.0.1:9/token",
    }
    return {name: value for name, value in (key | fields).items() if value is not None}


def error_body(status: int, reason: str = "", message: str = "injected") -> dict[str, Any]:
    """An error as Google's REST APIs write it."""
    error: dict[str, Any] = {"code": status, "message": message}
    if reason:
        error["errors"] = [{"domain": "global", "reason": reason, "message": message}]
    return {"error": error}


@dataclass
class Answer:
    """What to answer to a request whose line contains `part`."""

    part: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    keep: int | None = None  # serve the request, but break off after this many bytes
    damaged: bool = False  # serve the request, but with other bytes


@dataclass(frozen=True)
class Stored:
    body: bytes
    generation: int
    encoding: str = ""

    @property
    def hash(self) -> str:
        """Checksums as Cloud Storage sends them; the client checks one of them."""
        import google_crc32c

        sums = {
            "crc32c": google_crc32c.Checksum(self.body).digest(),
            "md5": hashlib.md5(self.body).digest(),
        }
        return ",".join(f"{name}={base64.b64encode(value).decode()}" for name, value in sums.items())


@dataclass
class Google:
    """What the server knows, and what tests ask of it."""

    url: str = ""
    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    queue: list[Answer] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    generation: int = 1000

    def settings(self, **values: Any) -> GcpSettings:
        """Settings with a key whose token comes from here, for BigQuery's REST API here."""
        given = {"service_account_key": self.key(), "endpoint_url": self.url, "request_timeout": 5}
        return GcpSettings.model_validate(given | values)

    def key(self, **fields: Any) -> str:
        return json.dumps(key_of(token_uri=f"{self.url}/token", **fields))

    def put(self, bucket: str, name: str, body: bytes = b"", encoding: str = "") -> str:
        """Store an object; gives its generation."""
        self.generation += 1
        self.objects[bucket, name] = Stored(body, self.generation, encoding)
        return str(self.generation)

    def fail(self, part: str, status: int, reason: str = "", *, times: int = 1, **headers: str) -> None:
        body = json.dumps(error_body(status, reason)).encode()
        self.queue += [
            Answer(part, status, body, {k.replace("_", "-"): v for k, v in headers.items()})
        ] * times

    def answer(self, part: str, body: Any, status: int = 200) -> None:
        self.queue.append(Answer(part, status, json.dumps(body).encode()))

    def break_off(self, part: str, *, keep: int) -> None:
        self.queue.append(Answer(part, keep=keep))

    def damage(self, part: str) -> None:
        self.queue.append(Answer(part, damaged=True))

    def clear(self) -> None:
        for kept in (self.objects, self.queue, self.calls, self.authorizations):
            kept.clear()

    def count(self, part: str) -> int:
        return sum(part in line for line in self.calls)

    def next_answer(self, line: str) -> Answer | None:
        found = next((answer for answer in self.queue if answer.part in line), None)
        if found is not None:
            self.queue.remove(found)
        return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    google: Google

    def do_GET(self):
        self._serve(b"")

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _serve(self, body: bytes) -> None:
        line = f"{self.command} {self.path}"
        self.google.calls.append(line)
        answer = self.google.next_answer(line)
        spoilt = answer is not None and (answer.damaged or answer.keep is not None)
        self._spoilt = answer if spoilt else None
        if answer is not None and not spoilt:
            return self._send(answer.status, answer.body, answer.headers)
        path = urlsplit(self.path).path
        if path == "/token":
            return self._token(body)
        self.google.authorizations.append(self.headers.get("authorization", ""))
        if path.endswith(":generateAccessToken"):
            return self._json(200, {"accessToken": f"{TOKEN}-acting", "expireTime": "2099-01-01T00:00:00Z"})
        return self._storage(path, dict(parse_qsl(urlsplit(self.path).query)))

    def _token(self, body: bytes) -> None:
        """Check the signature, as Google does, and give a token."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        assertion = dict(parse_qsl(body.decode()))["assertion"]
        signed, _, signature = assertion.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        rsa_key().public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        self._json(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def _storage(self, path: str, query: dict[str, str]) -> None:
        media = path.startswith("/download/")
        parts = path.removeprefix("/download").split("/")  # "", storage, v1, b, BUCKET, o, NAME
        if parts[1:4] != ["storage", "v1", "b"]:
            return self._json(404, error_body(404, "notFound"))
        if len(parts) == 6:
            return self._json(200, self._listing(parts[4], query))
        name = unquote(parts[6])
        stored = self.google.objects.get((parts[4], name))
        if stored is None:
            return self._json(404, error_body(404, "notFound"))
        if query.get("ifGenerationMatch", str(stored.generation)) != str(stored.generation):
            return self._json(412, error_body(412, "conditionNotMet"))
        if not media:
            return self._json(200, self._resource(name, stored))
        headers = {"X-Goog-Hash": stored.hash, "X-Goog-Generation": str(stored.generation)}
        headers |= {"Content-Encoding": stored.encoding} if stored.encoding else {}
        return self._send(200, stored.body, headers)

    def _listing(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names = sorted(
            name for home, name in self.google.objects if home == bucket and name.startswith(prefix)
        )
        entries: dict[str, Stored | None] = {}
        for name in names:
            head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            entries |= (
                {prefix + head + delimiter: None} if found else {name: self.google.objects[bucket, name]}
            )
        start = int(query.get("pageToken", "0"))
        end = start + int(query.get("maxResults", "1000"))
        page = list(entries.items())[start:end]
        return {
            "items": [self._resource(name, stored) for name, stored in page if stored],
            "prefixes": [name for name, stored in page if stored is None],
        } | ({"nextPageToken": str(end)} if end < len(entries) else {})

    @staticmethod
    def _resource(name: str, stored: Stored) -> dict[str, Any]:
        return {
            "name": name,
            "generation": str(stored.generation),
            "size": str(len(stored.body)),
            "updated": "2026-01-02T03:04:05.000Z",
        }

    def _json(self, status: int, body: Any) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        spoilt = self._spoilt
        if spoilt is not None and spoilt.keep is not None:
            body, self.close_connection = body[: spoilt.keep], True
        self.wfile.write(body[::-1].swapcase() if spoilt is not None and spoilt.damaged else body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up: some tests make them."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="session")
def google_server() -> Iterator[Google]:
    state = Google()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"google": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def google(google_server: Google, monkeypatch) -> Iterator[Google]:
    """The server, empty, with Cloud Storage's clients pointed at it."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.url)
    google_server.clear()
    yield google_server
    google_server.clear()
