"""A page's CSV, Parquet, JSON or Arrow file as a DuckDB source: what a plugin's mapping selects from."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.decode import (
    DAMAGE,
    LONGEST_LINE,
    Format,
    chunks,
    damaged,
    first_line,
    one_line_end,
    open_text,
    sniff,
    text_of,
)
from ogf.files.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

    from ogf.files.store import File

# Of DuckDB's CSV reader. Left alone it takes sixteen times the longest line, and what does not fit is spilled.
_BUFFER = 2 * LONGEST_LINE

_LONGEST_OBJECT = 16 << 20

_serial = itertools.count()


def quoted(identifier: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for DuckDB, where a parameter cannot be bound."""
    return "'" + text.replace("'", "''") + "'"


def parquet(*paths: Path) -> str:
    """What to write after FROM for Parquet files, by column name. `name=value` in a path is no column."""
    several = ", union_by_name = true" if len(paths) > 1 else ""
    names = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{names}], hive_partitioning = false{several})"


@dataclass
class Table:
    """An opened file.

    Attributes:
        names: the header as the file writes it; empty for a file without even a header.
        columns: what to write in SQL for each name, in the same order.
        types: DuckDB type of each; all VARCHAR for text files.
        source: what to write after FROM. `''` and `NULL` are NULL in text files.
        is_text: read as CSV: lines with too few or too many fields are in DuckDB's `reject_errors` afterwards.
    """

    uri: str
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    source: str = ""
    _feed: Feed | None = None
    _close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def is_text(self) -> bool:
        return self._feed is not None

    def close(self) -> None:
        """Stop reading; raise if the file turned out to be damaged."""
        try:
            if self._feed is not None:
                self._feed.close()
        finally:
            self._close.close()

    def abandon(self) -> None:
        """Stop reading; whatever is wrong with the file is not news any more."""
        with contextlib.suppress(SourceError, OSError):
            self.close()


def open_table(file: File, *, connection: duckdb.DuckDBPyConnection, scratch: Path) -> Table:
    """Open a file for one reading. CSV goes through a pipe, so `source` can be read once only.

    Raises:
        SourceError: `bad_request` for a file that is none of these, or is damaged in its first bytes.
    """
    match sniff(file.path):
        case Format.EMPTY:
            return Table(file.uri)
        case Format.PARQUET:
            return _open_parquet(file, connection)
        case Format.ARROW:
            return _open_arrow(file, connection)
        case _:
            if _is_json(file):
                return _open_json(file, connection, scratch)
            return _open_csv(file, scratch)


def _open_parquet(file: File, connection: duckdb.DuckDBPyConnection) -> Table:
    import duckdb

    source = parquet(file.path)
    try:
        schema = connection.execute(
            "SELECT name, coalesce(num_children, 0) FROM parquet_schema(?)", [str(file.path)]
        ).fetchall()
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        raise SourceError(
            f"DuckDB cannot read the Parquet file: {str(error).splitlines()[0]}",
            error_class=ErrorClass.BAD_REQUEST,
            where=file.uri,
            hint="download or export it again; nothing of this partition was loaded",
        ) from error
    return Table(
        file.uri,
        names=_top_level(schema),  # DuckDB renames a column that differs from another by case only
        columns=tuple(quoted(row[0]) for row in described),
        types=tuple(row[1] for row in described),
        source=source,
    )


def _open_arrow(file: File, connection: duckdb.DuckDBPyConnection) -> Table:
    """Open an Arrow IPC file, as plugins write them: it is mapped, not read."""
    import duckdb
    import pyarrow as pa

    name = f"arrow_{next(_serial)}"
    connection.register(name, pa.ipc.open_file(pa.memory_map(str(file.path))).read_all())
    described = connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()

    def forget() -> None:
        with contextlib.suppress(duckdb.ConnectionException):  # closed already: then it is forgotten
            connection.unregister(name)

    stack = contextlib.ExitStack()
    stack.callback(forget)
    return Table(
        file.uri,
        names=tuple(row[0] for row in described),
        columns=tuple(quoted(row[0]) for row in described),
        types=tuple(row[1] for row in described),
        source=name,
        _close=stack,
    )


def _is_json(file: File) -> bool:
    """Whether the text begins as JSON does. No CSV's header does."""
    try:
        with text_of(open_text(file.path, file.uri)) as stream:
            head = stream.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()
    except DAMAGE as error:
        raise damaged(file.uri, error) from error
    return head[:1] == b"{" or (head[:1] == b"[" and head[1:].lstrip()[:1] in (b"{", b"]"))


