"""Where the files that a manifest names lie in a store, which may be rooted anywhere above or below the bucket."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files import walk
from ogf.files.store import Object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ogf.files import ObjectStore
    from ogf.hookspecs import Context
    from ogf_aws.exports.manifests import Manifest


def files_of(ctx: Context, store: ObjectStore, manifest: Manifest) -> list[Object]:
    """Find the manifest's files in the store.

    A file that is nowhere keeps the place where it should be and an empty ETag: reading it says it is missing.
    """
    listings: dict[str, dict[str, Object]] = {}
    found = []
    for key in manifest.files:
        name = key.rsplit("/", 1)[-1]
        for folder in _candidates(store, manifest, key):
            if folder not in listings:
                listings[folder] = _names(ctx, store, folder)
            if name in listings[folder]:
                found.append(listings[folder][name])
                break
        else:
            found.append(Object(next(_candidates(store, manifest, key)) + name, "", 0, 0.0))
    return found


def _candidates(store: ObjectStore, manifest: Manifest, key: str) -> Iterator[str]:
    """Folders, below the store's root, in which a manifest's file may lie: likeliest first."""
    folder = key.rpartition("/")[0] + "/" if "/" in key else ""
    _, _, prefix = store.root.partition("://")[2].partition("/")
    if store.remote and prefix and folder.startswith(f"{prefix.rstrip('/')}/"):
        yield folder[len(prefix.rstrip("/")) + 1 :]
    if store.remote and not prefix:
        yield folder
    home = manifest.key.rpartition("/")[0]
    home = f"{home}/" if home else ""
    if "metadata/" in home:
        data = home.replace("metadata/", "data/", 1)
        yield f"{data}{folder.rstrip('/').rpartition('/')[2]}/"
        yield data
    yield f"{home}{manifest.version}/"
    yield home
    yield folder


def _names(ctx: Context, store: ObjectStore, folder: str) -> dict[str, Object]:
    try:
        return {item.key.rsplit("/", 1)[-1]: item for item in walk(ctx, store, folder).objects}
    except SourceError as error:
        if error.error_class is ErrorClass.NOT_FOUND:
            return {}
        raise


def etags_of(files: Iterable[Object]) -> str:
    """A digest of files by name and ETag: equal where the same files lie elsewhere."""
    named = [(file.key.rsplit("/", 1)[-1], file.etag) for file in files]
    return hashlib.sha256(repr(named).encode()).hexdigest()[:16]
