"""A folder with exports and an `ogf` that runs in it, and the S3 server of the AWS tests."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
import pytest
from aws.conftest import aws, aws_server, bucket, clean_environment
from aws.cur_files import csv_file, folder_put, gz, month_lines, put_legacy
from processes import OGF, environment, ogf

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["aws", "aws_server", "bucket", "clean_environment"]


@dataclass
class Place:
    """A working directory: `exports/` has two months, `ogf.yaml` names them."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def db(self) -> Path:
        return self.folder / "ogf.duckdb"

    def deliver(self, month: str, rows: int, **options: Any) -> str:
        body = gz(csv_file(month_lines(month, rows)))
        return put_legacy(folder_put(self.folder / "exports"), [body], month=month, **options)

    def configure(self, text: str) -> None:
        (self.folder / "ogf.yaml").write_text(text)

    def __call__(self, *words: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `ogf`; check its exit code, and that it neither warns nor breaks down."""
        answer = ogf(*words, cwd=self.folder, env=self.env | env)
        assert answer.returncode == code, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        assert "Warning" not in answer.stderr
        return answer

    def on_terminal(self, *words: str, columns: int, keys: str = "") -> str:
        """Run `ogf` on a terminal of so many columns, with these keys typed; gives what is on the screen, uncoloured."""
        command = f"stty cols {columns}; {shlex.join([OGF, *words])}"
        answer = subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            cwd=self.folder,
            env=environment(self.folder) | {"COLUMNS": str(columns), "TERM": "xterm"} | self.env,
            input=keys,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return click.unstyle(answer.stdout).replace("\r\n", "\n")


@pytest.fixture(scope="session")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> Place:
    loaded = _with_exports(Place(tmp_path_factory.mktemp("loaded")))
    loaded("run")
    return loaded


@pytest.fixture
def loaded(_loaded: Place, empty: Place) -> Place:
    """A copy of a working directory in which `ogf run` has run. To another run all is changed: its exports lay elsewhere."""
    shutil.copytree(_loaded.folder, empty.folder, dirs_exist_ok=True)
    return empty


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """A working directory with nothing in it."""
    return Place(tmp_path)


@pytest.fixture
def place(empty: Place) -> Place:
    return _with_exports(empty)


def _with_exports(place: Place) -> Place:
    place.deliver("2026-01", 3)
    place.deliver("2026-02", 4)
    place.configure("ingestion: {aws: {enabled: true, cur: {location: exports}}}\n")
    return place
