"""The fourth room: one small transaction that makes a load current, or says why it must not be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.runner.failpoints import passing
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    import duckdb
    from sqlmodel import Session

    from ogf.hookspecs import Stream
    from ogf.runner.plan import Planned
    from ogf.runner.spool import SegmentFacts


@dataclass
class Extracted:
    """All segments of one load."""

    segments: list[SegmentFacts] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(item.rows for item in self.segments)

    @property
    def rejected(self) -> int:
        return sum(item.rejected for item in self.segments)

    @property
    def withheld(self) -> list[str]:
        return sorted({account for item in self.segments for account in item.footer.withheld})

    @property
    def content_hash(self) -> str:
        return f"{sum(item.hash for item in self.segments):x}"

    def unmapped(self) -> Counter[tuple[str, str]]:
        total: Counter[tuple[str, str]] = Counter()
        for item in self.segments:
            total.update(item.unmapped)
        return total

    def reasons(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for item in self.segments:
            total.update(item.reasons)
        return total


@dataclass(frozen=True)
class Published:
    rows: int
    rejected: int
    notices: list[str]


def publish(
    connection: duckdb.DuckDBPyConnection,
    load: ledger.Load,
    planned: Planned,
    extracted: Extracted,
    *,
    stream: Stream,
    max_reject_share: float,
) -> Published:
    """Make a load current and the one before it superseded.

    Raises:
        SourceError: `fatal` if the warehouse does not hold what was appended; `bad_request` if too many rows were
            refused. Nothing has changed then.
    """
    check_rejects(extracted.rows, extracted.rejected, extracted.reasons(), limit=max_reject_share)
    passing("publish.before")
    with ledger.transaction(connection) as session:
        rows, rejected = extracted.rows, extracted.rejected
        have = facts.count(connection, load.load_id)
        if have != rows:
            raise SourceError(
                f"the warehouse holds {have:,} rows of this load, its segments hold {rows:,}",
                error_class=ErrorClass.FATAL,
                hint="run again with --full; if it stays, the warehouse may be damaged",
            )
        notices = [f"{notice.code}: {notice.message}" for notice in planned.partition.notices]
        notices += _segment_notices(extracted)
        if stream.unique_ids:
            collapsed, differing = facts.collapse_duplicates(connection, load.load_id)
            rows -= collapsed + differing
            rejected += differing
            if collapsed:
                notices.append(f"duplicates: {collapsed:,} rows were there twice and are kept once")
            check_rejects(
                rows, rejected, Counter({"different rows share an id": differing}), limit=max_reject_share
            )
        old = planned.state.load_id if planned.state else None
        if extracted.withheld and old is not None:
            rows += facts.carry_over(connection, old=old, new=load.load_id, accounts=extracted.withheld)
        if rejected:
            notices.append(f"rejected: {rejected:,} rows are in quarantine ({_top(extracted.reasons())})")
        _flip(session, load, planned, rows=rows, rejected=rejected, notices=notices, extracted=extracted)
        passing("publish.inside")
    passing("publish.after")
    return Published(rows, rejected, notices)


def check_rejects(rows: int, rejected: int, reasons: Counter[str], *, limit: float) -> None:
    """Refuse a partition of which too large a share was refused: it is more likely misread than bad."""
    if rejected > limit * (rows + rejected):
        raise SourceError(
            f"{rejected:,} of {rows + rejected:,} rows were refused, more than {limit:.0%} ({_top(reasons)})",
            error_class=ErrorClass.BAD_REQUEST,
            hint="look at the file; if the rows really are bad, raise runner.max_reject_share",
        )


def _top(reasons: Counter[str]) -> str:
    shown = "; ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common(3))
    return shown + ("; …" if len(reasons) > 3 else "")


def _segment_notices(extracted: Extracted) -> list[str]:
    found = {
        f"{notice.code}: {notice.message}": None
        for item in extracted.segments
        for notice in item.footer.notices
    }
    notices = list(found)
    regions = [
        (name, rows) for (kind, name), rows in sorted(extracted.unmapped().items()) if kind == "region"
    ]
    if regions:
        shown = ", ".join(f"{name} ({rows:,} rows)" for name, rows in regions[:5])
        notices.append(f"unmapped region: {shown}{', …' if len(regions) > 5 else ''}")
    return notices


def _flip(
    session: Session,
    load: ledger.Load,
    planned: Planned,
    *,
    rows: int,
    rejected: int,
    notices: list[str],
    extracted: Extracted,
) -> None:
    at = ledger.now()
    partition = planned.partition
    identity: dict[str, Any] = {
        "org_id": load.org_id,
        "provider": load.provider,
        "stream": load.stream,
        "partition_key": load.partition_key,
    }
    for current in ledger.rows(session, ledger.Load, status="current", **identity):
        ledger.put(session, ledger.revised(current, status="superseded", superseded_at=at))
    content_hash = extracted.content_hash if partition.version is None else None
    ledger.put(
        session,
        ledger.revised(
            load,
            status="current",
            published_at=at,
            row_count=rows,
            rejected=rejected,
            content_hash=content_hash,
        ),
    )
    ledger.put(
        session,
        ledger.PartitionState(
            **identity,
            status="partial" if notices else "loaded",
            version=partition.version,
            content_hash=content_hash,
            load_id=load.load_id,
            month=str(partition.month) if partition.month else None,
            source=partition.source,
            row_count=rows,
            rejected=rejected,
            notices=notices,
            loaded_at=at,
            checked_at=at,
        ),
    )
