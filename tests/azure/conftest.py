"""Azure on loopback: settings and contexts that read from it, and no Azure configuration of this machine's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.azure_fake import AzureFake

from ogf_azure import session
from ogf_azure.settings import AzureSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_THEIRS = ("AZURE_", "ARM_", "MSI_", "IDENTITY_", "IMDS_", "OFFGRIDFLOW_")
_TRUST = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}


@dataclass
class Ctx:
    """The little of a context that listing, fetching and checks need."""

    settings: AzureSettings
    scratch: Path = Path()
    cache: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    calls: list[Any] = field(default_factory=list)

    def call(self, function, *args, **kwargs):
        self.calls.append(function)
        return function(*args, **kwargs)

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep this machine's own Azure and OffGridFlow configuration out of the tests."""
    for name in os.environ:
        if name.startswith(_THEIRS) or name in _TRUST:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "no-azure-cli"))
    session.reset()
    yield
    session.reset()


@pytest.fixture(scope="session")
def _azure_fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureFake]:
    fake = AzureFake(tmp_path_factory.mktemp("azure"))
    yield fake
    fake.close()


@pytest.fixture
def azure(_azure_fake: AzureFake) -> Iterator[AzureFake]:
    """Entra ID and ARM, in a state of this test's own."""
    _azure_fake.reset()
    yield _azure_fake
    _azure_fake.reset()


@pytest.fixture
def azure_ctx(azure: AzureFake, tmp_path: Path):
    """A context over the fake: `azure_ctx(page_size=2)`."""

    def made(**values: Any) -> Ctx:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        return Ctx(azure.settings(**values), scratch)

    return made
