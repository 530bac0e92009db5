"""When AWS publishes its carbon figures, and what to say of a month that is not there yet."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Collection

    from ogf.hookspecs import Context
    from ogf.window import Window

PUBLISHED_BY = 21  # of the following month


def say_if_unpublished(ctx: Context, months: Collection[Month], window: Window) -> None:
    """Say that last month is not there, and whether that is late."""
    today = dt.datetime.now(dt.UTC).date()
    last = Month.of(today).plus(-1)
    if last not in window or last in months:
        return
    if today.day <= PUBLISHED_BY:
        ctx.note(f"{last} is not published yet: AWS does so by the {PUBLISHED_BY}st of this month")
    else:
        ctx.note(
            f"{last} is not there, though AWS publishes by the {PUBLISHED_BY}st of the following month: "
            "look whether the export is healthy, or run again later"
        )
