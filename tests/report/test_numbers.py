"""How figures are written: one unit per table, few digits, and never zero for what is not."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.report import numbers
from ogf.report.numbers import Unit, unit_for

masses = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("kilograms", "unit", "text"),
    [
        (0.0, "kg", "0"),
        (0.00005, "g", "0.050"),
        (0.31, "kg", "0.310"),
        (87.991, "kg", "87.99"),
        (9999.4, "kg", "9,999"),
        (10_000.0, "t", "10.00"),
        (1_234_567.0, "t", "1,235"),
        (-1_234.5, "kg", "−1,234"),
        (4e18, "t", "4.0 × 10¹⁵"),
        (1e-12, "g", "<0.001"),
    ],
)
def test_a_figure_in_the_unit_of_its_table(kilograms, unit, text):
    found = unit_for([kilograms, None])
    assert found.name == unit
    assert found.reported(kilograms) == text


def test_the_unit_follows_the_largest_and_small_ones_stay_visible():
    unit = unit_for([250_000.0, 3.0, 0.001, -0.001, 0.0])
    assert unit == Unit("t", 1e3, 1)
    assert [unit.reported(value) for value in (250_000.0, 3.0, 0.001, -0.001, 0.0)] == [
        "250.0",
        "<0.1",
        "<0.1",
        ">−0.1",
        "0",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.0, "1,200"),
        (996.0, "1,000"),
        (9.96, "10"),
        (0.0123, "0.012"),
        (-56.7, "−57"),
        (2e-9, "2.0 × 10⁻⁹"),
    ],
)
def test_an_estimate_has_two_digits(value, text):
    assert numbers.two_digits(value) == text


def test_intervals():
    unit = Unit("kg", 1.0)
    assert unit.interval(12.3, 34.6) == "12–35"
    assert unit.interval(-5.0, 3.0) == "−5.0 to 3.0"
    assert unit.interval(None, 3.0) == ""


@given(st.lists(masses | st.none(), max_size=5))
def test_what_is_not_zero_is_never_written_as_zero(kilograms):
    unit = unit_for(kilograms)
    for value in kilograms:
        for text in (unit.reported(value), unit.estimated(value)):
            if value is None:
                assert text == ""
            elif value == 0:
                assert text == "0"
            elif value / unit.kilograms:
                assert re.search(r"[1-9]", text), (value, text)
                assert ("−" in text) == (value < 0)


@given(masses)
def test_a_figure_is_never_long(value):
    assert len(unit_for([value]).reported(value)) <= 18


@given(masses.filter(bool))
def test_two_digits_are_right_to_five_per_cent(value):
    text = numbers.two_digits(value)
    written = re.fullmatch(r"(−?[\d,.]+)(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text)
    exponent = (written[2] or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    back = float(written[1].replace("−", "-").replace(",", "") + "e" + exponent)
    assert math.isinf(back) or back == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.999, ">99 %"), (1.0, "100 %"), (None, "")],
)
def test_all_and_nothing_are_said_of_all_and_nothing_alone(share, text):
    assert numbers.percent(share) == text


def test_what_is_no_number_says_so():
    assert unit_for([math.inf, 5.0]).reported(math.inf) == "not a number"
    assert unit_for([math.nan]).estimated(math.nan) == "not a number"
