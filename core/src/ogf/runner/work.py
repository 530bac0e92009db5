"""A partition on its way through the rooms: what the driver keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ogf.runner.publish import Extracted

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.errors import SourceError
    from ogf.runner.books import OpenLoad
    from ogf.runner.plan import Planned
    from ogf.runner.spool import SegmentFacts
    from ogf.runner.watch import WatchedPartition


@dataclass
class Work:
    """A partition being loaded.

    Attributes:
        where: provider, stream and key, for messages.
        watched: tells telemetry of it.
        waiting: finished segments that are not in the warehouse yet.
        error: the first that ended one of its chains.
    """

    planned: Planned
    open_load: OpenLoad
    folder: Path
    where: str
    chains_left: int
    watched: WatchedPartition
    extracted: Extracted = field(default_factory=Extracted)
    waiting: list[SegmentFacts] = field(default_factory=list)
    error: SourceError | None = None
    pages: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.planned.partition.stream, self.planned.partition.key

    @property
    def versioned(self) -> bool:
        return self.planned.partition.version is not None
