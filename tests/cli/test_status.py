"""`ogf status`: what it counts, what it says, and that a person can read it on a narrow terminal."""

from __future__ import annotations

import json
import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from aws.cur_files import csv_file, folder_put, gz, month_lines, put_legacy
from processes import start

if TYPE_CHECKING:
    from cli.conftest import Place

BROKEN = "billing/000000000042/hourly/2026-02"


def damage(place: Place) -> None:
    next(place.folder.glob("exports/**/20260201*/**/*.csv.gz")).write_bytes(b"\x1f\x8b\x08cut")


def gone(place: Place, month: str) -> None:
    for folder in list(place.folder.glob(f"exports/**/{month}*")):
        shutil.rmtree(folder)


def test_a_failed_partition(place: Place) -> None:
    place("run")
    damage(place)
    place("run", code=3)
    said = place("status").stdout
    assert re.search(r"aws +error +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +2 +7 +1", said)
    assert f"failed: aws cur {BROKEN}: " in said
    assert "Latest runs" in said
    told = json.loads(place("status", "--json").stdout)
    assert [run["status"] for run in told["runs"]] == ["partial", "succeeded"]
    assert [(issue["status"], issue["partition"]) for issue in told["issues"]] == [("failed", BROKEN)]
    assert "Latest runs" not in place("status", "--runs", "0").stdout
    place("status", "--strict", code=3)


def test_a_run_that_failed_entirely_is_an_issue(loaded: Place) -> None:
    loaded("status", "--strict")
    loaded("run", code=1, OFFGRIDFLOW_AWS_CUR_LOCATION="nowhere")
    said = loaded("status", "--strict", code=3).stdout
    assert re.search(r"aws +error .* +2 +7 +1\n", said)
    assert re.search(r"Needs attention\nerror: aws: cur: there is no folder \S+nowhere\n$", said)
    (issue,) = json.loads(loaded("status", "--strict", "--json", code=3).stdout)["issues"]
    assert (issue["provider"], issue["status"], issue["partition"]) == ("aws", "error", None)
    loaded("run")
    loaded("status", "--strict")


def test_a_second_trouble_is_told_beside_the_first(place: Place) -> None:
    """A partition that failed does not hide that the stream cannot even be listed now."""
    damage(place)
    place("run", code=3)
    place("run", code=1, OFFGRIDFLOW_AWS_CUR_LOCATION="nowhere")
    said = place("status").stdout
    assert f"failed: aws cur {BROKEN}: " in said
    assert "error: aws: cur: there is no folder" in said


@pytest.mark.parametrize("before", ["succeeded", "failed", "nothing"])
def test_a_cancelled_run_is_no_error_of_the_connector(place: Place, before: str) -> None:
    if before == "failed":
        place("run", code=1, OFFGRIDFLOW_AWS_CUR_LOCATION="nowhere")
    if before == "succeeded":
        place("run")
    slow = {"OFFGRIDFLOW_AWS_RATE_LIMIT_CAPACITY": "1", "OFFGRIDFLOW_AWS_RATE_LIMIT_PER_SEC": "0.01"}
    with start("run", "--full", cwd=place.folder, env=slow) as process:
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    wanted = {"succeeded": "cancelled", "failed": "error", "nothing": "cancelled"}[before]
    said = place("status", "--strict", code=3 if before == "failed" else 0).stdout
    assert re.search(rf"aws +{wanted} ", said)
    (connector,) = json.loads(place("status", "--json").stdout)["connectors"]
    assert connector["last_run"] == "cancelled"
    assert (
        connector["status"]
        == {"succeeded": "connected", "failed": "error", "nothing": "disconnected"}[before]
    )


def test_partitions_that_are_not_listed_any_more(loaded: Place) -> None:
    assert json.loads(loaded("status", "--json").stdout)["unlisted"] == []
    gone(loaded, "202601")
    loaded("run")
    said = loaded("status", "--strict").stdout  # no trouble: clouds drop old months
    assert "No longer listed by their source, and still counted\n  aws cur: 1 partition, 3 rows\n" in said
    assert "ogf forget" in said
    (row,) = json.loads(loaded("status", "--json").stdout)["unlisted"]
    assert (row["stream"], row["partition"], row["rows"]) == ("cur", "billing/000000000042/hourly/2026-01", 3)
    loaded.deliver("2026-01", 3)
    loaded("run")
    assert "No longer listed" not in loaded("status").stdout


def test_it_can_be_read_on_a_narrow_terminal(loaded: Place) -> None:
    body = gz(csv_file(month_lines("2026-01", 3, product_region="xx-nowhere-9")))
    put_legacy(folder_put(loaded.folder / "exports"), [body], month="2026-01", assembly="assembly-2")
    damage(loaded)
    for _ in range(6):
        loaded("run", code=3)
    said = loaded.on_terminal("status", columns=80)
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert said.count("  partial  ") == 3  # the newest few
    message = said.partition("Needs attention\n")[2]
    assert f"failed: aws cur {BROKEN}\n    " in message
    assert "the compressed file is damaged" in " ".join(message.split())
    assert "unmapped region: xx-nowhere-9" in " ".join(message.split())


def test_plan_can_be_read_on_a_narrow_terminal(place: Place) -> None:
    place("run")
    said = place.on_terminal("plan", columns=80)
    assert said.count("same version") == 2
    assert max(len(line.rstrip()) for line in said.splitlines()) <= 80
