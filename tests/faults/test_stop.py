"""B102: SIGINT and SIGTERM end a run cleanly wherever it is; the next one goes on from there."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import duckdb
import pytest
from faults.killing import DOWNLOADS, Campaign

if TYPE_CHECKING:
    import subprocess

    from aws.conftest import Aws
    from faults.killing import Source, Victim
    from faults.stalling import Stall

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
SOON = 5.0  # seconds that a stop may take where nothing is under way


def ended(process: subprocess.Popen[str], *, within: float = 30) -> str:
    """Wait for a clean stop; gives what it said."""
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert time.monotonic() - began < within, err
    assert "Traceback" not in err
    assert out == ""
    return err


def partitions(victim: Victim) -> int:
    with duckdb.connect(str(victim.db), read_only=True) as connection:
        (whole,) = connection.execute(
            "SELECT count(*) FROM loads AS l WHERE status = 'current' AND row_count = "
            "(SELECT count(*) FROM activity_log AS a WHERE a.load_id = l.load_id)"
        ).fetchone()
        assert connection.execute("SELECT count(*) FROM loads WHERE status = 'current'").fetchone() == (
            whole,
        )
        assert connection.execute("SELECT status FROM runs").fetchall() == [("cancelled",)]
        return whole


@BOTH
def test_during_a_download(remote: Source, stall: Stall, number: int) -> None:
    campaign = Campaign(remote, seed=1)
    victim = campaign.victim(restated=False)
    stall.at(6)
    process = victim.start()
    assert stall.reached.wait(30)
    process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None, "it did not finish the page under way"
    stall.go.set()
    said = ended(process)
    assert (
        f"{signal.Signals(number).name}: stopping after the page under way; once more to stop at once" in said
    )
    assert "run the same command to go on" in said
    whole = partitions(victim)
    assert 1 <= whole < 5
    kept = len(victim.segments())
    done = len(stall.downloads)
    assert kept >= 1
    stall.at(0)
    campaign.finish(victim)
    assert len(stall.downloads) == DOWNLOADS - done


@BOTH
def test_twice_ends_at_once(remote: Source, stall: Stall, number: int) -> None:
    campaign = Campaign(remote, seed=2)
    victim = campaign.victim(restated=False)
    stall.at(4)
    process = victim.start()
    assert stall.reached.wait(30)
    process.send_signal(number)
    while "once more to stop at once" not in process.stderr.readline():
        pass
    process.send_signal(number)
    said = ended(process, within=SOON)
    assert f"{signal.Signals(number).name} again: stopped at once. Nothing is lost" in said
    stall.at(0)
    campaign.finish(victim)


@BOTH
def test_while_waiting_for_the_limiter(remote: Source, number: int) -> None:
    campaign = Campaign(remote, seed=3)
    victim = campaign.victim(restated=False)
    process = victim.start(OFFGRIDFLOW_AWS_RATE_LIMIT_CAPACITY="1", OFFGRIDFLOW_AWS_RATE_LIMIT_PER_SEC="0.01")
    process.stderr.readline()
    time.sleep(1.0)
    process.send_signal(number)
    ended(process, within=SOON)
    campaign.finish(victim)


def test_during_back_off(remote: Source, aws: Aws) -> None:
    campaign = Campaign(remote, seed=4)
    victim = campaign.victim(restated=False)
    aws.faults.inject("GET", "503 Slow Down", "SlowDown", headers={"Retry-After": "3600"})
    process = victim.start()
    while "retrying after error" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    ended(process, within=SOON)
    campaign.finish(victim)


def test_while_waiting_for_the_warehouse(local: Source) -> None:
    campaign = Campaign(local, seed=5)
    victim = campaign.victim(restated=True)
    with duckdb.connect(str(victim.db)):
        process = victim.start()
        said = process.stderr.readline()
        assert "waiting for the warehouse" in said
        assert f"held_by_pid={os.getpid()}" in said
        assert f"process {os.getpid()} holds the warehouse" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        ended(process, within=SOON)
    campaign.finish(victim)
