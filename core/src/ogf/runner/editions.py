"""Editions: partitions of one stream that tell the same thing anew. Only the newest that is loaded counts.

The key of each ends in `@` and the edition, such as `…/2026-01@v3.0.0`. What a newer one replaces is history, also
when it is loaded later. The warehouse decides, not the listing: a newer edition counts on where the source names it no
more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_newer(key: str, other: str) -> bool:
    """Whether two keys are of the same thing and the first one's edition is the newer: 10 comes after 9."""
    edition, other_edition = (each.rpartition("@")[2] for each in (key, other))
    return thing_of(key) == thing_of(other) and _rank(edition) > _rank(other_edition)


def newest(keys: Iterable[str]) -> str | None:
    """Of keys of one thing, that of the newest edition; None of none."""
    return max(keys, key=lambda key: _rank(key.rpartition("@")[2]), default=None)


def thing_of(key: str) -> str:
    """What a key's edition is of."""
    return key.rpartition("@")[0]


def _rank(edition: str) -> list[tuple[int, str]]:
    """Numbers by value and text by its letters, in turn."""
    parts = re.findall(r"\d+|\D+", edition.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
