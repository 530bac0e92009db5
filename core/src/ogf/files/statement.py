"""A mapping's `activities.sql` and what is put into it: the file's projection, its URI, and one month of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from ogf.files.table import literal


def filled(package: str, **markers: str) -> str:
    """Read a package's `activities.sql` and put SQL in place of its `:markers`.

    In one go: what is put in holds names from files, which may look like a marker.
    """
    statement = files(package).joinpath("activities.sql").read_text(encoding="utf-8")
    return re.sub(r":(" + "|".join(markers) + r")\b", lambda found: markers[found[1]], statement)


@dataclass(frozen=True)
class Division:
    """How a mapping's rows are divided where there is no manifest: SQL for a row's account and month, never NULL."""

    account: str
    month: str

    def listed(self, rows: str) -> str:
        """Write the SELECT of the distinct (account, month) of rows."""
        return f"SELECT DISTINCT {self.account}, {self.month} FROM ({rows}) ORDER BY ALL"

    def part(self, rows: str, only: tuple[str, str] | None) -> str:
        """Write the SELECT of the rows of one (account, month); of all of them for None."""
        if only is None:
            return rows
        account, month = map(literal, only)
        return f"SELECT * FROM ({rows}) WHERE {self.account} = {account} AND {self.month} = {month}"
