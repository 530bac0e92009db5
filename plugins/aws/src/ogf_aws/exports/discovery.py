"""Finding deliveries of reports and exports and making partitions of them: one for each (report, billing period).

The tree is walked folder by folder. A billing period's newest manifest lies directly in its folder, so assemblies
below it are not visited, and months outside the window are not listed at all. What is read comes from the manifest
alone: a listing would also find stale assemblies and emptied surplus parts.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files import ask, walk
from ogf.files.loose import Months, loose_partitions
from ogf.files.store import Listing, Object
from ogf.hookspecs import Partition, Problem, Request
from ogf.window import Window
from ogf_aws.exports.manifests import (
    DATA_NAME,
    MANIFEST_NAME,
    MODEL_VERSION,
    Manifest,
    is_foreign,
    parse,
    period_of,
)
from ogf_aws.exports.payer import wrong_payer
from ogf_aws.exports.places import etags_of, files_of
from ogf_aws.exports.recheck import Settled, folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ogf.files import ObjectStore, Table
    from ogf.hookspecs import Context
    from ogf.window import Month

_DEEPEST = 8
_STATUS_FOLDER = "cost_and_usage_data_status/"


class Export(NamedTuple):
    """What tells a stream's deliveries from others, and how its loose files are divided.

    Attributes:
        columns: how the names of columns begin, in lower case, that no other kind of export has.
        months_sql: as `ogf.files.loose.Months.sql`.
    """

    stream: str
    columns: tuple[str, ...]
    months_sql: Callable[[Table], str]


class _Found(NamedTuple):
    """A manifest object: read, not readable, or (neither) of another kind of export."""

    item: Object
    manifest: Manifest | None
    problem: Problem | None


def partitions(ctx: Context, store: ObjectStore, window: Window, export: Export) -> list[Partition]:
    """List every delivery in the window.

    Raises:
        SourceError: `not_found` where there is neither a manifest nor a data file.
    """
    settled = Settled(ctx, store, window, export.stream)
    tree = _Tree(ctx, store, window, settled)
    manifests = list(tree.manifests())
    if manifests or settled.taken or (tree.left_out and not (tree.data_files and not store.remote)):
        made = _deliveries(ctx, store, manifests, window, export, settled)
        rivals_of = {item.key for item in made} & {item.key for item in settled.partitions}
        if not rivals_of:
            return sorted([*made, *settled.partitions], key=lambda partition: partition.key)
        # A second manifest of a remembered month: which of the two counts, only both together tell.
        settled.forget(rivals_of)
        everything = list(_Tree(ctx, store, window).manifests())
        return _deliveries(ctx, store, everything, window, export)
    if tree.data_files and not store.remote:
        ctx.note(
            f"there is no manifest in {store.root}: its {len(tree.data_files)} data files themselves were read, "
            "one partition for each payer and billing period"
        )
        months = Months(export.stream, export.months_sql, problem=lambda payer: wrong_payer(ctx, payer))
        return loose_partitions(ctx, store, tree.data_files, window, months)
    raise SourceError(
        "there is no manifest here" + (" and no data file" if not tree.data_files else ", only data files"),
        error_class=ErrorClass.NOT_FOUND,
        where=store.root,
        hint="check bucket, prefix or location: it should be the folder that holds the report's own folder",
    )


def first_manifest(ctx: Context, store: ObjectStore) -> str | None:
    """The key of some manifest, for `ogf doctor`."""
    return next((item.key for item in _Tree(ctx, store, Window()).manifests()), None)


def read_manifest(ctx: Context, store: ObjectStore, key: str) -> Manifest:
    return parse(ask(ctx, store, store.read, key), key, uri=store.uri(key))


def still_current(ctx: Context, store: ObjectStore, partition: Partition) -> bool:
    """Whether the manifest that a partition was planned from is still the one in place."""
    for request in partition.requests[:1]:
        if "manifest" in request.params:
            head: Object = ask(ctx, store, store.head, request.params["manifest"])
            return head.etag == str(request.params["manifest_etag"])
    return True


class _Tree:
    """One walk over a store. Afterwards `data_files` holds what lay about, `left_out` whether months were skipped."""

    def __init__(
        self, ctx: Context, store: ObjectStore, window: Window, settled: Settled | None = None
    ) -> None:
        self._ctx = ctx
        self._store = store
        self._window = window
        self._settled = settled
        self.data_files: list[Object] = []
        self.left_out = False

    def manifests(self) -> Iterator[Object]:
        folders = deque([""])
        while folders:
            folder = folders.popleft()
            listing = walk(self._ctx, self._store, folder)
            here = [item for item in listing.objects if MANIFEST_NAME.search(item.key)]
            yield from here
            self.data_files += [item for item in listing.objects if DATA_NAME.search(item.key)]
            if not (here and period_of(folder)):  # below a period's manifest lie only assemblies
                folders.extend(self._worth_visiting(listing))

    def _worth_visiting(self, listing: Listing) -> Iterator[str]:
        names = {folder.rstrip("/").rsplit("/", 1)[-1].casefold() for folder in listing.folders}
        for folder in listing.folders:
            month = period_of(folder)
            if month is not None and month not in self._window:
                self.left_out = True
            elif self._needs_no_visit(folder) or (month is not None and self._remembered(folder, month)):
                continue
            elif folder.endswith("/data/") or folder == "data/":
                if (
                    "metadata" not in names
                ):  # a Data Export's `data/` is read through the manifests in `metadata/`
                    yield folder
            else:
                yield folder

    def _remembered(self, folder: str, month: Month) -> bool:
        return self._settled is not None and self._settled.takes(folder, month)

    @staticmethod
    def _needs_no_visit(folder: str) -> bool:
        too_deep = folder.count("/") > _DEEPEST
        return too_deep or folder.endswith(_STATUS_FOLDER) or MODEL_VERSION.search(folder) is not None


def _deliveries(
    ctx: Context,
    store: ObjectStore,
    items: Sequence[Object],
    window: Window,
    export: Export,
    settled: Settled | None = None,
) -> list[Partition]:
    found = [_read(ctx, store, item, export) for item in items]
    beside = Counter(folder_of(item) for item in items)
    alone = {item.key for item in items if beside[folder_of(item)] == 1}
    if settled is not None:
        for item, manifest, problem in found:
            if manifest is None and problem is None and item.key in alone:
                settled.remember_foreign(item, period_of(item.key))
    broken = [
        Partition(
            stream=export.stream,
            key=f"manifest/{item.key}",
            version=item.etag,
            requests=(),
            month=period_of(item.key),
            source=store.uri(item.key),
            problem=problem,
        )
        for item, _, problem in found
        if problem is not None
    ]
    good = [
        (item, manifest) for item, manifest, _ in found if manifest is not None and manifest.month in window
    ]
    made = []
    for _, rivals in itertools.groupby(
        sorted(good, key=lambda pair: _identity(pair[1])), key=lambda pair: _identity(pair[1])
    ):
        newest, *others = sorted(rivals, key=_rank, reverse=True)
        for item, _ in others:
            ctx.log.info("older or second manifest ignored", manifest=store.uri(item.key))
        partition = _partition(ctx, store, *newest, stream=export.stream)
        made.append(partition)
        if settled is not None and not others and newest[0].key in alone:
            settled.remember(newest[0], newest[1].account, partition)
    return sorted([*broken, *made], key=lambda partition: partition.key)


def _identity(manifest: Manifest) -> tuple[str, str, str, Month]:
    return manifest.bucket, manifest.account, manifest.report, manifest.month


def _rank(pair: tuple[Object, Manifest]) -> tuple[bool, int, float]:
    """Which of several manifests counts: the one above its copies is the newest, whatever a download's time says."""
    item, manifest = pair
    return manifest.parquet, -item.key.count("/"), item.modified


