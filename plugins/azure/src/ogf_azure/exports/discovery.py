"""Finding the runs of exports and making partitions of them: one for each (scope, type, month).

Manifests are found by their names, wherever they lie: the folders above them differ between versions of the
service. Every run writes its month anew, so only the newest of a month counts. Files that no manifest names are
read only where there is no manifest at all: beside manifests they may be a run that is not finished.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files import ask, walk
from ogf.files.loose import DATA_NAME, Months, data_files, loose_partitions
from ogf.hookspecs import Partition, Problem, Request
from ogf_azure.blob import open_store
from ogf_azure.exports.manifests import NAMES, Manifest, kind_of, load, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ogf.files import ObjectStore
    from ogf.files.store import Object
    from ogf.files.table import Table
    from ogf.hookspecs import Context
    from ogf.window import Month, Window

# The types of export that a stream reads. "" is an older manifest, which does not say.
_KINDS = {"focus": ("focuscost",), "actual_cost": ("actualcost", "amortizedcost", "usage", "")}
_WANTED = {"focus": "FocusCost", "actual_cost": "ActualCost, AmortizedCost or Usage"}


class _Tree(NamedTuple):
    manifests: list[Object]
    data: list[Object]


class _Run(NamedTuple):
    item: Object
    manifest: Manifest

    @property
    def rank(self) -> tuple[str, str, float]:
        return self.manifest.submitted, self.manifest.run, self.item.modified


def partitions(ctx: Context, stream: str, window: Window) -> list[Partition]:
    """List what the exports at a stream's location hold of a window.

    Raises:
        SourceError: `not_found` where there is nothing to read, `bad_request` where the runs of several types of
            cost lie together: their sum would count everything twice.
    """
    store = open_store(ctx.settings, getattr(ctx.settings, stream).location)
    tree = _walk(ctx, store)
    if not tree.manifests:
        return _loose(ctx, store, stream, window)
    runs, broken, foreign = _read(ctx, store, stream, tree.manifests)
    if not runs and not broken:
        raise SourceError(
            f"no manifest here is of the type {_WANTED[stream]}, only of {', '.join(sorted(foreign))}",
            error_class=ErrorClass.NOT_FOUND,
            where=store.root,
            hint=f"check ingestion.azure.{stream}.location: it should hold an export of that type",
        )
    _refuse_twofold(store, runs)
    places = {item.key: item for item in tree.data}
    rivals: defaultdict[tuple[str, str, Month], list[_Run]] = defaultdict(list)
    for run in runs:
        if run.manifest.month in window:
            rivals[run.manifest.scope, run.manifest.kind.lower(), run.manifest.month].append(run)
    made = [_newest(ctx, store, stream, several, places) for several in rivals.values()]
    if len(tree.manifests) == len(runs):  # all are of this stream: whatever they do not name is nobody's
        _say_if_unnamed(ctx, store, runs, places)
    return sorted([*broken, *made], key=lambda partition: partition.key)


def _say_if_unnamed(ctx: Context, store: ObjectStore, runs: list[_Run], places: dict[str, Object]) -> None:
    named = {
        item.key
        for run in runs
        for blob in run.manifest.blobs
        if (item := _place(run.item.key, blob.name, places)) is not None
    }
    left = sorted(key for key in places if key not in named and DATA_NAME.search(key))
    if left:
        ctx.note(
            f"{len(left)} data files in {store.root} belong to no manifest and were not read, such as {left[0]}"
        )


def first_manifest(ctx: Context, store: ObjectStore) -> str | None:
    """The key of some manifest, for `ogf doctor`."""
    return next((item.key for item in _walk(ctx, store).manifests), None)


def _walk(ctx: Context, store: ObjectStore) -> _Tree:
    tree, folders = _Tree([], []), [""]
    while folders:
        listing = walk(ctx, store, folders.pop())
        for item in listing.objects:
            if item.key.rsplit("/", 1)[-1].lower() in NAMES:
                tree.manifests.append(item)
            else:
                tree.data.append(item)
        folders.extend(listing.folders)
    return tree


def _loose(ctx: Context, store: ObjectStore, stream: str, window: Window) -> list[Partition]:
    data = list(data_files(ctx, store))
    if not data:
        raise SourceError(
            "there is neither a manifest.json nor a data file here",
            error_class=ErrorClass.NOT_FOUND,
            where=store.root,
            hint=f"check ingestion.azure.{stream}.location, and that the export has run",
        )
    ctx.note(
        f"there is no manifest in {store.root}: its {len(data)} data files themselves were read, "
        "one partition for each account and month"
    )
    return loose_partitions(ctx, store, data, window, Months(stream, _months(stream), overlap=True))


def _months(stream: str) -> Callable[[Table], str]:
    if stream == "focus":
        from ogf_azure import focus

        return focus.months_sql
    from ogf_azure.actual_cost import mapping

    return mapping.months_sql


def _read(
    ctx: Context, store: ObjectStore, stream: str, items: Sequence[Object]
) -> tuple[list[_Run], list[Partition], set[str]]:
    """The runs of the stream's types, manifests that cannot be read as partitions, and the other types met."""
    runs, broken, foreign = [], [], set()
    for item in items:
        uri = store.uri(item.key)
        try:
            fields = _fields(ctx, store, item, uri)
            kind = kind_of(fields)
            if kind.lower() not in _KINDS[stream]:
                foreign.add(kind or "an unknown type")
                ctx.log.info("manifest of another export ignored", manifest=uri, type=kind)
                continue
            runs.append(_Run(item, parse(fields, item.key, uri=uri)))
        except SourceError as error:
            if error.error_class not in (ErrorClass.BAD_REQUEST, ErrorClass.NOT_FOUND):
                raise
            broken.append(
                Partition(
                    stream=stream,
                    key=f"manifest/{item.key}",
                    version=item.etag,
                    requests=(),
                    source=uri,
                    problem=Problem(error.error_class, error.message, error.hint),
                    local=not store.remote,
                )
            )
    return runs, broken, foreign


