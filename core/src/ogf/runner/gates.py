"""What an attempt passes before it is made: the stream's own rate and price, below the provider's bucket.

A stream may be slower than its provider (`Stream.rate_limit_per_sec`) and cost money (`Stream.page_price`, in USD).
What its pages cost in a run is counted attempt by attempt, whatever becomes of them, and ends at its `max_cost_usd`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from ogf.errors import ErrorClass, SourceError
from ogf.runner.limiter import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ogf.config import ProviderSettings
    from ogf.hookspecs import Stream
    from ogf.runner.clock import Cancel, Clock
    from ogf.runner.plan import Planned


class Limiter(Protocol):
    """Who lets an attempt pass; a `TokenBucket` is one."""

    def acquire(self, n: int = 1, *, cancel: Cancel) -> float: ...

    def pause(self, seconds: float) -> None: ...


class Purse:
    """What one account's stream may spend in a run, in USD. May be shared between threads.

    Args:
        limit: None is no limit.
        setting: what raises it, for the message.
    """

    def __init__(self, price: Decimal, limit: Decimal | None, *, setting: str) -> None:
        self.price = price
        self.limit = limit
        self.setting = setting
        self.pages = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> Decimal:
        return self.price * self.pages

    def spend(self) -> None:
        """Pay for one page.

        Raises:
            SourceError: `bad_request`; too little is left, and nothing is taken.
        """
        with self._lock:
            if self.limit is None or self.spent + self.price <= self.limit:
                self.pages += 1
                return
        raise SourceError(
            f"{_usd(self.spent)} are spent on {_requests(self.pages)}, and no more than {_usd(self.limit)} may be",
            error_class=ErrorClass.BAD_REQUEST,
            hint=f"raise {self.setting}, or ask for fewer months with --since",
        )


@dataclass
class _Gate:
    """The way to one stream of one account."""

    provider: TokenBucket
    own: TokenBucket | None
    purse: Purse | None

    def acquire(self, n: int = 1, *, cancel: Cancel) -> float:
        waited = self.own.acquire(n, cancel=cancel) if self.own is not None else 0.0
        waited += self.provider.acquire(n, cancel=cancel)
        if self.purse is not None:
            self.purse.spend()
        return waited

    def pause(self, seconds: float) -> None:
        (self.own or self.provider).pause(seconds)


@dataclass
class Gates:
    """The gates of one run. Streams that say nothing of their own pass the provider's bucket alone.

    Attributes:
        provider: the bucket that every remote call of the provider passes.
        accounts: settings by account.
        on_wait: told the seconds of every wait for a stream's own rate; the provider's bucket has its own listener.
    """

    provider: TokenBucket
    clock: Clock
    name: str
    accounts: Mapping[str, ProviderSettings]
    on_wait: Callable[[float], None] | None = None
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)
    _purses: dict[tuple[str, str], Purse] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, account: str, stream: Stream, *, pages: bool) -> Limiter:
        """Give the gate of a stream's pages, or of what lists and checks it: that asks other services."""
        if not pages:
            return self.provider
        purse, own = self.purse(account, stream), self._bucket(stream)
        return self.provider if own is None and purse is None else _Gate(self.provider, own, purse)

    def purse(self, account: str, stream: Stream) -> Purse | None:
        """Give an account's purse for a stream; None for one that costs nothing."""
        if not stream.page_price:
            return None
        with self._lock:
            return self._purses.setdefault((account, stream.name), self._new_purse(account, stream))

    def before(self, todo: Iterable[Planned], streams: Iterable[Stream]) -> list[str]:
        """Say what loading these will cost: at least one page for each request."""
        chains: dict[tuple[str, str], int] = {}
        for item in todo:
            whose = (item.account, item.partition.stream)
            chains[whose] = chains.get(whose, 0) + len(item.partition.requests)
        told = []
        for stream in streams:
            for (account, name), count in chains.items():
                purse = self.purse(account, stream) if name == stream.name else None
                if purse is not None:
                    cap = (
                        ""
                        if purse.limit is None
                        else f", never more than {_usd(purse.limit)} ({purse.setting})"
                    )
                    told.append(
                        f"{_named(name, account)}: at least {_requests(count)}, {_usd(purse.price * count)}{cap}"
                    )
        return told

    def after(self) -> list[str]:
        """Say what was spent."""
        return [
            f"{_named(stream, account)}: {_requests(purse.pages)}, {_usd(purse.spent)}"
            for (account, stream), purse in self._purses.items()
            if purse.pages
        ]

    def _bucket(self, stream: Stream) -> TokenBucket | None:
        rate = stream.rate_limit_per_sec
        if rate is None:
            return None
        with self._lock:
            return self._buckets.setdefault(
                stream.name, TokenBucket(1, rate, self.clock, on_wait=self.on_wait)
            )

    def _new_purse(self, account: str, stream: Stream) -> Purse:
        settings = self.accounts[account]
        limit = getattr(getattr(settings, stream.name, None), "max_cost_usd", None)
        setting = settings.name_of(f"{stream.name}.max_cost_usd", provider=self.name)
        return Purse(stream.page_price, None if limit is None else Decimal(str(limit)), setting=setting)


def _named(stream: str, account: str) -> str:
    return f"{stream} of {account}" if account else stream


def _usd(amount: Decimal) -> str:
    """Cents at least, and whatever is finer than a cent."""
    cents = amount.quantize(Decimal("0.01"))
    return f"${cents if cents == amount else amount.normalize():f}"


def _requests(count: int) -> str:
    return f"{count} request{'s' * (count != 1)}"
