"""The way in: run, or only plan, one provider."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ogf.errors import Cancelled, ConfigError, ErrorClass, OgfError, SourceError
from ogf.runner.books import Books, Started
from ogf.runner.classify import classify
from ogf.runner.clock import Cancel, SystemClock
from ogf.runner.context import Connections, FactCache, TaskContext, scratch_folder
from ogf.runner.driver import Driver
from ogf.runner.limiter import TokenBucket
from ogf.runner.lock import run_lock
from ogf.runner.plan import Planned, decide, plan, vanished
from ogf.runner.report import PartitionOutcome, Reporter, RunResult, Silent
from ogf.runner.retry import Retry
from ogf.runner.spool import Spool
from ogf.warehouse import ledger
from ogf.warehouse.file import WarehouseFile
from ogf.window import Month, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ogf.config import Config, ProviderSettings
    from ogf.hookspecs import Verdict
    from ogf.plugins import Plugin
    from ogf.runner.clock import Clock

_LOADER_SHARE_MB = 256
_SMALLEST_WORKER_MB = 256


@dataclass(frozen=True)
class Options:
    """What the command line asks of a run."""

    streams: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    full: bool = False


class ProviderRun:
    """One provider with everything a run of it needs. `clock` is injected by tests."""

    def __init__(
        self,
        plugin: Plugin,
        config: Config,
        *,
        cancel: Cancel | None = None,
        clock: Clock | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.plugin = plugin
        self.config = config
        self.settings: ProviderSettings = config.providers[plugin.provider.name]
        self.cancel = cancel or Cancel()
        self.clock = clock or SystemClock()
        self.reporter: Reporter = reporter or Silent()
        self.name = plugin.provider.name
        self.org_id: str = self.settings.org_id or config.settings.ingestion.org_id
        self.log: Any = structlog.get_logger("ogf").bind(provider=self.name)
        runner = config.settings.runner
        self.db = Path(config.settings.warehouse.path)
        self.warehouse = WarehouseFile(
            self.db,
            wait=runner.wait,
            memory_mb=_LOADER_SHARE_MB,
            interrupted=self.cancel.raise_if_set,
        )
        self.spool = Spool(Path(f"{self.db}.spool"), self.org_id, self.name)
        self.limiter = TokenBucket(
            self.settings.rate_limit_capacity,
            self.settings.rate_limit_per_sec,
            self.clock,
            on_wait=self._limited,
        )
        self._cores = os.cpu_count() or 1
        self.workers = runner.workers or self._cores

    def run(self, options: Options) -> RunResult:
        """Plan, extract, load and publish. Failures are in the result.

        Raises:
            ConfigError, WarehouseError: nothing was done, or the warehouse could not be used any more.
        """
        began = time.monotonic()
        streams = self._streams(options)
        result = RunResult(self.name, self.org_id)
        self.log.info("starting ingestion", streams=streams, window=str(options.window))
        with run_lock(self.spool.lock_file, what=f"{self.name} (organisation {self.org_id})"):
            books = Books(
                self.warehouse, org_id=self.org_id, provider=self.name, keeps_history=self._keeps_history()
            )
            started = books.start(window=str(options.window))
            result.run_id = started.run.run_id
            self.log = self.log.bind(run=result.run_id)
            self._run(options, streams, books, started, result)
        result.seconds = time.monotonic() - began
        self.log.info(
            "ingestion complete",
            status=result.status,
            total_activities=result.rows,
            latency_ms=round(result.seconds * 1000),
            loaded=result.count("loaded"),
            unchanged=result.count("unchanged"),
            failed=result.count("failed"),
        )
        return result

    def plan(self, options: Options) -> list[Planned]:
        """Say what a run would do and why. Writes nothing."""
        states: dict[str, dict[str, ledger.PartitionState]] = {}
        if self.db.exists():
            with self.warehouse.reading() as connection, ledger.transaction(connection) as session:
                for state in ledger.rows(
                    session, ledger.PartitionState, org_id=self.org_id, provider=self.name
                ):
                    states.setdefault(state.stream, {})[state.partition_key] = ledger.revised(state)
        planned: list[Planned] = []
        with self._contexts(workers=1) as contexts:
            for stream in self._streams(options):
                planned += plan(
                    self.plugin,
                    contexts.make(stream, ""),
                    stream,
                    self._window(stream, options, states),
                    states=states.get(stream, {}),
                    full=options.full,
                )
        return planned

    @contextmanager
    def task_context(self, stream: str) -> Iterator[TaskContext]:
        """Lend a context for one task outside a run, as `doctor` needs it."""
        with self._contexts(workers=1) as contexts:
            yield contexts.make(stream, "")

    def _run(
        self, options: Options, streams: list[str], books: Books, started: Started, result: RunResult
    ) -> None:
        unlisted: list[ledger.PartitionState] = []
        seen: list[ledger.PartitionState] = []
        try:
            with ExitStack() as stack:
                todo: list[Planned] = []
                with self._contexts(workers=1) as contexts:
                    for stream in streams:
                        todo += self._plan(contexts, stream, options, started, result, books, unlisted, seen)
                chains = sum(len(item.partition.requests) for item in todo)
                self.reporter.planned(self.name, partitions=len(todo), chains=chains)
                if todo:
                    workers = max(1, min(self.workers, chains))
                    contexts = stack.enter_context(self._contexts(workers=workers))
                    self._driver(contexts, books, started, result, options, workers).run(todo)
            self.cancel.raise_if_set()
        except Cancelled as error:
            result.status, result.message = "cancelled", error.message
        else:
            self._judge(result)
        for load in books.finish(started, result, unlisted=unlisted, seen=seen):
            self.spool.drop(self.spool.load_folder(load.stream, load.digest, load.load_id))

    def _plan(
        self,
        contexts: _Contexts,
        stream: str,
        options: Options,
        started: Started,
        result: RunResult,
        books: Books,
        unlisted: list[ledger.PartitionState],
        seen: list[ledger.PartitionState],
    ) -> list[Planned]:
        """Plan a stream; what needs no loading, or cannot be listed, goes straight into the result."""
        states = started.states.get(stream, {})
        window = self._window(stream, options, started.states)
        ctx = contexts.make(stream, "")
        try:
            planned = plan(self.plugin, ctx, stream, window, states=states, full=options.full)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one stream that cannot be listed must not stop the others
            failure = self._stream_failure(ctx, stream, error)
            self.log.error(  # noqa: TRY400 - the class and hint say more than a traceback
                "failed to ingest",
                stream=stream,
                error=failure.message,
                error_class=failure.error_class,
            )
            result.partitions.append(failure)
            self.reporter.finished(failure)
            return []
        for key in vanished(states, planned, window):
            unlisted.append(states[key])
            result.notices.append(
                f"{stream} {key}: the source does not list it any more; its {states[key].row_count:,} rows are kept"
            )
        todo = []
        for item in planned:
            outcome = _settled(item)
            if outcome is None:
                todo.append(item)
                continue
            if outcome.outcome == "failed" and item.partition.problem is not None:
                problem = item.partition.problem
                books.fail(
                    item, SourceError(problem.message, error_class=problem.error_class, hint=problem.hint)
                )
            elif item.state is not None:
                seen.append(item.state)
            result.partitions.append(outcome)
            self.reporter.finished(outcome)
        return todo

    def _stream_failure(self, ctx: TaskContext, stream: str, error: Exception) -> PartitionOutcome:
        verdict = ctx.retry.classify(error)
        if verdict.error_class is ErrorClass.UNKNOWN:
            self.log.error("unexpected error", stream=stream, exc_info=error)
        text = error.message if isinstance(error, OgfError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, OgfError) and error.hint else verdict.hint
        return PartitionOutcome(
            stream, "", "failed", "listing", error_class=verdict.error_class, message=text, hint=hint
        )

    def _driver(
        self,
        contexts: _Contexts,
        books: Books,
        started: Started,
        result: RunResult,
        options: Options,
        workers: int,
    ) -> Driver:
        def replan(old: Planned) -> Planned | None:
            stream = old.partition.stream
            month = old.partition.month
            window = Window(month, month.plus(1)) if month else self._window(stream, options, started.states)
            listed = self.plugin.partitions(contexts.make(stream, old.partition.key), stream, window)
            return next(
                (
                    decide(item, old.state, plugin_version=self.plugin.version, full=True)
                    for item in listed
                    if item.key == old.partition.key and item.problem is None
                ),
                None,
            )

        runner = self.config.settings.runner
        return Driver(
            plugin=self.plugin,
            books=books,
            spool=self.spool,
            started=started,
            result=result,
            reporter=self.reporter,
            cancel=self.cancel,
            context=contexts.make,
            replan=replan,
            workers=workers,
            max_pages=self.settings.max_pages,
            max_reject_share=runner.max_reject_share,
            resume_ttl=runner.resume_ttl,
            log=self.log,
        )

    def _judge(self, result: RunResult) -> None:
        failed = [item for item in result.partitions if item.outcome == "failed"]
        noticed = [item for item in result.partitions if item.outcome == "loaded" and item.notices]
        if failed and (
            len(failed) == len(result.partitions)
            or any(item.error_class is ErrorClass.FATAL for item in failed)
        ):
            result.status = "failed"
        elif failed or noticed:
            result.status = "partial"
        if failed:
            result.message, result.hint = failed[0].message, failed[0].hint
        elif noticed:
            result.message = noticed[0].notices[0]

    def _streams(self, options: Options) -> list[str]:
        """The streams to run: those asked for, else all that are configured.

        Raises:
            ConfigError: unknown, or not configured; the missing settings are named.
        """
        known = [stream.name for stream in self.plugin.provider.streams]
        for name in options.streams:
            if name not in known:
                raise ConfigError(
                    f"{self.name} has no stream {name!r}; it has {', '.join(known)}", hint="check --stream"
                )
        wanted = list(options.streams) or known
        missing = {name: self.settings.missing(name) for name in wanted}
        ready = [name for name in wanted if not missing[name]]
        if not ready or (options.streams and len(ready) < len(wanted)):
            lines = "; ".join(
                f"{name} needs {' or '.join(needs)}" for name, needs in missing.items() if needs
            )
            raise ConfigError(
                f"{self.name} is not configured: {lines}",
                hint="set it in ogf.yaml (`ogf init` writes one) or in the environment",
            )
        return ready

    def _window(
        self, stream: str, options: Options, states: Mapping[str, Mapping[str, ledger.PartitionState]]
    ) -> Window:
        """The window asked for; else the look-back, once a first load has been made; else everything."""
        lookback = self.config.settings.ingestion.lookback_days
        if any(options.window) or lookback is None or not states.get(stream):
            return options.window
        import datetime as dt

        return Window(Month.of(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=lookback)), None)

    def _keeps_history(self) -> frozenset[str]:
        """Streams that keep superseded loads: by nature, unless their own setting says otherwise."""
        keeps = set()
        for stream in self.plugin.provider.streams:
            section = getattr(self.settings, stream.name, None)
            if getattr(section, "keeps_history", stream.keeps_history):
                keeps.add(stream.name)
        return frozenset(keeps)

    @contextmanager
    def _contexts(self, *, workers: int) -> Iterator[_Contexts]:
        memory_mb = self.config.settings.runner.memory_limit // 1_000_000 - _LOADER_SHARE_MB
        with scratch_folder(self.spool.home / "scratch") as scratch:
            lookups = {
                "ogf_units": Path(str(files("ogf").joinpath("units.csv"))),
                **self.plugin.provider.lookups,
            }
            connections = Connections(
                scratch=scratch,
                threads=max(1, self._cores // workers),
                memory_mb=max(_SMALLEST_WORKER_MB, memory_mb // workers),
                lookups=lookups,
            )
            cache = FactCache(self.spool.cache_file)
            try:
                yield _Contexts(self, scratch, connections, cache)
            finally:
                connections.close()
                cache.save()

    def _limited(self, seconds: float) -> None:
        if seconds > 0.1:
            self.log.info("rate limiting applied", wait_ms=round(seconds * 1000))


@dataclass(frozen=True)
class _Contexts:
    """Makes contexts that share scratch space, connections and the fact cache."""

    run: ProviderRun
    scratch: Path
    connections: Connections
    cache: FactCache

    def make(self, stream: str, key: str) -> TaskContext:
        run = self.run
        log = run.log.bind(stream=stream, partition=key) if key else run.log.bind(stream=stream)
        ctx: TaskContext

        def classified(error: BaseException) -> Verdict:
            return run.plugin.classify_error(ctx, error) or classify(error)

        retry = Retry(
            max_attempts=run.settings.max_retries,
            clock=run.clock,
            limiter=run.limiter,
            cancel=run.cancel,
            classify=classified,
            log=log,
            budget_seconds=run.config.settings.runner.time_budget,
        )
        ctx = TaskContext(
            provider=run.name,
            org_id=run.org_id,
            settings=run.settings,
            scratch=self.scratch,
            cache=self.cache,
            connections=self.connections,
            retry=retry,
            log=log,
        )
        return ctx


def _settled(item: Planned) -> PartitionOutcome | None:
    """What needs no extraction: an unchanged partition, or one that its listing already found broken."""
    partition = item.partition
    if partition.problem is not None:
        problem = partition.problem
        return PartitionOutcome(
            partition.stream,
            partition.key,
            "failed",
            "listing",
            error_class=problem.error_class,
            message=problem.message,
            hint=problem.hint,
        )
    if item.load:
        return None
    rows = item.state.row_count if item.state else 0
    standing = list(item.state.notices) if item.state else []
    return PartitionOutcome(
        partition.stream, partition.key, "unchanged", item.reason, rows=rows, standing=standing
    )


def overall(results: Sequence[RunResult], *, strict: bool = False) -> int:
    """The exit code of a command that ran several providers: the worst that leaves the others standing."""
    codes = {result.exit_code(strict=strict) for result in results}
    if 130 in codes:
        return 130
    return codes.pop() if len(codes) == 1 else 3 if codes else 0
