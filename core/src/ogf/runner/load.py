"""The third room: segments into the warehouse under a load that nobody sees yet.

A segment's rows and the ledger row that says so commit together; what is committed is never appended again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.runner.failpoints import passing
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from ogf.runner.spool import SegmentFacts


def append_segments(
    connection: duckdb.DuckDBPyConnection, batch: Mapping[int, Sequence[SegmentFacts]]
) -> None:
    """Append segments, given by their load's id, in one transaction."""
    passing("append.before")
    with ledger.transaction(connection) as session:
        for load_id, segments in batch.items():
            facts.append(
                connection,
                load_id=load_id,
                paths=[segment.path for segment in segments],
                columns=dict.fromkeys(name for segment in segments for name in segment.columns),
                rejected=sum(segment.rejected for segment in segments),
            )
            passing("append.inside")
            at = ledger.now()
            ledger.add(
                session,
                *(
                    ledger.Segment(
                        load_id=load_id,
                        name=segment.name,
                        row_count=segment.rows,
                        rejected=segment.rejected,
                        appended_at=at,
                    )
                    for segment in segments
                ),
            )
    passing("append.after")
