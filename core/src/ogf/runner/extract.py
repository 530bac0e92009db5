"""The second room: one request chain, page by page, into segments. Runs in worker threads.

A chain shares nothing with another but the limiter. Finished segments are found again by their names and never
fetched twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ogf.errors import SourceError
from ogf.files import File
from ogf.paging import ChainGuard
from ogf.runner.failpoints import passing
from ogf.runner.segments import unreadable, write_segment
from ogf.runner.spool import Footer, SegmentFacts, read_segment, segment_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from ogf.hookspecs import Page, Request
    from ogf.plugins import Plugin
    from ogf.runner.clock import Cancel
    from ogf.runner.context import TaskContext
    from ogf.runner.watch import Pages
    from ogf.telemetry.spans import Node


@dataclass(frozen=True)
class Chain:
    """One chain to extract: plain data, so that any executor can carry it.

    Attributes:
        local: its pages are this machine's own files: no limiter, no retries.
        hashed: its partition has no version, so its content decides.
    """

    request: Request
    folder: Path
    where: str
    local: bool
    hashed: bool
    max_pages: int
    page_event: str


def extract_chain(
    chain: Chain,
    *,
    ctx: TaskContext,
    plugin: Plugin,
    cancel: Cancel,
    done: Callable[[SegmentFacts], None],
    pages: Pages,
) -> None:
    """Run a chain to its end, reporting each segment. A cancel ends it after the page under way.

    Raises:
        SourceError: classified and final; finished segments stay for the next run.
        Cancelled: between two pages.
    """
    guard = ChainGuard(max_pages=chain.max_pages, provider=ctx.provider, where=chain.where)
    request: Request | None = chain.request
    page = 0
    while request is not None:
        cancel.raise_if_set()
        guard.admit({"key": request.key, "params": dict(request.params)})
        path = segment_path(chain.folder, chain.request, page)
        with pages.page(page + 1) as span:
            facts = _finished(path, chain=chain, ctx=ctx)
            span.set(resumed=facts is not None)
            if facts is None:
                _make_segment(request, path, chain=chain, ctx=ctx, plugin=plugin, span=span)
                facts = read_segment(ctx.duckdb, path, hashed=chain.hashed)
            span.set(rows=facts.rows, rejected=facts.rejected)
            guard.page_done(facts.rows + facts.rejected, has_more=facts.footer.next is not None)
        ctx.log.debug(
            chain.page_event,
            key=request.key,
            records=facts.rows,
            rejected=facts.rejected,
            next_link=facts.footer.next is not None,
        )
        done(facts)
        request = facts.footer.next
        page += 1


def _finished(path: Path, *, chain: Chain, ctx: TaskContext) -> SegmentFacts | None:
    """A segment that an earlier attempt finished. One that a power loss damaged is made again."""
    if not path.exists():
        return None
    try:
        return read_segment(ctx.duckdb, path, hashed=chain.hashed)
    except (duckdb.Error, LookupError, ValueError):
        path.unlink()
        return None


def _make_segment(
    request: Request, path: Path, *, chain: Chain, ctx: TaskContext, plugin: Plugin, span: Node
) -> None:
    attempts = count(1)

    def fetch() -> Page:
        span.set(attempts=next(attempts))
        return plugin.fetch(ctx, request)

    page: Page = fetch() if chain.local else ctx.retry.call(fetch)
    passing("page.fetched")
    file = page.data if isinstance(page.data, File) else None
    where = f"{chain.where}, {file.uri if file else request.key}"
    try:
        following = plugin.paginate(ctx, request, page)
        footer = Footer(next=following, notices=page.notices, withheld=page.withheld)
        _write(ctx, plugin, request, page, path, footer=footer, where=where)
        if file is not None and not file.owned:
            _verify(file, path)
    finally:
        if file is not None and file.owned:
            file.path.unlink(missing_ok=True)


def _write(
    ctx: TaskContext, plugin: Plugin, request: Request, page: Page, path: Path, *, footer: Footer, where: str
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        activities: Any = plugin.to_activities(ctx, request, page)
        write_segment(ctx, activities, path, footer=footer, where=where)
    except duckdb.Error as error:
        ctx.connections.discard_mine()
        raise unreadable(error, path.parent, where) from error
    except BaseException:
        ctx.connections.discard_mine()
        raise
    finally:
        ctx.tables, unclosed = [], ctx.tables
        for table in unclosed:
            table.abandon()


def _verify(file: File, path: Path) -> None:
    """A file read in place may have changed under the mapping: then its segment is worth nothing."""
    try:
        file.verify()
    except SourceError:
        path.unlink()
        raise
