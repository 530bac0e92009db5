"""BigQuery on loopback: a fake of its protocol for faults, an emulator that runs real SQL."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gcp.bigquery_emulator import Emulator, NotInstalled
from gcp.bigquery_fake import BigQueryFake, StorageFake
from gcp.bigquery_runs import Cloud, Process, Proxy, variables

from ogf_gcp import session
from ogf_gcp.settings import GcpSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Ctx:
    """The little of a context that queries and checks need."""

    settings: GcpSettings
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
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """Keep this machine's own Google and OffGridFlow configuration out of the tests."""
    for name in os.environ:
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "BIGQUERY_", "STORAGE_", "OFFGRIDFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    session.reset()
    yield
    session.reset()


@pytest.fixture(scope="session")
def _bigquery_fake() -> Iterator[BigQueryFake]:
    fake = BigQueryFake()
    yield fake
    fake.close()


@pytest.fixture
def bigquery(_bigquery_fake: BigQueryFake) -> Iterator[BigQueryFake]:
    """The REST protocol, in a state of this test's own."""
    _bigquery_fake.reset()
    yield _bigquery_fake
    _bigquery_fake.reset()


@pytest.fixture(scope="session")
def _storage_fake() -> Iterator[StorageFake]:
    fake = StorageFake()
    yield fake
    fake.close()


@pytest.fixture
def storage_api(_storage_fake: StorageFake, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageFake]:
    """The Storage Read API, which the plugin uses as long as this fixture lives."""
    _storage_fake.reset()
    monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", _storage_fake.address)
    yield _storage_fake
    _storage_fake.reset()


@pytest.fixture
def gcp_settings(bigquery: BigQueryFake):
    """Settings that read from the fake: `gcp_settings(page_size=2)`."""

    def made(**values: Any) -> GcpSettings:
        given = {
            "project_id": "demo", "endpoint_url": bigquery.url, "request_timeout": 5, "bigquery_dataset": "carbon",
        }  # fmt: skip
        return GcpSettings.model_validate(given | values)

    return made


@pytest.fixture
def gcp_ctx(gcp_settings, tmp_path):
    """A context over the fake: `gcp_ctx(page_size=2)`."""

    def made(**values: Any) -> Ctx:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        return Ctx(gcp_settings(**values), scratch)

    return made


@pytest.fixture(scope="session")
def _emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    try:
        emulator = Emulator.start(tmp_path_factory.mktemp("bqemulator"))
    except NotInstalled as error:
        pytest.skip(str(error))
    yield emulator
    emulator.stop()


@pytest.fixture
def emulator(_emulator: Emulator) -> Iterator[Emulator]:
    """A BigQuery that runs SQL, without any dataset."""
    _emulator.clear()
    yield _emulator
    _emulator.clear()


@pytest.fixture(scope="session")
def _proxy(_emulator: Emulator) -> Iterator[Proxy]:
    proxy = Proxy(_emulator)
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(_proxy: Proxy, emulator: Emulator) -> Iterator[Proxy]:  # an empty emulator
    """The way to the emulator: with a log, and faults where a test wants them."""
    _proxy.reset()
    yield _proxy
    _proxy.reset()


@pytest.fixture
def cloud(proxy: Proxy, tmp_path: Path):
    """A warehouse over the emulator's tables: `cloud(billing="billing", page_size=1)`. Carbon is in `carbon`."""

    def made(*, name: str = "ogf", billing: str = "", focus: str = "", **settings: Any) -> Cloud:
        datasets = {"carbon": "carbon"} | {k: v for k, v in (("billing", billing), ("focus", focus)) if v}
        given = {key.replace("__", "."): value for key, value in settings.items()}
        return Cloud(tmp_path / f"{name}.duckdb", proxy.url, given, **datasets)

    return made


@pytest.fixture
def process(proxy: Proxy, tmp_path: Path):
    """`ogf` processes over the emulator: `process(billing="billing")("run", "--provider", "gcp")`."""

    def made(**datasets: str) -> Process:
        return Process(tmp_path, variables(proxy.url, carbon="carbon", **datasets))

    return made
