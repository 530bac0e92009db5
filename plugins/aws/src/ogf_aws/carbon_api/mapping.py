"""From a page of the Sustainability API to the one SQL statement that maps it, by way of the stream `carbon`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.files.pages import source
from ogf_aws.carbon import mapping as carbon
from ogf_aws.carbon_api.source import EMISSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ogf.files.pages import JsonPage

_RESULTS = (
    'STRUCT(TimePeriod STRUCT("Start" VARCHAR, "End" VARCHAR), DimensionsValues MAP(VARCHAR, VARCHAR), '
    'ModelVersion VARCHAR, EmissionsValues MAP(VARCHAR, STRUCT("Value" DOUBLE, "Unit" VARCHAR)))[]'
)


def activities_sql(page: JsonPage, params: Mapping[str, Any]) -> str:
    """Write the SELECT that maps a page's results; those of another month than was asked for are refused."""
    figures = ",\n        ".join(
        f"item.EmissionsValues['{name}'].\"Value\" AS {column}_value, "
        f"ogf_text(item.EmissionsValues['{name}'].\"Unit\") AS {column}_unit"
        for name in EMISSIONS
        for column in (name.lower().replace("_carbon_", "_"),)
    )
    rows = (
        "SELECT ogf_text(item.DimensionsValues['USAGE_ACCOUNT_ID']) AS usage_account_id, "
        "CAST(NULL AS VARCHAR) AS payer_account_id,\n        "
        "ogf_text(item.DimensionsValues['SERVICE']) AS product_code, "
        "ogf_text(item.DimensionsValues['REGION']) AS region_code, CAST(NULL AS VARCHAR) AS place,\n        "
        "ogf_text(item.ModelVersion) AS model_version,\n        "
        "CAST(date_trunc('month', timezone('UTC', ogf_timestamp(item.TimePeriod.\"Start\"))) AS DATE) AS usage_month,\n"
        f"        {figures},\n        item AS raw_row, false AS figure_unreadable\n"
        f"        FROM (SELECT unnest(Results) AS item FROM {source(page, {'Results': _RESULTS})})"
    )
    return carbon.statement(rows, uri=page.uri, month=params["month"])
