"""One small object-store protocol, and the store every file stream also runs on: a local folder.

A store lists with ETags, reads small objects, and hands out big ones as a `File` that was opened with if-match.
Each method but `File.verify` is ONE remote call, so that the runner's limiter and retries can sit around it:
`ask` and `walk` see to that while a plugin plans, the runner itself while it fetches.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from ogf.errors import ErrorClass, SourceError

if TYPE_CHECKING:
    from ogf.hookspecs import Context


class Object(NamedTuple):
    """One listed object: its key below the store's root, ETag, size in bytes, last change (epoch seconds)."""

    key: str
    etag: str
    size: int
    modified: float


class Listing(NamedTuple):
    """One page of a listing: objects and sub-folders directly below a prefix, and where to go on."""

    objects: tuple[Object, ...]
    folders: tuple[str, ...]  # keys, each with a trailing "/"
    next: str | None


@dataclass(frozen=True)
class File:
    """A readable file on this machine: a download in scratch, or a user's own file that is read in place."""

    path: Path
    uri: str
    etag: str
    owned: bool  # in scratch, ours to delete

    def verify(self) -> None:
        """Raise a restart if a file read in place is not the one that was planned."""
        if not self.owned and stat_etag(self.path) != self.etag:
            raise changed(self.uri)


class ObjectStore(Protocol):
    """Where files lie: `s3://…`, `abfss://…`, `gs://…` or a local folder.

    Attributes:
        root: its URI.
        remote: whether its calls leave this machine.
    """

    root: str
    remote: bool

    def list_page(self, prefix: str, token: str | None = None) -> Listing:
        """List what lies directly below `prefix` ("" or ending in "/")."""

    def head(self, key: str) -> Object: ...

    def read(self, key: str) -> bytes:
        """Read a small object, a manifest."""

    def download(self, key: str, etag: str, folder: Path) -> File:
        """Hand out an object as a file, if it still has this ETag; else raise a `SourceError` with restart."""

    def uri(self, key: str) -> str: ...


def ask(ctx: Context, store: ObjectStore, function: Callable[..., Any], *args: Any) -> Any:
    """Call a store's method: through the limiter and retries if it is remote, plainly if it is not."""
    return ctx.call(function, *args) if store.remote else function(*args)


def walk(ctx: Context, store: ObjectStore, prefix: str) -> Listing:
    """List a whole folder, page by page."""
    objects: list[Object] = []
    folders: list[str] = []
    token: str | None = None
    while True:
        page: Listing = ask(ctx, store, store.list_page, prefix, token)
        objects += page.objects
        folders += page.folders
        if page.next is None:
            return Listing(tuple(objects), tuple(folders), None)
        if page.next == token:
            raise SourceError(
                f"the listing of {store.uri(prefix)} names the same next page twice",
                error_class=ErrorClass.UNKNOWN,
            )
        token = page.next


def changed(uri: str) -> SourceError:
    return SourceError(
        f"{uri} changed while it was being read", error_class=ErrorClass.TRANSIENT, restart=True
    )


def saved(uri: str, etag: str, folder: Path, write: Callable[[BinaryIO], object]) -> File:
    """Let `write` put an object's bytes into a new file of the folder, which does not outlive a failure.

    Raises:
        SourceError: a restart that says which object changed, where `write` raised a restart.
    """
    handle, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
    except BaseException as error:
        path.unlink()
        if isinstance(error, SourceError) and error.restart:
            raise changed(uri) from error
        raise
    return File(path, uri, etag, owned=True)


def stat_etag(path: Path) -> str:
    """Tell one state of a local file from another without reading it."""
    try:
        return _etag(path.stat())
    except FileNotFoundError:
        return ""


def _etag(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"


class LocalStore:
    """A folder of downloaded exports. Files are read in place, never copied."""

    remote = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.root = self.folder.as_uri()

    def list_page(self, prefix: str, token: str | None = None) -> Listing:  # noqa: ARG002
        try:
            entries = sorted(os.scandir(self.folder / prefix), key=lambda entry: entry.name)
        except NotADirectoryError as error:
            raise SourceError(
                f"{self.folder / prefix} is a file",
                error_class=ErrorClass.NOT_FOUND,
                hint="the stream's `location` setting must name the folder that it lies in",
            ) from error
        except FileNotFoundError as error:
            raise SourceError(
                f"there is no folder {self.folder / prefix}",
                error_class=ErrorClass.NOT_FOUND,
                hint="check the stream's `location` setting",
            ) from error
        return Listing(
            tuple(self._object(prefix + entry.name, entry) for entry in entries if entry.is_file()),
            tuple(f"{prefix}{entry.name}/" for entry in entries if entry.is_dir()),
            None,
        )

    def head(self, key: str) -> Object:
        return self._object(key, self._existing(key))

    def read(self, key: str) -> bytes:
        return self._existing(key).read_bytes()

    def download(self, key: str, etag: str, folder: Path) -> File:  # noqa: ARG002
        file = File(self._existing(key), self.uri(key), etag, owned=False)
        file.verify()
        return file

    def uri(self, key: str) -> str:
        return (self.folder / key).as_uri()

    def _existing(self, key: str) -> Path:
        path = self.folder / key
        if not path.is_file():
            raise SourceError(
                f"there is no file {path}",
                error_class=ErrorClass.NOT_FOUND,
                hint="the manifest names it: download it again, or wait for the delivery to finish",
            )
        return path

    @staticmethod
    def _object(key: str, entry: Path | os.DirEntry[str]) -> Object:
        stat = entry.stat()
        return Object(key, _etag(stat), stat.st_size, stat.st_mtime)
