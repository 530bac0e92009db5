"""Jobs over a real S3 that stops in the middle of a download, so that there is time to look, to ask and to kill."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from aws.cur_files import csv_file, gz, month_lines, put_legacy
from faults.stalling import Stall
from processes import OGF, environment
from service.conftest import Served, in_folder, read
from service.holding import holder_of

from ogf_aws import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aws.conftest import Aws

SYNC = "/api/connectors/sync/aws"
FILES, ROWS = 3, 40


@pytest.fixture(scope="module")
def exports(aws_server: Aws) -> str:
    """A bucket with one month in three files."""
    name = "exports-to-serve"
    s3 = session.client(aws_server.settings(), "s3")
    s3.create_bucket(Bucket=name)
    parts = [month_lines("2026-01", ROWS, identity_line_item_id=f"file-{number}") for number in range(FILES)]
    put_legacy(
        lambda key, body: s3.put_object(Bucket=name, Key=key, Body=body),
        [gz(csv_file(part)) for part in parts],
        month="2026-01",
    )
    return name


@pytest.fixture
def place(tmp_path: Path, aws_server: Aws, exports: str) -> Iterator[Served]:
    """The service of that bucket, with a key that may run."""
    config = "ingestion: {aws: {enabled: true, rate_limit_per_sec: 1000}}\nrunner: {workers: 1, wait: 20s}\n"
    env = {
        "OFFGRIDFLOW_AWS_S3_BUCKET": exports,
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": aws_server.endpoint_url,
        "OFFGRIDFLOW_AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY": "planted-secret",
    }
    with in_folder(tmp_path, config, **env) as place:
        place.key = place.token("run")
        yield place.start()


def rows(place: Served) -> list[tuple[int, int]]:
    return read(place.db, "SELECT count(*), count(DISTINCT source) FROM activities")


def state(place: Served) -> str:
    return next(each["status"] for each in place.ask("/api/connectors") if each["name"] == "aws")


def test_b117_b118_b119_b121_one_sync_seen_from_all_sides(place: Served, stall: Stall) -> None:
    assert state(place) == "disconnected"
    stall.at(2)
    with place.client() as client:
        begun = client.post(SYNC, headers={"Idempotency-Key": "mine"})
    assert begun.status_code == 202
    answer = begun.json()
    assert set(answer) == {"job_id", "provider", "status", "timestamp"}
    assert (answer["provider"], answer["status"]) == ("aws", "started")
    assert answer["job_id"].startswith("sync-aws-default-1")
    assert place.ask(f"/api/jobs/{answer['job_id']}")["job_id"] == answer["job_id"]
    place.until(stall.reached.is_set, "the download")  # the client has long gone

    assert state(place) == "running"
    again = place.ask(SYNC, "POST", status=202)
    assert (again["job_id"], again["status"]) == (answer["job_id"], "running")
    same = place.ask(SYNC, "POST", status=202, headers={"Idempotency-Key": "mine"})
    assert same["job_id"] == answer["job_id"]
    everything = place.ask("/api/connectors/run", "POST", status=202)
    assert [job["job_id"] for job in everything["jobs"]] == [answer["job_id"]]
    job = place.until(lambda: _with_pages(place, answer["job_id"]), "a page")
    assert job["status"] == "running"
    assert job["progress"]["partitions_total"] == 1
    assert place.ask("/api/emissions")["total"] == 0  # questions go on

    stall.go.set()
    ended = place.ended(answer["job_id"])
    assert (ended["status"], ended["row_count"], ended["attempts"]) == ("succeeded", FILES * ROWS, 1)
    assert ended["progress"]["partitions_done"] == 1
    assert state(place) == "connected"
    later = place.ask(SYNC, "POST", status=202, headers={"Idempotency-Key": "mine"})
    assert later["job_id"] == answer["job_id"]
    reused = place.ask(SYNC, "POST", status=409, headers={"Idempotency-Key": "mine"}, json={"full": True})
    assert reused["error"]["code"] == "idempotency_key_reused"
    fresh = place.ask(SYNC, "POST", status=202)
    assert fresh["job_id"] != answer["job_id"]
    place.ended(fresh["job_id"])
    assert place.stop() == 0
    assert rows(place) == [(FILES * ROWS, FILES)]


def _with_pages(place: Served, job_id: str) -> dict | None:
    job = place.ask(f"/api/jobs/{job_id}")
    return job if job["progress"]["pages"] else None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "SIGTERM"])
def test_ended_in_mid_job_and_started_again_the_job_ends_once(
    place: Served, stall: Stall, number: signal.Signals
) -> None:
    stall.at(2)
    job_id = place.ask(SYNC, "POST", status=202)["job_id"]
    place.until(stall.reached.is_set, "the download")
    if number == signal.SIGTERM:
        place.process.send_signal(number)
        time.sleep(0.5)
        stall.go.set()  # the page under way ends
    place.stop(number if number == signal.SIGKILL else 0)
    stall.go.set()
    first = list(stall.downloads)
    stall.at(0)
    assert read(place.db, "SELECT status FROM jobs") in ([("running",)], [("queued",)])

    place.start()
    ended = place.ended(job_id)
    # an end that was asked for does not count against the job
    assert (ended["status"], ended["attempts"]) == ("succeeded", 2 if number == signal.SIGKILL else 1)
    assert len(place.ask("/api/jobs")) == 1
    assert first[0] not in stall.downloads  # a finished page is never fetched again
    runs = [run["status"] for run in place.ask("/api/ingestion/logs")]
    assert runs == ["succeeded", "failed" if number == signal.SIGKILL else "cancelled"]
    place.stop()
    assert rows(place) == [(FILES * ROWS, FILES)]


def started_run(place: Served, stall: Stall) -> subprocess.Popen[bytes]:
    """A run of the command line instead of the service, in the midst of its first download."""
    place.stop()
    stall.at(1)
    run = subprocess.Popen(
        [OGF, "run", "-q"],
        cwd=place.folder,
        env=environment(place.folder) | place.env,
        stderr=subprocess.DEVNULL,
    )
    place.until(stall.reached.is_set, "the download")
    return run


def test_b121_a_connector_left_running_is_an_error(place: Served, stall: Stall) -> None:
    """A run of the command line that was killed: no job goes on with it, so the connector must not seem to run."""
    run = started_run(place, stall)
    place.start()
    assert state(place) == "running"
    run.kill()
    run.wait()
    stall.go.set()
    place.until(lambda: state(place) != "running", "the end of the run")
    (found,) = (each for each in place.ask("/api/connectors") if each["name"] == "aws")
    assert (found["status"], found["last_error"]) == ("error", "interrupted; the next run goes on from there")
    assert re.search(r"aws +interrupted ", place("status").stdout)


def test_cancelled_at_the_next_page(place: Served, stall: Stall) -> None:
    stall.at(2)
    job_id = place.ask(SYNC, "POST", status=202)["job_id"]
    place.until(stall.reached.is_set, "the download")
    assert place.ask(f"/api/jobs/{job_id}", "DELETE", status=202)["status"] == "running"
    stall.go.set()
    assert place.ended(job_id)["status"] == "cancelled"
    assert len(stall.downloads) <= 2
    assert place.ask(f"/api/jobs/{job_id}", "DELETE", status=202)["status"] == "cancelled"
    assert place.ask("/api/jobs/nope", "DELETE", status=404)["error"]["code"] == "job_not_found"


def test_a_run_of_the_command_line_is_waited_for(place: Served, stall: Stall) -> None:
    run = started_run(place, stall)
    place.start()
    job_id = place.ask(SYNC, "POST", status=202)["job_id"]
    place.ask("/api/jobs")  # the file is free while the run downloads
    stall.go.set()
    assert run.wait(60) == 0
    ended = place.ended(job_id)
    assert (ended["status"], ended["row_count"]) == ("succeeded", 0)
    assert state(place) == "connected"


def test_a_locked_warehouse_is_told_and_waited_for(place: Served) -> None:
    """Another process holds the file for longer than a request waits."""
    with holder_of(place.db) as holder:
        assert holder.stdout.readline() == "mine\n"
        error = place.ask("/readyz", status=503)["error"]
        assert error["code"] == "warehouse_busy"
        assert "--wait" not in error["detail"]
        assert f"pid {holder.pid}" in error["message"]
        place.ask("/healthz")
    place.ask("/readyz")


def test_only_one_service_for_a_warehouse(place: Served) -> None:
    other = place("serve", "--port", "0", code=4)
    assert f"pid {place.process.pid}" in other.stderr
    port = place.address.rsplit(":", 1)[1]
    elsewhere = place("serve", "--port", port, "--db", place.folder / "other.duckdb", code=2)
    assert "nothing can listen" in elsewhere.stderr


def test_b122_a_sync_that_fails_says_why_and_what_to_do(place: Served, aws_server: Aws) -> None:
    aws_server.faults.inject("GET /exports-to-serve", "403 Forbidden", "AccessDenied", times=50)
    try:
        failed = place.ended(place.ask(SYNC, "POST", status=202)["job_id"])
        assert failed["status"] == "failed"
        assert "AccessDenied" in failed["error"]
        assert failed["hint"]
        (found,) = (each for each in place.ask("/api/connectors") if each["name"] == "aws")
        assert found["status"] == "error"
        tried = place.ask("/api/connectors/test?name=aws", "POST")  # B122
        assert (tried["status"], tried["error_class"]) == ("error", "auth")
        assert tried["hint"]
    finally:
        aws_server.faults.clear()
    assert place.ask("/api/connectors/test?name=aws", "POST")["status"] == "ok"
    assert "planted-secret" not in str(failed) + str(tried) + "".join(place.log)
