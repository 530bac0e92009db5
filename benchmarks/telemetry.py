"""What telemetry costs: off, with OpenTelemetry's no-op API, and with its SDK at work.

    python benchmarks/telemetry.py [--rows 20000] [--rounds 2]

A run tells telemetry a fixed number of things about each page. What they cost is measured alone, thousands of times,
in CPU time, the best of all rounds; a page's own CPU time is taken from real runs in this process. Their ratio does not
drown in the noise of a machine, as a difference between two whole runs would; that is printed too. Goal: off costs at
most 1 % of a page of `benchmarks/cur.py`, whose pages are far larger than these.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from cur import exports
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider

from ogf.config import load as configuration
from ogf.hookspecs import Partition, Provider, Stream
from ogf.plugins import load
from ogf.redaction import Redactor
from ogf.runner.plan import Planned
from ogf.runner.report import PartitionOutcome
from ogf.runner.run import Options, ProviderRun
from ogf.runner.watch import Watch
from ogf.telemetry import metrics, spans
from ogf.testing.provider import FakeCloud

HERE = Path(__file__).parent
MODES = ("off", "no-op API", "SDK")
FILES = 4
PARTITIONS = 10
TOLD = 2000


class Nowhere(SpanExporter):
    """Takes spans and drops them: what a collector costs is not ogf's."""

    def export(self, spans: object) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


@contextmanager
def telemetry(mode: str) -> Iterator[None]:
    real = TracerProvider(shutdown_on_exit=False)
    real.add_span_processor(BatchSpanProcessor(Nowhere()))
    counting = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    providers = {"no-op API": (NoOpTracerProvider(), NoOpMeterProvider()), "SDK": (real, counting)}
    tracers, meters = providers.get(mode, (None, None))
    spans.use(tracers)
    metrics.use(meters)
    try:
        yield
    finally:
        spans.use(None)
        metrics.use(None)
        real.shutdown()
        counting.shutdown()


def tell(provider: Provider, count: int) -> None:
    """What the runner tells of so many partitions of one page each, and nothing else."""
    partition = Partition(stream="carbon", key="2026-01", version="1", requests=())
    planned = Planned(partition, load=True, reason="new", digest="", state=None)
    outcome = PartitionOutcome("carbon", "2026-01", "loaded", "new", rows=1, pages=1)
    with Watch(provider, Redactor().text) as watch:
        with watch.planning("carbon"):
            pass
        for _ in range(count):
            watched = watch.partition(planned, attempt=1)
            pages = watched.pages()
            with pages.page(1) as span:
                span.set(resumed=False)
                span.set(attempts=1)
                span.set(rows=1, rejected=0)
            pages.close()
            with watched.confirming():
                pass
            with watched.commit() as span:
                span.set(rows=1, rejected=0)
            watch.quarantined("carbon", {})
            watch.settled(watched, outcome)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def cost_of_telling(mode: str, rounds: int) -> float:
    """CPU seconds for a partition of one page."""
    provider = FakeCloud(streams=(Stream("carbon"),)).provider()
    with telemetry(mode):
        return min(cpu(lambda: tell(provider, TOLD)) for _ in range(rounds)) / TOLD


def bill(folder: Path, db: Path) -> float:
    """CPU seconds for a page of a Cost and Usage Report, mapped and loaded."""
    plugin = load("aws")
    config = configuration(
        environ={},
        overrides={"warehouse.path": db, "ingestion.aws.cur.location": str(folder)},
        providers={"aws": plugin.provider.settings},
        installed=["aws"],
    )
    return cpu(lambda: ProviderRun(plugin, config).run(Options(streams=("cur",)))) / FILES


def small(db: Path) -> float:
    """CPU seconds for a partition of one page of one row."""
    cloud = FakeCloud()
    cloud.run(db)  # makes the warehouse
    for number in range(PARTITIONS):
        cloud.put(f"part-{number}", [[{"service": "EC2", "quantity": 1}]], version="1")
    return cpu(lambda: cloud.run(db)) / PARTITIONS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000, help="rows of each of the bill's files [20,000]")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured [2]")
    parser.add_argument("--data", type=Path, default=HERE / ".data", help="where data sets are kept")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    given.data.mkdir(exist_ok=True)
    folder = exports(given.data, "parquet", given.rows * FILES, FILES)
    told = {mode: cost_of_telling(mode, given.rounds) for mode in MODES}
    runs: dict[str, list[float]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(dir=given.data) as home:
        large = bill(folder, Path(home) / "bill.duckdb")
        for number in range(given.rounds):
            for mode in MODES if number % 2 else reversed(MODES):
                with telemetry(mode):
                    runs[mode].append(small(Path(home) / f"{mode}-{number}.duckdb"))
    page = min(runs["off"])
    print(f"CPU time, one process, best of {given.rounds} rounds.\n")
    print(
        f"| telemetry | told of one page | of a page of a bill, {given.rows:,} rows ({large * 1000:.0f} ms) "
        f"| of a page of one row ({page * 1000:.1f} ms) | whole runs of such pages |\n|---|---|---|---|---|"
    )
    for mode in MODES:
        ratio = statistics.median(one / off for one, off in zip(runs[mode], runs["off"], strict=True))
        shares = f"{told[mode] / large:.4%} | {told[mode] / page:.2%}"
        print(f"| {mode} | {told[mode] * 1e6:.0f} µs | {shares} | ×{ratio:.2f} |")
    verdict = "ok" if told["off"] / large <= 0.01 else "MISSED"
    print(f"\noff, of a page of a bill: {told['off'] / large:.4%}, goal ≤ 1 %: {verdict}")


if __name__ == "__main__":
    main()
