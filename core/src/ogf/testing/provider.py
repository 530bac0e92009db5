"""A cloud in memory, and a real run of it: for tests of the core and of anything that needs a provider.

    cloud = FakeCloud()
    cloud.put("2026-01", [[{"service": "EC2", "quantity": 1.5}]], version="1")
    cloud.fail(throttled(retry_after=7), times=2)
    result = cloud.run(tmp_path / "ogf.duckdb")
    assert cloud.rows(tmp_path / "ogf.duckdb", "service, quantity") == [("EC2", 1.5)]

The source may be changed at any time, as a real one may. Rows are mappings of `ogf.schema.plugin_columns` (missing
ones are NULL), or anything with an Arrow C stream. No pyarrow is needed, nothing waits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb

from ogf.config import Config, ProviderSettings, Settings
from ogf.errors import ErrorClass, SourceError
from ogf.files.table import literal, quoted
from ogf.hookspecs import Notice, Page, Partition, Problem, Provider, Request, Stream, hookimpl
from ogf.paging import CursorPages
from ogf.plugins import Plugin, bind
from ogf.runner.run import Options, ProviderRun
from ogf.schema import plugin_columns
from ogf.testing.clock import FakeClock
from ogf.window import Month, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from ogf.hookspecs import ArrowStream, Context
    from ogf.runner.clock import Cancel
    from ogf.runner.report import RunResult


@dataclass(frozen=True)
class FakePage:
    """One page as the cloud would answer it.

    Attributes:
        rows: activities, or an Arrow stream of them.
        next: the cursor it names; None names the page that follows in the chain, if there is one.
    """

    rows: Any = ()
    notices: tuple[Notice, ...] = ()
    withheld: tuple[str, ...] = ()
    next: int | None = None


@dataclass(frozen=True)
class FakePartition:
    """One partition as the cloud lists it: chains of pages."""

    chains: tuple[tuple[FakePage, ...], ...]
    version: str | None = None
    month: Month | None = None
    notices: tuple[Notice, ...] = ()
    problem: Problem | None = None
    local: bool = False


@dataclass
class Fault:
    """What happens instead of an answer: an error to raise, or something to do before the answer."""

    what: BaseException | Callable[[], object]
    times: int
    hook: str
    stream: str | None
    key: str | None
    page: int | None


@dataclass
class FakeCloud:
    """A provider plugin whose source is scripted.

    Attributes:
        plugin_version: as if another release of the plugin were installed.
        source: stream → partition key → what the cloud holds now.
        calls: (stream, partition key, chain, page) of every fetch, failed ones too; chains and pages from 0.
        listings: how often each stream was listed.
        confirmations: what `confirm` answers, first to last; then True.
        clock: stands for time in every run.
    """

    name: str = "fake"
    streams: tuple[Stream, ...] = (Stream("carbon"),)
    settings: type[ProviderSettings] = ProviderSettings
    plugin_version: str = "1"
    source: dict[str, dict[str, FakePartition]] = field(default_factory=dict)
    calls: list[tuple[str, str, int, int]] = field(default_factory=list)
    listings: Counter[str] = field(default_factory=Counter)
    confirmations: list[bool] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    _faults: list[Fault] = field(default_factory=list)

    # What a test scripts

    def put(
        self,
        key: str,
        *chains: Iterable[FakePage | Sequence[Mapping[str, Any]]],
        version: str | None = None,
        stream: str = "",
        **partition: Any,
    ) -> None:
        """Hold a partition with these chains of pages, in place of the one with the same key.

        Args:
            chains: each an iterable of pages; a plain list of rows is a page without anything special.
            partition: further fields of `FakePartition`.
        """
        pages = tuple(
            tuple(page if isinstance(page, FakePage) else FakePage(page) for page in chain) or (FakePage(),)
            for chain in chains
        )
        held = FakePartition(pages, version=version, **partition)
        self.source.setdefault(stream or self.streams[0].name, {})[key] = held

    def drop(self, key: str, *, stream: str = "") -> None:
        """List a partition no more."""
        del self.source[stream or self.streams[0].name][key]

    def fail(
        self,
        what: BaseException | Callable[[], object],
        *,
        times: int = 1,
        hook: str = "fetch",
        stream: str | None = None,
        key: str | None = None,
        page: int | None = None,
    ) -> None:
        """Let the next `times` matching calls of a hook raise an error, or do something before they answer."""
        self._faults.append(Fault(what, times, hook, stream, key, page))

    # What a test does

    def plugin(self) -> Plugin:
        return bind(self, name=self.name, where=f"ogf-{self.name} (fake)", version=self.plugin_version)

    def prepare(
        self,
        db: Path,
        *,
        cancel: Cancel | None = None,
        limits: Mapping[str, Any] | None = None,
        **runner: Any,
    ) -> ProviderRun:
        """Set a real run up on a warehouse, without environment and configuration files.

        Args:
            limits: settings of the provider, for instance `max_pages`.
            runner: settings of the section `runner`, for instance `workers`.
        """
        settings = Settings.model_validate({"warehouse": {"path": db}, "runner": {"workers": 2, **runner}})
        config = Config(settings=settings, providers={self.name: self.settings(**(limits or {}))})
        return ProviderRun(self.plugin(), config, cancel=cancel, clock=self.clock)

    def run(self, db: Path, options: Options | None = None, **setup: Any) -> RunResult:
        """Run to the end; `setup` as in `prepare`."""
        return self.prepare(db, **setup).run(options or Options())

    @staticmethod
    def rows(
        db: Path, columns: str = "* EXCLUDE (load_id)", *, table: str = "activities"
    ) -> list[tuple[Any, ...]]:
        """What the warehouse shows, as a sorted list: a multiset that can be compared."""
        with duckdb.connect(str(db), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()

    # What the core calls

    @hookimpl
    def provider(self) -> Provider:
        return Provider(name=self.name, settings=self.settings, streams=self.streams)

    @hookimpl
    def partitions(self, ctx: Context, stream: str, window: Window) -> list[Partition]:
        self.listings[stream] += 1
        ctx.call(self._stumble, "partitions", stream, None, None)
        return [
            self._listed(stream, key, held)
            for key, held in self.source.get(stream, {}).items()
            if held.month is None or held.month in window
        ]

    @hookimpl
    def fetch(self, request: Request) -> Page:
        stream, key, chain = (request.params[name] for name in ("stream", "key", "chain"))
        number = request.params.get("cursor", 0)
        self.calls.append((stream, key, chain, number))
        self._stumble("fetch", stream, key, number)
        held = self.source[stream].get(key)
        if held is None or held.version != request.params["version"]:
            raise changed()
        page = held.chains[chain][number]
        following = number + 1 if number + 1 < len(held.chains[chain]) else None
        answer = replace(page, next=following if page.next is None else page.next)
        return Page(answer, notices=page.notices, withheld=page.withheld)

    @hookimpl
    def paginate(self, request: Request, page: Page) -> Request | None:
        following = page.data.next
        return CursorPages().next(request, following) if following is not None else None

    @hookimpl
    def to_activities(self, ctx: Context, page: Page) -> ArrowStream:
        rows = page.data.rows
        return rows if hasattr(rows, "__arrow_c_stream__") else relation(ctx.duckdb, list(rows))

    @hookimpl
    def confirm(self) -> bool:
        return self.confirmations.pop(0) if self.confirmations else True

    def _listed(self, stream: str, key: str, held: FakePartition) -> Partition:
        about = {"stream": stream, "key": key, "version": held.version}
        return Partition(
            stream=stream,
            key=key,
            version=held.version,
            requests=tuple(Request(f"chain {n}", {**about, "chain": n}) for n in range(len(held.chains))),
            month=held.month,
            source=f"fake://{stream}/{key}",
            notices=held.notices,
            problem=held.problem,
            local=held.local,
        )

    def _stumble(self, hook: str, stream: str, key: str | None, page: int | None) -> None:
        asked = (hook, stream, key, page)
        for fault in tuple(self._faults):  # what is done may script more
            wanted = (fault.hook, fault.stream, fault.key, fault.page)
            if fault.times and all(want in (None, have) for want, have in zip(wanted, asked, strict=True)):
                fault.times -= 1
                if isinstance(fault.what, BaseException):
                    raise fault.what
                fault.what()


def throttled(retry_after: float | None = None) -> SourceError:
    """The server's "slow down", with the seconds it asks for."""
    return SourceError("slow down", error_class=ErrorClass.TRANSIENT, retry_after=retry_after)


def refused(error_class: ErrorClass, message: str = "no", hint: str = "do something about it") -> SourceError:
    return SourceError(message, error_class=error_class, hint=hint)


def changed() -> SourceError:
    """The source is not what was planned any more."""
    return SourceError("it changed meanwhile", error_class=ErrorClass.TRANSIENT, restart=True)


def relation(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]
) -> duckdb.DuckDBPyRelation:
    """Rows as a DuckDB relation, every column in the type that activities have; unknown columns are text."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["account_id"]
    types = plugin_columns()
    columns = ", ".join(
        f"CAST({quoted(name)} AS {types.get(name, 'VARCHAR')}) AS {quoted(name)}" for name in names
    )
    lines = ", ".join(f"({', '.join(_text(row.get(name)) for name in names)})" for row in rows)
    head = ", ".join(map(quoted, names))
    if not rows:
        lines = f"({', '.join('NULL' for _ in names)})"
    return connection.sql(
        f"SELECT {columns} FROM (VALUES {lines}) AS page ({head}) {'' if rows else 'WHERE false'}"
    )


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, dict):
        return literal("{" + ", ".join(f"{key}={text}" for key, text in value.items()) + "}")
    return literal(str(value))
