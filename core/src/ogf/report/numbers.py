"""How figures are written for people: one unit per table, no more digits than they deserve.

Reported figures get four digits of the table's largest one; estimates two, with their interval; ratios two. What is
not zero is never written as zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TOO_LONG = 1e12  # beyond this, powers of ten


@dataclass(frozen=True)
class Unit:
    """A unit of mass and how many decimals a reported figure has in it."""

    name: str
    kilograms: float
    decimals: int = 0

    def reported(self, kilograms: float | None) -> str:
        """A reported figure; empty for none."""
        if kilograms is None:
            return ""
        return fixed(kilograms / self.kilograms, self.decimals)

    def said(self, value: float) -> str:
        """A reported figure that is in this unit already."""
        return fixed(value, self.decimals)

    def estimated(self, kilograms: float | None) -> str:
        """An estimate, with two digits; empty for none."""
        return "" if kilograms is None else two_digits(kilograms / self.kilograms)

    def interval(self, low: float | None, high: float | None) -> str:
        """Low and high bound of an estimate; empty where there is none."""
        if low is None or high is None:
            return ""
        ends = [self.estimated(low), self.estimated(high)]
        return " to ".join(ends) if any(end.startswith("−") for end in ends) else "–".join(ends)


def unit_for(kilograms: Iterable[float | None]) -> Unit:
    """One unit for all figures of a table: g, kg or t of CO2e, by the largest of them."""
    values = list(kilograms)
    largest = _largest(values)
    if 0 < largest < 0.1:
        name, weight = "g", 1e-3
    elif largest < 10_000:
        name, weight = "kg", 1.0
    else:
        name, weight = "t", 1e3
    return Unit(name, weight, decimals_for(value / weight for value in values if value is not None))


def decimals_for(values: Iterable[float]) -> int:
    """So many, three at most, that the largest of the values has four digits."""
    largest = _largest(values)
    return max(0, min(3, 3 - math.floor(math.log10(largest)))) if largest else 0


def _largest(values: Iterable[float | None]) -> float:
    return max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0.0)


def fixed(value: float, decimals: int) -> str:
    """`1,234.50`; `<0.01` for what would look like zero and is not; powers of ten where it gets long."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) >= _TOO_LONG:
        return _power(value)
    least = 10.0**-decimals
    if 0 < abs(value) < least / 2:
        return f"<{least:.{decimals}f}" if value > 0 else f">−{least:.{decimals}f}"
    if value == 0:
        return "0"
    return f"{value:,.{decimals}f}".replace("-", "−")


def two_digits(value: float) -> str:
    """`1,200`, `12`, `1.2`, `0.0012`: two significant digits."""
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    if abs(value) >= _TOO_LONG or abs(value) < 1e-4:
        return _power(value)
    rounded = float(f"{value:.1e}")
    decimals = max(0, 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}".replace("-", "−")


def ratio(value: float | None) -> str:
    """A ratio with two digits and its sign of multiplication; empty for none."""
    return "" if value is None else f"{two_digits(value)}×"


def percent(share: float | None) -> str:
    """A share as per cent: never 100 % or 0 % unless it is; empty for none."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share * 100:.0f} %"


def money(value: object, currency: str | None) -> str:
    """An amount of money to the whole unit or, if small, the hundredth; empty for none."""
    if value is None:
        return ""
    amount = float(str(value))
    return f"{fixed(amount, 0 if abs(amount) >= 1000 else 2)} {currency or ''}".strip()


def count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−")
