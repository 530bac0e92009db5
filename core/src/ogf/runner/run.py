"""The way in: run, or only plan, one provider."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ogf.errors import Cancelled, ConfigError, WarehouseError
from ogf.redaction import Redactor
from ogf.runner.books import Books, Started
from ogf.runner.clock import Cancel, SystemClock
from ogf.runner.contexts import LOADER_MB, SMALLEST_WORKER_MB, Workshop
from ogf.runner.driver import Driver, Rules
from ogf.runner.gates import Gates
from ogf.runner.limiter import TokenBucket
from ogf.runner.lock import run_lock
from ogf.runner.planner import Planner
from ogf.runner.report import Reporter, RunResult, Silent
from ogf.runner.spool import Spool, spool_root
from ogf.runner.watch import Watch, waited
from ogf.warehouse import ledger
from ogf.warehouse.file import WarehouseFile
from ogf.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ogf.config import Account, Config, ProviderSettings
    from ogf.plugins import Plugin
    from ogf.runner.clock import Clock
    from ogf.runner.context import TaskContext
    from ogf.runner.plan import Planned
    from ogf.warehouse.instance import Instance


@dataclass(frozen=True)
class Options:
    """What the command line asks of a run."""

    streams: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    full: bool = False


class ProviderRun:
    """One provider with everything a run of it needs. `clock` is injected by tests, `instance` by a service."""

    def __init__(
        self,
        plugin: Plugin,
        config: Config,
        *,
        cancel: Cancel | None = None,
        clock: Clock | None = None,
        reporter: Reporter | None = None,
        instance: Instance | None = None,
    ) -> None:
        self.plugin = plugin
        self.config = config
        self.name = plugin.provider.name
        self.accounts: tuple[Account, ...] = config.accounts_of(self.name)
        # What the core itself asks for (limits, organisation) is the same in all accounts.
        self.settings: ProviderSettings = self.accounts[0].settings
        self.org_id: str = self.settings.org_id or config.settings.ingestion.org_id
        self.cancel = cancel or Cancel()
        self.clock = clock or SystemClock()
        self.reporter: Reporter = reporter or Silent()
        self.log: Any = structlog.get_logger("ogf").bind(provider=self.name)
        self.notes: list[str] = []
        # One file, one lock and one spool, whatever path leads to it.
        self.db = Path(config.settings.warehouse.path).expanduser().resolve()
        self.warehouse = WarehouseFile(
            self.db,
            wait=config.settings.runner.wait,
            memory_mb=LOADER_MB,
            interrupted=self.cancel.raise_if_set,
            waiting=self.reporter.waiting,
            instance=instance,
        )
        self.spool = Spool(spool_root(self.db), self.org_id, self.name)
        self.limiter = TokenBucket(
            self.settings.rate_limit_capacity,
            self.settings.rate_limit_per_sec,
            self.clock,
            on_wait=self._limited,
        )
        self.workers: int = config.settings.runner.workers or _default_workers(config)

    def run(self, options: Options) -> RunResult:
        """Plan, extract, load and publish. Failures are in the result.

        Raises:
            ConfigError: nothing was done.
            WarehouseError: the warehouse could not be used, or not any more.
        """
        with Watch(self.plugin.provider, Redactor(self.config.secrets()).text) as watch:
            result = self._watched(options, watch)
            watch.ended(result)
        return result

    def _watched(self, options: Options, watch: Watch) -> RunResult:
        began = time.monotonic()
        streams = self._streams(options)
        result = RunResult(self.name, self.org_id)
        self.warehouse.require_folder()
        with self.alone():
            books = self.books()
            started = books.start(window=str(options.window))
            self.spool.sweep(
                self.spool.load_folder(load.stream, load.digest, load.load_id) for load in started.unfinished
            )
            result.run_id = started.run.run_id
            watch.began(result.run_id)
            self.log = self.log.bind(run=result.run_id)
            self.log.info(
                "starting ingestion", streams=streams, window=str(options.window), run_id=result.run_id
            )
            unfinished = frozenset(load.stream for load in started.unfinished)
            planner = self._planner(options, started.states, unfinished)
            self._run(planner, streams, books, started, result, watch)
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

    def require(self, options: Options) -> None:
        """Raise ConfigError, naming the missing settings, if what is asked for is not configured."""
        self._streams(options)

    def plan(self, options: Options) -> list[Planned]:
        """Say what a run would do and why. Writes nothing to the warehouse."""
        self.warehouse.require_folder()
        states: dict[str, dict[str, ledger.PartitionState]] = {}
        unfinished: frozenset[str] = frozenset()
        if self.db.exists():
            with self.warehouse.reading() as connection, ledger.transaction(connection) as session:
                who = {"org_id": self.org_id, "provider": self.name}
                states = ledger.states(session, **who)
                begun = ledger.rows(session, ledger.Load, status="loading", **who)
                unfinished = frozenset(load.stream for load in begun)
        planner = self._planner(options, states, unfinished)
        shop = self._workshop()
        with shop.open(workers=1) as contexts:
            listed = [item for name in self._streams(options) for item in planner.stream(contexts, name)]
        todo = [item for item in listed if item.load and item.partition.problem is None]
        self.notes += shop.gates.before(todo, self.plugin.provider.streams)
        return listed

    @contextmanager
    def task_context(self, stream: str, *, account: str | None = None) -> Iterator[TaskContext]:
        """Lend a context for one task outside a run, as `doctor` needs it."""
        with self._workshop().open(workers=1) as contexts:
            yield contexts.make(stream, account=account)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the lock that keeps other runs of this provider out. Raises WarehouseBusy while one is under way."""
        return run_lock(self.spool.lock_file, what=f"{self.name} (organisation {self.org_id})")

    def books(self) -> Books:
        """The ledger of this provider. Whoever writes into it holds the lock."""
        return Books(self.warehouse, org_id=self.org_id, provider=self.name, prunes=self._prunes())

    def _run(
        self,
        planner: Planner,
        streams: list[str],
        books: Books,
        started: Started,
        result: RunResult,
        watch: Watch,
    ) -> None:
        shop = self._workshop()
        try:
            with ExitStack() as stack:
                todo: list[Planned] = []
                with shop.open(workers=1) as contexts:
                    for name in streams:
                        with watch.planning(name):
                            todo += planner.todo(
                                contexts,
                                name,
                                result=result,
                                books=books,
                                reporter=self.reporter,
                                watch=watch,
                            )
                chains = sum(len(item.partition.requests) for item in todo)
                costs = shop.gates.before(todo, self.plugin.provider.streams)
                self.reporter.planned(self.name, partitions=len(todo), chains=chains, costs=costs)
                if todo:
                    workers = max(1, min(self.workers, chains))
                    contexts = stack.enter_context(shop.open(workers=workers))
                    Driver(
                        plugin=self.plugin,
                        books=books,
                        spool=self.spool,
                        started=started,
                        result=result,
                        reporter=self.reporter,
                        cancel=self.cancel,
                        contexts=contexts,
                        planner=planner,
                        rules=self._rules(workers),
                        watch=watch,
                        log=self.log,
                    ).run(todo)
            self.cancel.raise_if_set()
        except Cancelled as error:
            result.status, result.message = "cancelled", error.message
        except BaseException as error:
            result.status, result.message = "failed", str(error)
            with suppress(WarehouseError):  # the first error says more; the next start closes the run
                self._finish(planner, books, started, result)
            raise
        else:
            result.judge()
        result.notices += [*self.notes, *shop.gates.after()]
        self._finish(planner, books, started, result)

    def _finish(self, planner: Planner, books: Books, started: Started, result: RunResult) -> None:
        books.warehouse = self.warehouse.patient()
        for load in books.finish(started, result, listing=planner.listing):
            self.spool.drop(self.spool.load_folder(load.stream, load.digest, load.load_id))

    def _rules(self, workers: int) -> Rules:
        runner = self.config.settings.runner
        return Rules(
            workers=workers,
            max_pages=self.settings.max_pages,
            max_reject_share=runner.max_reject_share,
            resume_ttl=runner.resume_ttl,
        )

    def _planner(
        self,
        options: Options,
        states: Mapping[str, Mapping[str, ledger.PartitionState]],
        unfinished: frozenset[str],
    ) -> Planner:
        return Planner(
            plugin=self.plugin,
            accounts=self.accounts,
            states=states,
            window=options.window,
            unfinished=unfinished,
            lookback_days=self.config.settings.ingestion.lookback_days,
            full=options.full,
            log=self.log,
        )

    def _workshop(self) -> Workshop:
        accounts = {account.name: account.settings for account in self.accounts}
        return Workshop(
            plugin=self.plugin,
            config=self.config,
            accounts=accounts,
            org_id=self.org_id,
            spool=self.spool,
            gates=Gates(self.limiter, self.clock, self.name, accounts, on_wait=self._limited),
            cancel=self.cancel,
            clock=self.clock,
            notes=self.notes,
            mask=Redactor(self.config.secrets()).text,
            log=self.log,
        )

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
        missing = {name: self.missing(name) for name in wanted}
        ready = [name for name in wanted if not missing[name]]
        if not ready or (options.streams and len(ready) < len(wanted)):
            lines = "; ".join(
                f"{name} needs {' and '.join(needs)}" for name, needs in missing.items() if needs
            )
            raise ConfigError(
                f"{self.name} is not configured: {lines}",
                hint="set it in ogf.yaml (`ogf init` writes one) or in the environment",
            )
        return ready

    def missing(self, stream: str) -> list[str]:
        """Name the settings that keep a stream from being read; none where one account at least has them all."""
        return min((account.settings.missing(stream) for account in self.accounts), key=len)

    def _prunes(self) -> frozenset[str]:
        """Streams that keep no superseded loads: by nature, unless their own setting says otherwise anywhere."""
        return frozenset(
            stream.name
            for stream in self.plugin.provider.streams
            if not any(
                getattr(getattr(account.settings, stream.name, None), "keeps_history", stream.keeps_history)
                for account in self.accounts
            )
        )

    def _limited(self, seconds: float) -> None:
        waited(self.name, seconds)
        if seconds > 0.1:
            self.log.info("rate limiting applied", wait_ms=round(seconds * 1000))


def _default_workers(config: Config) -> int:
    """One for each core that this process may use, as far as the memory limit goes; two at the least."""
    memory_mb = config.settings.runner.memory_limit // 1_000_000 - LOADER_MB
    return min(len(os.sched_getaffinity(0)), max(2, memory_mb // SMALLEST_WORKER_MB))
