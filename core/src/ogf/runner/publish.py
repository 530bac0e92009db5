"""The fourth room: one small transaction that makes a load current, or says why it must not be."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogf.emissions.install import add_up
from ogf.errors import ErrorClass, SourceError
from ogf.runner.editions import is_newer
from ogf.runner.failpoints import passing
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    from sqlmodel import Session

    from ogf.hookspecs import Partition, Stream
    from ogf.runner.plan import Planned
    from ogf.runner.spool import SegmentFacts

_MOST_DIFFERING = 0.5
_KEEP_ONE = ": of exports of one month that differ, keep the newest only"


class TooManyRefused(SourceError):
    """More rows of a partition were refused than may be. `outline` leaves out the reasons: they may quote rows."""

    outline = ""


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

    def notices(self, partition: Partition) -> list[str]:
        """What the plugin said, while listing the partition and about its pages."""
        given = (*partition.notices, *(notice for item in self.segments for notice in item.footer.notices))
        return list(dict.fromkeys(f"{notice.code}: {notice.message}" for notice in given))

    def content_hash(self, partition: Partition) -> str:
        """Of everything a load would show: its rows in any order, what was said of them, who was withheld."""
        rows = f"{sum(item.hash for item in self.segments):x}"
        said = [sorted(self.notices(partition)), self.withheld]
        return (
            rows
            if said == [[], []]
            else f"{rows}-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]}"
        )

    def unmapped(self) -> Counter[tuple[str, str]]:
        total: Counter[tuple[str, str]] = Counter()
        for item in self.segments:
            total.update(item.unmapped)
        return total

    @property
    def refused_in(self) -> list[str]:
        """The files or queries that refused rows came from."""
        return sorted({item.refused_in for item in self.segments if item.refused_in})

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
    unmapped: dict[str, dict[str, int]]
    reasons: Counter[str]
    repeated: int = 0
    alike: int = 0
    zeros: int = 0


def publish(
    connection: duckdb.DuckDBPyConnection,
    load: ledger.Load,
    planned: Planned,
    extracted: Extracted,
    *,
    stream: Stream,
    max_reject_share: float,
    drop_zero_emissions: bool = False,
) -> Published:
    """Make a load current and the one before it superseded.

    Raises:
        SourceError: `fatal`, to be restarted, if the warehouse does not hold what was appended; `bad_request` if
            too many rows were refused. Nothing has changed then.
    """
    check_rejects(extracted, extracted.rows, extracted.rejected, extracted.reasons(), limit=max_reject_share)
    passing("publish.before")
    with ledger.transaction(connection) as session:
        rows, rejected = extracted.rows, extracted.rejected
        have = facts.count(connection, load.load_id)
        if have != rows:
            raise SourceError(
                f"the warehouse holds {have:,} rows of this load, its segments hold {rows:,}",
                error_class=ErrorClass.FATAL,
                restart=True,
                hint="run again; if it stays, the warehouse may be damaged",
            )
        notices = extracted.notices(planned.partition) + _unmapped_regions(extracted)
        reasons = extracted.reasons()
        repeated = alike = 0
        twins = facts.Duplicates(0, 0, [])
        if planned.partition.overlapping:
            repeated = facts.collapse_overlap(connection, load.load_id)
            alike = facts.count_alike(connection, load.load_id)
            rows -= repeated
        if stream.unique_ids:
            twins = facts.collapse_duplicates(connection, load.load_id)
            rows -= twins.collapsed + twins.differing
            rejected += twins.differing
            if twins.collapsed:
                notices.append(f"duplicates: {twins.collapsed:,} rows were there twice and are kept once")
            if twins.differing:
                reasons[facts.DIFFERING] += twins.differing
            # One such pair may be much of a small month, and says nothing of how the rest was read.
            limit = max(max_reject_share, _MOST_DIFFERING)
            check_rejects(extracted, rows, rejected, reasons, limit=limit, twins_in=twins.sources)
        old = planned.state.load_id if planned.state else None
        zeros = facts.drop_zero_emissions(connection, load.load_id) if drop_zero_emissions else 0
        rows -= zeros
        if extracted.withheld:
            kept = 0
            if old is not None:
                kept = facts.carry_over(connection, old=old, new=load.load_id, accounts=extracted.withheld)
                rows += kept
            accounts = ", ".join(extracted.withheld)
            notices.append(f"withheld: {accounts} may not be read; {kept:,} rows of the last load are kept")
        if rejected:
            where = _in(twins.sources) + _KEEP_ONE * (len(twins.sources) > 1)
            notices.append(f"rejected: {rejected:,} rows are in quarantine ({_top(reasons)}){where}")
        add_up(connection, str(load.load_id))
        _flip(
            session,
            ledger.revised(load, dropped=repeated + zeros),
            planned,
            rows=rows,
            rejected=rejected,
            notices=notices,
            extracted=extracted,
            editions=stream.editions,
        )
        passing("publish.inside")
    passing("publish.after")
    return Published(rows, rejected, notices, _by_kind(extracted.unmapped()), reasons, repeated, alike, zeros)


def check_rejects(
    extracted: Extracted,
    rows: int,
    rejected: int,
    reasons: Counter[str],
    *,
    limit: float,
    twins_in: Sequence[str] = (),
) -> None:
    """Refuse a partition of which too large a share was refused: it is more likely misread than bad."""
    if rejected > limit * (rows + rejected):
        sources = list(dict.fromkeys((*extracted.refused_in, *twins_in)))
        outline = f"{rejected:,} of {rows + rejected:,} rows were refused, more than {limit * 100:g} %"
        error = TooManyRefused(
            f"{outline} ({_top(reasons)}){_in(sources)}",
            error_class=ErrorClass.BAD_REQUEST,
            hint="the same month may have been exported twice, with other figures: keep the newer export only"
            if len(twins_in) > 1
            else "mend the file, export it again, or take it out if it does not belong here; "
            "runner.max_reject_share says how large a share may be left out",
        )
        error.outline = outline
        raise error


def _in(sources: Sequence[str]) -> str:
    if not sources:
        return ""
    return f", in {', '.join(sources[:2])}" + (f" and {len(sources) - 2} more" if len(sources) > 2 else "")


def _top(reasons: Counter[str]) -> str:
    shown = "; ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common(3))
    return shown + ("; …" if len(reasons) > 3 else "")


def _unmapped_regions(extracted: Extracted) -> list[str]:
    regions = [
        (name, rows) for (kind, name), rows in sorted(extracted.unmapped().items()) if kind == "region"
    ]
    shown = ", ".join(f"{name} ({rows:,} rows)" for name, rows in regions[:5])
    return [f"unmapped region: {shown}{', …' if len(regions) > 5 else ''}"] if regions else []


def _by_kind(unmapped: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (kind, value), rows in sorted(unmapped.items()):
        found.setdefault(kind, {})[value] = rows
    return found


def _flip(
    session: Session,
    load: ledger.Load,
    planned: Planned,
    *,
    rows: int,
    rejected: int,
    notices: list[str],
    extracted: Extracted,
    editions: bool,
) -> None:
    at = ledger.now()
    partition = planned.partition
    identity: dict[str, Any] = {
        "org_id": load.org_id,
        "provider": load.provider,
        "stream": load.stream,
        "partition_key": load.partition_key,
    }
    replaced = list(ledger.rows(session, ledger.Load, status="current", **identity))
    replaced_already = False
    if editions:
        stream = {name: identity[name] for name in ("org_id", "provider", "stream")}
        for other in ledger.rows(session, ledger.Load, status="current", **stream):
            if is_newer(load.partition_key, other.partition_key):
                replaced.append(other)
            replaced_already |= is_newer(other.partition_key, load.partition_key)
    ledger.put(session, *(ledger.revised(old, status="superseded", superseded_at=at) for old in replaced))
    content_hash = extracted.content_hash(partition) if partition.version is None else None
    ledger.put(
        session,
        ledger.revised(
            load,
            status="superseded" if replaced_already else "current",
            published_at=at,
            superseded_at=at if replaced_already else None,
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
