"""Making task contexts: the workers' connections, scratch space, limiter and retries behind them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.runner.classify import classify
from ogf.runner.context import Connections, FactCache, TaskContext, scratch_folder
from ogf.runner.retry import Retry
from ogf.runner.watch import retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ogf.config import Config, ProviderSettings
    from ogf.hookspecs import Verdict
    from ogf.plugins import Plugin
    from ogf.runner.clock import Cancel, Clock
    from ogf.runner.gates import Gates
    from ogf.runner.spool import Spool

LOADER_MB = 256
SMALLEST_WORKER_MB = 256


def core_lookups() -> dict[str, Path]:
    """The tables that every mapping may join, whoever's it is."""
    home = files("ogf")
    return {
        "ogf_units": Path(str(home.joinpath("units.csv"))),
        "ogf_scales": Path(str(home.joinpath("scales.csv"))),
        "ogf_focus_services": Path(str(home.joinpath("focus/services.csv"))),
        "ogf_focus_meters": Path(str(home.joinpath("focus/meters.csv"))),
    }


@dataclass(frozen=True)
class Workshop:
    """What all tasks of one run share. `open` lends contexts for a number of workers."""

    plugin: Plugin
    config: Config
    accounts: Mapping[str, ProviderSettings]
    org_id: str
    spool: Spool
    gates: Gates
    cancel: Cancel
    clock: Clock
    notes: list[str]
    mask: Callable[[str], str]
    log: Any

    @contextmanager
    def open(self, *, workers: int) -> Iterator[Contexts]:
        """Lend contexts; the cores and the memory limit are divided between the workers."""
        memory_mb = self.config.settings.runner.memory_limit // 1_000_000 - LOADER_MB
        with scratch_folder(self.spool.scratch) as scratch:
            connections = Connections(
                scratch=scratch,
                threads=max(1, (os.cpu_count() or 1) // workers),
                memory_mb=max(SMALLEST_WORKER_MB, memory_mb // workers),
                lookups={**core_lookups(), **self.plugin.provider.lookups},
            )
            cache = FactCache(self.spool.cache_file)
            try:
                yield Contexts(self, scratch, connections, cache)
            finally:
                connections.close()
                cache.save()


@dataclass(frozen=True)
class Contexts:
    """Contexts that share scratch space, connections and cache. A partition's chains share its retry budget."""

    shop: Workshop
    scratch: Path
    connections: Connections
    cache: FactCache
    retries: dict[tuple[str, str, str], Retry] = field(default_factory=dict)

    def make(self, stream: str, key: str = "", *, account: str | None = None) -> TaskContext:
        """Make the context of one task, for the account of that name; without one, for the first."""
        shop = self.shop
        if account is None:
            account = next(iter(shop.accounts))
        settings = shop.accounts[account]
        log = shop.log.bind(stream=stream, partition=key) if key else shop.log.bind(stream=stream)
        ctx = TaskContext(
            provider=shop.plugin.provider.name,
            org_id=shop.org_id,
            settings=settings,
            scratch=self.scratch,
            cache=self.cache,
            connections=self.connections,
            notes=shop.notes,
            log=log,
        )

        def verdict(error: BaseException) -> Verdict:
            return shop.plugin.classify_error(ctx, error) or classify(error)

        ctx.retry = self.retries.setdefault(
            (account, stream, key),
            Retry(
                max_attempts=settings.max_retries,
                clock=shop.clock,
                limiter=shop.gates.of(account, shop.plugin.provider.stream(stream), pages=bool(key)),
                cancel=shop.cancel,
                classify=verdict,
                log=log,
                budget_seconds=shop.config.settings.runner.time_budget,
                mask=shop.mask,
                on_retry=retrying(shop.plugin.provider.name, stream),
            ),
        )
        return ctx
