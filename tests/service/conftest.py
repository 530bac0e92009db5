"""Real `ogf serve` processes over loopback, and a small warehouse of demo exports for the tests that only ask."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import randrange
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pytest
from aws.conftest import aws, aws_server, bucket, clean_environment
from faults.conftest import stall
from processes import ogf, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["aws", "aws_server", "bucket", "clean_environment", "stall"]

JWT_SECRET = "a secret for tests, longer than the 64 bytes that HS512 wants at the least"
LATEST = 60.0
_ROOT = Path(__file__).parents[2]


@dataclass
class Served:
    """A folder with an `ogf.yaml`, and the service that runs in it."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    address: str = ""
    key: str = ""
    log: list[str] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    @property
    def db(self) -> Path:
        return self.folder / "ogf.duckdb"

    def __call__(self, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        answer = ogf(*words, cwd=self.folder, env=self.env)
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer

    def token(self, *scopes: str, **options: str) -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        words += [word for name, value in options.items() for word in (f"--{name}", value)]
        return self("token", "create", "--name", "tests", *words).stdout.strip()

    def start(self, *words: str) -> Served:
        self.process = start(
            "serve", "--port", "0", "--json", "-v", *words, cwd=self.folder, env=self.env | _measured()
        )
        out, err = self.process.stdout, self.process.stderr
        self._read(lambda: self.log.extend(err))
        told = ""
        while not told.rstrip().endswith("}"):
            line = out.readline()
            assert line, "".join(self.log)
            told += line
        self._read(out.read)
        self.address = json.loads(told)["address"]
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end it leads to."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        for reader in self._readers:
            reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        self.process, self._readers = None, []
        return code

    def _read(self, what: Callable[[], Any]) -> None:
        self._readers.append(threading.Thread(target=what, daemon=True))
        self._readers[-1].start()

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        key = self.key if key is None else key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # An address of its own for each: wrong keys of one test must not make another wait.
        mine = httpx.HTTPTransport(local_address=f"127.{randrange(256)}.{randrange(256)}.{randrange(2, 255)}")
        return httpx.Client(base_url=self.address, headers=headers, timeout=60, transport=mine, **options)

    def ask(
        self, path: str, method: str = "GET", *, status: int = 200, key: str | None = None, **options: Any
    ) -> Any:
        with self.client(key) as client:
            answer = client.request(method, path, **options)
        assert answer.status_code == status, answer.text
        told = answer.headers.get("content-type") == "application/json" and method != "HEAD"
        return answer.json() if told else answer

    def sql(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the file itself. Waits while the service holds it."""
        asked = self("query", "--json", question).stdout
        return [tuple(row.values()) for row in json.loads(asked)]

    def until(self, true: Callable[[], Any], what: str = "") -> Any:
        deadline = time.monotonic() + LATEST
        while not (found := true()):
            assert time.monotonic() < deadline, f"{what} never came\n{''.join(self.log[-30:])}"
            time.sleep(0.05)
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait for a job to end."""
        return self.until(lambda: self._if_ended(job_id), f"the end of {job_id}")

    def _if_ended(self, job_id: str) -> dict[str, Any] | None:
        job = self.ask(f"/api/jobs/{job_id}")
        return job if job["finished_at"] else None


def _measured() -> dict[str, str]:
    """Let a process count towards the coverage of this run, if it is measured: most of the service runs in such ones."""
    config = os.environ.get("COVERAGE_PROCESS_CONFIG")
    return {"COVERAGE_PROCESS_CONFIG": config, "COVERAGE_FILE": str(_ROOT / ".coverage")} if config else {}


@contextmanager
def in_folder(folder: Path, config: str, **env: str) -> Iterator[Served]:
    """A place to serve from. Whatever still runs at the end is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ogf.yaml").write_text(config)
    served = Served(folder, {"OFFGRIDFLOW_JWT_SECRET": JWT_SECRET, **env})
    try:
        yield served
    finally:
        if served.process is not None:
            served.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo of one cloud has run: reported carbon and estimates, 2,980 rows."""
    folder = tmp_path_factory.mktemp("demo")
    answer = ogf("demo", "--provider", "gcp", "--folder", folder, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(scope="module")
def served(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo's warehouse, served. For tests that only ask, or start syncs that find nothing new."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(demo, folder, dirs_exist_ok=True)
    config = (demo / "ogf.yaml").read_text().replace(str(demo), str(folder))
    with in_folder(folder, config) as place:
        place.key = place.token("admin")
        yield place.start()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read(db: Path, question: str) -> list[tuple[Any, ...]]:
    """Ask a warehouse that nobody else holds."""
    with duckdb.connect(str(db), read_only=True) as connection:
        return connection.execute(question).fetchall()
