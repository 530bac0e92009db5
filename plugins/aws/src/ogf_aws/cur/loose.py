"""A local folder of data files without a manifest: one partition for each (payer, billing period) in the data.

Which periods a file holds is read once for each state of the file and then remembered.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

import duckdb

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Partition, Problem, Request
from ogf.window import Month
from ogf_aws.cur.mapping import billing_periods_sql
from ogf_aws.cur.payer import wrong_payer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.files import ObjectStore
    from ogf.files.store import Object
    from ogf.hookspecs import Context
    from ogf.window import Window


def loose_partitions(
    ctx: Context, store: ObjectStore, files: Sequence[Object], window: Window
) -> list[Partition]:
    """List what the data files hold. A file that cannot be read is a partition of its own, with its problem."""
    holders: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
    broken = []
    for item in files:
        try:
            for payer, month in _periods(ctx, store, item):
                holders[payer, month].append(item)
        except SourceError as error:
            broken.append(_broken(store, item, error))
    listed = [
        _partition(ctx, store, payer, month, items) for (payer, month), items in sorted(holders.items())
    ]
    return broken + [item for item in listed if item.month is None or item.month in window]


def _periods(ctx: Context, store: ObjectStore, item: Object) -> list[tuple[str, str]]:
    fact = f"cur periods of {store.uri(item.key)} at {item.etag}"
    if fact not in ctx.cache:
        file = store.download(item.key, item.etag, ctx.scratch)
        table = ctx.rows(file)
        try:
            rows = ctx.duckdb.execute(billing_periods_sql(table)).fetchall()
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
        ctx.cache[fact] = rows
    return [(payer, month) for payer, month in ctx.cache[fact]]


def _refused_lines(ctx: Context) -> int:
    """Take note of how many lines DuckDB's CSV reader refused, and forget them: reading the rows reports them."""
    row = ctx.duckdb.execute("SELECT count(*) FROM reject_errors").fetchone()
    ctx.duckdb.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    return int(row[0]) if row else 0


def _partition(ctx: Context, store: ObjectStore, payer: str, month: str, items: list[Object]) -> Partition:
    etags = hashlib.sha256(repr([(item.key, item.etag) for item in items]).encode())
    return Partition(
        stream="cur",
        key=f"files/{payer}/{month}",
        version=etags.hexdigest()[:16],
        requests=tuple(
            Request(item.key, {"key": item.key, "etag": item.etag, "payer": payer, "month": month})
            for item in items
        ),
        month=Month.parse(month) if month != "unknown" else None,
        source=store.root,
        problem=wrong_payer(ctx, payer),
        local=True,
    )


def _broken(store: ObjectStore, item: Object, error: SourceError) -> Partition:
    return Partition(
        stream="cur",
        key=f"files/{item.key}",
        version=item.etag,
        requests=(),
        source=store.uri(item.key),
        problem=Problem(error.error_class, error.message, error.hint),
    )
