"""What an attempt passes before it is made: the stream's rate and price, below the provider's bucket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.config import ProviderSettings
from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Stream
from ogf.runner.clock import Cancel
from ogf.runner.gates import Gates, Purse
from ogf.runner.limiter import TokenBucket
from ogf.testing.clock import FakeClock

CENT = Decimal("0.01")


def paid(purse: Purse) -> bool:
    try:
        purse.spend()
    except SourceError:
        return False
    return True


@given(
    price=st.decimals("0.0001", 1, places=4),
    limit=st.decimals(0, 5, places=2),
    tries=st.integers(0, 40),
)
def test_never_more_than_the_limit_and_never_less_than_it_allows(price, limit, tries):
    purse = Purse(price, limit, setting="max_cost_usd")
    made = sum(paid(purse) for _ in range(tries))
    assert purse.spent == made * price <= limit
    assert made == min(tries, int(limit / price))


def test_threads_together_spend_no_more_than_one_would():
    purse = Purse(CENT, Decimal("0.5"), setting="max_cost_usd")
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: paid(purse), range(400)))
    assert sum(made) == 50


def test_the_refusal_says_what_was_spent_and_what_raises_the_cap():
    purse = Purse(CENT, Decimal("0.01"), setting="ingestion.x.max_cost_usd")
    purse.spend()
    with pytest.raises(
        SourceError, match=r"\$0\.01 are spent on 1 request, and no more than \$0\.01 may be"
    ) as error:
        purse.spend()
    assert "ingestion.x.max_cost_usd" in error.value.hint
    assert error.value.error_class is ErrorClass.BAD_REQUEST


class TestGate:
    slow = Stream("slow", rate_limit_per_sec=0.5)
    plain = Stream("plain")

    @pytest.fixture
    def clock(self):
        return FakeClock()

    @pytest.fixture
    def gates(self, clock):
        return Gates(
            TokenBucket(10, 10, clock), clock, "cloud", {"a": ProviderSettings(), "b": ProviderSettings()}
        )

    def test_a_stream_that_says_nothing_passes_the_providers_bucket_alone(self, gates):
        assert gates.of("a", self.plain, pages=True) is gates.provider

    def test_what_lists_a_slow_stream_is_not_slow(self, gates):
        assert gates.of("a", self.slow, pages=False) is gates.provider

    def test_a_slow_stream_is_slow_for_all_accounts_together_and_takes_the_providers_tokens(
        self, gates, clock
    ):
        for account in ("a", "b", "a"):
            gates.of(account, self.slow, pages=True).acquire(cancel=Cancel())
        assert clock.waits == pytest.approx([2, 2])
        assert gates.provider.available == pytest.approx(9)  # full again before the last one

    def test_a_pause_of_a_slow_stream_leaves_the_others_alone(self, gates, clock):
        gates.of("a", self.slow, pages=True).pause(60)
        assert gates.of("a", self.plain, pages=True).acquire(cancel=Cancel()) == 0
        assert gates.of("b", self.slow, pages=True).acquire(cancel=Cancel()) == pytest.approx(60)
