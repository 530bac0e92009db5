"""The SQL that adds physical columns to rows, from a provider's lookup tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

_NOTHING = "(SELECT '' AS {} WHERE false)"
_COUNTED = (
    "per", "machines", "vcpu_hours", "memory_gib_hours", "storage_gib_hours", "storage_gib_months", "network_gib",
    "replication",
)  # fmt: skip
_TEXTS = ("storage_media", "network_route", "processor")


@dataclass(frozen=True)
class Catalogue:
    """A provider's lookup tables, by their names in `Provider.lookups`.

    Attributes:
        instance_types: machine types: `instance_type`, `vcpu`, `memory_gib`, `gpus`, `gpu_model`, `processor`.
        meters: what one unit of a meter stands for, `per` a number of units: `service` (lower case), `meter` (ends in
            `:*` where a machine type follows), `units` (canonical, separated by `|`; an empty one is a row that names
            no unit), `machines` (how many of the type), and a column for each measure. Empty cell: not that measure.
        prefixes: region prefixes of usage types (`prefix`): they are no part of a meter.
        meter: SQL of a usage type's meter, over the columns `usage_type` (its region prefix taken off) and
            `usage_operation`.
        service: SQL of the service that `meters` has it under, over `meter_text` (the meter) and `usage_service`.
    """

    instance_types: str = ""
    meters: str = ""
    prefixes: str = ""
    meter: str = "usage_type"
    service: str = "lower(usage_service)"


def metered_sql(rows: str, catalogue: Catalogue, *, more_meters: str = "") -> str:
    """Write the SELECT of rows with their physical columns, NULL where nothing is known, signed as the amount is.

    Args:
        rows: a relation with the columns `meter_service` and `meter_text` (NULL: the row counts nothing),
            `metered_amount`, `metered_unit` (canonical), `metered_from` (TIMESTAMPTZ: GB-months are turned into hours
            of its calendar month, UTC), `machine_reported` (machine type where `meter_text` does not say it),
            `vcpu_reported`, `memory_reported` (GiB) and `gpus_reported` (of one machine; better than the catalogue).
        more_meters: a second table of meters.
    """
    meters = " UNION ALL BY NAME ".join(
        f"SELECT * FROM {name}" for name in (catalogue.meters, more_meters) if name
    )
    columns = [f"TRY_CAST({name} AS DOUBLE) AS meter_{name}" for name in _COUNTED]
    columns += [f"{name} AS meter_{name}" for name in _TEXTS]
    unnested = "unnest(string_split(coalesce(units, ''), '|'))"
    markers = {
        "rows": rows,
        "meters": f"SELECT service AS of_service, meter AS of_meter, {unnested} AS of_unit, {', '.join(columns)} FROM ({meters})",
        "instance_types": catalogue.instance_types
        or _NOTHING.format(
            "instance_type, '' AS vcpu, '' AS memory_gib, '' AS gpus, '' AS gpu_model, '' AS processor"
        ),
    }
    statement = files("ogf.physical").joinpath("metered.sql").read_text(encoding="utf-8")
    return re.sub(r":(rows|meters|instance_types)\b", lambda found: markers[found[1]], statement)
