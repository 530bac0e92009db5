"""Months and half-open windows of months: the unit in which clouds publish and users ask."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple, Self

_MONTH = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


class Month(NamedTuple):
    """One calendar month, UTC. Sorts by time; prints as `2026-01`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `YYYY-MM` or `YYYY-MM-01`. Raises ValueError for anything else."""
        match = _MONTH.fullmatch(text.strip())
        if match is None or (match[3] or "01") != "01" or not 1 <= int(match[2]) <= 12:
            raise ValueError(f"{text!r} is not a month; write it as 2026-01")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: dt.date) -> Self:
        return cls(day.year, day.month)

    def plus(self, months: int) -> Month:
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1)

    @property
    def first_day(self) -> dt.date:
        return dt.date(self.year, self.number, 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"


class Window(NamedTuple):
    """A half-open range of months; None leaves that side open."""

    since: Month | None = None
    until: Month | None = None

    @classmethod
    def of(cls, since: str | None, until: str | None) -> Self:
        """Read both sides, `2026-01`. Raises ValueError for one that is no month."""
        return cls(*(Month.parse(text) if text else None for text in (since, until)))

    def __contains__(self, month: object) -> bool:
        return (
            isinstance(month, Month)
            and (self.since is None or month >= self.since)
            and (self.until is None or month < self.until)
        )

    def __str__(self) -> str:
        return f"{self.since or '…'} to {self.until or '…'}" if any(self) else "everything listed"
