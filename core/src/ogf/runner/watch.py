"""What a provider's run tells telemetry: its spans, and its metrics where something ended.

ingestion.run                      one command or job, opened by whoever runs providers
  ingestion.adapter                one provider
    <provider>.ingest_<stream>     its listing, then its partitions
      ingestion.partition          from its first page on
        ingestion.page             fetched, mapped, written; in a worker's thread
        ingestion.commit           appended and published
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ogf.errors import Cancelled
from ogf.telemetry import metrics, spans
from ogf.telemetry.reasons import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from ogf.errors import SourceError
    from ogf.hookspecs import Provider, Stream
    from ogf.runner.plan import Planned
    from ogf.runner.report import PartitionOutcome, RunResult
    from ogf.telemetry.spans import Node

# What a partition's outcome is called in metrics.
_OUTCOMES = {"loaded": "loaded", "unchanged": "skipped", "failed": "failed"}


class Pages:
    """The spans of one chain's pages, in the worker that has the chain."""

    def __init__(self, partition: Node) -> None:
        self._partition = partition
        self._open: Node | None = None

    @contextmanager
    def page(self, number: int) -> Iterator[Node]:
        """The span of a page. After an error it stays open for `failed`: its class is not known before."""
        self._open = node = self._partition.child("ingestion.page", page_number=number)
        with node.current():
            yield node
        self.close()

    def failed(self, error: BaseException) -> None:
        """Record what ended the chain where it happened: in a page, or between two."""
        (self._open or self._partition).record(error)

    def close(self) -> None:
        if self._open is not None:
            self._open.end()
            self._open = None


class WatchedPartition:
    """A partition under way: its span, and its time, from when the first of its chains is taken up."""

    def __init__(self, stream: Node, planned: Planned, attempt: int) -> None:
        self._stream = stream
        self._planned = planned
        self._attempt = attempt
        self._node: Node | None = None
        self._began = 0.0
        self._lock = threading.Lock()  # two workers may begin two chains at once

    @property
    def node(self) -> Node:
        with self._lock:
            if self._node is None:
                self._began = time.perf_counter()
                self._node = open_partition(self._stream, self._planned)
                self._node.set(attempts=self._attempt, reason=self._planned.reason)
            return self._node

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began if self._node else 0.0

    def pages(self) -> Pages:
        return Pages(self.node)

    @contextmanager
    def confirming(self) -> Iterator[None]:
        """While the source is asked once more; an error belongs to the partition."""
        with self.node.current():
            try:
                yield
            except BaseException as error:
                self.node.record(error)
                raise

    @contextmanager
    def commit(self) -> Iterator[Node]:
        """The span of appending what is left, and publishing."""
        node = self.node.child("ingestion.commit")
        try:
            with node.current():
                yield node
        except BaseException as error:
            node.record(error)
            raise
        finally:
            node.end()

    def appended(self, segments: int) -> None:
        self.node.event("segments appended", segments=segments)

    def end(self) -> None:
        if self._node is not None:
            self._node.end()


@dataclass
class _WatchedStream:
    node: Node
    last: int = 0

    def touched(self) -> None:
        self.last = time.time_ns()


