"""The contract between the core and a provider plugin: its hooks, required and optional, and their values.

A plugin is a module (or object) named in its distribution's metadata::

    [project.entry-points."ogf.providers"]
    mycloud = "ogf_mycloud.plugin"

that implements the hooks of `ProviderSpec` below::

    from ogf.hookspecs import Page, Partition, Provider, Request, Stream, hookimpl

    @hookimpl
    def provider():
        return Provider(name="mycloud", settings=MySettings, streams=(Stream("carbon"),))

The way of the data: `partitions` lists what there is; for each partition that is new or changed, each of its
request chains runs `fetch` → `paginate` → `to_activities` until `paginate` returns None; every page becomes one
Parquet segment; all segments of a partition are published together. Limits, retries, resume, state, logs and
metrics belong to the core. Everything here is light: no SDK, no DuckDB, no pyarrow is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, Self

import pluggy

from ogf.errors import ErrorClass, OgfError, SourceError

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import duckdb

    from ogf.config import ProviderSettings
    from ogf.files import File
    from ogf.window import Month, Window

PROJECT = "ogf"
ENTRY_POINT_GROUP = "ogf.providers"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Stream:
    """One dataset of a provider.

    Attributes:
        keeps_history: superseded loads stay in the warehouse ("what did we report in March").
        unique_ids: `activity_id` is unique per partition; checked before publication: equal rows collapse, differing
            ones go to quarantine.
        editions: keys end in `@<edition>`; of partitions that are alike up to there, only the newest edition that is
            loaded is current, the others are history (`ogf.runner.editions`).
        billing: rows carry cost, not emissions.
        rate_limit_per_sec: requests a second of this stream, where that is less than the provider allows.
        page_price: what one page costs, in USD: said before a run, counted after it, and never above the setting
            `max_cost_usd` of the stream's section, if it has one.
        title: what logs call it: "failed to ingest S3 CUR".
        page_event: the log event of a finished page.
        span: what the stream's span is called, if not `<provider>.ingest_<name>`.
    """

    name: str
    description: str = ""
    keeps_history: bool = False
    unique_ids: bool = False
    editions: bool = False
    billing: bool = False
    rate_limit_per_sec: float | None = None
    page_price: Decimal = Decimal(0)
    title: str = ""
    page_event: str = "page processed"
    span: str = ""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a plugin is.

    Attributes:
        settings: the pydantic model of `ingestion.<name>`; its limit fields carry the provider's defaults.
        lookups: table name → CSV file, registered once in every worker's DuckDB connection, all text.
        demo: writes sample exports into a folder and returns the settings that read them (`ogf demo`).
        policy: writes the grants for permissions that checks found missing, ready to paste: a title and the document.
    """

    name: str
    settings: type[ProviderSettings]
    streams: tuple[Stream, ...]
    title: str = ""
    lookups: Mapping[str, Path] = field(default_factory=dict)
    demo: Callable[[Path], Mapping[str, Any]] | None = None
    policy: Callable[[Iterable[tuple[str, str]]], tuple[str, str]] | None = None

    def stream(self, name: str) -> Stream:
        return next(stream for stream in self.streams if stream.name == name)


@dataclass(frozen=True)
class Request:
    """One call's worth of a request chain. `params` is plain JSON: a worker elsewhere can own it."""

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """Something the user must know; it makes the run `partial`."""

    code: str
    message: str


@dataclass(frozen=True)
class Problem:
    """Why a partition cannot be read, found while listing it. It fails alone; the others go on."""

    error_class: ErrorClass
    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The unit of skip, replace, retry, resume and publication.

    Attributes:
        key: stable, and names its source (bucket, report, payer), so that two sources never collide.
        version: changes when the content may have changed; None: the source gives no sign, and the content is
            hashed after extraction instead.
        requests: the first request of each independent chain; none at all is a partition without rows.
        month: first month of the data, for windows and display.
        fresh_since: without a version: what was read whole since then, from the same `source`, is not read again.
        source: where an auditor finds it; what is asked there, if that may change.
        local: its pages are this machine's own files, so no remote call is made and no limiter token is taken.
        overlapping: its exports may repeat each other's rows: a row counts as often as in the one that has it most.
    """

    stream: str
    key: str
    version: str | None
    requests: tuple[Request, ...]
    month: Month | None = None
    fresh_since: dt.datetime | None = None
    source: str = ""
    notices: tuple[Notice, ...] = ()
    problem: Problem | None = None
    local: bool = False
    overlapping: bool = False


@dataclass(frozen=True)
class Page:
    """What one `fetch` returned.

    Attributes:
        data: a `File` that the object store handed out, or small in-memory data.
        withheld: accounts the caller may not see; their rows are carried over from the current load.
    """

    data: Any
    notices: tuple[Notice, ...] = ()
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What an error means. See `ogf.errors.SourceError` for the fields."""

    error_class: ErrorClass
    retry_after: float | None = None
    restart: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Check:
    """One line of `ogf doctor`: what was tried, whether it worked, and what to do if not.

    Attributes:
        missing: (action, resource) of permissions to grant, for the provider's `policy`.
        error_class: of the error that it failed with, where that has one.
    """

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    error_class: ErrorClass | None = None

    @classmethod
    def failed(cls, name: str, error: OgfError, *, missing: tuple[tuple[str, str], ...] = ()) -> Self:
        """A check that ended with an error."""
        return cls(
            name,
            ok=False,
            detail=error.headline,
            hint=error.hint,
            missing=missing,
            error_class=error.error_class if isinstance(error, SourceError) else None,
        )


