"""Types for settings: what may be written for a flag, a number, a duration, a month, a size.

Each accepts text (environment, YAML) as well as the value itself (command line, tests), and raises
ValueError with what is allowed. None ever falls back to a default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator, PlainSerializer, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from ogf.window import Month

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_UNITS = {
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("1e-3"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ns": Decimal("1e-9"),
}
_BYTES = {f"{prefix}B": 1000**power for power, prefix in enumerate(("", "K", "M", "G", "T"))} | {
    f"{prefix}iB": 1024**power for power, prefix in enumerate(("K", "M", "G", "T"), start=1)
}
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|h|m|s)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)", re.ASCII | re.IGNORECASE)
_SHORTEST_INTERVAL = 60  # seconds: the clouds' figures change by the hour at most
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,?#-]+", re.ASCII)


def parse_flag(value: object) -> bool:
    text = str(value).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("write true, 1, yes or on, or else false, 0, no or off")


def parse_whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise ValueError("it must be a whole number")


def parse_decimal(value: object) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError("it must be a decimal number")


def parse_duration(value: object) -> float:
    """Read `500ms`, `30s`, `5m`, `1h30m` or a bare number of seconds; gives seconds."""
    if isinstance(value, bool):
        raise _not_a_duration()
    text = (_digits(value) if isinstance(value, int | float) else str(value)).strip().replace("μ", "µ")
    if _DECIMAL.fullmatch(text):
        seconds = float(text)
    elif text and not _SPAN.sub("", text):
        seconds = float(sum(Decimal(number) * _UNITS[unit] for number, unit in _SPAN.findall(text)))
    else:
        raise _not_a_duration()
    if seconds < 0 or not math.isfinite(seconds):
        raise _not_a_duration()
    return seconds


def duration_text(seconds: float) -> str:
    """Write seconds the way `parse_duration` reads them back, exactly: `1h30m`, `2.5s`."""
    if seconds == 0 or not float(seconds).is_integer():
        return f"{_digits(seconds)}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(
        f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if number
    )


def parse_month(value: object) -> Month:
    return value if isinstance(value, Month) else Month.parse(str(value))


def parse_size(value: object) -> int:
    """Read `640MB` or `2GiB`; gives bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(str(value).strip())
    scale = match and next((size for unit, size in _BYTES.items() if unit.lower() == match[2].lower()), None)
    if match is None or scale is None:
        raise ValueError("it must be a size with its unit, such as 640MB or 2GiB")
    return int(Decimal(match[1]) * scale)


def size_text(size: int) -> str:
    """Write bytes in the largest unit that divides them: `640MB`."""
    unit = max((unit for unit in _BYTES if size % _BYTES[unit] == 0), key=_BYTES.__getitem__, default="B")
    return f"{size // _BYTES[unit]}{unit}" if size else "0B"


def parse_schedule(value: object) -> str:
    """Read an interval such as `6h`, or a cron line of five fields."""
    text = str(value).strip()
    fields = text.split()
    if len(fields) == 5 and all(map(_CRON_FIELD.fullmatch, fields)):
        return " ".join(fields)
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0
    if seconds < _SHORTEST_INTERVAL:
        raise ValueError(
            "it must be an interval of a minute or more, such as 6h, or a cron line of five fields such as 0 */6 * * *"
        )
    return duration_text(seconds)


def blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def parse_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(item for part in value.split(",") if (item := part.strip()))


def wrong(problems: Mapping[str, str]) -> PydanticCustomError:
    """Make the error of a model validator that finds several settings at odds: field path → what is wrong.

    Each becomes a line of its own, located where that setting was (or would be) written::

        raise wrong({"tenant_id": "it is needed with a client secret"})
    """
    text = "; ".join(f"{path}: {problem}" for path, problem in problems.items())
    return PydanticCustomError("settings_at_odds", "{text}", {"text": text, "problems": dict(problems)})


def _not_a_duration() -> ValueError:
    return ValueError("it must be a duration such as 500ms, 30s, 5m or 1h30m, or a number of seconds")


def _digits(number: float) -> str:
    """Write a number without an exponent, exactly."""
    return format(Decimal(repr(number)), "f") if math.isfinite(number) else "nan"


Flag = Annotated[bool, BeforeValidator(parse_flag)]
Whole = Annotated[int, BeforeValidator(parse_whole)]
Count = Annotated[Whole, Ge(0)]
PositiveCount = Annotated[Whole, Ge(1)]
Number = Annotated[float, BeforeValidator(parse_decimal)]
Positive = Annotated[Number, Gt(0)]
Share = Annotated[Number, Ge(0), Le(1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
OptionalText = Annotated[Text | None, BeforeValidator(blank_is_none)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(parse_list)]
Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(duration_text, return_type=str, when_used="json")
]
MonthValue = Annotated[
    Month,
    PlainValidator(parse_month, json_schema_input_type=str),
    PlainSerializer(str, return_type=str, when_used="json"),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Gt(0),
    PlainSerializer(size_text, return_type=str, when_used="json"),
]
Schedule = Annotated[str, BeforeValidator(parse_schedule)]