def _read(ctx: Context, store: ObjectStore, item: Object, export: Export) -> _Found:
    try:
        text: bytes = ask(ctx, store, store.read, item.key)
        if is_foreign(text, export.columns):
            ctx.log.info("manifest of another export ignored", manifest=store.uri(item.key))
            return _Found(item, None, None)
        return _Found(item, parse(text, item.key, uri=store.uri(item.key)), None)
    except SourceError as error:
        if error.error_class not in (ErrorClass.BAD_REQUEST, ErrorClass.NOT_FOUND):
            raise
        return _Found(item, None, Problem(error.error_class, error.message, error.hint))


def _partition(
    ctx: Context, store: ObjectStore, item: Object, manifest: Manifest, *, stream: str
) -> Partition:
    files = files_of(ctx, store, manifest)
    ctx.log.info(
        "s3 manifest parsed",
        files=len(files),
        total_size_mb=round(sum(file.size for file in files) / 1e6, 1),
        assembly_id=manifest.version,
    )
    parts = (manifest.bucket, manifest.account, manifest.report, str(manifest.month))
    about = {"stream": stream, "manifest": item.key, "manifest_etag": item.etag}
    return Partition(
        stream=stream,
        key="/".join(part for part in parts if part),
        version=f"{manifest.version}:{etags_of(files)}",
        requests=tuple(Request(file.key, {"key": file.key, "etag": file.etag, **about}) for file in files),
        month=manifest.month,
        source=store.uri(item.key),
        problem=wrong_payer(ctx, manifest.account),
        local=not store.remote,
    )
