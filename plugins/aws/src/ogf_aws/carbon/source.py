"""Where the stream `carbon` comes from: one partition for each (export, usage month, model version).

AWS keeps the months of every model version beside each other, in `carbon_model_version=v3.0.0/usage_period=2026-01/`
(its documentation also writes `model_version=`), with or without a manifest in the same folders below `metadata/`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files import walk
from ogf.files.loose import Months, data_files, loose_partitions
from ogf.hookspecs import Partition, Problem, Request
from ogf.window import Month, Window
from ogf_aws.carbon.mapping import months_sql
from ogf_aws.exports.discovery import read_manifest
from ogf_aws.exports.manifests import DATA_NAME, MANIFEST_NAME, MODEL_VERSION, period_of
from ogf_aws.exports.places import etags_of, files_of
from ogf_aws.published import say_if_unpublished
from ogf_aws.s3 import open_store
from ogf_aws.settings import location_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.files import ObjectStore
    from ogf.files.store import Listing, Object
    from ogf.hookspecs import Context

# A delivery beside others: 2026-02-20T13:14:37.728Z-8c5a76cc-57d0-437d-851b-064e27aa8b06/.
_EXECUTION = re.compile(r"(^|/)\d{4}-\d\d-\d\dT[^/]*/$")
_DEEPEST = 8


@dataclass
class _Month:
    """What lies in the folders of one (export, month, model version), data and manifests."""

    export: str
    month: Month
    version: str
    data: list[Object] = field(default_factory=list)
    manifests: list[Object] = field(default_factory=list)

    @property
    def edition(self) -> str:
        return f"{self.month}@{self.version.lower()}"


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List the months in the window, each in every model version that is there.

    Raises:
        SourceError: `not_found` where no folder names a model version; in a local folder, nor is there a data file.
    """
    store = open_store(ctx.settings, location_of(ctx.settings, "carbon"))
    tree = _Tree(ctx, store, window)
    months = tree.months()
    if not months and not tree.left_out:
        listed = [] if store.remote else _loose(ctx, store, window)
        if not listed:
            raise SourceError(
                "no folder here is of a carbon export: they are called carbon_model_version=…/usage_period=…",
                error_class=ErrorClass.NOT_FOUND,
                where=store.root,
                hint="check ingestion.aws.carbon.location, and that the export of the table CARBON_EMISSIONS has run",
            )
    else:
        listed = [_partition(ctx, store, item) for item in months]
    exports = {item.export for item in months}
    if len(exports) > 1:
        ctx.note(
            f"{len(exports)} carbon exports lie below {store.root}: if two are of the same payer, everything counts "
            "twice; then name the folder of one in ingestion.aws.carbon.location"
        )
    say_if_unpublished(ctx, {item.month for item in listed if item.month}, window)
    return sorted(listed, key=lambda item: item.key)


class _Tree:
    """One walk over a store. Afterwards `left_out` says whether months outside the window were skipped."""

    def __init__(self, ctx: Context, store: ObjectStore, window: Window) -> None:
        self._ctx = ctx
        self._store = store
        self._window = window
        self.left_out = False

    def months(self) -> list[_Month]:
        """Months of which there is a manifest or a data file, even an empty one."""
        found: dict[tuple[str, Month, str], _Month] = {}
        folders = deque([""])
        while folders:
            folder = folders.popleft()
            listing = walk(self._ctx, self._store, folder)
            version, month = MODEL_VERSION.search(folder), period_of(folder)
            if version is None or month is None:
                folders.extend(self._worth_visiting(listing))
                continue
            export = _above(folder[: version.start()])
            key = export, month, version[1].casefold()
            here = found.setdefault(key, _Month(export, month, version[1]))
            self._take(here, listing)
        return [item for item in found.values() if item.data or item.manifests]

    def _take(self, here: _Month, listing: Listing) -> None:
        """Of a folder that holds a delivery, or several in folders of their own, take what counts."""
        manifests = [item for item in listing.objects if MANIFEST_NAME.search(item.key)]
        data = [item for item in listing.objects if DATA_NAME.search(item.key)]
        if not manifests and not data:
            for folder in sorted(filter(_EXECUTION.search, listing.folders), reverse=True):
                inner = walk(self._ctx, self._store, folder).objects
                manifests = [item for item in inner if MANIFEST_NAME.search(item.key)]
                data = [item for item in inner if DATA_NAME.search(item.key)]
                if manifests or data:
                    break
        here.manifests += manifests
        here.data += data

    def _worth_visiting(self, listing: Listing) -> Iterator[str]:
        for folder in listing.folders:
            month = period_of(folder)
            if month is not None and month not in self._window:
                self.left_out = True
            elif folder.count("/") <= _DEEPEST:
                yield folder


def _partition(ctx: Context, store: ObjectStore, item: _Month) -> Partition:
    """The partition of a month: what its newest manifest names or, without one, what lies there."""
    place = store.uri(item.export).partition("://")[2].strip("/") if store.remote else item.export
    key = f"{_above(place) or 'carbon'}/{item.edition}"
    source = store.uri(item.manifests[0].key if item.manifests else item.data[0].key.rpartition("/")[0] + "/")
    about: dict[str, object] = {
        "stream": "carbon",
        "expected": {"month": str(item.month), "version": item.version, "payer": ctx.settings.account_id},
    }
    try:
        if item.manifests:
            newest = max(item.manifests, key=lambda found: found.modified)
            manifest = read_manifest(ctx, store, newest.key)
            files = files_of(ctx, store, manifest)
            version = f"{manifest.version}:{etags_of(files)}"
            about |= {"manifest": newest.key, "manifest_etag": newest.etag}
        else:
            files = sorted(item.data, key=lambda found: found.key)
            version = etags_of(files)
    except SourceError as error:
        if error.error_class not in (ErrorClass.BAD_REQUEST, ErrorClass.NOT_FOUND):
            raise
        return Partition(
            stream="carbon",
            key=key,
            version=None,
            requests=(),
            month=item.month,
            source=source,
            problem=Problem(error.error_class, error.message, error.hint),
        )
    return Partition(
        stream="carbon",
        key=key,
        version=version,
        requests=tuple(Request(file.key, {"key": file.key, "etag": file.etag, **about}) for file in files),
        month=item.month,
        source=source,
        local=not store.remote,
    )


def _above(path: str) -> str:
    """The export's own folder, which the folders `data` and `metadata` lie in."""
    return re.sub(r"(^|/)(data|metadata)$", "", path)


def _loose(ctx: Context, store: ObjectStore, window: Window) -> list[Partition]:
    """List files that lie about without those folders: months and model versions are read from the rows."""
    files = list(data_files(ctx, store))
    if not files:
        return []
    ctx.note(
        f"no folder in {store.root} names a model version: its {len(files)} data files themselves were read, "
        "one partition for each payer, month and model version"
    )
    about = {"payer": ctx.settings.account_id}
    found = loose_partitions(ctx, store, files, window, Months("carbon", months_sql, overlap=True))
    return [_edition(item, about) for item in found]


def _edition(item: Partition, expected: dict[str, str | None]) -> Partition:
    """Write a loose file's partition `files/payer@version/month` as the edition of a month that it is."""
    if item.problem is not None or not item.requests:
        return item
    payer, _, version = str(item.requests[0].params["account"]).rpartition("@")
    month = item.requests[0].params["month"]
    requests = tuple(
        replace(request, params={**request.params, "expected": expected}) for request in item.requests
    )
    return replace(item, key=f"files/{payer}/{month}@{version.lower()}", requests=requests)
