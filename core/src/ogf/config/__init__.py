"""Configuration: typed settings from flags, environment and YAML, every mistake told at once.

Plugins derive from `ProviderSettings` (and `Section` for stream settings) and use the value types; the
command line and the service call `load`. Nothing heavy is imported here: pydantic and yaml only.
"""

from ogf.config.accounts import Account
from ogf.config.general import Settings
from ogf.config.load import load, peek_enabled
from ogf.config.provider import ProviderSettings
from ogf.config.result import Config, Row
from ogf.config.secret import Secret
from ogf.config.shape import Section, env_name
from ogf.config.values import (
    Count,
    Duration,
    Flag,
    MonthValue,
    Number,
    OptionalText,
    Positive,
    PositiveCount,
    Share,
    Size,
    Text,
    Texts,
    Whole,
    duration_text,
    size_text,
    wrong,
)

__all__ = [
    "Account",
    "Config",
    "Count",
    "Duration",
    "Flag",
    "MonthValue",
    "Number",
    "OptionalText",
    "Positive",
    "PositiveCount",
    "ProviderSettings",
    "Row",
    "Secret",
    "Section",
    "Settings",
    "Share",
    "Size",
    "Text",
    "Texts",
    "Whole",
    "duration_text",
    "env_name",
    "load",
    "peek_enabled",
    "size_text",
    "wrong",
]
