"""Rows of one file through a plugin's mapping, as dicts of the columns that were asked for."""

from __future__ import annotations

import csv
import io
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.test_exports import rows as azure_row
from gcp.export_files import billing_row, write_lines

from ogf import plugins
from ogf.files.store import File
from ogf.files.table import open_table
from ogf.files.worker import connect
from ogf.runner.contexts import core_lookups
from ogf_azure.actual_cost import mapping as azure_mapping
from ogf_gcp.billing import mapping as gcp_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

PHYSICAL = (
    "vcpu_hours", "memory_gib_hours", "gpu_hours", "storage_gib_hours", "storage_media", "replication", "network_gib",
    "network_route", "processor", "gpu_model",
)  # fmt: skip
NOTHING = dict.fromkeys(PHYSICAL)


@contextmanager
def connection_of(provider: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """What a worker's connection has, the provider's tables included."""
    lookups = {**core_lookups(), **plugins.load(provider).provider.lookups}
    with tempfile.TemporaryDirectory() as folder:
        connection = connect(scratch=Path(folder), threads=1, memory_mb=256, lookups=lookups)
        try:
            yield connection
        finally:
            connection.close()


def _mapped(provider: str, write: Any, activities_sql: Any, columns: str) -> list[dict[str, Any]]:
    with connection_of(provider) as connection, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        write(path)
        file = File(path, path.as_uri(), "etag", owned=False)
        table = open_table(file, connection=connection, scratch=Path(folder))
        try:
            found = connection.execute(f"SELECT {columns} FROM ({activities_sql(table)})")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        finally:
            table.close()


def azure(*changes: Mapping[str, Any], columns: str = "*") -> list[dict[str, Any]]:
    """Cost details with these columns changed; None takes a column away."""
    made = [{k: v for k, v in (azure_row("1.25")[0] | dict(one)).items() if v is not None} for one in changes]

    def write(path: Path) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in made for name in row)))
        writer.writeheader()
        writer.writerows(made)
        path.write_text(text.getvalue(), encoding="utf-8")

    return _mapped("azure", write, azure_mapping.activities_sql, columns)


def gcp(*changes: Mapping[str, Any], columns: str = "*") -> list[dict[str, Any]]:
    """Rows of the standard billing export with these fields changed; `__` stands for the dot."""
    made = [billing_row(**one) for one in changes]
    return _mapped("gcp", lambda path: write_lines(path, made), gcp_mapping.activities_sql, columns)


def physical(row: Mapping[str, Any]) -> dict[str, Any]:
    """The physical columns that are not NULL."""
    return {name: row[name] for name in PHYSICAL if row[name] is not None}
