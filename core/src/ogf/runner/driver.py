"""One provider's run, from plan to publication: submits chains, gathers segments, loads and publishes them.

Only this thread opens the warehouse. Workers extract; what they finish comes back through one queue.
"""

from __future__ import annotations

import datetime as dt
import queue
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogf.errors import Cancelled, ErrorClass, OgfError, SourceError
from ogf.runner.extract import Chain, extract_chain
from ogf.runner.load import append_segments
from ogf.runner.publish import Extracted, publish
from ogf.runner.report import PartitionOutcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ogf.plugins import Plugin
    from ogf.runner.books import Books, OpenLoad, Started
    from ogf.runner.clock import Cancel
    from ogf.runner.context import TaskContext
    from ogf.runner.plan import Planned
    from ogf.runner.report import Reporter, RunResult
    from ogf.runner.spool import SegmentFacts, Spool

# Segments wait for company before the warehouse is opened for them: it costs some 20 ms each time.
_APPEND_BYTES = 8 << 20
_RESTARTS = 2


@dataclass
class _Work:
    """A partition being loaded."""

    planned: Planned
    open_load: OpenLoad
    folder: Path
    chains_left: int
    extracted: Extracted = field(default_factory=Extracted)
    waiting: list[SegmentFacts] = field(default_factory=list)
    error: SourceError | None = None
    pages: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.planned.partition.stream, self.planned.partition.key

    @property
    def versioned(self) -> bool:
        return self.planned.partition.version is not None


