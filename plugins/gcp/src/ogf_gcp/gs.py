"""Cloud Storage as an object store, and the choice between it and a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from ogf.errors import ConfigError
from ogf.files.location import bucket_and_prefix, local, scheme
from ogf.files.store import Listing, Object, saved
from ogf_gcp.errors import located
from ogf_gcp.session import storage_client

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.files.store import File, ObjectStore
    from ogf_gcp.settings import GcpSettings

_ACCEPTED = "write gs://bucket/prefix, or the path of a local folder"
_FIELDS = "nextPageToken,prefixes,items(name,generation,size,updated)"
_MOST = 1000  # what Cloud Storage lists at once
_GRANT = "grant roles/storage.objectViewer on the bucket to the caller"
_GONE = "check the stream's `location`; if a listing named the object, run again when the export has ended"
_HINTS = {
    "accessDenied": _GRANT,
    "google.api_core.exceptions.Forbidden": _GRANT,
    "notFound": _GONE,
    "google.api_core.exceptions.NotFound": _GONE,
}


def open_store(settings: GcpSettings, location: str) -> ObjectStore:
    """Open where a stream's files lie: `gs://bucket/prefix` or a local folder, as a path or a file:// URI."""
    match scheme(location):
        case "" | "file":
            return local(location, accepted=_ACCEPTED)
        case "gs":
            bucket, prefix = bucket_and_prefix(location, accepted=_ACCEPTED)
            return GsStore(
                storage_client(settings),
                bucket,
                prefix=prefix,
                page_size=min(settings.page_size, _MOST),
                timeout=settings.request_timeout,
            )
        case other:
            raise ConfigError(
                f"{other}:// is no place that Google Cloud exports are read from",
                where=location,
                hint=_ACCEPTED,
            )


class GsStore:
    """Objects below a prefix of a bucket. Keys are relative to that prefix; an ETag is a generation."""

    remote = True

    def __init__(
        self, client: Any, bucket: str, *, prefix: str = "", page_size: int = _MOST, timeout: float = 60
    ) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.root = f"gs://{bucket}/{prefix}"
        self._client = client
        self._page_size = page_size
        self._once: dict[str, Any] = {"retry": None, "timeout": timeout}

    def __repr__(self) -> str:
        return f"GsStore({self.root!r})"

    def list_page(self, prefix: str, token: str | None = None) -> Listing:
        folder = self.prefix + prefix
        with located(self.uri(prefix), _HINTS):
            listing = self._client.list_blobs(
                self.bucket,
                prefix=folder,
                delimiter="/",
                max_results=self._page_size,
                page_token=token,
                fields=_FIELDS,
                **self._once,
            )
            page = next(listing.pages, ())
            objects = tuple(self._object(blob) for blob in page if blob.name != folder)
        folders = tuple(self._below(name) for name in sorted(listing.prefixes))
        return Listing(objects, folders, listing.next_page_token or None)

    def head(self, key: str) -> Object:
        with located(self.uri(key), _HINTS):
            blob = self._blob(key)
            blob.reload(**self._once)
            return self._object(blob)

    def read(self, key: str) -> bytes:
        with located(self.uri(key), _HINTS):
            body: bytes = self._blob(key).download_as_bytes(raw_download=True, **self._once)
            return body

    def download(self, key: str, etag: str, folder: Path) -> File:
        return saved(self.uri(key), etag, folder, lambda file: self._save(key, etag, file))

    def uri(self, key: str) -> str:
        return f"gs://{self.bucket}/{self.prefix}{key}"

    def _save(self, key: str, etag: str, file: BinaryIO) -> None:
        """Write an object's bytes as they are stored. The client checks their number and checksum."""
        blob = self._blob(key)
        with located(self.uri(key), _HINTS):
            # As stored: the body of a .csv.gz must not be unpacked on the way.
            blob.download_to_file(file, raw_download=True, if_generation_match=int(etag), **self._once)

    def _blob(self, key: str) -> Any:
        return self._client.bucket(self.bucket).blob(self.prefix + key)

    def _object(self, blob: Any) -> Object:
        modified = blob.updated.timestamp() if blob.updated else 0.0
        return Object(self._below(blob.name), str(blob.generation), int(blob.size or 0), modified)

    def _below(self, name: str) -> str:
        return name[len(self.prefix) :]
