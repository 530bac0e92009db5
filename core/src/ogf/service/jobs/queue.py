"""The workers of the service: each takes a job, runs its provider as `ogf run` would, and writes down how it ended."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from ogf.errors import Cancelled, OgfError, WarehouseBusy, WarehouseError
from ogf.redaction import Redactor
from ogf.runner.clock import Cancel
from ogf.runner.run import Options
from ogf.service.jobs.book import UNFINISHED, JobBook
from ogf.service.jobs.progress import Progress
from ogf.telemetry import masked
from ogf.telemetry.spans import ingestion_run
from ogf.warehouse import ledger
from ogf.window import Window

if TYPE_CHECKING:
    from ogf.runner.report import RunResult
    from ogf.service.connectors import Connectors
    from ogf.warehouse.ledger import Job

# Two providers at a time: a third waits, so that memory and cores are those of two runs.
_AT_ONCE = 2
_MOST_ATTEMPTS = 3
_ASK_AGAIN_SECONDS = 1.0


@dataclass
class _Live:
    """A job that waits or runs in this process."""

    job: Job
    cancel: Cancel = field(default_factory=Cancel)
    progress: Progress = field(default_factory=Progress)
    unwanted: bool = False  # somebody cancelled it, rather than the service ending


class JobQueue:
    """Carries out jobs. `start` before anything else, `close` at the end.

    Args:
        requests: the same book with less patience, for who waits for an answer.
        wait: seconds a job waits for a run of the same provider that somebody else began.
    """

    def __init__(self, connectors: Connectors, book: JobBook, *, requests: JobBook, wait: float) -> None:
        self.connectors = connectors
        self.book = book
        self._requests = requests
        self._wait = wait
        self._mask = Redactor(connectors.config.secrets()).text
        self._live: dict[str, _Live] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="job")
        self._log: Any = structlog.get_logger("ogf.service")

    def start(self) -> None:
        """Take up what an earlier service left. The caller knows that no other service works on this warehouse."""
        for job in self.book.recover(most_attempts=_MOST_ATTEMPTS):
            self._log.warning("resuming job", job=job.job_id, attempts=job.attempts)
            self._take(job)

    def ask(self, wanted: Job) -> tuple[Job, bool]:
        """Store a job and carry it out in its turn; see `JobBook.ask`."""
        with self._lock:  # two that ask at the same time
            job, fresh = self._requests.ask(wanted)
            if job.status in UNFINISHED and job.job_id not in self._live:
                self._take(job)  # or it was under way, and how it ended could not be written down
        if fresh:
            self._log.info("job stored", job=job.job_id, provider=job.provider, trigger=job.trigger)
        return job, fresh

    def cancel(self, job_id: str) -> bool:
        """Ask a job to end after the page under way. False if it is not under way here."""
        live = self._live.get(job_id)
        if live is None:
            self._requests.revise(job_id, _cancelled)
            return False
        live.unwanted = True
        live.cancel.set()
        return True

    @property
    def busy(self) -> bool:
        """Whether any job waits or runs in this process."""
        return bool(self._live)

    def progress(self, job_id: str) -> Progress | None:
        """How far a job has come that waits or runs in this process."""
        live = self._live.get(job_id)
        return live.progress if live else None

    def stop(self) -> None:
        """Let what is under way end after its page; it stays in the book, and the next service goes on with it."""
        with self._lock:
            self._closing = True
            for live in list(self._live.values()):
                live.cancel.set()

    def close(self) -> None:
        """Stop, and wait for that."""
        self.stop()
        self._pool.shutdown(wait=True)

    def _take(self, job: Job) -> None:
        if self._closing:
            return
        live = _Live(job)
        self._live[job.job_id] = live
        self._pool.submit(self._work, live)

    def _work(self, live: _Live) -> None:
        job = live.job
        log = self._log.bind(job=job.job_id, provider=job.provider)
        try:
            self._carry_out(live, log)
        except OgfError as error:
            log.error("job could not be written down", error=masked(str(error)))  # noqa: TRY400 - foreseen
        except Exception:
            log.exception("job ended by an unforeseen error")
        finally:
            self._live.pop(job.job_id, None)

    def _carry_out(self, live: _Live, log: Any) -> None:
        job = live.job
        if live.cancel.is_set():
            if live.unwanted:
                self._finish(job, live, status="cancelled", message="cancelled before it began")
            return
        self.book.change(
            job.job_id, status="running", started_at=job.started_at or ledger.now(), attempts=job.attempts + 1
        )
        log.info("job begins", attempt=job.attempts + 1)
        try:
            with ingestion_run(self._mask, providers=job.provider, job_id=job.job_id):
                result = self._run(live)
        except OgfError as error:
            if live.cancel.is_set() and isinstance(error, Cancelled | WarehouseBusy):
                self._stopped(job, live)
                return
            self._finish(job, live, status="failed", message=masked(error.headline), hint=masked(error.hint))
        except Exception as error:
            log.exception("unforeseen error")
            self._finish(
                job,
                live,
                status="failed",
                message=masked(f"{type(error).__name__}: {error}"),
                hint="ogf did not foresee this: the service's log has more",
            )
        else:
            if result.status == "cancelled" and not live.unwanted:
                self._stopped(job, live)
                return
            self._finish(
                job,
                live,
                status=result.status,
                run_id=result.run_id,
                row_count=result.rows,
                rejected=result.rejected,
                message=masked(result.message) or None,
                hint=masked(result.hint) or None,
                notices=[masked(notice) for notice in result.notices],
            )

    def _run(self, live: _Live) -> RunResult:
        job = live.job
        options = Options(tuple(job.streams), Window.of(job.since, job.until), job.full)
        deadline = time.monotonic() + self._wait
        while True:
            run = self.connectors.run(job.provider, cancel=live.cancel, reporter=live.progress)
            try:
                return run.run(options)
            except WarehouseBusy:
                if time.monotonic() >= deadline or live.cancel.wait(_ASK_AGAIN_SECONDS):
                    raise

    def _stopped(self, job: Job, live: _Live) -> None:
        """It was cancelled; or the service ends, but not the job, and nobody counts that against it."""
        if live.unwanted:
            self._finish(job, live, status="cancelled", message="stopped on request")
        else:
            self.book.change(job.job_id, status="queued", attempts=job.attempts)

    def _finish(self, job: Job, live: _Live, **how: Any) -> None:
        told = live.progress.as_dict()
        counts = {
            name: told[name] for name in ("partitions_total", "partitions_done", "partitions_failed", "pages")
        }
        at = ledger.now()
        while True:
            try:
                self.book.change(job.job_id, finished_at=at, **counts, **how)
                break
            except WarehouseError as error:
                # Whoever asks for the same meanwhile must not wait for a job of the past.
                if self._closing:
                    raise
                self._log.warning(
                    "job's end is not written down yet", job=job.job_id, error=masked(str(error))
                )
                time.sleep(_ASK_AGAIN_SECONDS)
        if how["status"] == "failed":
            self._log.error("job failed", job=job.job_id, error=how.get("message"), hint=how.get("hint"))
        else:
            self._log.info("job ended", job=job.job_id, status=how["status"])


def _cancelled(job: Job) -> dict[str, Any]:
    if job.status not in UNFINISHED:
        return {}
    return {"status": "cancelled", "finished_at": ledger.now(), "message": "cancelled before it began"}
