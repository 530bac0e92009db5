"""Data files without a manifest: one partition for each (account, month) that the data hold.

Which months a file holds is read once for each state of the file and then remembered. A stream says with one
statement (distinct account and `YYYY-MM`, `unknown` where a row names none) how that is found.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files.store import ask, walk
from ogf.hookspecs import Partition, Problem, Request
from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ogf.files.store import File, Object, ObjectStore
    from ogf.files.table import Table
    from ogf.hookspecs import Context
    from ogf.window import Window

_NUMBER = r"0{4}\d{8}"
# What numbers the files of one export, as BigQuery, Spark and Azure do: `usage-000000000012.parquet`,
# `part-00003.csv.gz`, `part_1_0001.csv`. Twelve digits that begin with a year are a date.
SHARD = rf"({_NUMBER}|part-\d{{5}}[^/]*|part_\d+(_\d+)?)(\.[A-Za-z.]+)?$"
DATA_NAME = re.compile(
    rf"\.(csv|json|jsonl|ndjson)(\.gz|\.zip)?$|\.(zip|gz|parquet)$|{_NUMBER}$", re.IGNORECASE
)
# What tools leave beside the data: `_SUCCESS`, `.crc`, manifests and notes.
_ASIDE = re.compile(r"(^|/)[._][^/]*$|manifest|readme|\.(md|crc|sql)$", re.IGNORECASE)


class Months(NamedTuple):
    """How a stream's loose files are divided.

    Attributes:
        sql: writes the SELECT of a file's distinct (account, month).
        problem: why an account's partitions may not be read, or None.
        overlap: files of one month may repeat each other's rows.
    """

    stream: str
    sql: Callable[[Table], str]
    problem: Callable[[str], Problem | None] = lambda account: None  # noqa: ARG005
    overlap: bool = False


def data_files(ctx: Context, store: ObjectStore) -> Iterator[Object]:
    """Every data file below the store's root, whatever the folders between. What was passed over is noted."""
    folders, empty, unknown = deque([""]), [], []
    while folders:
        listing = walk(ctx, store, folders.popleft())
        for item in listing.objects:
            if DATA_NAME.search(item.key):
                if item.size:
                    yield item
                else:
                    empty.append(item.key)
            elif not _ASIDE.search(item.key):
                unknown.append(item.key)
        folders.extend(listing.folders)
    if empty:
        ctx.note(f"{store.root}: files of 0 bytes were passed over: {_some(empty)}")
    if unknown:
        ctx.note(
            f"{store.root}: passed over, because their names end in nothing that is read here: {_some(unknown)}"
        )


def loose_partitions(
    ctx: Context, store: ObjectStore, files: Sequence[Object], window: Window, months: Months
) -> list[Partition]:
    """List what the data files hold. A file that cannot be read is a partition of its own, with its problem."""
    holders: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
    broken, blank = [], []
    for item in files:
        try:
            periods = _periods(ctx, store, item, months)
            for account, month in periods:
                holders[account, month].append(item)
            if not periods:
                blank.append(item.key)
        except SourceError as error:
            if store.remote and error.error_class not in (ErrorClass.BAD_REQUEST, ErrorClass.NOT_FOUND):
                raise
            broken.append(_broken(store, item, error, months.stream))
    if blank:
        ctx.note(f"{store.root}: there is not one row in {_some(blank)}")
    listed = [
        _partition(store, account, month, items, months)
        for (account, month), items in sorted(holders.items())
    ]
    return broken + [item for item in listed if item.month is None or item.month in window]


def _periods(ctx: Context, store: ObjectStore, item: Object, months: Months) -> list[tuple[str, str]]:
    import duckdb

    fact = f"{months.stream} months of {store.uri(item.key)} at {item.etag}"
    if fact not in ctx.cache:
        file = ask(ctx, store, store.download, item.key, item.etag, ctx.scratch)
        table = _opened(ctx, file)
        try:
            rows = ctx.duckdb.execute(months.sql(table)).fetchall() if table.names else []
            if table.is_text and _refused_lines(ctx) and not rows:
                raise SourceError(
                    "no line is whole: all have too few or too many fields",
                    error_class=ErrorClass.BAD_REQUEST,
                    where=file.uri,
                    hint="download or export it again",
                )
        except duckdb.Error as error:
            raise SourceError(
                f"DuckDB cannot read the file: {str(error).splitlines()[0]}",
                error_class=ErrorClass.BAD_REQUEST,
                where=file.uri,
                hint="download or export it again",
            ) from error
        finally:
            table.close()
        file.verify()
        if file.owned:
            file.path.unlink(missing_ok=True)
        ctx.cache[fact] = rows
    return [(account, month) for account, month in ctx.cache[fact]]


def _opened(ctx: Context, file: File) -> Table:
    try:
        opened: Table = ctx.rows(file)
    except PermissionError as error:
        raise SourceError(
            "the file may not be read",
            error_class=ErrorClass.AUTH,
            where=file.uri,
            hint="let this user read it, or take it out of the folder",
        ) from error
    return opened


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _refused_lines(ctx: Context) -> int:
    """Take note of how many lines DuckDB's CSV reader refused, and forget them: reading the rows reports them."""
    row = ctx.duckdb.execute("SELECT count(*) FROM reject_errors").fetchone()
    ctx.duckdb.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    return int(row[0]) if row else 0


def _partition(
    store: ObjectStore, account: str, month: str, items: list[Object], months: Months
) -> Partition:
    etags = hashlib.sha256(repr([(item.key, item.etag) for item in items]).encode())
    about = {"stream": months.stream, "account": account, "month": month}
    return Partition(
        stream=months.stream,
        key=f"files/{account}/{month}",
        version=etags.hexdigest()[:16],
        requests=tuple(Request(item.key, {"key": item.key, "etag": item.etag, **about}) for item in items),
        month=Month.parse(month) if month != "unknown" else None,
        source=store.root,
        problem=months.problem(account),
        local=not store.remote,
        overlapping=months.overlap and len({re.sub(SHARD, "", item.key) for item in items}) > 1,
    )


def _broken(store: ObjectStore, item: Object, error: SourceError, stream: str) -> Partition:
    return Partition(
        stream=stream,
        key=f"files/{item.key}",
        version=item.etag,
        requests=(),
        source=store.uri(item.key),
        problem=Problem(error.error_class, error.message, error.hint),
    )
