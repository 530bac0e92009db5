"""Azurite, Microsoft's own emulator of Blob storage, over TLS and with bearer tokens, where it is installed.

It is looked for at `OGF_AZURITE` (the program `azurite-blob`), in the path, and where `make emulators` puts it
(`OGF_AZURITE_HOME`). Tests that need it are skipped elsewhere.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "devstoreaccount1"
_PATIENCE = 30
_TENANT = "ab1f708d-50f6-404c-a006-d71b2ac7a606"


@cache
def program() -> str | None:
    """Where Azurite is, if it is anywhere."""
    home = Path(os.environ.get("OGF_AZURITE_HOME") or Path(__file__).parents[2] / ".venv-azurite")
    installed = home / "node_modules/.bin/azurite-blob"
    found = (
        os.environ.get("OGF_AZURITE")
        or shutil.which("azurite-blob")
        or (installed.exists() and str(installed))
    )
    return found or None


def access_token() -> str:
    """A token as Azurite wants it: right issuer, audience and times; it checks no signature."""

    def part(fields: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=")

    now = int(time.time())
    claims = {
        "aud": "https://storage.azure.com", "iss": f"https://sts.windows.net/{_TENANT}/", "iat": now - 60,
        "nbf": now - 60, "exp": now + 3600, "ver": "1.0", "oid": "reader", "tid": _TENANT,
    }  # fmt: skip
    return b".".join([part({"alg": "none", "typ": "JWT"}), part(claims), part({"sig": 1})]).decode()


class Credential:
    """What `ogf_azure.session` would give, without a token authority."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(access_token(), int(time.time()) + 3600)


@dataclass
class Azurite:
    """The emulator, and what tests put into it."""

    url: str
    ca: Path

    def service(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(
            f"{self.url}/{ACCOUNT}", credential=Credential(), connection_verify=str(self.ca), retry_total=0
        )

    def container(self, name: str) -> Any:
        """A container of this name, empty."""
        container = self.service().get_container_client(name)
        if container.exists():
            for blob in list(container.list_blobs()):
                container.delete_blob(blob.name)
        else:
            container.create_container()
        return container


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    command = program()
    if command is None:
        pytest.skip("Azurite is not installed: run `make emulators`, or name azurite-blob in OGF_AZURITE")
    folder = tmp_path_factory.mktemp("azurite")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [
        command, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck",
        "--disableTelemetry", "--silent", "--oauth", "basic", "--cert", str(folder / "cert.pem"),
        "--key", str(folder / "key.pem"),
    ]  # fmt: skip
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield Azurite(f"https://127.0.0.1:{port}", folder / "ca.pem")
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"Azurite ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("Azurite does not listen")
