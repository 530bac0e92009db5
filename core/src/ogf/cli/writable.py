"""Files and folders that may not be written, as an error with its place and remedy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ogf.errors import OgfError

_REMEDIES = {
    errno.EACCES: "give this user write permission there, or work in another folder",
    errno.EPERM: "give this user write permission there, or work in another folder",
    errno.EROFS: "the file system is read-only: work in a folder on another one",
    errno.ENOSPC: "free some space, then run the command again",
    errno.EDQUOT: "free some space, then run the command again",
}


class NotWritable(OgfError):
    pass


def not_writable(error: OSError) -> OgfError | None:
    """The error of a write that the system refused; None for any other trouble."""
    if error.errno not in _REMEDIES or not error.filename:
        return None
    path = Path(os.fsdecode(error.filename)).absolute()
    if error.errno in (errno.EACCES, errno.EPERM) and os.access(_there(path), os.W_OK):
        return None  # refused for another reason: it may not be read, perhaps
    return NotWritable(
        f"this cannot be written ({error.strerror})", where=str(path), hint=_REMEDIES[error.errno]
    )


def require_writable(path: Path) -> None:
    """Raise NotWritable unless this user may write this file, or make files in this folder."""
    if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
        raise NotWritable("this cannot be written", where=str(path), hint=_REMEDIES[errno.EACCES])


def _there(path: Path) -> Path:
    """The path itself, or what of it exists."""
    return next((each for each in (path, *path.parents) if each.exists()), path)
