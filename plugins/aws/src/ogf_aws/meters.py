"""How a usage type is found in `data/meters.csv`: the catalogue that AWS's mappings hand to `ogf.physical`."""

from __future__ import annotations

from ogf.physical import Catalogue

# Transfers are spelled with both ends' regions (USE1-EUC1-AWS-Out-Bytes) and with an edge's area (JP-DataTransfer-…).
# Between zones both sides are billed for the same bytes; the operation says which: InterZone-In, InterZone-Out.
_FROM = (
    "WHEN contains(meter_usage_type, '{0}') THEN substr(meter_usage_type, strpos(meter_usage_type, '{0}'))"
)
_TRANSFER = f"""CASE
    {_FROM.format("DataTransfer-")}
    WHEN ends_with(meter_usage_type, 'AWS-Out-Bytes') THEN 'AWS-Out-Bytes'
    WHEN ends_with(meter_usage_type, 'AWS-In-Bytes') THEN 'AWS-In-Bytes'
    {_FROM.format("XAZ-")}
    {_FROM.format("CloudFront-")}
    WHEN ends_with(meter_usage_type, '-Regional-Bytes') THEN 'Regional-Bytes'
    ELSE meter_usage_type END
    || CASE WHEN ends_with(meter_usage_type, 'Regional-Bytes') AND ends_with(operation, '-In') THEN '-In' ELSE '' END"""

CATALOGUE = Catalogue(
    instance_types="aws_instance_types",
    meters="aws_meters",
    prefixes="aws_region_prefixes",
    meter=f"CASE WHEN ends_with(meter_usage_type, 'Bytes') THEN {_TRANSFER} ELSE meter_usage_type END",
    # Any service may have transfers, and they mean the same everywhere.
    service="CASE WHEN contains(meter_name, '-Bytes') THEN '*' ELSE lower(meter_code) END",
)
