"""From planned partitions to published ones: gathers what the crew extracts, loads it, publishes it.

Only this thread opens the warehouse.
"""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.errors import Cancelled, ErrorClass, SourceError
from ogf.runner.crew import Crew
from ogf.runner.failure import classified, log_failure
from ogf.runner.load import append_segments
from ogf.runner.publish import publish
from ogf.runner.report import PartitionOutcome
from ogf.runner.work import Work

if TYPE_CHECKING:
    from ogf.plugins import Plugin
    from ogf.runner.books import Books, Started
    from ogf.runner.clock import Cancel
    from ogf.runner.contexts import Contexts
    from ogf.runner.plan import Planned
    from ogf.runner.planner import Planner
    from ogf.runner.report import Reporter, RunResult
    from ogf.runner.spool import Spool
    from ogf.runner.watch import Watch

# Segments wait for company before the warehouse is opened for them: it costs some 20 ms each time.
_APPEND_BYTES = 8 << 20
_RESTARTS = 2


@dataclass(frozen=True)
class Rules:
    """What the settings say about loading: `max_reject_share` of 1, `resume_ttl` in seconds."""

    workers: int
    max_pages: int
    max_reject_share: float
    resume_ttl: float


class Driver:
    """Loads planned partitions."""

    def __init__(
        self,
        *,
        plugin: Plugin,
        books: Books,
        spool: Spool,
        started: Started,
        result: RunResult,
        reporter: Reporter,
        cancel: Cancel,
        contexts: Contexts,
        planner: Planner,
        rules: Rules,
        watch: Watch,
        log: Any,
    ) -> None:
        self.plugin = plugin
        self.books = books
        self.spool = spool
        self.started = started
        self.result = result
        self.reporter = reporter
        self.cancel = cancel
        self.contexts = contexts
        self.planner = planner
        self.rules = rules
        self.watch = watch
        self.log = log
        self._crew = Crew(plugin, contexts, cancel, rules.max_pages, log)
        self._restarts: dict[tuple[str, str], int] = {}

    def run(self, planned: list[Planned]) -> None:
        """Load every planned partition; each fails alone. Raises Cancelled after what was under way is safe."""
        todo = planned
        while todo:
            again: list[Planned] = []
            self._pass(todo, again)
            todo = again
        self.cancel.raise_if_set()

    def _pass(self, planned: list[Planned], again: list[Planned]) -> None:
        works = self._open(planned)
        with ThreadPoolExecutor(self.rules.workers, thread_name_prefix="extract") as pool:
            for work in works:
                self._crew.submit(pool, work)
            try:
                pending = {id(work) for work in works}
                for work in works:
                    if not work.chains_left:
                        self._settle(work, again)
                        pending.discard(id(work))
                while pending:
                    ended = self._take(works)
                    if ended is not None and not ended.chains_left:
                        self._settle(ended, again)
                        pending.discard(id(ended))
            except BaseException:
                self._crew.aborted = (
                    True  # the pool waits for its workers: they stop after the page under way
                )
                raise

    def _open(self, planned: list[Planned]) -> list[Work]:
        resume_after = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.rules.resume_ttl)
        loads = self.books.open_loads(self.started, planned, resume_after=resume_after)
        works = []
        for item in planned:
            partition = item.partition
            open_load = loads[partition.stream, partition.key]
            folder = self.spool.load_folder(partition.stream, item.digest, open_load.load.load_id)
            where = f"{self.plugin.provider.name} {partition.stream} {partition.key}"
            attempt = 1 + self._restarts.get((partition.stream, partition.key), 0)
            watched = self.watch.partition(item, attempt=attempt)
            works.append(
                Work(item, open_load, folder, where, chains_left=len(partition.requests), watched=watched)
            )
        return works

    def _take(self, works: list[Work]) -> Work | None:
        """Handle one event, and append what has gathered. Returns the work whose chain ended, if one did."""
        work, event = self._crew.events.get()
        if isinstance(event, BaseException):
            self._note_error(work, event)
        elif event is not None:
            work.extracted.segments.append(event)
            work.pages += 1
            self.reporter.page(*work.key, rows=event.rows)
            if event.name not in work.open_load.appended:
                work.waiting.append(event)
        else:
            work.chains_left -= 1
        if work.chains_left and self._crew.events.empty():
            self._append_if_worth(works)
        return work if event is None else None

    def _note_error(self, work: Work, error: BaseException) -> None:
        if isinstance(error, Cancelled):
            work.error = work.error or SourceError("cancelled", error_class=ErrorClass.TRANSIENT)
            return
        if not isinstance(error, SourceError):
            raise error
        work.error = work.error or error

    def _append_if_worth(self, works: list[Work]) -> None:
        ready = [work for work in works if work.versioned and work.waiting and work.error is None]
        if sum(facts.path.stat().st_size for work in ready for facts in work.waiting) >= _APPEND_BYTES:
            self._append(ready)

    def _append(self, works: list[Work]) -> None:
        batch = {work.open_load.load.load_id: work.waiting for work in works}
        with self.books.warehouse.writing() as connection:
            append_segments(connection, batch)
        for work in works:
            work.watched.appended(len(work.waiting))
            work.waiting = []

    def _settle(self, work: Work, again: list[Planned]) -> None:
        """All chains of a partition have ended: publish it, keep what there was, or plan it again."""
        failure: SourceError | None = None
        try:
            if work.error is not None:
                raise work.error
            with work.watched.confirming():
                self._confirm(work)
            outcome = self._publish(work)
        except SourceError as error:
            if self.cancel.is_set():
                return
            failure = self._restart(work, again, error) if error.restart else error
            if failure is None:
                self.watch.restarted(work.watched, error)
                return
            outcome = self._failed(work, failure)
        self.result.partitions.append(outcome)
        self.reporter.finished(outcome)
        self.watch.settled(work.watched, outcome, failure)

    def _confirm(self, work: Work) -> None:
        self.cancel.raise_if_set()
        ctx = self.contexts.make(*work.key, account=work.planned.account)
        try:
            confirmed = self.plugin.confirm(ctx, work.planned.partition)
        except Cancelled:
            raise
        except Exception as error:
            raise classified(error, ctx=ctx, where=work.where, log=self.log) from error
        if not confirmed:
            raise SourceError(
                "the source changed while it was being read",
                error_class=ErrorClass.TRANSIENT,
                where=work.where,
                restart=True,
                hint="it is being delivered right now; run again later",
            )

    def _publish(self, work: Work) -> PartitionOutcome:
        planned, state = work.planned, work.planned.state
        reason = planned.reason
        if not work.versioned:
            content_hash = work.extracted.content_hash(planned.partition)
            unchanged = state is not None and state.content_hash == content_hash
            if unchanged and state is not None and reason != "forced":
                self.books.abandon(work.open_load.load, planned, checked=True)
                self.spool.drop(work.folder)
                return PartitionOutcome(
                    *work.key,
                    "unchanged",
                    "same content",
                    rows=state.row_count,
                    standing=state.notices,
                    account=planned.account,
                )
            reason = "content changed" if reason == "no version" else reason
        with work.watched.commit() as span, self.books.warehouse.writing() as connection:
            if work.waiting:
                append_segments(connection, {work.open_load.load.load_id: work.waiting})
                work.waiting = []
            published = publish(
                connection,
                work.open_load.load,
                planned,
                work.extracted,
                stream=self.plugin.provider.stream(work.key[0]),
                max_reject_share=self.rules.max_reject_share,
                drop_zero_emissions=self.contexts.shop.accounts[planned.account].drop_zero_emissions,
            )
            span.set(rows=published.rows, rejected=published.rejected)
        self.watch.quarantined(work.key[0], published.reasons)
        self.spool.drop(work.folder)
        if published.repeated:
            self.result.notices.append(
                f"{' '.join(work.key)}: {published.repeated:,} rows that several of its files hold count once"
            )
        if published.alike:
            self.result.notices.append(
                f"{' '.join(work.key)}: of its rows {published.alike:,} look like rows of another of its files, but "
                "for names, labels or columns that one of them lacks; if they are the same usage, keep only one file"
            )
        if published.zeros:
            self.result.notices.append(
                f"{' '.join(work.key)}: {published.zeros:,} rows of zero emissions were left out (drop_zero_emissions)"
            )
        return PartitionOutcome(
            *work.key,
            "loaded",
            reason,
            rows=published.rows,
            rejected=published.rejected,
            pages=work.pages,
            notices=published.notices,
            unmapped=published.unmapped,
            account=planned.account,
        )

    def _restart(self, work: Work, again: list[Planned], error: SourceError) -> SourceError | None:
        """Throw a partition's segments away and plan it anew. Returns why not, if that is not done."""
        self.books.abandon(work.open_load.load, work.planned, checked=False)
        self.spool.drop(work.folder)
        used = self._restarts.get(work.key, 0)
        if used >= _RESTARTS:
            return error
        self._restarts[work.key] = used + 1
        self.log.warning("planning again", partition=work.key[1], why=error.message)
        try:
            fresh = self.planner.again(self.contexts, work.planned)
        except Cancelled:
            raise
        except Exception as trouble:  # noqa: BLE001 - whatever the listing says fails this partition alone
            ctx = self.contexts.make(*work.key, account=work.planned.account)
            return classified(trouble, ctx=ctx, where=work.where, log=self.log)
        if fresh is None:
            return error
        again.append(fresh)
        return None

    def _failed(self, work: Work, error: SourceError) -> PartitionOutcome:
        log_failure(self.log, self.plugin.provider.stream(work.key[0]), work.key[1], error)
        self.books.fail(work.planned, error)
        if not work.versioned and error.error_class is not ErrorClass.TRANSIENT:
            # What was read may be the very thing that is wrong, and no version would tell that it was mended.
            self.books.abandon(work.open_load.load, work.planned, checked=False)
            self.spool.drop(work.folder)
        return PartitionOutcome.failed(*work.key, work.planned.reason, error, account=work.planned.account)
