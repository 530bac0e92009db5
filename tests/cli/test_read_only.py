"""A folder that may not be written: every command says what, where and what to do, and `doctor` goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from processes import OGF, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Place

# Root may write everywhere, unless that capability is taken away.
DROP = (
    ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"] if os.geteuid() == 0 else []
)
pytestmark = pytest.mark.skipif(
    bool(DROP) and not shutil.which("setpriv"), reason="root, and no setpriv here"
)


@pytest.fixture
def locked(place: Place) -> Iterator[Place]:
    place.folder.chmod(0o555)
    yield place
    place.folder.chmod(0o755)


def ogf(place: Place, *words: str, code: int) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run(
        [*DROP, OGF, *words],
        cwd=place.folder,
        env=environment(place.folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert "did not foresee" not in answer.stderr
    assert "Traceback" not in answer.stderr
    return answer


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("init", "--config", "mine.yaml"), "mine.yaml: this cannot be written (Permission denied)"),
        (("demo",), "demo: this cannot be written (Permission denied)"),
        (("plan",), "ogf.duckdb.spool: this cannot be written (Permission denied)"),
        (("run",), "nothing can be written beside the warehouse (Permission denied)"),
    ],
)
def test_what_where_and_what_to_do(locked: Place, words: tuple[str, ...], what: str) -> None:
    said = ogf(locked, *words, code=1).stderr
    assert f"{locked.folder}/" in said
    assert what in said
    assert "→ give this user write permission" in said


def test_doctor_reports_it_and_goes_on(locked: Place) -> None:
    said = ogf(locked, "doctor", code=1).stdout
    assert f"FAIL  ogf: warehouse: {locked.folder}: this cannot be written\n      → give this user" in said
    assert "ok    aws cur: exports: read " in said


def test_doctor_on_a_warehouse_that_may_only_be_read(place: Place) -> None:
    place("run")
    place.db.chmod(0o444)
    checks = json.loads(ogf(place, "doctor", "--json", code=1).stdout)["checks"]
    assert [(check["check"], check["ok"]) for check in checks][:1] == [("warehouse", False)]
    assert "ogf.duckdb: this cannot be written" in checks[0]["detail"]
    assert len(checks) > 1


def test_doctor_without_the_folder(place: Place) -> None:
    said = place("doctor", "--db", "nowhere/ogf.duckdb", code=1).stdout
    assert "FAIL  ogf: warehouse: the folder nowhere does not exist\n      → create it" in said


def test_doctor_leaves_nothing_behind(place: Place) -> None:
    before = sorted(place.folder.rglob("*"))
    place("doctor")
    assert sorted(place.folder.rglob("*")) == before
