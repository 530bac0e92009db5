"""The first room: which partitions there are, and why each would be loaded or not. Downloads no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ogf.runner.spool import digest
from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ogf.hookspecs import Partition
    from ogf.warehouse.ledger import PartitionState
    from ogf.window import Window

CHECKED_LATELY = "checked lately"


@dataclass(frozen=True)
class Planned:
    """One listed partition with the decision about it.

    Attributes:
        load: whether to extract it.
        reason: new, version changed, forced, same version, checked lately, no version (its content will be compared).
        digest: what its segments would be made from.
        account: the name of the configured account that lists it; empty where there is only one.
    """

    partition: Partition
    load: bool
    reason: str
    digest: str
    state: PartitionState | None
    account: str = ""


def decide(
    partition: Partition,
    state: PartitionState | None,
    *,
    plugin_version: str,
    full: bool = False,
    account: str = "",
) -> Planned:
    """Decide about a listed partition.

    Args:
        state: what the warehouse knows of it.
        full: load it, whatever its version.
    """
    made_from = digest(partition, plugin_version=plugin_version)
    current = state is not None and state.load_id is not None
    same = current and state is not None and partition.version == state.version
    if not current:
        load, reason = True, "new"
    elif full:
        load, reason = True, "forced"
    elif state is not None and _is_fresh(partition, state):
        load, reason = False, CHECKED_LATELY
    elif partition.version is None:
        load, reason = True, "no version"
    elif same:
        load, reason = False, "same version"
    else:
        load, reason = True, "version changed"
    return Planned(partition, load, reason, made_from, state, account)


def _is_fresh(partition: Partition, state: PartitionState) -> bool:
    """Whether a partition without a version was read since `fresh_since`, whole and from the same source."""
    return (
        partition.version is None
        and partition.fresh_since is not None
        and state.status == "loaded"
        and state.source == partition.source
        and state.checked_at >= partition.fresh_since
    )


def vanished(
    states: Mapping[str, PartitionState], listed: list[Planned], window: Window
) -> list[PartitionState]:
    """What the warehouse knows and the source, asked for its month, no longer lists.

    Months of which something could not be read are left out: what is missing there may only be unreadable.
    """
    named = {item.partition.key for item in listed}
    troubled = {str(item.partition.month) for item in listed if item.partition.problem is not None}
    return [
        state
        for key, state in states.items()
        if key not in named
        and (state.month is None or state.month not in troubled)
        and (not any(window) or (state.month is not None and Month.parse(state.month) in window))
    ]
