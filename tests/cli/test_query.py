"""`ogf query`: every format, into files and pipes, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from typing import TYPE_CHECKING

import duckdb
import pytest
from processes import OGF, environment

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Place

SUMS = "SELECT partition_key, count(*) AS n, sum(cost) AS cost FROM activities GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def loaded(place: Place) -> Place:
    place("run")
    return place


def test_formats(loaded: Place, tmp_path: Path) -> None:
    table = loaded("query", SUMS).stdout
    assert "partition_key" in table
    assert re.search(r"billing/000000000042/hourly/2026-02 +4 +6.04", table)
    text = loaded("query", SUMS, "--format", "csv").stdout
    assert [row["n"] for row in csv.DictReader(io.StringIO(text))] == ["3", "4"]
    for words in (["--format", "json"], ["--json"]):
        assert [row["n"] for row in json.loads(loaded("query", SUMS, *words).stdout)] == [3, 4]
    for form in ("csv", "json", "parquet"):
        loaded("query", SUMS, "--format", form, "-o", f"out.{form}")
        assert duckdb.sql(f"SELECT sum(n) FROM '{tmp_path}/out.{form}'").fetchone() == (7,)


def test_parquet_into_a_pipe(loaded: Place, tmp_path: Path) -> None:
    body = subprocess.run(
        [OGF, "query", SUMS, "--format", "parquet"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=True,
    ).stdout
    (tmp_path / "piped.parquet").write_bytes(body)
    assert duckdb.sql(f"SELECT sum(n) FROM '{tmp_path}/piped.parquet'").fetchone() == (7,)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_reader_that_has_seen_enough(loaded: Place, form: str) -> None:
    sql = "FROM range(300000)"
    command = f"{OGF} query '{sql}' --format {form} | head -1; echo ${{PIPESTATUS[0]}}"
    answer = subprocess.run(
        ["bash", "-c", command],
        cwd=loaded.folder,
        env=environment(loaded.folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in answer.stderr
    assert "error" not in answer.stderr.lower()
    assert answer.stdout.splitlines()[-1] == "0"


def test_only_the_table_is_cut(loaded: Place) -> None:
    answer = loaded("query", "FROM range(1500)")
    assert "only the first 1,000 rows are shown" in answer.stderr
    assert len(loaded("query", "FROM range(1500)", "--format", "csv").stdout.splitlines()) == 1501


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM runs",
        "CREATE TABLE x (a INT)",
        "DROP VIEW activities",
        "SET TimeZone='x'; DELETE FROM runs",
    ],
)
def test_it_only_reads(loaded: Place, sql: str) -> None:
    answer = loaded("query", sql, code=2)
    assert answer.stdout == ""
    assert "→" in answer.stderr
    assert loaded("query", "SELECT count(*) AS n FROM runs", "--json").stdout.split() == ["[", '{"n":1}', "]"]


def test_an_error_in_the_sql(loaded: Place) -> None:
    answer = loaded("query", "SELECT nothing FROM activities", code=2)
    assert "Binder Error" in answer.stderr
    assert '→ `ogf query "SHOW TABLES"`' in answer.stderr
    broken = loaded("query", "SELEC 1", "--json", code=2)
    assert "Parser Error" in json.loads(broken.stdout)["error"]["message"]


def test_no_rows_and_no_answer(loaded: Place) -> None:
    assert json.loads(loaded("query", "FROM activities WHERE false", "--json").stdout) == []
    loaded("query", "")


def test_no_warehouse_yet(empty: Place) -> None:
    for words in (("query", "FROM activities"), ("status",)):
        assert "there is no warehouse here yet\n  → run `ogf run`" in empty(*words, code=1).stderr
