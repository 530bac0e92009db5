"""When the newest edition of a thing is taken out, the one before it counts again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.runner.editions import newest, thing_of
from ogf.warehouse import facts, ledger

if TYPE_CHECKING:
    import duckdb
    from sqlmodel import Session


def fall_back(
    connection: duckdb.DuckDBPyConnection, session: Session, of: dict[str, Any], thing: str
) -> None:
    """Let the newest edition of a thing that is left count, if none does, in the caller's transaction.

    It becomes a load of its own: it counts from now on, and what counted before stays as it was.

    Args:
        of: org_id, provider and stream.
    """
    loads = {load.load_id: load for load in ledger.rows(session, ledger.Load, **of)}
    left = {
        state.partition_key: (state, loads[state.load_id])
        for state in ledger.rows(session, ledger.PartitionState, **of)
        if thing_of(state.partition_key) == thing and state.load_id is not None
    }
    key = newest(left)
    if key is None or any(load.status == "current" for _, load in left.values()):
        return
    state, old = left[key]
    if old.pruned_at is not None:  # its rows are gone: the next run loads it anew
        ledger.remove(session, state)
        return
    row = connection.execute("SELECT max(load_id) + 1 FROM loads").fetchone()
    at = ledger.now()
    new = ledger.revised(
        old, load_id=int(row[0]) if row else 1, status="current", published_at=at, superseded_at=None
    )
    facts.copy(connection, old=old.load_id, new=new.load_id)
    ledger.put(session, new)
    ledger.put(session, ledger.revised(state, load_id=new.load_id, loaded_at=at))
