"""A small answer of the warehouse, as Python values. What is large stays in DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import duckdb


class Answer(NamedTuple):
    """The columns of an answer, and its rows by column."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def answer(connection: duckdb.DuckDBPyConnection, question: str, *values: object) -> Answer:
    """Ask a question with its parameters, and fetch the whole answer."""
    cursor = connection.execute(question, list(values))
    columns = tuple(column[0] for column in cursor.description or ())
    return Answer(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])
