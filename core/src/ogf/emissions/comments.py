"""What every table, view and column of carbon means, in the warehouse itself (COMMENT ON) and in the reference."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ogf.files.table import literal, quoted

if TYPE_CHECKING:
    import duckdb


class Comment(NamedTuple):
    """What a column means; of a table or view as a whole where `column` is empty."""

    table: str
    column: str
    comment: str


@cache
def comments() -> tuple[Comment, ...]:
    with files("ogf.emissions").joinpath("comments.csv").open(encoding="utf-8") as table:
        return tuple(Comment(**row) for row in csv.DictReader(table))


def write(connection: duckdb.DuckDBPyConnection) -> None:
    """Comment the tables and views."""
    views = {
        name
        for (name,) in connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
    }
    for table, column, comment in comments():
        if column:
            what = f"COLUMN {quoted(table)}.{quoted(column)}"
        else:
            what = f"{'VIEW' if table in views else 'TABLE'} {quoted(table)}"
        connection.execute(f"COMMENT ON {what} IS {literal(comment)}")
