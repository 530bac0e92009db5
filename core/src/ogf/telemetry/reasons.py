"""Why rows are in quarantine, as a label: a handful of words for texts that may quote the row."""

from __future__ import annotations

import re

# The first that is found in the text counts.
REASONS = (
    ("malformed_line", r"^line \d+: "),
    ("duplicate_id", r"have this activity_id$"),
    ("elsewhere", r"\banother (month|payer|provider|model version)\b"),
    ("not_a_date", r"\bnot a date\b"),
    ("not_a_number", r"\bnot a (finite )?number\b|\bnot finite\b"),
    ("missing", r"\b(is|are) missing\b|\bhas a figure\b|\bthere is no\b"),
    ("unreadable", r"\bJSON\b|\bno lists\b|\bnot as many values\b|\bhas not two keys\b"),
    ("implausible", r"\bends before it starts\b|\bdo not add up\b|\bis not known\b|\bis none of\b"),
)
OTHER = "other"
REASON_LABELS = (*(label for label, _ in REASONS), OTHER)

_PATTERNS = tuple((label, re.compile(pattern)) for label, pattern in REASONS)


def label_of(reason: str) -> str:
    """The label of a reason; `other` for one that a plugin words in its own way."""
    return next((label for label, pattern in _PATTERNS if pattern.search(reason)), OTHER)
