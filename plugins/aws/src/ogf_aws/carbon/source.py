"""Where the stream `carbon` comes from: one partition for each (export, usage month, model version).

AWS keeps the months of every model version beside each other, in `carbon_model_version=v3.0.0/usage_period=2026-01/`
(its documentation also writes `model_version=`), with or without a manifest in the same folders below `metadata/`.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files import walk
from ogf.files.loose import Months, data_files, loose_partitions
from ogf.files.store import Object
from ogf.hookspecs import Partition, Problem, Request
from ogf.window import Month, Window
from ogf_aws.carbon.mapping import months_sql
from ogf_aws.exports.discovery import read_manifest
from ogf_aws.exports.manifests import DATA_NAME, MANIFEST_NAME, MODEL_VERSION, period_of
from ogf_aws.exports.places import etags_of
from ogf_aws.published import say_if_unpublished
from ogf_aws.s3 import everything_below, open_store
from ogf_aws.settings import location_of

if TYPE_CHECKING:
    from ogf.files import ObjectStore
    from ogf.hookspecs import Context

_INSIDE = re.compile(r"usage_period=[^/]*/(?:(.*)/)?[^/]*$", re.IGNORECASE)
_DEEPEST = 8


@dataclass
class _Month:
    """What lies in the folders of one (export, month, model version), data and manifests."""

    export: str
    month: Month
    version: str
    data: list[Object] = field(default_factory=list)
    manifests: list[Object] = field(default_factory=list)


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
        self._found: dict[tuple[str, Month, str], _Month] = {}
        self.left_out = False

    def months(self) -> list[_Month]:
        """Months of which there is a manifest or a data file, even an empty one."""
        folders = deque([""])
        while folders:
            for folder in walk(self._ctx, self._store, folders.popleft()).folders:
                if MODEL_VERSION.search(folder):
                    self._take(folder)
                elif folder.count("/") <= _DEEPEST:
                    folders.append(folder)
        return list(self._found.values())

    def _take(self, folder: str) -> None:
        """Sort what lies below a model version by months. In S3 that is one listing: there are many months."""
        for item in everything_below(self._ctx, self._store, folder):
            version, month = MODEL_VERSION.search(item.key), period_of(item.key)
            is_manifest = MANIFEST_NAME.search(item.key)
            if version is None or month is None or not (is_manifest or DATA_NAME.search(item.key)):
                continue
            if month not in self._window:
                self.left_out = True
                continue
            export = _above(item.key[: version.start()])
            name = version[1].lower()
            here = self._found.setdefault((export, month, name), _Month(export, month, name))
            (here.manifests if is_manifest else here.data).append(item)


def _partition(ctx: Context, store: ObjectStore, item: _Month) -> Partition:
    """The partition of a month: what its newest manifest names or, without one, what lies there."""
    place = store.uri(item.export).partition("://")[2].strip("/") if store.remote else item.export
    key = f"{_above(place) or 'carbon'}/{item.month}@{item.version}"
    manifests, data = _delivery(item.manifests), _delivery(item.data)
    source = store.uri(manifests[0].key if manifests else data[0].key.rpartition("/")[0] + "/")
    about: dict[str, object] = {
        "stream": "carbon",
        "expected": {"month": str(item.month), "version": item.version, "payer": ctx.settings.account_id},
    }
    try:
        if manifests:
            execution, names = _contents(ctx, store, manifests[0])
            files = [_named(name, item) for name in names]
            version = f"{execution}:{etags_of(files)}"
            about |= {"manifest": manifests[0].key, "manifest_etag": manifests[0].etag}
        else:
            files = sorted(data, key=lambda found: found.key)
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
    if not any(file.size for file in files):
        ctx.note(
            f"{source}: what it holds of {item.month} has 0 bytes: a month without emissions, if that is true"
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


def _delivery(items: list[Object]) -> list[Object]:
    """What lies in a month's folder itself or, if nothing does, in the newest of its `<time>-<execution>` folders."""
    folders: defaultdict[str, list[Object]] = defaultdict(list)
    for item in items:
        inside = _INSIDE.search(item.key)
        folders[(inside and inside[1]) or ""].append(item)
    return folders.get("") or folders.get(max(folders, default=""), [])


def _contents(ctx: Context, store: ObjectStore, manifest: Object) -> tuple[str, list[str]]:
    """Execution and files of a manifest, which is read once for each state of it."""
    fact = f"manifest {store.uri(manifest.key)} at {manifest.etag}"
    if fact not in ctx.cache:
        read = read_manifest(ctx, store, manifest.key)
        ctx.cache[fact] = [read.version, list(read.files)]
    execution, names = ctx.cache[fact]
    return str(execution), list(names)


def _named(name: str, month: _Month) -> Object:
    """Find a manifest's file among a month's. One that is not there has no ETag: reading it says it is missing."""
    steps = name.split("/")
    for tail in ("/".join(steps[-2:]), steps[-1]):
        for item in month.data:
            if item.key.endswith(f"/{tail}"):
                return item
    return Object(name, "", 0, 0.0)


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
