"""Blob storage as an object store, and the choice between it and a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf.files.location import local, scheme
from ogf.files.store import Listing, Object, saved
from ogf_azure.clouds import blob_address
from ogf_azure.errors import located
from ogf_azure.session import blob_service

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.files.store import File, ObjectStore
    from ogf_azure.settings import AzureSettings

_ACCEPTED = (
    "write abfss://container@account.dfs.core.windows.net/prefix, "
    "https://account.blob.core.windows.net/container/prefix, or the path of a local folder"
)
_MOST = 5000  # what Blob storage lists at once
_GRANT = "grant the caller the role `Storage Blob Data Reader` on the container or the storage account"
_GONE = "check the stream's `location`; if a listing named the blob, run again when the export has ended"
_HINTS = {
    "AuthorizationPermissionMismatch": _GRANT,
    "AuthorizationFailure": f"{_GRANT}, and let this machine through the account's firewall",
    "BlobNotFound": _GONE,
    "ContainerNotFound": _GONE,
    "ResourceNotFound": _GONE,
    "403": _GRANT,
    "404": _GONE,
}


def open_store(settings: AzureSettings, location: str) -> ObjectStore:
    """Open where a stream's files lie: a container and a prefix, or a local folder, as a path or a file:// URI."""
    match scheme(location):
        case "" | "file":
            return local(location, accepted=_ACCEPTED)
        case "abfss" | "abfs":
            host, container, prefix = _split_abfss(location)
        case "https":
            host, container, prefix = _split_https(location)
        case other:
            raise ConfigError(
                f"{other}:// is no place that Azure exports are read from", where=location, hint=_ACCEPTED
            )
    account = _account(settings, host, location)
    return BlobStore(
        blob_service(settings, account),
        account,
        container,
        prefix=prefix,
        page_size=min(settings.page_size, _MOST),
    )


def _split_abfss(location: str) -> tuple[str, str, str]:
    """Host, container and prefix. Not by `urlsplit`: `?` and `#` are letters like any other in a name."""
    place, _, prefix = location.partition("://")[2].partition("/")
    container, at, host = place.partition("@")
    if not (container and at and host):
        raise ConfigError("the location names no container and account", where=location, hint=_ACCEPTED)
    return host, container, prefix.strip("/")


def _split_https(location: str) -> tuple[str, str, str]:
    """Host, container and prefix. What a browser shows is percent-encoded."""
    host, _, path = location.partition("://")[2].partition("/")
    container, _, prefix = unquote(path).strip("/").partition("/")
    if not (host and container):
        raise ConfigError("the location names no container", where=location, hint=_ACCEPTED)
    return host, container, prefix


def _account(settings: AzureSettings, host: str, location: str) -> str:
    """The storage account of a host, which must be where the account's blobs will be asked for."""
    host = host.lower()
    account = host.partition(".")[0]
    known = blob_address(settings.model_copy(update={"blob_endpoint_url": None}), account)
    if host.replace(".dfs.", ".blob.", 1) != urlsplit(known).netloc and settings.blob_endpoint_url is None:
        raise ConfigError(
            f"{host} is no storage account of the cloud `{settings.cloud}`",
            where=location,
            hint=f"{_ACCEPTED}; set `cloud` for another cloud, `blob_endpoint_url` for another server",
        )
    return account


class BlobStore:
    """Blobs below a prefix of a container. Keys are relative to that prefix; ETags have no quotes.

    A big blob comes in several ranges, each asked for with the same ETag.
    """

    remote = True

    def __init__(
        self, service: Any, account: str, container: str, *, prefix: str = "", page_size: int = _MOST
    ) -> None:
        self.account = account
        self.container = container
        self.prefix = f"{prefix}/" if prefix else ""
        self._client = service.get_container_client(container)
        self._page_size = page_size
        self.root = self.uri("").rstrip("/")

    def __repr__(self) -> str:
        return f"BlobStore({self.root!r})"

    def list_page(self, prefix: str, token: str | None = None) -> Listing:
        folder = self.prefix + prefix
        with located(self.uri(prefix), _HINTS):
            pages = self._client.walk_blobs(
                name_starts_with=folder or None, delimiter="/", results_per_page=self._page_size
            ).by_page(token or None)
            items = list(next(pages, ()))
        objects = [item for item in items if not hasattr(item, "prefix") and item.name != folder]
        folders = [item.name for item in items if hasattr(item, "prefix")]
        return Listing(
            tuple(map(self._object, objects)),
            tuple(self._below(name) for name in folders),
            pages.continuation_token or None,
        )

    def head(self, key: str) -> Object:
        with located(self.uri(key), _HINTS):
            return self._object(self._client.get_blob_client(self.prefix + key).get_blob_properties())

    def read(self, key: str) -> bytes:
        with located(self.uri(key), _HINTS):
            body: bytes = self._client.get_blob_client(self.prefix + key).download_blob().readall()
            return body

    def download(self, key: str, etag: str, folder: Path) -> File:
        return saved(self.uri(key), etag, folder, lambda file: self._save(key, etag, file))

    def uri(self, key: str) -> str:
        return f"abfss://{self.container}@{self.account}/{self.prefix}{key}"

    def _save(self, key: str, etag: str, file: BinaryIO) -> None:
        """Write a blob's bytes as they are stored: the body of a .csv.gz must not be unpacked on the way."""
        from azure.core import MatchConditions

        uri = self.uri(key)
        with located(uri, _HINTS):
            found = self._client.get_blob_client(self.prefix + key).download_blob(
                etag=f'"{etag}"', match_condition=MatchConditions.IfNotModified, decompress=False
            )
            size = found.readinto(file)
        if size != found.size:
            raise SourceError(
                f"the download ended after {size} of {found.size} bytes",
                error_class=ErrorClass.TRANSIENT,
                where=uri,
            )

    def _object(self, blob: Any) -> Object:
        modified = blob.last_modified.timestamp() if blob.last_modified else 0.0
        return Object(self._below(blob.name), blob.etag.strip('"'), int(blob.size or 0), modified)

    def _below(self, name: str) -> str:
        return name[len(self.prefix) :]
