"""Telemetry that tests can look at, and an OTLP collector on loopback."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cli.conftest import empty, place
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ogf import telemetry
from ogf.telemetry import metrics, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["empty", "place"]


@dataclass
class Recorded:
    """The finished spans of a test."""

    exporter: InMemorySpanExporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def tree(self, below: ReadableSpan | None = None) -> list[Any]:
        """Names as nested lists, in the order in which spans began: `[name, [child], [child]]`."""
        above = below.context.span_id if below else None
        children = [span for span in self.spans if (span.parent.span_id if span.parent else None) == above]
        return [[span.name, *self.tree(span)] for span in children]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.use(provider)
    yield Recorded(exporter)
    spans.use(None)


@pytest.fixture
def exposed() -> Iterator[Any]:
    """Metrics kept for Prometheus; gives the text that it is shown."""
    telemetry.setup(prometheus=True, environ={})
    yield lambda: metrics.exposition()[0].decode()  # noqa: PLW0108 - what it will be then
    assert telemetry.shutdown() == []


@dataclass
class Collector:
    """An OTLP receiver. `answer` is the HTTP status it gives; what it is sent is kept only with 200."""

    address: str
    answer: int = 200
    traces: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def taken(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        self.bodies.append(body)
        self.headers.append(headers)
        if self.answer == 200:
            kind, kept = {
                "/v1/traces": (ExportTraceServiceRequest, self.traces),
                "/v1/metrics": (ExportMetricsServiceRequest, self.metrics),
            }[path]
            kept.append(kind.FromString(body))
        return self.answer

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metric_names(self) -> set[str]:
        return {
            metric.name
            for request in self.metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.taken(self.path, body, dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()
