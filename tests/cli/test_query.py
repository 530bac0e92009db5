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
        "COPY runs TO 'out.csv'",
        "EXPLAIN ANALYZE COPY runs TO 'out.csv'",
        "explain (analyze, format json) COPY runs TO 'out.csv'",
        "/* look */ EXPLAIN ANALYZE COPY runs TO 'out.csv'",
        "EXPORT DATABASE 'out.csv'",
        "ATTACH 'out.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CHECKPOINT",
    ],
)
def test_it_only_reads(loaded: Place, sql: str) -> None:
    before = sorted(loaded.folder.iterdir())
    answer = loaded("query", sql, code=2)
    assert answer.stdout == ""
    assert "→" in answer.stderr
    assert sorted(loaded.folder.iterdir()) == before
    assert loaded("query", "SELECT count(*) AS n FROM runs", "--json").stdout.split() == ["[", '{"n":1}', "]"]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM runs;",
        "/* a remark */ WITH r AS (FROM runs) SELECT * FROM r -- and another",
        "VALUES (1)",
        "PIVOT activities ON provider USING count(*) GROUP BY stream",
        "SHOW TABLES",
        "DESCRIBE activities",
        "SUMMARIZE runs",
        "PRAGMA table_info('runs')",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE FROM runs",
        "FROM 'map.csv'",
    ],
)
def test_whatever_reads_is_answered(loaded: Place, sql: str) -> None:
    (loaded.folder / "map.csv").write_text("account,team\n42,insight\n")
    assert loaded("query", sql).stdout.strip()
    assert json.loads(loaded("query", sql, "--json").stdout)


def test_several_statements_are_not_answered_in_part(loaded: Place) -> None:
    for sql in ("SELECT 1; SELECT 2", "PIVOT runs ON provider USING count(*); SELECT 2"):
        answer = loaded("query", sql, code=2)
        assert "these are 2 statements\n  → ask one at a time" in answer.stderr
        assert answer.stdout == ""


@pytest.mark.parametrize("sql", ["", " ;", "/* nothing */"])
def test_no_sql_at_all(loaded: Place, sql: str) -> None:
    assert "there is no SQL in it\n  → ogf query" in loaded("query", sql, code=2).stderr


def test_a_wide_result_is_shown_record_by_record(loaded: Place) -> None:
    for columns in (80, 160):
        said = loaded.on_terminal("query", "FROM activities LIMIT 2", columns=columns)
        assert max(map(len, said.splitlines())) <= columns
        assert re.search(r"^── 1 ──\nactivity_id  +[0-9a-f-]{36}\norg_id  +default\n", said, re.MULTILINE)
        assert re.search(r"^── 2 ──\n", said, re.MULTILINE)
        names = re.findall(r"^([a-z]\w+)  ", said, re.MULTILINE)
        (left_out, _) = re.findall(r"^\((\d+) NULL fields left out\)$", said, re.MULTILINE)
        assert len(names) / 2 + int(left_out) == len(
            json.loads(loaded("query", "DESCRIBE activities", "--json").stdout)
        )


def test_wide_text_is_folded_not_lost(loaded: Place) -> None:
    sql = "SELECT string_agg(i, ' ') AS long, NULL AS no, 'b' AS short FROM (SELECT 'word' || range AS i FROM range(99))"
    said = loaded.on_terminal("query", sql, columns=80)
    assert max(map(len, said.splitlines())) <= 80
    assert re.findall(r"\d+", said.replace("\n       ", "").partition("NULL")[0])[1:-1] == [
        *map(str, range(99))
    ]
    assert "(1 NULL field left out)" in said
    assert "word98" in loaded("query", sql).stdout


def test_a_narrow_result_is_a_table_on_a_terminal(loaded: Place) -> None:
    said = loaded.on_terminal("query", SUMS, columns=80)
    assert re.search(r"^ billing/000000000042/hourly/2026-02 +4 +6.04", said, re.MULTILINE)


def test_tables_in_a_pipe_are_not_padding(loaded: Place) -> None:
    said = loaded("query", "FROM activities").stdout
    assert max(map(len, said.splitlines())) < 250
    assert "── 7 ──" in said
    for words in (("query", SUMS), ("plan",), ("status",)):
        assert not re.search(r" $", loaded(*words).stdout, re.MULTILINE)


def test_an_error_in_the_sql(loaded: Place) -> None:
    answer = loaded("query", "SELECT nothing FROM activities", code=2)
    assert "Binder Error" in answer.stderr
    assert '→ `ogf query "SHOW TABLES"`' in answer.stderr
    broken = loaded("query", "SELEC 1", "--json", code=2)
    assert "Parser Error" in json.loads(broken.stdout)["error"]["message"]


def test_no_rows(loaded: Place) -> None:
    nothing = "FROM activities WHERE false"
    assert json.loads(loaded("query", nothing, "--json").stdout) == []
    assert loaded("query", nothing).stderr == "no rows\n"


def test_no_warehouse_yet(empty: Place) -> None:
    for words in (("query", "FROM activities"), ("status",)):
        assert "there is no warehouse here yet\n  → run `ogf run`" in empty(*words, code=1).stderr
