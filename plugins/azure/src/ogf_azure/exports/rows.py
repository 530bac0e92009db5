"""Counting: whether a run's files hold as many rows as its manifest says.

A file is counted before it is mapped, for a CSV can be read only once. Where the manifest counts only all files
together, the counts are kept in the context's cache, and `confirm` adds them up before publication.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.table import open_table

if TYPE_CHECKING:
    from ogf.files import File
    from ogf.hookspecs import Context, Partition, Request


def check(ctx: Context, request: Request, file: File) -> None:
    """Count a file's rows if the manifest did. Raises SourceError `bad_request` where they are not as many."""
    expected, total = request.params.get("rows"), request.params.get("total")
    if expected is None and total is None:
        return
    found = _count(ctx, file)
    ctx.cache[_fact(request)] = found
    if expected is not None and found != expected:
        raise _differs(file.uri, found, expected)


def confirm(ctx: Context, partition: Partition) -> bool:
    """Say that a partition's files hold as many rows as the manifest says, if it does. Raises as `check`."""
    total = next((request.params.get("total") for request in partition.requests), None)
    counts: list[int | None] = [ctx.cache.get(_fact(request)) for request in partition.requests]
    known = [count for count in counts if count is not None]
    if total is None or len(known) < len(counts):  # not counted, or by an earlier run
        return True
    if sum(known) != total:
        raise _differs(partition.source, sum(known), int(total))
    return True


def _fact(request: Request) -> str:
    return f"rows of {request.params['key']} at {request.params['etag']}"


def _count(ctx: Context, file: File) -> int:
    table = open_table(file, connection=ctx.duckdb, scratch=ctx.scratch)
    try:
        if not table.names:
            return 0
        ((rows,),) = ctx.duckdb.execute(f"SELECT count(*) FROM {table.source}").fetchall()
        if table.is_text:  # lines with too few or too many fields are rows, too: mapping refuses them
            sql = "SELECT count(DISTINCT line) FROM reject_errors"
            ((refused,),) = ctx.duckdb.execute(sql).fetchall()
            ctx.duckdb.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
            rows += refused
        return int(rows)
    finally:
        table.close()


def _differs(where: str, found: int, expected: int) -> SourceError:
    return SourceError(
        f"the manifest says {expected:,} rows, but there are {found:,}",
        error_class=ErrorClass.BAD_REQUEST,
        where=where,
        hint="the delivery is damaged or not complete: run the export again; nothing of this month was loaded",
    )
