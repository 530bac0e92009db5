"""B108: what may be written for each type, value by value, and that nothing else is accepted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ogf.config import (
    Count,
    Duration,
    Flag,
    MonthValue,
    Number,
    OptionalText,
    Positive,
    Share,
    Size,
    Text,
    Texts,
    duration_text,
    size_text,
)
from ogf.config.values import Schedule, parse_duration, parse_size
from ogf.window import Month


def read(kind, value):
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("text", ["true", "1", "yes", "on", "TRUE", "Yes", "oN", True, 1])
def test_b108_flags_that_are_true(text):
    assert read(Flag, text) is True


@pytest.mark.parametrize("text", ["false", "0", "no", "off", "FALSE", "No", "OFF", False, 0])
def test_b108_flags_that_are_false(text):
    assert read(Flag, text) is False


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Flag, value) for value in ["", "y", "t", "2", "enabled", None, "nein"]]
    + [(Count, value) for value in ["", "1.5", "1_000", "0x10", "-1", "1e3", True, 1.5, "٣", None]]
    + [(Number, value) for value in ["", "nan", "inf", "1_0", "1,5", True, math.inf, None]]
    + [(Positive, value) for value in ["0", "-0.1"]]
    + [(Share, value) for value in ["1.01", "-0.01"]]
    + [(Duration, value) for value in ["", "-1s", "-1", "5 m", "1d", "1h30", "s", "1h 30m", "nan", math.nan]]
    + [(Duration, value) for value in [True, None, math.inf, "9" * 400]]
    + [(MonthValue, value) for value in ["", "2026", "2026-13", "2026-01-15", "01/2026", None]]
    + [(Text, value) for value in ["", "  "]]
    + [(Size, value) for value in ["", "640", "640 XB", "-1MB", "0MB", True]]
    + [(Schedule, value) for value in ["", "0", "* * *", "often"]],
)
def test_b108_anything_else_is_an_error(kind, value):
    with pytest.raises(ValidationError):
        read(kind, value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1m0.5s", 60.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("250μs", 0.00025),
        ("1ns", 1e-9),
        ("45", 45),
        ("0.5", 0.5),
        ("0", 0),
        (45, 45),
        (0.25, 0.25),
    ],
)
def test_b108_durations(text, seconds):
    assert read(Duration, text) == seconds


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_durations_round_trip_through_text(seconds):
    assert parse_duration(duration_text(seconds)) == seconds


@given(st.integers(min_value=1, max_value=10**15))
def test_sizes_round_trip_through_text(size):
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(
    ("text", "size"), [("640MB", 640_000_000), ("2 GiB", 2**31), ("1.5gb", 1_500_000_000), (1024, 1024)]
)
def test_sizes(text, size):
    assert read(Size, text) == size


def test_b108_numbers_and_months():
    assert read(Count, "12") == 12
    assert read(Count, " 12 ") == 12
    assert read(Number, "-0.5") == -0.5
    assert read(Share, "0.01") == 0.01
    assert read(MonthValue, "2026-01") == read(MonthValue, "2026-01-01") == Month(2026, 1)
    assert read(MonthValue, Month(2026, 1)) == Month(2026, 1)
    assert TypeAdapter(MonthValue).dump_json(Month(2026, 1)) == b'"2026-01"'


def test_lists_and_optional_texts():
    assert read(Texts, "a, b,,c") == ("a", "b", "c")
    assert read(Texts, ["a", "b"]) == ("a", "b")
    assert read(OptionalText, "") is None
    assert read(OptionalText, " x ") == "x"


def test_schedules_are_intervals_or_cron_lines():
    assert read(Schedule, "90m") == "1h30m"
    assert read(Schedule, "0 */6 * * *") == "0 */6 * * *"


@pytest.mark.parametrize("text", ["1s", "59s", "0", "sometimes", "* * *"])
def test_schedules_of_less_than_a_minute_and_other_texts(text):
    with pytest.raises(ValidationError, match="a minute or more"):
        read(Schedule, text)
