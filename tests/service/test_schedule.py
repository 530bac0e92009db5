"""When syncs are due: jitter stays small, nothing is asked for twice, what was missed is asked for once."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service.conftest import Served, in_folder

from ogf.service.jobs.schedule import Schedule, Scheduler

if TYPE_CHECKING:
    from pathlib import Path

UTC = dt.UTC
times = st.integers(0, 365 * 86400).map(
    lambda s: dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=s)
)
every = st.sampled_from(["6h", "15m", "1h30m", "0 */6 * * *", "30 2 * * 1", "*/5 * * * *"])


@given(times, every, st.text("abc", min_size=1))
def test_later_and_not_much_later(last: dt.datetime, every: str, provider: str) -> None:
    plan = Schedule(provider, "default", every)
    due = plan.after(last)
    assert due > last
    assert due == plan.after(last)
    assert due - last <= dt.timedelta(days=7, minutes=5)
    if every == "6h":
        assert dt.timedelta(hours=6) <= due - last <= dt.timedelta(hours=6, minutes=5)
    if every == "0 */6 * * *":
        assert due.hour % 6 == 0
        assert due.minute <= 5


@dataclass
class Book:
    """When a schedule last asked, as the warehouse would say."""

    last: dt.datetime | None = None

    def last_scheduled(self, _provider: str, _org: str) -> dt.datetime | None:
        return self.last


@dataclass
class Clock:
    now: dt.datetime
    asked: list[dt.datetime] = field(default_factory=list)

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.mark.parametrize("every", ["6h", "0 */6 * * *"])
def test_what_was_missed_is_asked_for_once(every: str) -> None:
    clock = Clock(dt.datetime(2026, 3, 10, 12, 30, tzinfo=UTC))
    book = Book(last=clock.now - dt.timedelta(days=30))  # a hundred times and more
    asked = threading.Event()

    def ask(_plan: Schedule) -> None:
        book.last = clock.now
        clock.asked.append(clock.now)
        asked.set()

    scheduler = Scheduler([Schedule("aws", "default", every)], book, ask, clock)
    scheduler.start()
    assert asked.wait(10)
    scheduler.close()
    assert clock.asked == [clock.now]
    assert scheduler.due(scheduler.plans[0]) > clock.now


def test_an_interval_begins_at_once_a_cron_line_when_it_says() -> None:
    clock = Clock(dt.datetime(2026, 3, 10, 12, 30, tzinfo=UTC))
    interval, cron = Schedule("a", "o", "6h"), Schedule("b", "o", "0 18 * * *")
    scheduler = Scheduler([interval, cron], Book(), lambda _: None, clock)
    assert scheduler.due(interval) == clock.now
    assert (
        dt.datetime(2026, 3, 10, 18, tzinfo=UTC)
        <= scheduler.due(cron)
        < dt.datetime(2026, 3, 10, 18, 6, tzinfo=UTC)
    )


def test_a_schedule_is_served(demo: Path, tmp_path: Path) -> None:
    config = (demo / "ogf.yaml").read_text().replace("ingestion:", "ingestion:\n  schedule_interval: 6h")
    config = config.replace(f"path: {demo}", f"path: {tmp_path}")
    with in_folder(tmp_path, config) as place:
        place.key = place.token("read")
        place.start()
        (job,) = place.until(lambda: place.ask("/api/jobs"), "the job")
        assert (job["trigger"], job["requested_by"]) == ("schedule", "schedule")
        assert place.ended(job["job_id"])["status"] == "succeeded"
        plan = place.ask("/api/connectors/schedule")
        assert (plan["interval"], plan["schedules"][0]["provider"]) == ("6h", "gcp")
        assert plan["next_run_at"] > plan["last_run_at"]


def test_no_schedule(served: Served) -> None:
    assert served.ask("/api/connectors/schedule", status=501)["error"]["code"] == "schedule_not_configured"


def test_a_cron_line_that_never_comes(tmp_path: Path) -> None:
    with in_folder(tmp_path, "ingestion: {gcp: {enabled: true, schedule: 0 0 31 2 *}}\n") as place:
        assert "names no time" in place("serve", "--port", "0", code=2).stderr
