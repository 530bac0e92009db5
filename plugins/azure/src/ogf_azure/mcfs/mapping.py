"""From a page of enrolment emissions to the one SQL statement that maps them to activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.files.pages import source
from ogf.files.statement import filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ogf_azure.pages import JsonPage

_EMISSION = (
    "dateKey", "enrollmentId", "subscriptionId", "subscriptionName", "azureServiceName", "subService",
    "azureRegionName", "scope", "scopeId", "totalEmissions",
)  # fmt: skip


def activities_sql(page: JsonPage, _params: Mapping[str, Any]) -> str:
    """Write the SELECT that maps a page's emissions."""
    fields = ", ".join(f'"{name}" VARCHAR' for name in _EMISSION)
    return filled(
        "ogf_azure.mcfs", source=source(page, {"value": f"STRUCT({fields})[]"}), uri=literal(page.uri)
    )
