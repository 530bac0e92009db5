"""Pages of JSON that an API answered: the body in scratch, and the whole of it as one row for DuckDB."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ogf.files.store import File
from ogf.files.table import literal

if TYPE_CHECKING:
    from ogf.hookspecs import Context

_LARGEST_OBJECT = 16 << 20  # DuckDB's own default


@dataclass(frozen=True)
class JsonPage(File):
    """A page's body in scratch.

    Attributes:
        next: the token or link of the page that follows; None at the end.
    """

    next: str | None = None


P = TypeVar("P", bound=JsonPage)


def keep(ctx: Context, body: bytes, uri: str, kind: type[P], **facts: Any) -> P:
    """Write a body to scratch as a page of this kind; the core deletes it after the page."""
    with tempfile.NamedTemporaryFile(suffix=".json", dir=ctx.scratch, delete=False) as file:
        file.write(body)
    return kind(Path(file.name), uri, etag="", owned=True, **facts)


def source(page: JsonPage, columns: dict[str, str]) -> str:
    """What to write after FROM: the whole body as one row with these columns, of DuckDB's types.

    DuckDB reads a number as a double, even where its column is text.
    """
    fields = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    largest = max(_LARGEST_OBJECT, page.path.stat().st_size + 1024)
    return (
        f"read_json({literal(str(page.path))}, format = 'unstructured', records = true, "
        f"columns = {{{fields}}}, maximum_object_size = {largest})"
    )
