"""What a `location` setting says: a folder on this machine, or a bucket and a prefix of an object store."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ogf.errors import ConfigError
from ogf.files.store import LocalStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters at least: `C:` is a drive


def scheme(location: str) -> str:
    """A location's scheme in lower case; "" for a path."""
    found = _SCHEME.match(location)
    return found.group(1).lower() if found else ""


def local(location: str, *, accepted: str) -> LocalStore:
    """Open the folder that a path or a file:// URI names.

    Args:
        accepted: what may be written there instead, for the hint.

    Raises:
        ConfigError: the URI names no absolute folder of this machine.
    """
    if not scheme(location):
        return LocalStore(Path(location))
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ConfigError("a file:// location names no absolute folder", where=location, hint=accepted)
    return LocalStore(Path(unquote(parts.path)))


def bucket_and_prefix(location: str, *, accepted: str) -> tuple[str, str]:
    """Split `scheme://bucket/prefix`. Not by `urlsplit`: `?` and `#` are letters like any other in a key.

    Raises:
        ConfigError: it names no bucket.
    """
    _, marker, rest = location.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not marker or not bucket:
        raise ConfigError("the location names no bucket", where=location, hint=accepted)
    return bucket, prefix.strip("/")