@dataclass
class Watch:
    """Watches one run of a provider; used as a context, which is the run from its beginning to its end."""

    provider: Provider
    mask: Callable[[str], str]
    _streams: dict[str, _WatchedStream] = field(default_factory=dict)
    _under_way: set[WatchedPartition] = field(default_factory=set)
    _ended: bool = False

    def __enter__(self) -> Self:
        name = self.provider.name
        metrics.announce(name, (stream.name for stream in self.provider.streams))
        self._adapter = spans.start("ingestion.adapter", mask=self.mask, provider=name)
        self._current = self._adapter.current()
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cut_off = bool(self._under_way)
        for partition in self._under_way:
            partition.end()
        for stream in self._streams.values():
            stream.node.end(None if cut_off else stream.last or None)
        if error is not None:
            self._adapter.record(error)
            self._adapter.fail(error)
            if not self._ended:
                self._job(failed=not isinstance(error, Cancelled))
        self._current.__exit__(kind, error, trace)
        self._adapter.end()

    def began(self, run_id: str) -> None:
        self._adapter.identify(run_id=run_id)

    def ended(self, result: RunResult) -> None:
        """Tell how the run ended. One that raises instead is told of when it leaves the context."""
        self._ended = True
        self._adapter.set(status=result.status, rows=result.rows, rejected=result.rejected)
        self._job(failed=result.status == "failed")
        if result.status == "succeeded":
            metrics.succeeded(self.provider.name, at=time.time())

    @contextmanager
    def planning(self, name: str) -> Iterator[Node]:
        """While a stream is listed, with its span; that goes on until the last of its partitions has ended."""
        stream = self._streams[name] = _WatchedStream(
            self._adapter.child(_span_name(self.provider, self.provider.stream(name)))
        )
        stream.node.identify(stream=name)
        with stream.node.current():
            yield stream.node
        stream.touched()

    def unlisted(self, name: str, error: SourceError) -> None:
        """Tell of a listing that failed."""
        node = self._streams[name].node
        node.record(error)
        node.fail(error)

    def unreadable(self, planned: Planned, error: SourceError) -> None:
        """Tell of a partition whose listing already said that it cannot be read."""
        node = open_partition(self._streams[planned.partition.stream].node, planned)
        node.record(error)
        node.fail(error)
        node.end()

    def partition(self, planned: Planned, *, attempt: int) -> WatchedPartition:
        partition = WatchedPartition(self._streams[planned.partition.stream].node, planned, attempt)
        self._under_way.add(partition)
        return partition

    def restarted(self, partition: WatchedPartition, error: SourceError) -> None:
        """Tell of a partition that is read once more from its beginning: what is above it has not failed."""
        partition.node.fail(error, alone=True)
        self._leave(partition)

    def settled(
        self, partition: WatchedPartition, outcome: PartitionOutcome, error: SourceError | None = None
    ) -> None:
        """Tell how a partition ended that was read."""
        node = partition.node
        node.set(outcome=_OUTCOMES[outcome.outcome], rows=outcome.rows, rejected=outcome.rejected)
        node.set(pages=outcome.pages)
        if error is not None:
            node.fail(error)
        self._tell(
            "ingestion_latency_seconds",
            partition.seconds,
            stream=outcome.stream,
            outcome=_OUTCOMES[outcome.outcome],
        )
        self._leave(partition)
        self._streams[outcome.stream].touched()
        self.told(outcome)

    def told(self, outcome: PartitionOutcome) -> None:
        """Count an outcome, be it of a partition that was read or of what was found while planning."""
        stream = outcome.stream
        if outcome.key:  # a listing that failed is no partition
            self._tell("ingestion_partitions_total", stream=stream, outcome=_OUTCOMES[outcome.outcome])
        if outcome.outcome == "failed":
            error_class = str(outcome.error_class or "unknown")
            self._tell("ingestion_failure_total", stream=stream, error_class=error_class)
        elif outcome.outcome == "loaded":
            self._tell("ingestion_success_total", stream=stream)
            self._tell("ingestion_items_total", outcome.rows, stream=stream)
            self._tell("ingestion_batch_size", outcome.rows, stream=stream)
            for kind, values in outcome.unmapped.items():
                self._tell("ingestion_unmapped_total", sum(values.values()), kind=kind)

    def quarantined(self, stream: str, reasons: Mapping[str, int]) -> None:
        for reason, rows in reasons.items():
            self._tell("ingestion_quarantined_total", rows, stream=stream, reason=label_of(reason))

    def _job(self, *, failed: bool) -> None:
        self._tell("ingestion_jobs_total")
        if failed:
            self._tell("ingestion_jobs_failed_total")

    def _tell(self, name: str, value: float = 1, **labels: str) -> None:
        metrics.tell(name, value, connector=self.provider.name, **labels)

    def _leave(self, partition: WatchedPartition) -> None:
        partition.end()
        self._under_way.remove(partition)


def open_partition(stream: Node, planned: Planned) -> Node:
    node = stream.child("ingestion.partition")
    node.identify(partition_key=planned.partition.key, version=planned.partition.version)
    node.set(account=planned.account or None)
    return node


def retrying(provider: str, stream: str) -> Callable[[SourceError, int, float], None]:
    """Who is told of the retries of a stream's calls: the error, the attempts made, the seconds until the next."""

    def tell(error: SourceError, attempt: int, seconds: float) -> None:
        error_class = str(error.error_class)
        metrics.tell("ingestion_retries_total", connector=provider, stream=stream, error_class=error_class)
        spans.here().event(
            "retrying after error",
            attempt=attempt,
            backoff_ms=round(seconds * 1000),
            error_class=error_class,
            message=error.message,
        )

    return tell


def waited(provider: str, seconds: float) -> None:
    """Tell of a wait for the rate limit, in seconds."""
    metrics.tell("ingestion_rate_limit_wait_seconds", seconds, connector=provider)
    if seconds > 0.1:
        spans.here().event("rate limiting applied", wait_ms=round(seconds * 1000))


def _span_name(provider: Provider, stream: Stream) -> str:
    return stream.span or f"{provider.name}.ingest_{stream.name}"
