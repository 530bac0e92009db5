"""Files as Google's exports write them, and a warehouse that the real plugin fills from a folder of them."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws.cur_files import Warehouse

from ogf import config, plugins
from ogf.runner.run import ProviderRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BILLING_ACCOUNT = "012345-6789AB-CDEF01"


@cache
def plugin() -> plugins.Plugin:
    return plugins.load("gcp")


class Exports(Warehouse):
    """A warehouse that is filled from a stream's exported files: `Exports(path, carbon=folder)`."""

    def __init__(self, path: Path, *, settings: Mapping[str, Any] | None = None, **locations: Path) -> None:
        super().__init__(path, "")
        self.settings = {"warehouse.path": str(path), "runner.workers": 2} | {
            f"ingestion.gcp.{stream}.location": str(folder) for stream, folder in locations.items()
        }
        self.settings |= settings or {}

    def provider_run(self, *, reporter: Any = None, **settings: Any) -> ProviderRun:
        overrides = self.settings | {name.replace("__", "."): value for name, value in settings.items()}
        nothing = self.path.with_suffix(".yaml")  # whatever ogf.yaml lies in the working directory
        nothing.write_text("")
        loaded = config.load(
            path=nothing,
            environ={},
            overrides=overrides,
            providers={"gcp": plugin().provider.settings},
            installed=["gcp"],
        )
        return ProviderRun(plugin(), loaded, reporter=reporter)


def nested(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with dotted names as the records of BigQuery."""
    made = []
    for row in rows:
        whole: dict[str, Any] = {}
        for path, value in row.items():
            *outer, name = path.split(".")
            inside = whole
            for step in outer:
                inside = inside.setdefault(step, {})
            inside[name] = value
        made.append(whole)
    return made


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write JSON, one object a line, as `EXPORT DATA` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in nested(rows)))
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> Path:
    """Write Parquet with the types of BigQuery; columns that are not in the rows are left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    whole = nested(rows)
    kinds = [(name, _arrow(kind)) for name, kind in schema.items() if any(name in row for row in whole)]
    pq.write_table(pa.Table.from_pylist(whole, schema=pa.schema(kinds)), path)
    return path


def _arrow(kind: Any) -> Any:
    import pyarrow as pa

    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    return {
        "s": pa.string(), "f": pa.float64(), "i": pa.int64(), "d": pa.date32(), "t": pa.timestamp("us", "UTC"),
        "n": pa.decimal128(38, 9),
    }[kind]  # fmt: skip


CARBON_SCHEMA: dict[str, Any] = {
    "usage_month": "d",
    "billing_account_id": "s",
    "project": {"number": "s", "id": "s"},
    "service": {"id": "s", "description": "s"},
    "location": {"location": "s", "region": "s"},
    "carbon_model_version": "i",
    "carbon_footprint_kgCO2e": {
        "scope1": "f",
        "scope2": {"location_based": "f", "market_based": "f"},
        "scope3": "f",
    },
    "carbon_footprint_total_kgCO2e": {"location_based": "f", "market_based": "f", "after_offsets": "f"},
    "carbon_offsets_kgCO2e": "f",
}


def carbon_row(
    scope1: float | None = 1.0,
    location: float | None = 2.0,
    market: float | None = 1.5,
    scope3: float | None = 3.0,
    **changes: Any,
) -> dict[str, Any]:
    """One row of `carbon_footprint`; names of changes have `__` for the dot."""
    figures = [value or 0.0 for value in (scope1, location, scope3)]
    return {
        "usage_month": "2026-01-01",
        "billing_account_id": BILLING_ACCOUNT,
        "project.number": "1234567890",
        "project.id": "shop-prod",
        "service.id": "6F81-5844-456A",
        "service.description": "Compute Engine",
        "location.location": "us-central1-a",
        "location.region": "us-central1",
        "carbon_model_version": 14,
        "carbon_footprint_kgCO2e.scope1": scope1,
        "carbon_footprint_kgCO2e.scope2.location_based": location,
        "carbon_footprint_kgCO2e.scope2.market_based": market,
        "carbon_footprint_kgCO2e.scope3": scope3,
        "carbon_footprint_total_kgCO2e.location_based": sum(figures),
        "carbon_footprint_total_kgCO2e.market_based": None,
        "carbon_footprint_total_kgCO2e.after_offsets": None,
        "carbon_offsets_kgCO2e": None,
    } | {name.replace("__", "."): value for name, value in changes.items()}


def billing_row(**changes: Any) -> dict[str, Any]:
    """One row of the standard billing export; names of changes have `__` for the dot."""
    return {
        "billing_account_id": BILLING_ACCOUNT,
        "service.id": "6F81-5844-456A",
        "service.description": "Compute Engine",
        "sku.id": "CF4E-A0C7-E3BF",
        "sku.description": "N1 Instance Core running in Iowa",
        "usage_start_time": "2026-01-05 10:00:00 UTC",
        "usage_end_time": "2026-01-05 11:00:00 UTC",
        "project.id": "shop-prod",
        "project.number": "1234567890",
        "project.name": "Shop",
        "labels": [],
        "system_labels": [],
        "tags": [],
        "location.location": "us-central1-a",
        "location.country": "US",
        "location.region": "us-central1",
        "location.zone": "us-central1-a",
        "export_time": "2026-01-05 15:00:00 UTC",
        "cost": "1.25",
        "currency": "USD",
        "usage.amount": 3600,
        "usage.unit": "seconds",
        "usage.amount_in_pricing_units": 1,
        "usage.pricing_unit": "hour",
        "credits": [],
        "invoice.month": "202601",
        "cost_type": "regular",
    } | {name.replace("__", "."): value for name, value in changes.items()}


def credit(
    amount: str, *, name: str = "Sustained use", kind: str = "SUSTAINED_USAGE_DISCOUNT"
) -> dict[str, Any]:
    return {"id": name, "full_name": name, "type": kind, "name": name, "amount": amount}
