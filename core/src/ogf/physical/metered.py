"""The SQL that adds physical columns to activities, from a provider's lookup tables."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from ogf.files.statement import put

_COUNTED = (
    "per", "machines", "vcpu_hours", "memory_gib_hours", "storage_gib_hours", "storage_gib_months", "network_gib",
    "replication",
)  # fmt: skip
_TEXTS = ("storage_media", "network_route", "processor")
_NO_TYPES = (
    "(SELECT '' AS instance_type, '' AS vcpu, '' AS memory_gib, '' AS gpus, '' AS gpu_model, '' AS processor "
    "WHERE false)"
)


@dataclass(frozen=True)
class Catalogue:
    """A provider's lookup tables, by their names in `Provider.lookups`, and how its usage types are found in them.

    Attributes:
        instance_types: machine types: `instance_type`, `vcpu`, `memory_gib`, `gpus`, `gpu_model`, `processor`.
        meters: what `per` units of a meter stand for: `service` and `meter` (which ends in `:*` where a machine type
            follows), `units` (canonical, separated by `|`; an empty one is a row that names no unit), `machines` (how
            many of the type run), and a column for each measure. An empty cell is no measure, not nought.
        prefixes: region prefixes of usage types (`prefix`): they are no part of a meter.
        meter: SQL of a row's meter, over `meter_usage_type` (its region prefix taken off) and `operation`.
        service: SQL of the service that `meters` has it under, over `meter_name` (the meter) and `meter_code`.
    """

    instance_types: str = ""
    meters: str = ""
    prefixes: str = ""
    meter: str = "meter_usage_type"
    service: str = "lower(meter_code)"


def metered_sql(activities: str, catalogue: Catalogue, *, more_meters: str = "") -> str:
    """Write the SELECT of activities with their physical columns, NULL where nothing is known, signed as `quantity`.

    Args:
        activities: a SELECT of activities without physical columns. These columns are used and taken away:
            `meter_usage_type` (without its region's prefix; NULL: the row counts nothing), `meter_code` (the service's
            code) and the texts `meter_reported_vcpu`, `meter_reported_memory` (GiB) and `meter_reported_gpus` of one
            machine, for types that are not in the catalogue.
        more_meters: a second table of meters.
    """
    meters = " UNION ALL BY NAME ".join(
        f"SELECT * FROM {name}" for name in (catalogue.meters, more_meters) if name
    )
    columns = [f"TRY_CAST({name} AS DOUBLE) AS meter_{name}" for name in _COUNTED]
    columns += [f"{name} AS meter_{name}" for name in _TEXTS]
    keys = (
        "service AS meter_of_service, meter AS meter_of, unnest(string_split(units, '|')) AS meter_of_unit, "
        "CASE WHEN contains(meter, ':') THEN lower(regexp_replace(meter, '^[^:]*:', '')) END AS meter_tail"
    )
    markers = {
        "rows": activities,
        "meters": f"SELECT {keys}, {', '.join(columns)} FROM ({meters})",
        "instance_types": catalogue.instance_types or _NO_TYPES,
        "meter": catalogue.meter,
        "service": catalogue.service,
    }
    statement = files("ogf.physical").joinpath("metered.sql").read_text(encoding="utf-8")
    return put(statement, markers)
