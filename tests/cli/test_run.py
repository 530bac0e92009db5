"""`ogf run` and `ogf plan`: what they say and how they exit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
from aws.cur_files import csv_file, folder_put, gz, month_lines, parquet_file, put_export, put_legacy

from ogf.cli.options import nothing_listed
from ogf.config import load
from ogf.runner.lock import run_lock
from ogf.window import Window

if TYPE_CHECKING:
    from cli.conftest import Place

KEYS = ("billing/000000000042/hourly/2026-01", "billing/000000000042/hourly/2026-02")


def column(place: Place, sql: str) -> list[object]:
    with duckdb.connect(str(place.db), read_only=True) as connection:
        return [row[0] for row in connection.execute(sql).fetchall()]


def test_a_first_and_a_second_run(place: Place) -> None:
    first = place("run")
    assert first.stdout == ""
    assert re.search(
        r"aws: 2 partitions to load, 2 files or queries\n"
        r"loaded             \d rows  cur billing/000000000042/hourly/2026-0\d \(new\)\n"
        r"loaded             \d rows  cur billing/000000000042/hourly/2026-0\d \(new\)\n"
        r"aws: succeeded; 2 loaded; 7 rows in \d+\.\d s\n$",
        first.stderr,
    )
    second = place("run")
    assert second.stderr.count("(same version)") == 2
    assert "aws: succeeded; 0 loaded, 2 unchanged; 0 rows" in second.stderr
    assert column(place, "SELECT count(*) FROM activities") == [7]


def test_json(place: Place) -> None:
    (result,) = json.loads(place("run", "--json").stdout)
    assert (result["provider"], result["status"], result["loaded"], result["rows"]) == (
        "aws",
        "succeeded",
        2,
        7,
    )
    assert sorted(item["key"] for item in result["partitions"]) == list(KEYS)


def test_quiet(place: Place) -> None:
    answer = place("run", "-q")
    assert answer.stdout + answer.stderr == ""


def test_windows(place: Place) -> None:
    place("run", "--since", "2026-02", "--until", "2026-03")
    assert column(place, "SELECT partition_key FROM partitions") == [KEYS[1]]
    place("run", "--until", "2026-02")
    assert column(place, "SELECT partition_key FROM partitions ORDER BY ALL") == list(KEYS)


def test_nothing_listed_is_said(place: Place) -> None:
    window = "the source lists nothing in the window 2030-01 to …\n  → leave out --since"
    assert place("plan", "--since", "2030-01").stderr.startswith(f"aws: {window}")
    said = place("run", "--since", "2030-01").stderr
    assert "aws: succeeded; 0 loaded; 0 rows in " in said
    assert window in said
    assert place("run", "--since", "2030-01", "--quiet").stderr == ""


def test_nothing_listed_without_a_window() -> None:
    said = nothing_listed(Window(), load(environ={}))
    assert said.startswith("the source lists nothing\n  → look at where the configuration says that it lies")
    lately = load(environ={}, overrides={"ingestion.lookback_days": 30})
    assert "the last 30 days" in nothing_listed(Window(), lately)


def test_full(place: Place) -> None:
    place("run")
    assert place("run", "--full").stderr.count("(forced)") == 2
    assert column(place, "SELECT count(*) FROM activities") == [7]


def test_dry_run_is_plan_and_changes_nothing(place: Place) -> None:
    for words in ([], ["--json"], ["--since", "2026-02"]):
        planned, dry = place("plan", *words), place("run", "--dry-run", *words)
        assert (planned.stdout, planned.stderr) == (dry.stdout, dry.stderr)
        assert KEYS[1] in planned.stdout
    assert not place.db.exists()
    place("run")
    place.deliver("2026-02", 5, assembly="assembly-2")
    rows = json.loads(place("plan", "--json").stdout)
    assert [(row["partition"], row["action"], row["why"]) for row in rows] == [
        (KEYS[0], "skip", "same version"),
        (KEYS[1], "load", "version changed"),
    ]
    assert json.loads(place("plan", "--full", "--json").stdout)[0]["why"] == "forced"


def test_one_partition_fails_alone(place: Place) -> None:
    next(place.folder.glob("exports/**/20260201*/**/*.csv.gz")).write_bytes(b"\x1f\x8b\x08cut")
    answer = place("run", code=3)
    assert f"failed    cur {KEYS[1]}\n          bad_request: " in answer.stderr
    assert "          → " in answer.stderr
    assert "aws: partial; 1 loaded, 1 failed; 3 rows" in answer.stderr
    assert column(place, "SELECT count(*) FROM activities") == [3]
    (result,) = json.loads(place("run", "--json", code=3).stdout)
    assert result["status"] == "partial"
    place.deliver("2026-02", 4)
    assert "1 loaded, 1 unchanged" in place("run").stderr


def test_everything_fails(place: Place) -> None:
    place.configure("ingestion: {aws: {enabled: true, cur: {location: nowhere}}}\n")
    answer = place("run", code=1)
    assert "not_found: there is no folder" in answer.stderr
    assert "aws: failed" in answer.stderr


def test_standing_notices_count_with_strict_only(place: Place) -> None:
    month = "2026-02"
    body = gz(csv_file(month_lines(month, 4, product_region="xx-nowhere-9")))
    put_legacy(folder_put(place.folder / "exports"), [body], month=month, assembly="assembly-2")
    first = place("run", code=3)
    assert "! unmapped region: xx-nowhere-9 (4 rows)" in first.stderr
    place("run")
    place("run", "--strict", code=3)
    status = place("status")
    assert "unmapped region: xx-nowhere-9" in status.stdout
    place("status", "--strict", code=3)


def test_a_busy_warehouse_is_exit_4_and_names_the_holder(place: Place) -> None:
    place("run")
    place.deliver("2026-03", 1)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, place.db], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        for words in (("run",), ("query", "FROM activities"), ("status",), ("plan",)):
            answer = place(*words, "--wait", "1s", code=4)
            assert f"(pid {holder.pid}) has held the warehouse for 1 s" in answer.stderr
            assert "--wait" in answer.stderr
            assert answer.stdout == ""
        told = place("status", "--wait", "1.5s", code=4).stderr
        assert f"process {holder.pid} holds the warehouse; waiting up to 1.5 s" in told
        broken = json.loads(place("run", "--wait", "0s", "--json", code=4).stdout)
        assert broken["error"]["type"] == "WarehouseBusy"
        holder.stdin.close()
    assert "1 loaded, 2 unchanged" in place("run").stderr


def test_a_second_run_of_the_same_provider_is_exit_4(place: Place) -> None:  # B112
    place("run")
    (lock,) = place.folder.rglob("run.lock")
    with run_lock(lock, what="aws"):
        answer = place("run", code=4)
    assert f"another run of aws (organisation default) is under way (pid {os.getpid()})" in answer.stderr


def test_logs_carry_what_they_belong_to(place: Place) -> None:
    answer = place("run", "-vv", OFFGRIDFLOW_LOG_FORMAT="json")
    lines = [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]
    events = {line["event"]: line for line in lines}
    assert {"starting ingestion", "s3 manifest parsed", "ingestion complete"} <= set(events)
    assert all(line["provider"] == "aws" and line["level"] and line["timestamp"] for line in lines)
    (run,) = {line["run"] for line in lines if "run" in line}
    assert [run] == column(place, "SELECT run_id FROM runs")
    assert events["s3 manifest parsed"]["stream"] == "cur"
    assert {line.get("partition") for line in lines} >= set(KEYS)


def test_without_being_asked_nothing_is_logged(place: Place) -> None:
    assert "[info" not in place("run").stderr


def test_a_path_with_an_equals_sign_adds_no_column(place: Place) -> None:
    """DuckDB takes `region=mars` in the path of a Parquet file for a column, unless told not to."""
    odd = place.folder / "region=mars"
    put_export(folder_put(odd / "exports"), [parquet_file(month_lines("2026-01", 2))], suffix="parquet")
    place("run", "--db", odd / "ogf.duckdb", OFFGRIDFLOW_AWS_CUR_LOCATION=str(odd / "exports"))
    with duckdb.connect(str(odd / "ogf.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT DISTINCT region FROM activities").fetchall() == [("us-east-1",)]
