"""What the errors of a provider's libraries mean, by code: the rows of a plugin's `data/errors.csv`."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ogf.errors import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Mapping


class Rule(NamedTuple):
    """One row. `code` is whatever the plugin tells errors apart by: a reason, an HTTP status, an exception class.

    Attributes:
        restart: nothing that was read of the partition so far is worth anything.
    """

    code: str
    error_class: ErrorClass
    restart: bool
    hint: str


@cache
def rules_of(package: str) -> Mapping[str, Rule]:
    """Read a plugin package's rules, by code."""
    with files(package).joinpath("data", "errors.csv").open(encoding="utf-8") as table:
        return {
            row["code"]: Rule(row["code"], ErrorClass(row["class"]), row["restart"] == "yes", row["hint"])
            for row in csv.DictReader(table)
        }