def _open_json(file: File, connection: duckdb.DuckDBPyConnection, scratch: Path) -> Table:
    """Open JSON objects: one a line, one after the other, or in a list. All columns are JSON.

    A number written as a text keeps every digit; one written bare is a double, as JSON readers have it.
    """
    import duckdb

    with contextlib.ExitStack() as stack:
        path = file.path
        if sniff(path) is not Format.TEXT:
            path = scratch / f"json-{next(_serial)}"
            stack.callback(path.unlink, missing_ok=True)
            with open_text(file.path, file.uri) as stream, path.open("wb") as plain:
                plain.writelines(_rows(stream, file.uri))
        options = f"{literal(str(path))}, maximum_object_size={_LONGEST_OBJECT}"
        try:
            keys = connection.execute(
                f"SELECT DISTINCT unnest(json_keys(json)) AS name FROM read_json_objects({options}) ORDER BY name"
            ).fetchall()
        except duckdb.Error as error:
            raise SourceError(
                f"DuckDB cannot read the JSON: {str(error).splitlines()[0]}",
                error_class=ErrorClass.BAD_REQUEST,
                where=file.uri,
                hint="it should be one object a line; export it again",
            ) from error
        names = tuple(row[0] for row in keys)
        types = ", ".join(f"{literal(name)}: 'JSON'" for name in names)
        return Table(
            file.uri,
            names=names,
            columns=tuple(quoted(name) for name in names),
            types=("JSON",) * len(names),
            source=f"read_json({options}, format='auto', columns={{{types}}})" if names else "",
            _close=stack.pop_all(),
        )


def _top_level(schema: list[tuple[str, int]]) -> tuple[str, ...]:
    """The columns' own names, from a Parquet schema: its root, then every column before its children."""
    names, inside = [], 0
    for name, children in schema[1:]:
        if not inside:
            names.append(name)
        inside += children - (inside > 0)
    return tuple(names)


def _open_csv(file: File, scratch: Path) -> Table:
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(text_of(open_text(file.path, file.uri)))
            header = first_line(stream)
        except DAMAGE as error:
            raise damaged(file.uri, error) from error
        names = _header(header, file.uri)
        if not names:
            _expect_nothing(stream, file.uri)
            return Table(file.uri)
        rows = _rows(stream, file.uri)
        feed = Feed(
            scratch / f"feed-{next(_serial)}", one_line_end(rows) if header.endswith(b"\r\n") else rows
        )
        columns = tuple(f"c{index}" for index in range(len(names)))
        return Table(
            file.uri,
            names=names,
            columns=columns,
            types=("VARCHAR",) * len(names),
            source=_read_csv(feed.path, columns),
            _feed=feed,
            _close=stack.pop_all(),
        )


def _expect_nothing(stream: IO[bytes], uri: str) -> None:
    """A file without a header must be without rows, too."""
    if any(chunk.strip() for chunk in _rows(stream, uri)):
        raise _no_csv(uri, "its first line, the header, is blank")


def _rows(stream: IO[bytes], uri: str) -> Iterator[bytes]:
    try:
        yield from chunks(stream, uri)
    except DAMAGE as error:
        raise damaged(uri, error) from error


def _header(line: bytes, uri: str) -> tuple[str, ...]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_csv(uri, "its first line is not UTF-8 text") from error
    if len(line) >= LONGEST_LINE or text.count('"') % 2:
        raise _no_csv(uri, "its first line, the header, has no end")
    try:
        names = next(csv.reader(io.StringIO(text)), [])
    except csv.Error as error:
        raise _no_csv(uri, f"its header cannot be read ({error})") from error
    if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in text):
        raise _no_csv(uri, "its first line holds control characters (is it a Hive text table?)")
    return () if not any(name.strip() for name in names) else tuple(name.strip() for name in names)


def _no_csv(uri: str, why: str) -> SourceError:
    return SourceError(
        f"this is not a CSV file: {why}",
        error_class=ErrorClass.BAD_REQUEST,
        where=uri,
        hint="export it as CSV (plain, gzip or zip) or Parquet",
    )


def _read_csv(path: Path, columns: Iterable[str]) -> str:
    """Everything explicit: a reader that guesses drops leading zeros and shifts short rows."""
    types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    return (
        f"read_csv({literal(str(path))}, auto_detect=false, header=false, columns={{{types}}}, delim=',', "
        f"quote='\"', escape='\"', nullstr=['', 'NULL'], compression='none', max_line_size={LONGEST_LINE}, "
        f"buffer_size={_BUFFER}, store_rejects=true, rejects_limit=0)"
    )
