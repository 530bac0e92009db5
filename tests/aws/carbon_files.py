"""Writes exports of the table CARBON_EMISSIONS as AWS delivers them. Rows are dictionaries of texts, figures in tonnes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws.cur_files import csv_file, gz

from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws.cur_files import Put

PAYER = "000000000042"
ACCOUNT = "012345678901"
FIGURES = (
    "total_lbm_emissions",
    "total_mbm_emissions",
    "total_scope_1_emissions",
    "total_scope_2_lbm_emissions",
    "total_scope_2_mbm_emissions",
    "total_scope_3_lbm_emissions",
    "total_scope_3_mbm_emissions",
)
SCOPES = FIGURES[2:]


def figures(*values: str, unit: str = "MTCO2e") -> dict[str, str]:
    """The seven figures in the order of FIGURES; '' for one that is not given."""
    return {
        f"{name}_{part}": text
        for name, value in zip(FIGURES, values, strict=True)
        for part, text in (("value", value), ("unit", unit if value else ""))
    }


FULL = figures("0.0065", "0.0035", "0.0005", "0.004", "0", "0.002", "0.003")
TOTALS = figures("0.0065", "0.0035", *[""] * 5)


def row(month: str = "2026-01", version: str = "v3.0.0", **changes: str) -> dict[str, str]:
    """One row of the export, with all figures."""
    first = Month.parse(month)
    return {
        "last_refresh_timestamp": f"{first.plus(1)}-18 10:00:00Z",
        "location": "Europe (Ireland)",
        "model_version": version,
        "payer_account_id": PAYER,
        "product_code": "EC2",
        "region_code": "eu-west-1",
        "usage_account_id": ACCOUNT,
        "usage_period_start": f"{first}-01 00:00:00Z",
        "usage_period_end": f"{first.plus(1)}-01 00:00:00Z",
        **FULL,
        **changes,
    }


def without(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The rows without some figures' columns, as exports of before October 2025 have them."""
    gone = {f"{name}_{part}" for name in columns for part in ("value", "unit")}
    return [{name: text for name, text in item.items() if name not in gone} for item in rows]


def put_carbon(
    put: Put,
    *files: bytes,
    month: str = "2026-01",
    version: str = "v3.0.0",
    partition: str = "carbon_model_version",
    export: str = "exports/carbon/",
    execution: str = "",
    manifest: str = "",
    suffix: str = "csv.gz",
    **fields: Any,
) -> None:
    """Deliver a month of a model version.

    Args:
        execution: puts the files into a folder of their own, as CREATE_NEW_REPORT does.
        manifest: an execution id: writes a manifest that names the files.
    """
    name = export.rstrip("/").rsplit("/", 1)[-1]
    hive = f"{partition}={version}/usage_period={month}/"
    below = f"{execution}/" if execution else ""
    keys = [f"{export}data/{hive}{below}{name}-{number:05}.{suffix}" for number in range(1, len(files) + 1)]
    for key, body in zip(keys, files, strict=True):
        put(key, body)
    if manifest:
        written = {"executionId": manifest, "dataFiles": [f"s3://billing/{key}" for key in keys], **fields}
        put(f"{export}metadata/{hive}{name}-Manifest.json", json.dumps(written).encode())


def places(folder: object, **settings: Any) -> dict[str, Any]:
    """What a Warehouse needs to read carbon alone: `Warehouse(path, "", **places(folder))`."""
    return {"ingestion__aws__cur__location": None, "ingestion__aws__carbon__location": str(folder)} | settings


def packed(*rows: Mapping[str, str]) -> bytes:
    return gz(csv_file(rows, legacy=False, header=list(row())))
