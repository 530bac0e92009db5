"""Chains of pages: what a plugin's `paginate` needs to name the next request, and the guard over a chain.

Light and without state of a run: a chain goes on from any of its requests, on any machine.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ogf.hookspecs import Request

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 10_000


def clamp_page_size(size: int, *, largest: int = LARGEST_PAGE_SIZE) -> int:
    """Bring a page size into the range a service takes: 100 for none, at most `largest`."""
    return min(size if size > 0 else DEFAULT_PAGE_SIZE, largest)


@dataclass(frozen=True)
class CursorPages:
    """Pages chained by a cursor, token or next link, kept in `params[field]`; the first request has none."""

    field: str = "cursor"

    def next(self, request: Request, cursor: str | None, *, more: bool | None = None) -> Request | None:
        """Name the request that follows, or None. An empty page does not end a chain, only its cursor does.

        Args:
            request: the one just answered.
            cursor: what the page names as next; empty or None at the end.
            more: the source's own "is truncated" flag, if it has one; None if it is not known.
        """
        if more is False:
            return None
        if cursor:
            return _with(request, self.field, cursor)
        if more:
            raise SourceError(
                f"a page of {request.key} says that more follow but names no `{self.field}`",
                error_class=ErrorClass.UNKNOWN,
                hint="run again; if it stays, the service has changed: report it to the plugin's author",
            )
        return None


@dataclass(frozen=True)
class OffsetPages:
    """Pages of `page_size` items by offset, kept in `params[field]`; the first request starts at 0."""

    page_size: int = DEFAULT_PAGE_SIZE
    field: str = "offset"
    largest: int = LARGEST_PAGE_SIZE

    def __post_init__(self) -> None:
        object.__setattr__(self, "page_size", clamp_page_size(self.page_size, largest=self.largest))

    def next_offset(self, offset: int = 0, *, pages: int = 1) -> int:
        return offset + pages * self.page_size

    def next(self, request: Request, items: int, *, more: bool | None = None) -> Request | None:
        """Name the request that follows, or None after a short page or one the source calls the last.

        Args:
            request: the one just answered.
            items: how many items the page held.
            more: whether the source says that more follow; None if it does not say.
        """
        if items < self.page_size if more is None else not more:
            return None
        return _with(request, self.field, self.next_offset(int(request.params.get(self.field, 0))))


class ChainGuard:
    """Keeps one request chain from running on for ever, and counts its progress. For the runner.

    Args:
        max_pages: 0 is no limit.
        where: provider, stream and partition, for the error.
        pages: pages (and `items`) that an earlier attempt finished.
    """

    def __init__(
        self, *, provider: str, max_pages: int, where: str = "", pages: int = 0, items: int = 0
    ) -> None:
        self.pages = pages
        self.items = items
        self.has_more = True
        self._provider = provider
        self._max_pages = max_pages
        self._where = where
        self._seen: set[bytes] = set()

    def admit(self, params: Mapping[str, Any]) -> None:
        """Let a request pass, or raise: before each fetch."""
        if 0 < self._max_pages <= self.pages:
            self._refuse(
                f"the page cap of {self._max_pages} is reached and more pages follow; nothing is published",
                error_class=ErrorClass.BAD_REQUEST,
                hint=f"raise `max_pages` (OFFGRIDFLOW_{self._provider.upper().replace('-', '_')}_MAX_PAGES), "
                "or set it to 0 for no limit",
            )
        digest = _digest(params)
        if digest in self._seen:
            self._refuse(
                f"after {self.pages} pages the source names a request that was already made",
                error_class=ErrorClass.UNKNOWN,
                hint="run again; if it stays, the service or the plugin's `paginate` is at fault: report it",
            )
        self._seen.add(digest)

    def page_done(self, items: int, *, has_more: bool) -> None:
        """Count a page: after each `paginate`."""
        self.pages += 1
        self.items += items
        self.has_more = has_more

    def __str__(self) -> str:
        return f"pages={self.pages} items={self.items} hasMore={str(self.has_more).lower()}"

    def _refuse(self, message: str, *, error_class: ErrorClass, hint: str) -> None:
        self.has_more = False
        raise SourceError(message, error_class=error_class, where=self._where, hint=hint)


def _with(request: Request, field: str, value: str | int) -> Request:
    return replace(request, params={**request.params, field: value})


def _digest(params: Mapping[str, Any]) -> bytes:
    # A digest: cursors can be kilobytes long, and a chain has many.
    text = json.dumps(dict(params), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
