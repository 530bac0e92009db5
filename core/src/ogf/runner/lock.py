"""One run per (organisation, provider) and warehouse at a time. The kernel frees the lock of a killed run."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ogf.errors import WarehouseBusy, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_TRIES = 3  # whoever only looks (`is_held`) has the lock for a moment too
_TRY_SECONDS = 0.02


@contextmanager
def run_lock(path: Path, *, what: str) -> Iterator[None]:
    """Hold a lock file.

    Raises:
        WarehouseBusy: another run holds it; the message names its process.
        WarehouseError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise WarehouseError(
            f"nothing can be written beside the warehouse ({error.strerror})",
            where=str(path.parent),
            hint="give this user write permission to the folder, or change --db",
        ) from error
    try:
        if not any(_taken(handle, fcntl.LOCK_EX, wait=attempt * _TRY_SECONDS) for attempt in range(_TRIES)):
            holder = os.pread(handle, 20, 0).decode().strip() or "unknown"
            raise WarehouseBusy(
                f"another run of {what} is under way (pid {holder})",
                where=str(path),
                hint="wait for it to end; nothing was done",
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a run that goes on holds this lock file: the ledger cannot know of one that was killed."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _taken(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _taken(handle: int, kind: int, *, wait: float = 0.0) -> bool:
    time.sleep(wait)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
