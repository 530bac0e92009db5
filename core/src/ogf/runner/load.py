"""The third room: segments into the warehouse under a load that nobody sees yet.

A segment's rows and the ledger row that says so commit together; what is committed is never appended again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.runner.failpoints import passing
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from ogf.runner.spool import SegmentFacts


def append_segments(
    connection: duckdb.DuckDBPyConnection, segments: Iterable[tuple[int, SegmentFacts]]
) -> None:
    """Append segments, each given with its load's id, in one transaction."""
    passing("append.before")
    with ledger.transaction(connection) as session:
        for load_id, segment in segments:
            facts.append(
                connection,
                load_id=load_id,
                path=segment.path,
                columns=segment.columns,
                rejected=segment.rejected,
            )
            passing("append.inside")
            ledger.put(
                session,
                ledger.Segment(
                    load_id=load_id,
                    name=segment.name,
                    row_count=segment.rows,
                    rejected=segment.rejected,
                    appended_at=ledger.now(),
                ),
            )
    passing("append.after")
