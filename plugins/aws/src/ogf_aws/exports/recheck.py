"""Which deliveries of earlier months are looked at again, so that a run does not read years of manifests.

The current and the previous month always are. A report that refreshes closed months may touch any other: the manifests
of 13 months are asked for their ETags, one HEAD each. Older months stay as they were read, unless `--since` names them.
It holds for S3 alone, and for runs without a window; what is remembered lies in the context's cache.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.files import ask
from ogf.hookspecs import Partition, Request
from ogf.window import Month
from ogf_aws.exports.payer import wrong_payer

if TYPE_CHECKING:
    from collections.abc import Collection

    from ogf.files import ObjectStore
    from ogf.files.store import Object
    from ogf.hookspecs import Context
    from ogf.window import Window

MONTHS = 13  # the current one included


def folder_of(item: Object) -> str:
    return item.key.rpartition("/")[0] + "/"


class Settled:
    """What earlier runs found in the folders of months, each by its folder.

    Attributes:
        partitions: what was taken from there in this walk.
        taken: whether any folder was, be it with a manifest of another kind of export.
    """

    def __init__(self, ctx: Context, store: ObjectStore, window: Window, stream: str) -> None:
        self.partitions: list[Partition] = []
        self.taken = False
        self._ctx = ctx
        self._store = store
        self._stream = stream
        self._active = store.remote and not any(window)
        now = Month.of(dt.datetime.now(dt.UTC).date())
        self._previous = now.plus(-1)
        self._oldest = now.plus(1 - MONTHS)

    def takes(self, folder: str, month: Month) -> bool:
        """Take a month's delivery from memory, if its manifest is the one that was read; False: look at the folder."""
        if not self._active or month >= self._previous:
            return False
        known = self._ctx.cache.get(self._fact(folder))
        if known is None or (month >= self._oldest and not self._unchanged(known)):
            return False
        self.taken = True
        if "key" in known:
            self.partitions.append(self._partition(known, month))
        return True

    def remember(self, manifest: Object, account: str, partition: Partition) -> None:
        """Keep what a manifest said. The newest months change too often to be worth it."""
        complete = all(request.params["etag"] for request in partition.requests)
        if partition.requests and complete:  # a file that is not there yet may come without a new manifest
            facts = {
                "account": account,
                "key": partition.key,
                "version": partition.version,
                "source": partition.source,
                "requests": [[request.key, dict(request.params)] for request in partition.requests],
            }
            self._keep(manifest, partition.month, facts)

    def remember_foreign(self, manifest: Object, month: Month | None) -> None:
        """Keep that a manifest belongs to another kind of export."""
        self._keep(manifest, month, {})

    def forget(self, keys: Collection[str]) -> None:
        """Remember nothing of these partitions, whatever folder they were found in."""
        ours = self._fact("")
        for fact, known in list(self._ctx.cache.items()):
            if fact.startswith(ours) and known.get("key") in keys:
                del self._ctx.cache[fact]

    def _keep(self, manifest: Object, month: Month | None, facts: dict[str, Any]) -> None:
        if self._active and month is not None and month < self._previous:
            about = {"manifest": manifest.key, "etag": manifest.etag}
            self._ctx.cache[self._fact(folder_of(manifest))] = about | facts

    def _unchanged(self, known: dict[str, Any]) -> bool:
        try:
            head: Object = ask(self._ctx, self._store, self._store.head, known["manifest"])
        except SourceError as error:
            if error.error_class is ErrorClass.NOT_FOUND:
                return False
            raise
        return bool(head.etag == known["etag"])

    def _partition(self, known: dict[str, Any], month: Month) -> Partition:
        return Partition(
            stream=self._stream,
            key=known["key"],
            version=known["version"],
            requests=tuple(Request(key, params) for key, params in known["requests"]),
            month=month,
            source=known["source"],
            problem=wrong_payer(
                self._ctx, known["account"]
            ),  # the configuration may expect another one by now
        )

    def _fact(self, folder: str) -> str:
        return f"{self._stream} delivery in {self._store.uri(folder)}"
