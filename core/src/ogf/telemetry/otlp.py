"""OpenTelemetry's SDK, put together for one process. Imported only where something is to be exported."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ogf import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

# Long enough for one more try. With the standard ten, every cron job would wait for a collector that is away.
_REQUEST_SECONDS = 3.0


class Pipeline:
    """The providers of this process, and what became of their exports.

    Args:
        targets: signal → address of its collector, for messages; the exporters read theirs from the environment.
        mask: for texts about the collector.

    Attributes:
        tracers: None if spans go nowhere.
        registry: what Prometheus is shown; None if it is not to be.
    """

    def __init__(
        self,
        targets: Mapping[str, str],
        *,
        prometheus: bool,
        environ: Mapping[str, str],
        mask: Callable[[str], str],
    ) -> None:
        self._accounts = {signal: _Account(signal, mask(target)) for signal, target in targets.items()}
        self._hearsay = _Hearsay(mask)
        self._hearsay.begin()
        resource = _resource(environ)
        timeout = None if any("OTLP" in name and "TIMEOUT" in name for name in environ) else _REQUEST_SECONDS
        self.tracers: TracerProvider | None = None
        if account := self._accounts.get("traces"):
            self.tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
            exporter: SpanExporter = _Spans(account, self._hearsay, timeout=timeout)
            self.tracers.add_span_processor(BatchSpanProcessor(exporter))
        readers: list[MetricReader] = []
        if account := self._accounts.get("metrics"):
            readers.append(PeriodicExportingMetricReader(_Metrics(account, self._hearsay, timeout=timeout)))
        self.registry: CollectorRegistry | None = None
        if prometheus:
            reader, self.registry = _prometheus()
            readers.append(reader)
        self.meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False) if readers else None

    def close(self, timeout: float) -> list[str]:
        """Send what is left, all signals together for at most `timeout` seconds, and say what was not sent."""
        # Neither the batch processor nor a socket keeps to a time limit; a daemon's thread holds up no exit.
        deadline = time.monotonic() + timeout
        closing = [
            threading.Thread(target=provider.shutdown, name="telemetry-flush", daemon=True)
            for provider in (self.tracers, self.meters)
            if provider is not None
        ]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = any(thread.is_alive() for thread in closing)
        for account in self._accounts.values():
            account.closed = True  # nobody reads what a straggler has to say
        self._hearsay.end()
        return _lines(self._accounts.values(), late=f"it did not answer within {timeout:g} s" if late else "")


class _Account:
    """How the exports of one signal went."""

    def __init__(self, signal: str, target: str) -> None:
        self.signal = signal
        self.target = target
        self.under_way = False
        self.closed = False
        self.trouble = ""

    def begins(self) -> None:
        self.under_way = True

    def ended(self, *, well: bool, why: str) -> None:
        self.under_way = False
        if well:
            self.trouble = ""
        elif not self.trouble:
            self.trouble = why or "no answer in time"
            if self.closed:
                return
            structlog.get_logger("ogf").warning(
                "telemetry", message=f"{self.signal} are not sent to {self.target}", error=self.trouble
            )


class _Spans(OTLPSpanExporter):
    def __init__(self, account: _Account, hearsay: _Hearsay, *, timeout: float | None) -> None:
        super().__init__(timeout=timeout)
        self._account = account
        self._hearsay = hearsay

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._account.begins()
        result = super().export(spans)
        self._account.ended(
            well=result is SpanExportResult.SUCCESS, why=self._hearsay.why(self._account.signal)
        )
        return result


class _Metrics(OTLPMetricExporter):
    def __init__(self, account: _Account, hearsay: _Hearsay, *, timeout: float | None) -> None:
        super().__init__(timeout=timeout)
        self._account = account
        self._hearsay = hearsay

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        self._account.begins()
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._account.ended(
            well=result is MetricExportResult.SUCCESS, why=self._hearsay.why(self._account.signal)
        )
        return result


class _Hearsay(logging.Handler):
    """Hears what OpenTelemetry logs about its exports: at debug among our logs, and as the reason of a failure."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__(logging.WARNING)
        self._mask = mask
        self._reasons: dict[str, str] = {}
        self._logger = logging.getLogger("opentelemetry")

    def begin(self) -> None:
        self._logger.addHandler(self)
        self._logger.propagate = False

    def end(self) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        text = self._mask(record.getMessage())
        if reason := _reason(record):
            self._reasons["traces" if "trace" in record.name else "metrics"] = self._mask(reason)
        structlog.get_logger("ogf").debug("telemetry", message=text, logger=record.name)

    def why(self, signal: str) -> str:
        return self._reasons.get(signal, "")


def _reason(record: logging.LogRecord) -> str:
    """Why an export failed, from what the exporter logs: an HTTP status, or the innermost error of its call."""
    told = record.args if isinstance(record.args, tuple) else ()
    error = next((item for item in told if isinstance(item, BaseException)), None)
    if error is not None:
        while (inner := error.__cause__ or error.__context__) is not None:
            error = inner
        return getattr(error, "strerror", None) or str(error)
    status, *words = [str(item) for item in told[1:] if item is not None] or [""]
    return f"HTTP {status} {' '.join(words)}".strip() if status.isdigit() else ""


def _resource(environ: Mapping[str, str]) -> Resource:
    about = {"service.version": __version__}
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create(about if named else {**about, "service.name": "ogf"})


def _prometheus() -> tuple[MetricReader, CollectorRegistry]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return PrometheusMetricReader(scope_info_enabled=False, registry=registry), registry


def _lines(accounts: Iterable[_Account], *, late: str) -> list[str]:
    """One line for each collector that did not get all."""
    lost: dict[str, list[_Account]] = {}
    for account in accounts:
        if account.trouble or (late and account.under_way):
            lost.setdefault(account.target, []).append(account)
    return [
        f"telemetry: {' and '.join(account.signal for account in group)} did not reach the collector at {target} "
        f"({group[0].trouble or late}); the run is not affected"
        "\n  → start the collector, correct OTEL_EXPORTER_OTLP_ENDPOINT, or set OTEL_SDK_DISABLED=true"
        for target, group in lost.items()
    ]
