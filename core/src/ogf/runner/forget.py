"""Taking partitions out of the warehouse again: because their source is gone, or was the wrong one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ogf.errors import ConfigError
from ogf.warehouse import ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.runner.run import ProviderRun


def find(run: ProviderRun, stream: str, keys: Sequence[str]) -> list[ledger.PartitionState]:
    """How partitions stand, in the order of their keys.

    Raises:
        ConfigError: the warehouse knows no such stream, or no such partition of it; the message names near ones.
        WarehouseError: there is no warehouse, or it cannot be read.
    """
    who = {"org_id": run.org_id, "provider": run.name}
    with run.warehouse.reading() as connection, ledger.transaction(connection) as session:
        known = ledger.states(session, **who)
    if stream not in known:
        streams = ", ".join(known) or "no stream at all"
        raise ConfigError(f"the warehouse has no partition of {run.name} {stream}", hint=f"it has {streams}")
    for key in keys:
        if key not in known[stream]:
            raise ConfigError(
                f"{run.name} {stream} has no partition {key}", hint=_near(key, list(known[stream]))
            )
    return [known[stream][key] for key in sorted(set(keys))]


def forget(run: ProviderRun, states: Sequence[ledger.PartitionState]) -> None:
    """Forget partitions of one stream. Their rows count no more, and the next run that lists them loads them anew.

    Raises:
        WarehouseBusy: a run of this provider is under way; nothing was done.
        WarehouseError: the warehouse cannot be written; nothing was done.
    """
    with run.alone():
        for stream in {state.stream for state in states}:
            gone = run.books().forget(
                stream,
                {state.partition_key for state in states if state.stream == stream},
                editions=any(each.editions for each in run.plugin.provider.streams if each.name == stream),
            )
            for load in gone:
                run.spool.drop(run.spool.load_folder(load.stream, load.digest, load.load_id))


def _near(key: str, known: list[str]) -> str:
    containing = [each for each in known if key.casefold() in each.casefold()]
    near = containing[:5] or get_close_matches(key, known, n=5, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return '`ogf query "SELECT stream, partition_key FROM partitions"` lists them all'
