"""The listings of several accounts as one: a partition that more than one of them lists is read once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass
from ogf.hookspecs import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ogf.runner.plan import Planned


def merged(listings: Iterable[Iterable[Planned]], *, note: Callable[[str], None]) -> list[Planned]:
    """Merge what the accounts list, in their order.

    Keys name their source, so equal keys are the same data, seen by two accounts: who can read it counts, and the
    first of them. Equal keys from different places are two sources that nobody could tell apart later: neither is read.

    Args:
        note: told which accounts see the same data.
    """
    rivals: dict[str, list[Planned]] = {}
    for listing in listings:
        for item in listing:
            rivals.setdefault(item.partition.key, []).append(item)
    shared: dict[tuple[str, ...], int] = {}
    chosen = []
    for several in rivals.values():
        readable = [item for item in several if item.partition.problem is None] or several[:1]
        if len({(item.partition.source, item.partition.version) for item in readable}) > 1:
            chosen.append(_ambiguous(readable))
            continue
        if len(readable) > 1:
            names = tuple(item.account for item in readable)
            shared[names] = shared.get(names, 0) + 1
        chosen.append(readable[0])
    for names, count in shared.items():
        note(f"the accounts {' and '.join(names)} list {count} of the same partitions: {names[0]} reads them")
    return chosen


def _ambiguous(rivals: list[Planned]) -> Planned:
    first = rivals[0]
    places = ", ".join(f"{item.account} in {item.partition.source}" for item in rivals)
    problem = Problem(
        ErrorClass.BAD_REQUEST,
        f"several accounts list this partition from different places: {places}",
        "give only one of them this source, or narrow their locations",
    )
    return replace(first, partition=replace(first.partition, problem=problem))
