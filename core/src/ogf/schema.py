"""The columns of `activities`, in order, with their DuckDB types and what an auditor needs to know of each.

The table itself is a data file (`activities.csv`): name, type, group, comment.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Column(NamedTuple):
    """One column of `activities`. `owner` is `core` where the runner fills it and a plugin must not."""

    name: str
    type: str
    owner: str
    comment: str


@cache
def activity_columns() -> tuple[Column, ...]:
    with files("ogf").joinpath("activities.csv").open(encoding="utf-8") as table:
        return tuple(Column(**row) for row in csv.DictReader(table))


@cache
def plugin_columns() -> dict[str, str]:
    """Name → DuckDB type of every column that `to_activities` may give."""
    return {column.name: column.type for column in activity_columns() if column.owner == "plugin"}


REJECT_COLUMNS = {"_reject": "VARCHAR", "_raw": "VARCHAR"}

DEFAULT_CATEGORY = "cloud_other"
DEFAULT_LOCATION = "GLOBAL"
