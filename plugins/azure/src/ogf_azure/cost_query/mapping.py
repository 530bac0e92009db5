"""From a page of positional rows to the one SQL statement that maps them. Columns are found by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf.files.pages import source
from ogf.files.statement import filled
from ogf.files.table import literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ogf_azure.pages import JsonPage

# What the mapping reads → how Azure's dimensions and measures are called, best first.
_SPELLINGS = {
    "day": ("UsageDate", "Date", "BillingMonth"),
    "cost": ("Cost", "totalCost", "PreTaxCost", "CostInBillingCurrency"),
    "currency": ("Currency", "BillingCurrency", "BillingCurrencyCode"),
    "subscription": ("SubscriptionId",),
    "subscription_name": ("SubscriptionName",),
    "resource": ("ResourceId",),
    "service": ("ServiceName", "MeterCategory", "ConsumedService", "ResourceType"),
    "meter": ("Meter", "MeterName", "MeterSubCategory"),
    "place": ("ResourceLocation", "Location"),
    "charge": ("ChargeType",),
    "tag_key": ("TagKey",),
    "tag_value": ("TagValue",),
}
_REQUIRED = ("day", "cost", "currency")


def activities_sql(page: JsonPage, params: Mapping[str, Any]) -> str:
    """Write the SELECT that maps a page's rows.

    Raises:
        SourceError: `bad_request` naming the columns that the answer lacks.
    """
    place = {name.casefold(): number for number, name in enumerate(page.columns, 1)}
    found = {
        ours: next((place[name.casefold()] for name in theirs if name.casefold() in place), None)
        for ours, theirs in _SPELLINGS.items()
    }
    missing = [_SPELLINGS[name][0] for name in _REQUIRED if found[name] is None]
    if missing:
        raise SourceError(
            f"the answer lacks the columns {', '.join(missing)}; it has {', '.join(page.columns) or 'none'}",
            error_class=ErrorClass.BAD_REQUEST,
            where=page.uri,
            hint="check cost_query.groupings; if they are right, the service has changed: report it",
        )
    picked = ",\n        ".join(
        f"{'NULL::VARCHAR' if number is None else f'ogf_text(trim(line[{number}]))'} AS {name}"
        for name, number in found.items()
    )
    # The order of columns is Azure's to change, the id of a row is not.
    grouped = sorted(set(place) - {page.columns[(found["cost"] or 0) - 1].casefold()})
    return filled(
        "ogf_azure.cost_query",
        source=source(page, {"properties": 'STRUCT("rows" VARCHAR[][])'}),
        picked=picked,
        width=str(len(page.columns)),
        key=", ".join(f"{literal(name)} || '=' || coalesce(line[{place[name]}], '')" for name in grouped),
        scope=literal(params["scope"].lower()),
        uri=literal(page.uri),
    )
