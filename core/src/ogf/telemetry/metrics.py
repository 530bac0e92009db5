"""The metrics of runs: their names and labels as data, and the functions that count.

Until `ogf.telemetry.setup` finds somebody to tell, counting does nothing and imports nothing. No label holds a value
that grows with the data: neither partitions nor files, accounts or texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from ogf.errors import ConfigError, ErrorClass
from ogf.telemetry.reasons import REASON_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

Kind = Literal["counter", "gauge", "histogram"]

OUTCOMES = ("loaded", "skipped", "failed")
KINDS = ("region", "service", "unit")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(frozen=True)
class Metric:
    """One metric. Names are exported as they are written here, so none has a unit that would be appended."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


METRICS = (
    Metric("ingestion_success_total", "counter", ("connector", "stream"), "partitions committed"),
    Metric(
        "ingestion_failure_total",
        "counter",
        ("connector", "stream", "error_class"),
        "partitions, and listings of whole streams, that failed for good",
    ),
    Metric("ingestion_items_total", "counter", ("connector", "stream"), "rows committed"),
    Metric(
        "ingestion_latency_seconds",
        "histogram",
        ("connector", "stream", "outcome"),
        "time from a partition's first page to its end, of partitions that were read",
    ),
    Metric("ingestion_batch_size", "gauge", ("connector", "stream"), "rows of the last committed partition"),
    Metric("ingestion_jobs_total", "counter", ("connector",), "runs that ended, however they ended"),
    Metric(
        "ingestion_jobs_failed_total",
        "counter",
        ("connector",),
        "runs that failed, or ended with an error before they began",
    ),
    Metric(
        "ingestion_last_success_timestamp",
        "gauge",
        ("connector",),
        "end of the last run that succeeded, in seconds since 1970",
    ),
    Metric(
        "ingestion_retries_total",
        "counter",
        ("connector", "stream", "error_class"),
        "calls that were made again",
    ),
    Metric(
        "ingestion_rate_limit_wait_seconds",
        "histogram",
        ("connector",),
        "waits for the rate limit, of calls that had to wait",
    ),
    Metric(
        "ingestion_partitions_total",
        "counter",
        ("connector", "stream", "outcome"),
        "partitions: `loaded`, `skipped` (nothing new), `failed`",
    ),
    Metric(
        "ingestion_quarantined_total",
        "counter",
        ("connector", "stream", "reason"),
        "rows that went to quarantine with a committed partition",
    ),
    Metric(
        "ingestion_unmapped_total",
        "counter",
        ("connector", "kind"),
        "rows committed with a `region`, `service` or `unit` that is in no table",
    ),
)

_instruments: dict[str, Any] = {}
_registry: CollectorRegistry | None = None
_scraping = Lock()  # the exporter hands what it collected to whoever asks next


def use(provider: MeterProvider | None, *, registry: CollectorRegistry | None = None) -> None:
    """Count with this provider from now on; None: not at all. `registry` is what `exposition` shows."""
    global _registry  # noqa: PLW0603 - one process, one set of metrics
    _registry = registry
    _instruments.clear()
    if provider is not None:
        meter = provider.get_meter("ogf")
        _instruments.update({metric.name: _instrument(meter, metric) for metric in METRICS})


def _instrument(meter: Any, metric: Metric) -> Any:
    match metric.kind:
        case "counter":
            return meter.create_counter(metric.name, description=metric.meaning).add
        case "gauge":
            return meter.create_gauge(metric.name, description=metric.meaning).set
        case "histogram":
            return meter.create_histogram(
                metric.name, description=metric.meaning, explicit_bucket_boundaries_advisory=_SECONDS
            ).record


def tell(name: str, value: float = 1, **labels: str) -> None:
    """Add to a counter, set a gauge, or record one value of a histogram."""
    if instrument := _instruments.get(name):
        instrument(value, labels)


def announce(connector: str, streams: Iterable[str]) -> None:
    """Begin every counter of a connector at nought: Prometheus does not see the rise of one that was not there before.

    A run does so for its provider; a service for all of them when it starts.
    """
    every: dict[str, Iterable[str]] = {
        "connector": (connector,),
        "stream": tuple(streams),
        "error_class": tuple(map(str, ErrorClass)),
        "outcome": OUTCOMES,
        "reason": REASON_LABELS,
        "kind": KINDS,
    }
    for metric in METRICS:
        if metric.kind == "counter":
            for values in product(*(every[label] for label in metric.labels)):
                tell(metric.name, 0, **dict(zip(metric.labels, values, strict=True)))


def succeeded(connector: str, *, at: float) -> None:
    """Say when a connector last succeeded, in seconds since 1970: after a run, or when a service starts again."""
    tell("ingestion_last_success_timestamp", at, connector=connector)


def exposition() -> tuple[bytes, str]:
    """All metrics of this process as Prometheus reads them, and the content type.

    Raises:
        ConfigError: `setup(prometheus=True)` was not called, or what it needs is not installed.
    """
    if _registry is None:
        raise ConfigError(
            "metrics are not kept in this process",
            where="telemetry",
            hint="pip install 'ogf[telemetry]', and leave OTEL_SDK_DISABLED unset",
        )
    from prometheus_client import generate_latest

    with _scraping:
        return generate_latest(_registry), CONTENT_TYPE
