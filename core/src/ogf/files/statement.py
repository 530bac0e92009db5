"""SQL files and what is put into them: a data table, the projection of a mapping's file, one month of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.files.table import literal
from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown"


def filled(package: str, **markers: str) -> str:
    """Read a package's `activities.sql` and put SQL in place of its `:markers`."""
    return put(files(package).joinpath("activities.sql").read_text(encoding="utf-8"), markers)


def put(statement: str, markers: Mapping[str, str]) -> str:
    """Put SQL in place of a statement's `:markers`. A name that is none of them stays: a cast, or part of a text.

    In one go: what is put in holds names from files, which may look like a marker.
    """
    return re.sub(r"(?<![:\w]):(\w+)\b", lambda found: markers.get(found[1], found[0]), statement)


def data_table(path: object) -> str:
    """What to write after FROM for a data table of a package: CSV, all columns text, their names in its first line.

    How it is written is said, not sniffed: sniffing takes DuckDB five times as long as reading.
    """
    written = "all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"'"
    return f"read_csv({literal(str(path))}, {written})"


@dataclass(frozen=True)
class Division:
    """How a mapping's rows are divided by account and month where there is no manifest.

    Attributes:
        account: SQL for a row's account.
        started: SQL for the DATE or TIMESTAMPTZ that lies in a row's month.
    """

    account: str
    started: str

    def listed(self, rows: str) -> str:
        """Write the SELECT of the distinct (account, `YYYY-MM`) of rows; `unknown` stands for what is missing."""
        # Distinct dates first: writing the month of every row would cost ten times as much as reading it.
        return (
            f"SELECT DISTINCT coalesce(account, '{UNKNOWN}'), "
            f"coalesce(strftime(CAST({_believable('started')} AS TIMESTAMP), '%Y-%m'), '{UNKNOWN}') "
            f"FROM (SELECT DISTINCT {self.account} AS account, {self.started} AS started FROM ({rows})) ORDER BY ALL"
        )

    def part(self, rows: str, only: tuple[str, str] | None) -> str:
        """Write the SELECT of the rows of one (account, month), as `listed` names them; of all rows for None."""
        if only is None:
            return rows
        account, month = only
        whose = f"coalesce({self.account}, '{UNKNOWN}') = {literal(account)}"
        if month == UNKNOWN:
            return f"SELECT * FROM ({rows}) WHERE {whose} AND {_believable(self.started)} IS NULL"
        first = Month.parse(month)
        return (
            f"SELECT * FROM ({rows}) WHERE {whose} "
            f"AND {self.started} >= '{first}-01' AND {self.started} < '{first.plus(1)}-01'"
        )


def _believable(date: str) -> str:
    """A date that `Month` can say: DuckDB also reads `infinity` and years of five digits."""
    return f"CASE WHEN {date} >= '0001-01-01' AND {date} < '9999-12-01' THEN {date} END"