def _fields(ctx: Context, store: ObjectStore, item: Object, uri: str) -> Any:
    """A manifest's JSON, read once for each state of it."""
    fact = f"manifest {uri} at {item.etag}"
    if fact not in ctx.cache:
        ctx.cache[fact] = load(ask(ctx, store, store.read, item.key), uri=uri)
    return ctx.cache[fact]


def _refuse_twofold(store: ObjectStore, runs: Iterable[_Run]) -> None:
    kinds = {run.manifest.kind.lower(): run.manifest for run in runs if run.manifest.kind}
    if len(kinds) > 1:
        named = ", ".join(f"{item.kind} ({item.export or item.key})" for _, item in sorted(kinds.items()))
        raise SourceError(
            f"exports of several types of cost lie together, which counts everything twice: {named}",
            error_class=ErrorClass.BAD_REQUEST,
            where=store.root,
            hint="name the folder of one of them in ingestion.azure.actual_cost.location; "
            "actual cost is what the invoice says",
        )


def _shorter(chosen: Manifest, others: list[_Run]) -> Problem | None:
    """Why the newest run must not replace an older one: that one covers days which it does not."""
    if all(
        not run.manifest.first or not chosen.first or run.manifest.first >= chosen.first for run in others
    ):
        return None
    return Problem(
        ErrorClass.BAD_REQUEST,
        f"the {chosen.title} starts on {chosen.first}; an older run covers more of {chosen.month}",
        "export whole months (MonthToDate, TheLastMonth), or move the other export to a location of its own",
    )


def _newest(
    ctx: Context, store: ObjectStore, stream: str, runs: list[_Run], places: dict[str, Object]
) -> Partition:
    """The partition of the newest of a month's runs."""
    newest, *others = sorted(runs, key=lambda run: run.rank, reverse=True)
    chosen = newest.manifest
    for run in others:
        ctx.log.info("older run ignored", manifest=store.uri(run.item.key))
    exports = sorted({run.manifest.export for run in runs if run.manifest.export})
    if len(exports) > 1:
        ctx.note(
            f"{len(exports)} exports wrote {chosen.month} of {chosen.scope or 'the same scope'} "
            f"({', '.join(exports)}): the newest run, of {chosen.export}, was read"
        )
    parts = (chosen.scope, chosen.kind, str(chosen.month))
    files = [(blob, _place(newest.item.key, blob.name, places)) for blob in chosen.blobs]
    missing = [blob.name for blob, item in files if item is None]
    etags = hashlib.sha256(repr([(item.key, item.etag) for _, item in files if item]).encode())
    problem = _problem(chosen, missing) or _shorter(chosen, others)
    about = {"stream": stream, "manifest": newest.item.key, "total": chosen.rows}
    alone = len(chosen.blobs) == 1
    return Partition(
        stream=stream,
        key="/".join(part for part in parts if part),
        version=f"{chosen.run or chosen.submitted or newest.item.etag}:{etags.hexdigest()[:16]}",
        requests=()
        if problem
        else tuple(
            Request(
                item.key,
                {
                    "key": item.key,
                    "etag": item.etag,
                    "rows": chosen.rows if alone and blob.rows is None else blob.rows,
                    **about,
                },
            )
            for blob, item in files
            if item is not None
        ),
        month=chosen.month,
        source=store.uri(newest.item.key),
        problem=problem,
        local=not store.remote,
    )


def _problem(manifest: Manifest, missing: Sequence[str]) -> Problem | None:
    if manifest.unfinished or missing:
        why = manifest.unfinished or f"{missing[0]} is not there" + (
            f", nor are {len(missing) - 1} others" if missing[1:] else ""
        )
        return Problem(
            ErrorClass.NOT_FOUND,
            f"the {manifest.title} is still in progress, or part of it was deleted: {why}",
            "run again when the export has finished; what was loaded before stays",
        )
    counted = [blob.rows for blob in manifest.blobs if blob.rows is not None]
    if manifest.rows is not None and len(counted) == len(manifest.blobs) and sum(counted) != manifest.rows:
        return Problem(
            ErrorClass.BAD_REQUEST,
            f"the manifest of the {manifest.title} contradicts itself: {manifest.rows:,} rows in all, "
            f"{sum(counted):,} in its blobs",
            "run the export again",
        )
    return None


def _place(manifest: str, name: str, places: dict[str, Object]) -> Object | None:
    """Find a blob in the store, which may be rooted anywhere: beside its manifest, or where its name leads."""
    folder, base = manifest.rpartition("/")[0], name.rpartition("/")[2]
    beside = f"{folder}/{base}" if folder else base
    if beside in places:
        return places[beside]
    steps = name.split("/")
    return next(
        (places[key] for at in range(len(steps) - 1) if (key := "/".join(steps[at:])) in places), None
    )