@dataclass(frozen=True)
class Found:
    """A source that exists at the provider and is not read yet, for `ogf doctor` and `ogf init`.

    Attributes:
        title: what it is, and where.
        settings: what to set below the provider's section, dotted.
        note: what may be wrong with it.
    """

    stream: str
    title: str
    settings: Mapping[str, str]
    note: str = ""


class ArrowStream(Protocol):
    """Anything with an Arrow C stream: a DuckDB relation (the fast path), a pyarrow Table or reader, polars."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class Context(Protocol):
    """What the core lends to a hook. Lives as long as one task; never shared between threads.

    Attributes:
        settings: the provider's validated settings.
        scratch: a folder for page bodies; the core empties it after each page.
        duckdb: this worker's own in-memory connection (UTC, bounded memory, insertion order not preserved), with
            the provider's lookup tables and the core's `ogf_*` macros.
        cache: small JSON facts about immutable things (an object at an ETag), kept between runs.
    """

    provider: str
    org_id: str
    settings: Any
    scratch: Path
    cache: MutableMapping[str, Any]

    @property
    def duckdb(self) -> duckdb.DuckDBPyConnection: ...

    @property
    def log(self) -> Any: ...

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run one remote call under the provider's limiter and retries: for `partitions`, `confirm`, `check`."""

    def note(self, message: str) -> None:
        """Tell the user something that is no fault: it stands in the run's summary and does not make it partial."""

    def rows(self, file: File) -> Any:
        """Open a page's CSV or Parquet file as a DuckDB source (`ogf.files.Table`), checked while it is read."""


class ProviderSpec:
    """The hooks. All are `firstresult`; the core's defaults answer last."""

    @hookspec(firstresult=True)
    def provider(self) -> Provider:  # type: ignore[empty-body]
        """Describe the plugin. Called before anything else; must not import an SDK."""

    @hookspec(firstresult=True)
    def partitions(  # type: ignore[empty-body]
        self, ctx: Context, stream: str, window: Window
    ) -> Iterable[Partition]:
        """List the partitions of a stream in a window. Lists and reads manifests; never downloads data."""

    @hookspec(firstresult=True)
    def fetch(self, ctx: Context, request: Request) -> Page:  # type: ignore[empty-body]
        """Make ONE remote call. No retry, no sleep: the runner does both. Big bodies go to `ctx.scratch`."""

    @hookspec(firstresult=True)
    def paginate(self, ctx: Context, request: Request, page: Page) -> Request | None:
        """Name the request that follows, or None at the end of the chain (the core's default: always None)."""

    @hookspec(firstresult=True)
    def to_activities(  # type: ignore[empty-body]
        self, ctx: Context, request: Request, page: Page
    ) -> ArrowStream:
        """Map a page to activities (`ogf.schema`). Pure: reads only the page; no clock, no random ids.

        Columns left out are NULL; unknown columns are an error, but for `_reject` (why the row is refused, or
        NULL) and `_raw` (the source row as JSON). `category` NULL means the service is in no table, `location`
        NULL that the region is in none: the core counts both and fills in `cloud_other` and `GLOBAL`.
        """

    @hookspec(firstresult=True)
    def classify_error(self, ctx: Context, error: BaseException) -> Verdict | None:
        """Say what an error means, from structured codes only. None leaves it to the core."""

    @hookspec(firstresult=True)
    def confirm(self, ctx: Context, partition: Partition) -> bool:  # type: ignore[empty-body]
        """Say whether the source is still what was planned, after the last page and before publication.

        False drops the partition's segments and plans it again. The core's default: True.
        """

    @hookspec(firstresult=True)
    def check(self, ctx: Context, stream: str) -> Iterable[Check]:  # type: ignore[empty-body]
        """Really try credentials and permissions for `ogf doctor`, naming what is missing."""

    @hookspec(firstresult=True)
    def discover(self, ctx: Context) -> Iterable[Found | Check]:  # type: ignore[empty-body]
        """Look for sources that exist and are not read yet, best first. A `Check` tells what could not be looked for.

        The core's default: none.
        """
