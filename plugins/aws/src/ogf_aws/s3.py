"""S3 as an object store, and the choice between it and a local folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf.files.location import bucket_and_prefix, local, scheme
from ogf.files.store import Listing, Object, saved, walk
from ogf_aws.errors import located
from ogf_aws.session import client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from ogf.files.store import File, ObjectStore
    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings

_CHUNK = 1 << 20
_ACCEPTED = "write s3://bucket/prefix, or the path of a local folder"


def open_store(settings: AwsSettings, location: str) -> ObjectStore:
    """Open where a stream's files lie: `s3://bucket/prefix` or a local folder, as a path or a file:// URI."""
    match scheme(location):
        case "" | "file":
            return local(location, accepted=_ACCEPTED)
        case "s3":
            bucket, prefix = bucket_and_prefix(location, accepted=_ACCEPTED)
            return S3Store(
                client(settings, "s3"),
                bucket,
                prefix=prefix,
                page_size=settings.page_size,
                requester_pays=settings.requester_pays,
            )
        case other:
            raise ConfigError(
                f"{other}:// is no place that AWS exports are read from", where=location, hint=_ACCEPTED
            )


def everything_below(ctx: Context, store: ObjectStore, folder: str) -> Iterator[Object]:
    """Every object below a folder, whatever the folders between."""
    folders = [folder]
    while folders:
        listing = walk(ctx, store.flat() if isinstance(store, S3Store) else store, folders.pop())
        yield from listing.objects
        folders.extend(listing.folders)


class S3Store:
    """Objects below a prefix of a bucket. Keys are relative to that prefix; ETags have no quotes."""

    remote = True

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        *,
        prefix: str = "",
        page_size: int = 1000,
        requester_pays: bool = False,
        flat: bool = False,
    ) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.root = f"s3://{bucket}/{prefix}"
        self._s3 = s3
        self._page_size = page_size
        self._delimiter: Any = {} if flat else {"Delimiter": "/"}
        self._payer: Any = {"RequestPayer": "requester"} if requester_pays else {}

    def __repr__(self) -> str:
        return f"S3Store({self.root!r})"

    def flat(self) -> S3Store:
        """The same objects, listed without folders: everything below a prefix, a thousand a call."""
        pays, bucket, prefix = bool(self._payer), self.bucket, self.prefix.rstrip("/")
        return S3Store(
            self._s3, bucket, prefix=prefix, page_size=self._page_size, requester_pays=pays, flat=True
        )

    def list_page(self, prefix: str, token: str | None = None) -> Listing:
        folder = self.prefix + prefix
        going_on: Any = {"ContinuationToken": token} if token else {}
        with located(self.uri(prefix)):
            page = self._s3.list_objects_v2(
                Bucket=self.bucket,
                Prefix=folder,
                MaxKeys=self._page_size,
                **self._delimiter,
                **going_on,
                **self._payer,
            )
        following = page.get("NextContinuationToken")
        if page.get("IsTruncated") and not following:
            raise SourceError(
                "the listing says that it is incomplete but not how it goes on",
                error_class=ErrorClass.UNKNOWN,
                where=self.uri(prefix),
                hint="check that `endpoint_url` names a server that speaks ListObjectsV2",
            )
        return Listing(
            tuple(
                Object(
                    self._below(item["Key"]),
                    _bare(item["ETag"]),
                    item["Size"],
                    item["LastModified"].timestamp(),
                )
                for item in page.get("Contents", [])
                if item["Key"] != folder  # the marker that consoles make for an empty folder
            ),
            tuple(self._below(item["Prefix"]) for item in page.get("CommonPrefixes", [])),
            following if page.get("IsTruncated", True) else None,
        )

    def head(self, key: str) -> Object:
        with located(self.uri(key)):
            found = self._s3.head_object(Bucket=self.bucket, Key=self.prefix + key, **self._payer)
        return Object(key, _bare(found["ETag"]), found["ContentLength"], found["LastModified"].timestamp())

    def read(self, key: str) -> bytes:
        with located(self.uri(key)):
            found = self._s3.get_object(Bucket=self.bucket, Key=self.prefix + key, **self._payer)
            with contextlib.closing(found["Body"]) as body:
                return body.read()

    def download(self, key: str, etag: str, folder: Path) -> File:
        return saved(self.uri(key), etag, folder, lambda file: self._save(key, etag, file))

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def _save(self, key: str, etag: str, file: BinaryIO) -> None:
        uri = self.uri(key)
        with located(uri):
            found = self._s3.get_object(
                Bucket=self.bucket, Key=self.prefix + key, IfMatch=f'"{etag}"', **self._payer
            )
            with contextlib.closing(found["Body"]) as body:
                size = sum(file.write(chunk) for chunk in body.iter_chunks(_CHUNK))
        if size != found["ContentLength"]:  # botocore checks too, but only where the server sent no checksum
            raise SourceError(
                f"the download ended after {size} of {found['ContentLength']} bytes",
                error_class=ErrorClass.TRANSIENT,
                where=uri,
            )

    def _below(self, key: str) -> str:
        return key[len(self.prefix) :]


def _bare(etag: str) -> str:
    return etag.strip('"')
