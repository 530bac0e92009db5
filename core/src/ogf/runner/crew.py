"""The workers of a run: chains go in, what becomes of them comes back through one queue.

A worker classes its own errors, so that an account's stream whose permission is missing, or a provider that is
broken, is not tried any further by the next one.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogf.errors import Cancelled, ErrorClass, SourceError
from ogf.runner.extract import Chain, extract_chain
from ogf.runner.failure import classified

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ogf.plugins import Plugin
    from ogf.runner.clock import Cancel
    from ogf.runner.contexts import Contexts
    from ogf.runner.spool import SegmentFacts
    from ogf.runner.watch import Pages
    from ogf.runner.work import Work

_ALL = ("", "*")


@dataclass
class Crew:
    """Extracts chains in an executor.

    Attributes:
        events: (work, event): a finished segment, an error, or None for the end of a chain.
        aborted: set by the driver when it gives up: workers stop after the page under way.
    """

    plugin: Plugin
    contexts: Contexts
    cancel: Cancel
    max_pages: int
    log: Any
    events: queue.SimpleQueue[tuple[Work, Any]] = field(default_factory=queue.SimpleQueue)
    aborted: bool = False
    _stopped: dict[tuple[str, str], SourceError] = field(default_factory=dict)

    def submit(self, pool: Executor, work: Work) -> None:
        """Hand every chain of a partition to the pool."""
        partition = work.planned.partition
        for request in partition.requests:
            chain = Chain(
                request=request,
                folder=work.folder,
                where=work.where,
                local=partition.local,
                hashed=not work.versioned,
                max_pages=self.max_pages,
                page_event=self.plugin.provider.stream(partition.stream).page_event,
            )
            pool.submit(self._extract, work, chain)

    def _extract(self, work: Work, chain: Chain) -> None:
        """A worker's task: everything it has to say goes through the queue, its end included."""
        pages: Pages | None = None
        try:
            pages = work.watched.pages()
            self._refuse_stopped(work)
            if work.error is not None or self.aborted:
                return
            ctx = self.contexts.make(*work.key, account=work.planned.account)
            extract_chain(
                chain,
                ctx=ctx,
                plugin=self.plugin,
                cancel=self.cancel,
                done=lambda facts: self._page_done(work, facts),
                pages=pages,
            )
        except BaseException as error:  # noqa: BLE001 - handed to the driver, which decides
            found = self._judged(work, error)
            # Before anything else: a lost error would publish half a partition.
            self.events.put((work, found))
            if pages is not None:
                pages.failed(found)
        finally:
            try:
                if pages is not None:
                    pages.close()
            finally:
                self.events.put((work, None))

    def _judged(self, work: Work, error: BaseException) -> BaseException:
        """Class an error in the worker, before its next task: that one may not be worth trying any more."""
        if isinstance(error, Cancelled) or not isinstance(error, Exception):
            return error
        where = work.where
        try:
            ctx = self.contexts.make(*work.key, account=work.planned.account)
            found = classified(error, ctx=ctx, where=where, log=self.log)
        except Exception:  # a `classify_error` that breaks must not lose the error
            self.log.exception("classify_error fails", where=where)
            found = SourceError(
                f"{type(error).__name__}: {error}", error_class=ErrorClass.UNKNOWN, where=where
            )
        if found.error_class is ErrorClass.AUTH:
            self._stopped.setdefault((work.planned.account, work.planned.partition.stream), found)
        elif found.error_class is ErrorClass.FATAL:
            self._stopped.setdefault(_ALL, found)
        return found

    def _page_done(self, work: Work, facts: SegmentFacts) -> None:
        self.events.put((work, facts))
        if self.aborted:
            raise Cancelled

    def _refuse_stopped(self, work: Work) -> None:
        mine = (work.planned.account, work.planned.partition.stream)
        stopped = self._stopped.get(mine) or self._stopped.get(_ALL)
        if stopped is not None:
            raise SourceError(
                f"not tried, because of an earlier error: {stopped.message}",
                error_class=stopped.error_class,
                hint=stopped.hint,
            )
