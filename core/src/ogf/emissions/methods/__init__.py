"""The methods: one folder each, with `method.json`, `estimates.sql`, and `tables.sql` if it has tables of its own.

Adding a method is adding a folder. `method.json` has `title`, `formula` and `bounds` (for people), `tables` (the
shipped ones it reads), and where they differ from the default `lifecycle` (of the figure that is not embodied), `needs`
and `counts` (see Method).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "ogf-2026.1"


@dataclass(frozen=True)
class Method:
    """How activities become estimates.

    Attributes:
        name: its folder, such as `ogf-2026.1`.
        title: one line for people. formula, bounds: how figures and their bounds are made, a sentence each for reports.
        version: hash of its SQL and of the tables it reads, the grid factors aside: two figures with the same name
            and version were made by the same arithmetic.
        sql: one SELECT over activities (`:activities`) and the factor tables, linear in the physical quantities;
            `$name_low` and so on are rows of factor_coefficients, `:row_count` is how many rows one stands for.
        tables: names of the shipped tables that it reads.
        lifecycle: of the figure that is not embodied: `operational`, or `total` where the two are not told apart.
        needs: `physical` if each row with a physical quantity and a region with a factor has an estimate; else the rows
            that it estimates are found by asking it.
        counts: of a sum of rows, the column of `monthly` with how many of them it estimates, where it is asked.
        tables_sql: statements that make its own tables.
    """

    name: str
    title: str
    formula: str
    bounds: str
    version: str
    sql: str
    tables: tuple[str, ...] = ()
    lifecycle: str = "operational"
    needs: str = "usage"
    counts: str = "row_count"
    tables_sql: str = ""

    def estimates(self, activities: str, numbers: Mapping[str, float], row_count: str = "1") -> str:
        """The SELECT over a table or view in the shape of activities, with its coefficients filled in.

        `row_count` is its column with how many activities a row is added up from, or 1.
        """
        filled = re.sub(r"\$([a-z_]+)\b", lambda m: repr(numbers[m[1]]), self.sql)
        return filled.replace(":activities", activities).replace(":row_count", row_count)


def methods() -> dict[str, Method]:
    """Every shipped method, by name."""
    folder = files("ogf.emissions.methods")
    names = sorted(item.name for item in folder.iterdir() if item.joinpath("method.json").is_file())
    return {name: method(name) for name in names}


@cache
def method(name: str) -> Method:
    """The method of this name. Raises ConfigError if there is none."""
    folder = files("ogf.emissions.methods").joinpath(name)
    if not folder.joinpath("method.json").is_file():
        known = ", ".join(methods())
        raise ConfigError(f"there is no method {name}", hint=f"choose one of: {known}")
    told = json.loads(folder.joinpath("method.json").read_text(encoding="utf-8"))
    sql = folder.joinpath("estimates.sql").read_text(encoding="utf-8")
    own = folder.joinpath("tables.sql")
    tables_sql = own.read_text(encoding="utf-8") if own.is_file() else ""
    digest = hashlib.sha256((sql + tables_sql).encode())
    for table in told["tables"]:
        digest.update(files("ogf.emissions").joinpath(f"data/{table}.csv").read_bytes())
    return Method(
        name,
        told["title"],
        told["formula"],
        told["bounds"],
        digest.hexdigest()[:12],
        sql,
        tuple(told["tables"]),
        told.get("lifecycle", "operational"),
        told.get("needs", "usage"),
        told.get("counts", "row_count"),
        tables_sql,
    )