class Driver:
    """Loads planned partitions. `context` makes a fresh context for a task, with its own retry budget."""

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
        context: Callable[[str, str], TaskContext],
        replan: Callable[[Planned], Planned | None],
        workers: int,
        max_pages: int,
        max_reject_share: float,
        resume_ttl: float,
        log: Any,
    ) -> None:
        self.plugin = plugin
        self.books = books
        self.spool = spool
        self.started = started
        self.result = result
        self.reporter = reporter
        self.cancel = cancel
        self.context = context
        self.replan = replan
        self.workers = workers
        self.max_pages = max_pages
        self.max_reject_share = max_reject_share
        self.resume_ttl = resume_ttl
        self.log = log
        self._events: queue.SimpleQueue[tuple[_Work, Any]] = queue.SimpleQueue()
        self._stopped: dict[str, SourceError] = {}
        self._restarts: dict[tuple[str, str], int] = {}
        self._aborted = False

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
        with ThreadPoolExecutor(self.workers, thread_name_prefix="extract") as pool:
            for work in works:
                self._submit(pool, work)
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
                self._aborted = True  # the pool waits for its workers: they stop after the page under way
                raise

    def _open(self, planned: list[Planned]) -> list[_Work]:
        resume_after = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.resume_ttl)
        loads = self.books.open_loads(self.started, planned, resume_after=resume_after)
        works = []
        for item in planned:
            partition = item.partition
            open_load = loads[partition.stream, partition.key]
            folder = self.spool.load_folder(partition.stream, item.digest, open_load.load.load_id)
            works.append(_Work(item, open_load, folder, chains_left=len(partition.requests)))
        return works

    def _submit(self, pool: Executor, work: _Work) -> None:
        partition = work.planned.partition
        for index, request in enumerate(partition.requests):
            chain = Chain(
                load_id=work.open_load.load.load_id,
                index=index,
                request=request,
                folder=work.folder,
                where=f"{self.plugin.provider.name} {partition.stream} {partition.key}",
                local=partition.local,
                hashed=not work.versioned,
                max_pages=self.max_pages,
            )
            pool.submit(self._extract, work, chain)

    def _extract(self, work: _Work, chain: Chain) -> None:
        """A worker's task: everything it has to say goes through the queue, its end included."""
        partition = work.planned.partition
        try:
            self._refuse_stopped(partition.stream)
            if work.error is not None or self._aborted:
                return
            ctx = self.context(partition.stream, partition.key)
            extract_chain(
                chain,
                ctx=ctx,
                plugin=self.plugin,
                cancel=self.cancel,
                done=lambda facts: self._page_done(work, facts),
            )
        except BaseException as error:  # noqa: BLE001 - handed to the driver, which decides
            self._events.put((work, error))
        finally:
            self._events.put((work, None))

    def _page_done(self, work: _Work, facts: SegmentFacts) -> None:
        self._events.put((work, facts))
        if self._aborted:
            raise Cancelled

    def _refuse_stopped(self, stream: str) -> None:
        stopped = self._stopped.get(stream) or self._stopped.get("*")
        if stopped is not None:
            raise SourceError(
                f"not tried, because of an earlier error: {stopped.message}",
                error_class=stopped.error_class,
                hint=stopped.hint,
            )

    def _take(self, works: list[_Work]) -> _Work | None:
        """Handle one event, and append what has gathered. Returns the work whose chain ended, if one did."""
        work, event = self._events.get()
        if isinstance(event, BaseException):
            self._note_error(work, event)
        elif event is not None:
            work.extracted.segments.append(event)
            work.pages += 1
            self.reporter.page(*work.key, rows=event.rows)
            if event.name not in work.open_load.appended:
                work.waiting.append(event)
            if work.versioned and self._events.empty():
                self._append_if_worth(works)
        else:
            work.chains_left -= 1
            return work
        return None

    def _note_error(self, work: _Work, error: BaseException) -> None:
        if isinstance(error, Cancelled):
            work.error = work.error or SourceError("cancelled", error_class=ErrorClass.TRANSIENT)
            return
        if not isinstance(error, SourceError):
            error = self._classified(work, error)
        work.error = work.error or error
        if error.error_class is ErrorClass.AUTH:
            self._stopped.setdefault(work.planned.partition.stream, error)
        elif error.error_class is ErrorClass.FATAL:
            self._stopped.setdefault("*", error)

    def _classified(self, work: _Work, error: BaseException) -> SourceError:
        if not isinstance(error, Exception):
            raise error
        ctx = self.context(*work.key)
        verdict = ctx.retry.classify(error)
        where = f"{self.plugin.provider.name} {work.planned.partition.stream} {work.planned.partition.key}"
        if verdict.error_class is ErrorClass.UNKNOWN:
            self.log.error("unexpected error", stream=work.key[0], partition=work.key[1], exc_info=error)
        text = error.message if isinstance(error, OgfError) else f"{type(error).__name__}: {error}"
        return SourceError(
            text,
            error_class=verdict.error_class,
            where=where,
            hint=verdict.hint,
            restart=verdict.restart,
        )

    def _append_if_worth(self, works: list[_Work]) -> None:
        ready = [work for work in works if work.versioned and work.waiting and work.error is None]
        if sum(facts.path.stat().st_size for work in ready for facts in work.waiting) >= _APPEND_BYTES:
            self._append(ready)

    def _append(self, works: list[_Work]) -> None:
        batch = [(work.open_load.load.load_id, facts) for work in works for facts in work.waiting]
        if not batch:
            return
        with self.books.warehouse.writing() as connection:
            append_segments(connection, batch)
        for work in works:
            work.waiting = []

    def _settle(self, work: _Work, again: list[Planned]) -> None:
        """All chains of a partition have ended: publish it, keep what there was, or plan it again."""
        try:
            if work.error is not None:
                raise work.error
            self._confirm(work)
            outcome = self._publish(work)
        except SourceError as error:
            if self.cancel.is_set():
                return
            if error.restart and self._restart(work, again):
                return
            outcome = self._failed(work, error)
        self.result.partitions.append(outcome)
        self.reporter.finished(outcome)

    def _confirm(self, work: _Work) -> None:
        self.cancel.raise_if_set()
        ctx = self.context(*work.key)
        if not self.plugin.confirm(ctx, work.planned.partition):
            raise SourceError(
                "the source changed while it was being read",
                error_class=ErrorClass.TRANSIENT,
                where=f"{self.plugin.provider.name} {work.planned.partition.stream} {work.planned.partition.key}",
                restart=True,
                hint="it is being delivered right now; run again later",
            )

    def _publish(self, work: _Work) -> PartitionOutcome:
        stream, key = work.key
        planned, state = work.planned, work.planned.state
        reason = planned.reason
        if not work.versioned:
            unchanged = state is not None and state.content_hash == work.extracted.content_hash
            if unchanged and state is not None and reason != "forced":
                self.books.abandon(work.open_load.load, planned, checked=True)
                self.spool.drop(work.folder)
                return PartitionOutcome(
                    stream, key, "unchanged", "same content", rows=state.row_count, standing=state.notices
                )
            reason = "content changed" if reason == "no version" else reason
        with self.books.warehouse.writing() as connection:
            if work.waiting:
                append_segments(connection, [(work.open_load.load.load_id, facts) for facts in work.waiting])
                work.waiting = []
            published = publish(
                connection,
                work.open_load.load,
                planned,
                work.extracted,
                stream=self.plugin.provider.stream(stream),
                max_reject_share=self.max_reject_share,
            )
        self.spool.drop(work.folder)
        return PartitionOutcome(
            stream,
            key,
            "loaded",
            reason,
            rows=published.rows,
            rejected=published.rejected,
            pages=work.pages,
            notices=published.notices,
        )

    def _restart(self, work: _Work, again: list[Planned]) -> bool:
        """Throw a partition's segments away and plan it anew; False when that has been tried often enough."""
        used = self._restarts.get(work.key, 0)
        if used >= _RESTARTS:
            return False
        self._restarts[work.key] = used + 1
        self.log.warning("the source changed while being read, planning again", partition=work.key[1])
        self.books.abandon(work.open_load.load, work.planned, checked=False)
        self.spool.drop(work.folder)
        fresh = self.replan(work.planned)
        if fresh is None:
            return False
        again.append(fresh)
        return True

    def _failed(self, work: _Work, error: SourceError) -> PartitionOutcome:
        stream, key = work.key
        self.books.fail(work.planned, error)
        if not work.versioned and error.error_class is not ErrorClass.TRANSIENT:
            # What was read may be the very thing that is wrong, and no version would tell that it was mended.
            self.books.abandon(work.open_load.load, work.planned, checked=False)
            self.spool.drop(work.folder)
        return PartitionOutcome(
            stream,
            key,
            "failed",
            work.planned.reason,
            error_class=error.error_class,
            message=error.message,
            hint=error.hint,
        )
