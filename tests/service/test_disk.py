"""A full disk under the service: questions are answered, the job says why it failed, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.small_disk import MUCH, deliver_much, exports, fill, small_disk
from service.conftest import Served, in_folder, read

from ogf.warehouse.file import lock_holder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["exports", "small_disk"]

SYNC = "/api/connectors/sync/aws"


@pytest.fixture
def place(small_disk: Path, exports: Path, tmp_path: Path) -> Iterator[Served]:
    """A service whose warehouse lies on the small disk, with a first load in it. Segments lie elsewhere."""
    config = f"warehouse: {{path: {small_disk / 'ogf.duckdb'}}}\ningestion: {{aws: {{enabled: true}}}}\n"
    elsewhere = tmp_path / "spool"
    elsewhere.mkdir()
    (small_disk / "ogf.duckdb.spool").symlink_to(elsewhere)
    with in_folder(tmp_path / "place", config, OFFGRIDFLOW_AWS_CUR_LOCATION=str(exports)) as place:
        place.key = place.token("run")
        place.start()
        first = place.ended(place.ask(SYNC, "POST", status=202)["job_id"])
        assert (first["status"], first["row_count"]) == ("succeeded", 100)
        yield place


def test_disk_full_while_appending(place: Served, small_disk: Path, exports: Path) -> None:
    deliver_much(exports)
    filler = fill_idle(place, small_disk, leave=1 << 20)
    job_id = place.ask(SYNC, "POST", status=202)["job_id"]
    job = place.ended(job_id)
    assert (job["status"], job["row_count"]) == ("failed", 0)
    assert "No space left on device" in job["error"]
    assert "free space on the disk" in job["hint"]
    place.until(lambda: any("No space left on device" in line for line in place.log), "a line in the log")
    assert_questions_are_answered(place)
    filler.unlink()
    assert_nothing_lost(place, small_disk)


def test_disk_full_before_a_job_is_stored(place: Served, small_disk: Path, exports: Path) -> None:
    deliver_much(exports)
    filler = fill_idle(place, small_disk, leave=0)
    error = place.ask(SYNC, "POST", status=503)["error"]
    assert error["code"] == "warehouse_unavailable"
    assert "free space on the disk" in error["detail"]
    assert_questions_are_answered(place)
    filler.unlink()
    assert_nothing_lost(place, small_disk)


def fill_idle(place: Served, disk: Path, *, leave: int) -> Path:
    """Fill the disk once the service has let go of the file, so that there is no log with room left in it."""
    log = disk / "ogf.duckdb.wal"
    place.until(lambda: lock_holder(disk / "ogf.duckdb") is None and not log.exists(), "an idle service")
    return fill(disk, leave=leave)


def assert_questions_are_answered(place: Served) -> None:
    assert place.ask("/healthz")["status"] == "ok"
    assert len(place.ask("/api/activities?limit=5")["data"]) == 5


def assert_nothing_lost(place: Served, disk: Path) -> None:
    """The next sync loads everything once."""
    job = place.ended(place.ask(SYNC, "POST", status=202)["job_id"])
    assert job["status"] == "succeeded", job
    assert place.stop() == 0
    assert read(disk / "ogf.duckdb", "SELECT count(*) FROM activities") == [(100 + MUCH,)]
    assert "Traceback" not in "".join(place.log)
