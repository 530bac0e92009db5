"""What the hook `check` of several plugins does: steps one after the other, and what is tried of a location."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.files.store import ask
from ogf.hookspecs import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ogf.files.store import LocalStore, ObjectStore
    from ogf.hookspecs import Context

# Its name and what does it: says what it found, or raises.
Step = tuple[str, Callable[[], str]]


def tried(
    steps: Iterable[Step],
    *,
    missing: Callable[[OgfError], tuple[tuple[str, str], ...]] = lambda error: (),  # noqa: ARG005
) -> Iterator[Check]:
    """Try steps in turn, up to the first that fails.

    Args:
        missing: the permissions that an error tells of.
    """
    for name, step in steps:
        try:
            yield Check(name, ok=True, detail=step())
        except OgfError as error:
            yield Check.failed(name, error, missing=missing(error))
            return


def folder(store: LocalStore) -> str:
    """Try whether a folder may be read. Raises SourceError."""
    if not store.folder.is_dir():
        raise SourceError(
            f"there is no folder {store.folder}",
            error_class=ErrorClass.NOT_FOUND,
            hint="check the stream's `location` setting",
        )
    if not os.access(store.folder, os.R_OK | os.X_OK):
        raise SourceError(
            f"the folder {store.folder} may not be read",
            error_class=ErrorClass.AUTH,
            hint="give the user that runs ogf the right to read it",
        )
    return f"{store.folder} can be read"


def listed(ctx: Context, store: ObjectStore) -> str:
    """Try whether a store can be listed, and whether anything lies there. Raises SourceError."""
    page = ask(ctx, store, store.list_page, "")
    if not page.objects and not page.folders:
        raise SourceError(
            f"nothing lies below {store.root}",
            error_class=ErrorClass.NOT_FOUND,
            hint="check the stream's `location` or prefix, and that the export is delivered there",
        )
    more = " on the first page" if page.next else ""
    return f"{store.root} lists {len(page.folders)} folders and {len(page.objects)} objects{more}"
