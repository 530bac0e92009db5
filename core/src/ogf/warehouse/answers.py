"""A small answer of the warehouse, as Python values. What is large stays in DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import duckdb


# How DuckDB's COPY writes an answer, by the format that people ask for.
COPY_OPTIONS = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY true", "parquet": "FORMAT parquet"}


class Answer(NamedTuple):
    """The columns of an answer, and its rows by column."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def answer(connection: duckdb.DuckDBPyConnection, question: str, *values: object) -> Answer:
    """Ask a question with its parameters, and fetch the whole answer."""
    cursor = connection.execute(question, list(values))
    columns = tuple(column[0] for column in cursor.description or ())
    return Answer(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])


def plain(value: Any) -> str:
    """A value that JSON has no word for: times in ISO 8601; decimals and ids as texts, so that no digit is lost."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
