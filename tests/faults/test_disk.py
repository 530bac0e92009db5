"""A full disk, and a warehouse that cannot be used: one clear error, nothing lost, and the next run goes on."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import duckdb
import pytest
from faults.small_disk import MUCH, deliver_much, exports, fill, small_disk
from processes import ogf

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["exports", "small_disk"]


def run(db: Path, exports: Path, cwd: Path):
    return ogf(
        "run", "--provider", "aws", "--db", db, cwd=cwd, env={"OFFGRIDFLOW_AWS_CUR_LOCATION": str(exports)}
    )


def rows(db: Path) -> int:
    with duckdb.connect(str(db), read_only=True) as connection:
        return connection.execute("SELECT count(*) FROM activities").fetchone()[0]


def assert_clear(answer: subprocess.CompletedProcess[str]) -> None:
    assert answer.returncode == 1, answer.stderr
    assert "disk is full" in answer.stderr or "No space left on device" in answer.stderr
    assert re.search("→ .*free", answer.stderr)
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("leave", [2 << 20, 0], ids=["nearly", "wholly"])
def test_disk_full(small_disk: Path, exports: Path, tmp_path: Path, leave: int) -> None:
    """While writing a segment, or as soon as the run writes down that it has begun."""
    db = small_disk / "ogf.duckdb"
    assert run(db, exports, tmp_path).returncode == 0
    deliver_much(exports)
    filler = fill(small_disk, leave=leave)
    assert_clear(run(db, exports, tmp_path))
    assert rows(db) == 100
    filler.unlink()
    assert run(db, exports, tmp_path).returncode == 0
    assert rows(db) == 100 + MUCH


def test_disk_full_while_appending(small_disk: Path, exports: Path, tmp_path: Path) -> None:
    """Segments lie on another disk, so that the warehouse's is full when they are appended."""
    db = small_disk / "ogf.duckdb"
    elsewhere = tmp_path / "spool"
    elsewhere.mkdir()
    (small_disk / "ogf.duckdb.spool").symlink_to(elsewhere)
    assert run(db, exports, tmp_path).returncode == 0
    deliver_much(exports)
    filler = fill(small_disk, leave=1 << 20)
    assert_clear(run(db, exports, tmp_path))
    assert rows(db) == 100
    filler.unlink()
    answer = run(db, exports, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert rows(db) == 100 + MUCH


@pytest.fixture
def loaded(tmp_path: Path, exports: Path) -> Path:
    db = tmp_path / "ogf.duckdb"
    assert run(db, exports, tmp_path).returncode == 0
    return db


@pytest.mark.parametrize("damage", ["text", "cut", "zeros"])
@pytest.mark.parametrize(
    "command", [("run", "--provider", "aws"), ("status",), ("query", "FROM activities")], ids=str
)
def test_corrupt(loaded: Path, exports: Path, tmp_path: Path, damage: str, command: tuple[str, ...]) -> None:
    body = loaded.read_bytes()
    spoilt = {
        "text": b"this is no DuckDB file" * 1000,
        "cut": body[:9000],
        "zeros": body[:4096] + bytes(len(body) - 4096),
    }
    loaded.write_bytes(spoilt[damage])
    answer = ogf(*command, cwd=tmp_path, env={"OFFGRIDFLOW_AWS_CUR_LOCATION": str(exports)})
    assert answer.returncode == 1, answer.stderr
    assert "ogf.duckdb: " in answer.stderr
    assert "DuckDB cannot open the file" in answer.stderr
    assert "restore a backup" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert loaded.read_bytes() == spoilt[damage]


def test_read_only(small_disk: Path, exports: Path, tmp_path: Path) -> None:
    db = small_disk / "ogf.duckdb"
    assert run(db, exports, tmp_path).returncode == 0
    deliver_much(exports)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    answer = run(db, exports, tmp_path)
    assert answer.returncode == 1, answer.stderr
    assert "may not be written" in answer.stderr or "Read-only" in answer.stderr
    assert "→" in answer.stderr
    assert "Traceback" not in answer.stderr
    asked = ogf("query", "SELECT count(*) AS n FROM activities", "--db", db, "--json", cwd=tmp_path)
    assert json.loads(asked.stdout) == [{"n": 100}], asked.stderr


def test_a_directory_or_a_missing_folder_for_a_warehouse(exports: Path, tmp_path: Path) -> None:
    for db in (tmp_path, tmp_path / "none" / "ogf.duckdb"):
        answer = run(db, exports, tmp_path)
        assert answer.returncode == 1, answer.stderr
        assert "→" in answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "command", [("run", "--provider", "aws"), ("status",), ("query", "FROM activities"), ("doctor",)], ids=str
)
def test_written_by_a_newer_version(
    loaded: Path, exports: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with duckdb.connect(str(loaded)) as connection:
        connection.execute("INSERT INTO ogf_schema VALUES (999, now())")
    answer = ogf(*command, cwd=tmp_path, env={"OFFGRIDFLOW_AWS_CUR_LOCATION": str(exports)})
    said = answer.stdout + answer.stderr
    assert answer.returncode == 1, said
    assert "schema 999, newer than" in said
    assert "pip install --upgrade ogf" in said
    assert "Traceback" not in said
