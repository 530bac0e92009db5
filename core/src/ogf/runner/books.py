"""What a run writes into the ledger around its loads: its own row, the connector's state, failures, pruning.

Each method is one short opening of the warehouse.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.errors import SourceError
from ogf.runner.editions import thing_of
from ogf.runner.failpoints import passing
from ogf.runner.fallback import fall_back
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping

    import duckdb
    from sqlmodel import Session

    from ogf.runner.plan import Planned
    from ogf.runner.planner import Listing
    from ogf.runner.report import RunResult
    from ogf.warehouse.file import WarehouseFile


@dataclass(frozen=True)
class Started:
    """What the ledger said when the run began: partitions by stream and key, loads that were being filled."""

    run: ledger.Run
    states: Mapping[str, Mapping[str, ledger.PartitionState]]
    unfinished: Iterable[ledger.Load] = ()


@dataclass(frozen=True)
class OpenLoad:
    """A load to fill, and the names of its segments that an earlier run already appended."""

    load: ledger.Load
    appended: frozenset[str]


class Books:
    """The ledger of one provider's run. The caller holds the run lock.

    Args:
        prunes: streams whose superseded loads go at the end of the run.
    """

    def __init__(
        self, warehouse: WarehouseFile, *, org_id: str, provider: str, prunes: frozenset[str]
    ) -> None:
        self.warehouse = warehouse
        self._who: dict[str, Any] = {"org_id": org_id, "provider": provider}
        self._prunes = prunes

    def start(self, *, window: str) -> Started:
        """Open the run. Whatever a crashed run left `running` is closed first: we hold the lock, so it is dead."""
        at = ledger.now()
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            for stale in ledger.rows(session, ledger.Run, status="running", **self._who):
                ledger.put(
                    session, ledger.revised(stale, status="failed", finished_at=at, message="interrupted")
                )
            run = ledger.Run(
                run_id=uuid.uuid4().hex,
                status="running",
                started_at=at,
                window=window,
                pid=os.getpid(),
                **self._who,
            )
            ledger.put(session, run)
            connector = self._connector(ledger.rows(session, ledger.Connector, **self._who))
            ledger.put(session, ledger.revised(connector, status="running", last_run_at=at))
            states = ledger.states(session, **self._who)
            unfinished = [
                ledger.revised(load)
                for load in ledger.rows(session, ledger.Load, status="loading", **self._who)
            ]
        return Started(run, states, unfinished)

    def open_loads(
        self, started: Started, planned: Iterable[Planned], *, resume_after: dt.datetime
    ) -> dict[tuple[str, str], OpenLoad]:
        """Give each partition a load: an unfinished one made from the same things, else a new one.

        Args:
            resume_after: without a version, only an attempt younger than this is resumed.
        """
        opened: dict[tuple[str, str], OpenLoad] = {}
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            row = connection.execute("SELECT coalesce(max(load_id), 0) FROM loads").fetchone()
            last = int(row[0]) if row else 0
            # Asked anew each time: what this very run gave up must not be resumed by it.
            unfinished: dict[tuple[str, str], list[ledger.Load]] = {}
            for old in ledger.rows(session, ledger.Load, status="loading", **self._who):
                unfinished.setdefault((old.stream, old.partition_key), []).append(ledger.revised(old))
            fresh: list[ledger.Load] = []
            given_up: list[ledger.Load] = []
            for item in planned:
                key = (item.partition.stream, item.partition.key)
                load: ledger.Load | None = None
                for old in unfinished.get(key, []):
                    young = item.partition.version is not None or old.started_at >= resume_after
                    if load is None and old.digest == item.digest and young:
                        load = old
                    else:
                        given_up.append(ledger.revised(old, status="abandoned"))
                appended: frozenset[str] = frozenset()
                if load is None:
                    last += 1
                    load = ledger.Load(
                        load_id=last,
                        stream=item.partition.stream,
                        partition_key=item.partition.key,
                        version=item.partition.version,
                        digest=item.digest,
                        status="loading",
                        run_id=started.run.run_id,
                        started_at=ledger.now(),
                        **self._who,
                    )
                    fresh.append(load)
                else:
                    appended = frozenset(
                        segment.name for segment in ledger.rows(session, ledger.Segment, load_id=load.load_id)
                    )
                opened[key] = OpenLoad(load, appended)
            ledger.put(session, *given_up)
            ledger.add(session, *fresh)
        return opened

    def abandon(self, load: ledger.Load, planned: Planned, *, checked: bool) -> None:
        """Give up a load. `checked`: its content equals the current one, which was thereby confirmed."""
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            ledger.put(session, ledger.revised(load, status="abandoned"))
            if checked and planned.state is not None:
                ledger.put(session, _confirmed(planned.state, ledger.now()))

    def fail(self, planned: Planned, error: SourceError) -> None:
        """Record that a partition could not be loaded; what it had stays."""
        partition = planned.partition
        state = planned.state or ledger.PartitionState(
            stream=partition.stream,
            partition_key=partition.key,
            status="failed",
            month=str(partition.month) if partition.month else None,
            source=partition.source,
            checked_at=ledger.now(),
            **self._who,
        )
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            ledger.put(
                session,
                ledger.revised(
                    state,
                    status="failed",
                    error_class=str(error.error_class),
                    message=str(error),
                    checked_at=ledger.now(),
                ),
            )

    def finish(
        self,
        started: Started,
        result: RunResult,
        *,
        listing: Listing,
    ) -> list[ledger.Load]:
        """Close the run, prune what nobody can see, and return the loads whose segments may go."""
        at = ledger.now()
        with self.warehouse.writing() as connection:
            with ledger.transaction(connection) as session:
                ledger.put(session, *(ledger.revised(state, listed=False) for state in listing.vanished))
                ledger.put(session, *(_confirmed(state, at) for state in listing.seen))
                ledger.put(session, *(ledger.revised(state, listed=True) for state in listing.fresh))
                ledger.remove(session, *listing.resolved)
                ledger.put(
                    session,
                    *(
                        ledger.revised(load, status="abandoned")
                        for load in ledger.rows(session, ledger.Load, status="loading", **self._who)
                        if listing.needs_no_load(load.stream, load.partition_key)
                    ),
                )
                ledger.put(
                    session,
                    ledger.revised(
                        started.run,
                        status=result.status,
                        finished_at=at,
                        loaded=result.count("loaded"),
                        unchanged=result.count("unchanged"),
                        failed=result.count("failed"),
                        row_count=result.rows,
                        rejected=result.rejected,
                        message=result.message or None,
                    ),
                )
                connector = self._connector(ledger.rows(session, ledger.Connector, **self._who))
                ledger.put(session, _after(connector, result, began=started.run.started_at, at=at))
                passing("finish.inside")
            with ledger.transaction(connection) as session:
                return self._prune(connection, session)

    def keeps_history(self, stream: str) -> bool:
        return stream not in self._prunes

    def forget(self, stream: str, keys: Collection[str], *, editions: bool) -> list[ledger.Load]:
        """Take partitions out: their loads count no more, their state is gone. Returns the loads whose segments may go.

        One transaction. Keys that are not known are passed over.

        Args:
            editions: keys of the stream end in an edition; where the newest is taken out, the one before counts again.
        """
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            at = ledger.now()
            of = {"stream": stream, **self._who}
            loads = [load for load in ledger.rows(session, ledger.Load, **of) if load.partition_key in keys]
            ledger.put(
                session,
                *(
                    ledger.revised(load, status="superseded", superseded_at=at)
                    for load in loads
                    if load.status == "current"
                ),
            )
            ledger.put(
                session,
                *(ledger.revised(load, status="abandoned") for load in loads if load.status == "loading"),
            )
            known = ledger.rows(session, ledger.PartitionState, **of)
            ledger.remove(session, *(state for state in known if state.partition_key in keys))
            session.expunge_all()  # what was read before must be read anew
            gone = self._prune(connection, session)
            if editions:
                session.expunge_all()
                for thing in {thing_of(key) for key in keys}:
                    fall_back(connection, session, of, thing)
            return gone

    def _prune(self, connection: duckdb.DuckDBPyConnection, session: Session) -> list[ledger.Load]:
        """Drop the rows of abandoned loads, and of superseded ones whose stream keeps no history."""
        gone = [
            load
            for status in ("abandoned", "superseded")
            for load in ledger.rows(session, ledger.Load, status=status, pruned_at=None, **self._who)
            if status == "abandoned" or load.stream in self._prunes
        ]
        if gone:
            facts.prune(connection, [load.load_id for load in gone])
            passing("prune.inside")
            at = ledger.now()
            ledger.put(session, *(ledger.revised(load, pruned_at=at) for load in gone))
        return gone

    def _connector(self, found: Iterable[ledger.Connector]) -> ledger.Connector:
        return next(iter(found), None) or ledger.Connector(status="disconnected", **self._who)


def _after(
    connector: ledger.Connector, result: RunResult, *, began: dt.datetime, at: dt.datetime
) -> ledger.Connector:
    """The connector once a run has ended. A cancelled one tells nothing of it: it stands as it stood before."""
    if result.status == "cancelled":
        known = "connected" if connector.last_success_at else "disconnected"
        return ledger.revised(connector, status="error" if connector.last_error else known, last_run_at=began)
    failed = result.status in ("failed", "partial")
    return ledger.revised(
        connector,
        status="error" if failed else "connected",
        last_run_at=began,
        last_success_at=connector.last_success_at if failed else at,
        last_error=(result.message or f"the run {result.status}") if failed else None,
    )


def _confirmed(state: ledger.PartitionState, at: dt.datetime) -> ledger.PartitionState:
    """A partition whose current load was found to be what the source holds: an earlier failure is over."""
    return ledger.revised(
        state,
        status="partial" if state.notices else "loaded",
        error_class=None,
        message=None,
        listed=True,
        checked_at=at,
    )
