"""Where the stream `focus` comes from: FOCUS exports in S3 or a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf_aws.exports import discovery
from ogf_aws.focus.mapping import months_sql
from ogf_aws.s3 import open_store
from ogf_aws.settings import location_of

if TYPE_CHECKING:
    from ogf.hookspecs import Context, Partition
    from ogf.window import Window

_EXPORT = discovery.Export("focus", ("billedcost",), months_sql)


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List every delivery in the window. Raises as `discovery.partitions`."""
    store = open_store(ctx.settings, location_of(ctx.settings, "focus"))
    return discovery.partitions(ctx, store, window, _EXPORT)
