"""Where the stream `cur` comes from: reports and CUR 2.0 exports in S3 or a local folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf_aws.cur.mapping import billing_periods_sql
from ogf_aws.exports import discovery
from ogf_aws.s3 import open_store
from ogf_aws.settings import location_of

if TYPE_CHECKING:
    from ogf.hookspecs import Context, Partition
    from ogf.window import Window

_EXPORT = discovery.Export("cur", ("lineitem", "line_item"), billing_periods_sql)


def partitions(ctx: Context, window: Window) -> list[Partition]:
    """List every delivery in the window. Raises as `discovery.partitions`."""
    store = open_store(ctx.settings, location_of(ctx.settings, "cur"))
    return discovery.partitions(ctx, store, window, _EXPORT)
