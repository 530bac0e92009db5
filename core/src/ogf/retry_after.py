"""How long an HTTP answer asks to wait: its `Retry-After` (RFC 9110, 10.2.3), a number of seconds or a date."""

from __future__ import annotations

import datetime as dt
import email.utils
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def number(text: str) -> float | None:
    """Read a count of seconds, or of whatever unit a cloud's own header has; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def moment(date: str) -> dt.datetime | None:
    """Read an HTTP date; None for anything else."""
    try:
        found = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found  # "-0000": UTC, says RFC 5322


def seconds(text: str, *, now: Callable[[], dt.datetime] = utc_now) -> float | None:
    """Seconds to wait, 0 for a date that has passed; None for what is neither a number nor a date."""
    wait = number(text)
    if wait is None and (date := moment(text)) is not None:
        return max(0.0, (date - now()).total_seconds())
    return wait
