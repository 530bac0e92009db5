"""From a page of Cost Explorer to the one SQL statement that maps its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.files.pages import source
from ogf.files.statement import filled
from ogf.files.table import literal
from ogf_aws.cost_explorer.grouping import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ogf.files.pages import JsonPage

# Amounts are texts in the answer and stay so: money has digits that a double has not.
_RESULTS = (
    'STRUCT(TimePeriod STRUCT("Start" VARCHAR, "End" VARCHAR), Estimated BOOLEAN, '
    'Groups STRUCT("Keys" VARCHAR[], Metrics MAP(VARCHAR, STRUCT(Amount VARCHAR, "Unit" VARCHAR)))[])[]'
)
_ATTRIBUTES = 'STRUCT("Value" VARCHAR, Attributes MAP(VARCHAR, VARCHAR))[]'


def activities_sql(page: JsonPage, params: Mapping[str, Any]) -> str:
    """Write the SELECT that maps a page's groups."""
    grouping = params["group_by"]
    _, named, name = grouping.partition(":")
    columns = {
        column: "second" if COLUMNS.get(grouping) == column else "CAST(NULL AS VARCHAR)"
        for column in COLUMNS.values()
    }
    return filled(
        "ogf_aws.cost_explorer",
        source=source(page, {"ResultsByTime": _RESULTS, "DimensionValueAttributes": _ATTRIBUTES}),
        picked=",\n        ".join(f"{value} AS {column}" for column, value in columns.items()),
        # A tag's value comes as `key$value`, an absent one as `key$`.
        tag=f"{{'k': {literal(name)}, 'v': ogf_text(substr(keys[2], {len(name) + 2}))}}"
        if named
        else "CAST(NULL AS STRUCT(k VARCHAR, v VARCHAR))",
        grouping=literal(f"{params['granularity']} {grouping}"),
        account=literal(params["account"]),
        uri=literal(page.uri),
    )
