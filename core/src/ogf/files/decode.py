"""What a file is, told by its first bytes, and its decoded text, checked to the last one.

DuckDB accepts many truncated gzip files, so compression is undone here: `isal` checks every member's CRC and
end-of-stream mark, `zipfile` every member's CRC.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from enum import StrEnum
from typing import IO, TYPE_CHECKING, cast

from isal import igzip, isal_zlib

from ogf.errors import ErrorClass, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CHUNK = 1 << 20
LONGEST_LINE = 4 << 20


class Format(StrEnum):
    EMPTY = "empty"
    PARQUET = "parquet"
    ARROW = "arrow"
    GZIP = "gzip"
    ZIP = "zip"
    TEXT = "text"


def sniff(path: Path) -> Format:
    """Tell the format from the content: names lie, and exports rename files."""
    with path.open("rb") as file:
        start = file.read(8)
    head = start[:4]
    if not head:
        return Format.EMPTY
    if head == b"PAR1":
        return Format.PARQUET
    if start == b"ARROW1\0\0":
        return Format.ARROW
    if head[:2] == b"\x1f\x8b":
        return Format.GZIP
    if head == b"PK\x03\x04":
        return Format.ZIP
    return Format.TEXT


def open_text(path: Path, uri: str) -> IO[bytes]:
    """Open a plain, gzip or zip file as decoded bytes. A zip must hold exactly one file."""
    match sniff(path):
        case Format.GZIP:
            return cast("IO[bytes]", igzip.IGzipFile(str(path), "rb"))  # type: ignore[no-untyped-call]
        case Format.ZIP:
            return _open_zip(path, uri)
        case _:
            return path.open("rb")


def _open_zip(path: Path, uri: str) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [item.filename for item in archive.infolist() if not item.is_dir()]
    if len(names) != 1:
        archive.close()
        raise SourceError(
            f"the zip holds {len(names)} files ({', '.join(names[:5])}); a report's zip holds one",
            error_class=ErrorClass.BAD_REQUEST,
            where=uri,
            hint="unpack it and keep the data file alone",
        )
    try:
        return archive.open(names[0])
    except (
        RuntimeError,
        NotImplementedError,
    ) as error:  # zipfile's words for a password, and for odd methods
        archive.close()
        raise SourceError(
            f"the zip cannot be unpacked ({error})",
            error_class=ErrorClass.BAD_REQUEST,
            where=uri,
            hint="unpack it and keep the data file alone",
        ) from error


DAMAGE = cast(
    "tuple[type[Exception], ...]",
    (EOFError, zlib.error, isal_zlib.error, igzip.BadGzipFile, zipfile.BadZipFile),
)


def damaged(uri: str, error: BaseException) -> SourceError:
    return SourceError(
        f"the compressed file is damaged or cut short ({error})",
        error_class=ErrorClass.BAD_REQUEST,
        where=uri,
        hint="download or export it again; nothing of this partition was loaded",
    )


def chunks(stream: IO[bytes], uri: str) -> Iterator[bytes]:
    """Yield decoded chunks, refusing text that is not UTF-8: DuckDB crashes on it where rows are rejected."""
    tail, offset = b"", 0
    while chunk := stream.read(CHUNK):
        if tail or not chunk.isascii():
            tail = _utf8_tail(tail + chunk, uri, offset - len(tail))
        offset += len(chunk)
        yield chunk
    if tail:
        raise _not_utf8(uri, offset - len(tail))


def one_line_end(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Write CR LF as LF: DuckDB refuses a file of which some lines end in one, some in the other."""
    held = b""
    for part in parts:
        joined = held + part
        held = b"\r" if joined.endswith(b"\r") else b""  # what follows may be in the next part
        yield joined.removesuffix(held).replace(b"\r\n", b"\n")
    yield held


def _utf8_tail(data: bytes, uri: str, offset: int) -> bytes:
    """Check that data is UTF-8; return the unfinished character at its end, if there is one."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(data):
            return data[error.start :]
        raise _not_utf8(uri, offset + error.start) from error
    return b""


def _not_utf8(uri: str, offset: int) -> SourceError:
    return SourceError(
        f"byte {offset:,} of the decoded text is not UTF-8",
        error_class=ErrorClass.BAD_REQUEST,
        where=uri,
        hint="convert the file to UTF-8; nothing of this partition was loaded",
    )


def first_line(stream: IO[bytes]) -> bytes:
    """Read the header line: up to a line feed outside quotes, and no further than any line may be."""
    line = stream.readline(LONGEST_LINE)
    quotes = line.count(b'"')
    while quotes % 2 and len(line) < LONGEST_LINE and (more := stream.readline(LONGEST_LINE)):
        line += more
        quotes += more.count(b'"')
    return line


def text_of(stream: IO[bytes]) -> IO[bytes]:
    """Give any stream a fast `readline`."""
    if isinstance(stream, io.BufferedReader):
        return stream
    return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", stream), CHUNK))
