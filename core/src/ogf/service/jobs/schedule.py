"""Schedules: an interval or a cron line for each provider, asked for once however often it was missed."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from cronsim import CronSim, CronSimError

from ogf.config.values import parse_duration
from ogf.errors import ConfigError, OgfError
from ogf.telemetry import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ogf.service.connectors import Connectors
    from ogf.service.jobs.book import JobBook

# Of the time between two runs, so that not every provider (and not every installation) asks at the same moment.
_JITTER_SHARE = 0.1
_MOST_JITTER = dt.timedelta(minutes=5)
_LONGEST_SLEEP = 60.0


class Schedule(NamedTuple):
    """When a provider is synced. `every`: as configured, `6h` or `0 */6 * * *` (UTC)."""

    provider: str
    org_id: str
    every: str

    def after(self, last: dt.datetime) -> dt.datetime:
        """The next time after the last one, jitter included: the same for the same provider, whoever asks."""
        if len(self.every.split()) == 5:
            following = CronSim(self.every, last)
            due = next(following)
            gap = next(following) - due
        else:
            gap = dt.timedelta(seconds=parse_duration(self.every))
            due = last + gap
        return due + self._jitter(gap)

    def first(self, now: dt.datetime) -> dt.datetime:
        """The first time of one that never ran: an interval begins at once, a cron line when it says."""
        return self.after(now) if len(self.every.split()) == 5 else now

    def _jitter(self, gap: dt.timedelta) -> dt.timedelta:
        digest = hashlib.sha256(f"{self.provider} {self.org_id}".encode()).digest()
        return min(gap * _JITTER_SHARE, _MOST_JITTER) * (int.from_bytes(digest[:4]) / 2**32)


def schedules(connectors: Connectors) -> list[Schedule]:
    """The schedule of each provider that has one of its own, or is enabled while there is a general one.

    Raises:
        ConfigError: a cron line means nothing.
    """
    general = connectors.config.settings.ingestion.schedule_interval
    enabled = connectors.enabled()
    found = []
    for name, settings in sorted(connectors.config.providers.items()):
        every = settings.schedule or (general if name in enabled else None)
        if every is not None:
            found.append(Schedule(name, connectors.org_of(name), every))
    for schedule in found:
        _require_readable(schedule)
    return found


def _require_readable(schedule: Schedule) -> None:
    if len(schedule.every.split()) != 5:
        return
    try:
        next(CronSim(schedule.every, dt.datetime.now(dt.UTC)))
    except (CronSimError, StopIteration) as error:
        raise ConfigError(
            f"the cron line {schedule.every!r} of {schedule.provider} names no time ({error})",
            where=f"ingestion.{schedule.provider}.schedule or ingestion.schedule_interval",
            hint="write five fields: minute hour day month weekday, as in 0 */6 * * *",
        ) from error


class Scheduler:
    """A thread that asks for syncs when they are due.

    Args:
        ask: stores a job for a provider; its errors are logged, and it is asked again a minute later.
    """

    def __init__(
        self,
        plans: Sequence[Schedule],
        book: JobBook,
        ask: Callable[[Schedule], None],
        now: Callable[[], dt.datetime],
    ) -> None:
        self.plans = list(plans)
        self._book = book
        self._ask = ask
        self._now = now
        self._began = now()
        self._asked: dict[str, dt.datetime] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="schedule", daemon=True)
        self._log: Any = structlog.get_logger("ogf.service")

    def start(self) -> None:
        if self.plans:
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def due(self, plan: Schedule) -> dt.datetime:
        """When a provider is to be synced next; in the past if that was missed."""
        last = self._asked.get(plan.provider) or self._book.last_scheduled(plan.provider, plan.org_id)
        return plan.first(self._began) if last is None else plan.after(last)

    def _work(self) -> None:
        while True:
            soonest = min((self._turn(plan) for plan in self.plans), default=_LONGEST_SLEEP)
            if self._stop.wait(max(0.05, min(soonest, _LONGEST_SLEEP))):
                return

    def _turn(self, plan: Schedule) -> float:
        """Ask if it is time; returns the seconds until it is."""
        try:
            now = self._now()
            due = self.due(plan)
            if due <= now:
                self._ask(plan)
                self._asked[plan.provider] = now
                due = plan.after(now)
            return (due - now).total_seconds()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next time must come
            if not isinstance(error, OgfError):
                self._log.exception("unforeseen error")
            self._log.error("schedule could not ask", provider=plan.provider, error=masked(str(error)))
            return _LONGEST_SLEEP
