"""The second grouping of a Cost Explorer query: a dimension, `TAG:key` or `COST_CATEGORY:name`.

The first is always USAGE_TYPE: without it, quantities of different units would be added up.
"""

from __future__ import annotations

# Dimension → the column of activities that it fills.
COLUMNS = {
    "SERVICE": "service",
    "LINKED_ACCOUNT": "account_id",
    "REGION": "region",
    "OPERATION": "operation",
    "INSTANCE_TYPE": "instance_type",
    "RECORD_TYPE": "record_type",
}
_NAMED = ("TAG", "COST_CATEGORY")


def checked(text: str) -> str:
    """Write a grouping as Cost Explorer does. Raises ValueError with what is allowed."""
    kind, colon, name = text.strip().partition(":")
    kind, name = kind.strip().upper(), name.strip()
    if colon and kind in _NAMED and name:
        return f"{kind}:{name}"
    if not colon and kind in COLUMNS:
        return kind
    raise ValueError(f"it must be one of {', '.join(COLUMNS)}, TAG:key or COST_CATEGORY:name")


def definition(grouping: str) -> dict[str, str]:
    """Give what GroupBy takes for a checked grouping."""
    kind, colon, name = grouping.partition(":")
    return {"Type": kind, "Key": name} if colon else {"Type": "DIMENSION", "Key": kind}
