"""From a page of resource items to the one SQL statement that maps them to activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.files.pages import source
from ogf.files.statement import filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ogf_azure.pages import JsonPage

_ITEM = (
    "itemName", "categoryType", "subscriptionId", "resourceGroup", "resourceId", "resourceType", "location",
    "latestMonthEmissions",
)  # fmt: skip
# Azure's Scope 2 is market-based and nothing else; its Scopes 1 and 3 are the same under both methods.
_ACCOUNTING = {1: "NULL", 2: "'market'", 3: "NULL"}


def activities_sql(page: JsonPage, params: Mapping[str, Any]) -> str:
    """Write the SELECT that maps a page's items. Month and scope are the request's: items name neither."""
    scope = int(params["scope"])
    items = ", ".join(f'"{name}" VARCHAR' for name in _ITEM)
    return filled(
        "ogf_azure.carbon",
        source=source(page, {"value": f"STRUCT({items})[]"}),
        month=literal(f"{params['month']}-01"),
        scope=str(scope),
        accounting=_ACCOUNTING[scope],
        uri=literal(page.uri),
    )
