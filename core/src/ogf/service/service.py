"""What the service is made of, wired up from the configuration, and how it starts and ends."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from ogf import config as configuration
from ogf.plugins import installed, load_each
from ogf.runner.lock import run_lock
from ogf.runner.spool import spool_root
from ogf.service.answers import Answers
from ogf.service.auth.gate import Gate
from ogf.service.connectors import Connectors
from ogf.service.jobs.book import JobBook
from ogf.service.jobs.queue import JobQueue
from ogf.service.jobs.schedule import Schedule, Scheduler, schedules
from ogf.service.syncs import Syncs
from ogf.telemetry import metrics
from ogf.warehouse import ledger
from ogf.warehouse.answers import answer
from ogf.warehouse.file import WarehouseFile
from ogf.warehouse.instance import Instance

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from ogf.config import Config
    from ogf.errors import PluginError
    from ogf.plugins import Plugin

# A request waits no longer for another process that holds the warehouse; a job has the patience of `ogf run`.
_REQUEST_WAIT = 5.0
# Tests of connectors at a time: each asks a cloud, and that may take long.
_MOST_TRIALS = 4
_SUCCEEDED = "SELECT provider, org_id, last_success_at FROM connectors WHERE last_success_at IS NOT NULL"


class Service:
    """Everything behind the routes.

    Args:
        config: read for every installed provider that could be loaded.
    """

    def __init__(
        self, config: Config, plugins: Mapping[str, Plugin], broken: Mapping[str, PluginError]
    ) -> None:
        self.config = config
        self.db = Path(config.settings.warehouse.path).expanduser().resolve()
        runner = config.settings.runner
        self.instance = Instance(self.db, memory_mb=runner.memory_limit // 1_000_000)
        self.warehouse = WarehouseFile(self.db, wait=_REQUEST_WAIT, instance=self.instance)
        patient = WarehouseFile(self.db, wait=runner.wait, instance=self.instance)
        self.connectors = Connectors(config, plugins, broken, self.instance)
        self.gate = Gate(config.settings, self.warehouse)
        self.answers = Answers(self.warehouse, self.instance)
        self.book = JobBook(self.warehouse)
        self.queue = JobQueue(self.connectors, JobBook(patient), requests=self.book, wait=runner.wait)
        self.syncs = Syncs(self.connectors, self.queue)
        self.scheduler = Scheduler(schedules(self.connectors), self.book, self._ask, ledger.now)
        self.trials = BoundedSemaphore(_MOST_TRIALS)
        self._open = ExitStack()

    def start(self) -> None:
        """Make or upgrade the warehouse, go on with the jobs that were left, and begin with the schedules.

        Raises:
            WarehouseBusy: another service works on this warehouse, or somebody holds the file.
            WarehouseError: it cannot be used.
        """
        self.warehouse.require_folder()
        lock = spool_root(self.db) / "serve.lock"
        self._open.enter_context(run_lock(lock, what="ogf serve on this warehouse"))
        self._open.callback(self.instance.close)
        with self.queue.book.warehouse.writing() as connection:
            self._announce(connection)
        self.queue.start()
        self._open.callback(self.queue.close)
        self.scheduler.start()
        self._open.callback(self.scheduler.close)

    def close(self) -> None:
        """End: jobs stop after their page and stay in the book, the file is let go of."""
        self._open.close()

    def _announce(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Begin every counter at nought, and say when each provider last succeeded, be it before this service."""
        for name in self.connectors.names:
            if name not in self.connectors.broken:
                streams = self.connectors.plugin(name).provider.streams
                metrics.announce(name, [stream.name for stream in streams])
        for row in answer(connection, _SUCCEEDED).rows:
            if row["org_id"] == self.connectors.org_of(row["provider"]):
                metrics.succeeded(row["provider"], at=row["last_success_at"].timestamp())

    def _ask(self, plan: Schedule) -> None:
        self.syncs.start(plan.provider, org_id=plan.org_id, by="schedule", trigger="schedule")


def assemble(config_path: Path | None, overrides: Mapping[str, object]) -> Service:
    """The service as configured, with every installed provider. Nothing is opened yet.

    Raises:
        ConfigError: with every mistake.
    """
    have = installed()
    plugins, broken = load_each(have)
    config = configuration.load(
        path=config_path,
        environ=os.environ,
        overrides=overrides,
        providers={name: plugin.provider.settings for name, plugin in plugins.items()},
        installed=have,
    )
    return Service(config, plugins, broken)
