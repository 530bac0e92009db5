"""The stream `focus`: cost exports of the type FocusCost. What becomes of a row is the core's mapping, `ogf.focus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf import focus
from ogf.physical import Catalogue

if TYPE_CHECKING:
    from ogf.files import Table

_OURS = "microsoft|azure"
_CATALOGUE = Catalogue(instance_types="azure_instance_types")
months_sql = focus.months_sql


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps rows to activities; rows of other providers are refused.

    Azure writes ids in changing case, and a subscription as `/subscriptions/<id>`: here as in the other streams.
    """
    statement = focus.activities_sql(
        table,
        services="azure_services",
        regions="azure_regions",
        provider=_OURS,
        only=only,
        catalogue=_CATALOGUE,
    )
    return (
        "SELECT * REPLACE (lower(resource_id) AS resource_id, "
        "regexp_replace(lower(account_id), '^/subscriptions/', '') AS account_id) "
        f"FROM ({statement})"
    )
