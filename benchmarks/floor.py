"""The floor: what one DuckDB statement needs for the same work, without partitions, ledger, checks or resuming.

    python benchmarks/floor.py PROVIDER.STREAM DATABASE MEMORY_MB STORAGE_VERSION FILE...

reads the files with DuckDB's own readers (gzip too), maps them with the plugin's SQL, tags included, and writes the
table of the migration. It imports only what it needs for that.
"""

from __future__ import annotations

import re
import sys
import tempfile
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from ogf.files.store import File
from ogf.files.table import Table, open_table
from ogf.files.worker import connect
from ogf.plugins import load
from ogf.runner.contexts import core_lookups
from ogf.schema import DEFAULT_CATEGORY, DEFAULT_LOCATION

MAPPINGS = {
    "aws.cur": "ogf_aws.cur.mapping",
    "gcp.billing": "ogf_gcp.billing.mapping",
    "gcp.focus": "ogf_gcp.focus",
}


def main(name: str, database: str, memory_mb: int, storage: str, paths: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=Path(database).parent) as scratch:
        lookups = {**core_lookups(), **load(name.partition(".")[0]).provider.lookups}
        connection = connect(scratch=Path(scratch), threads=2, memory_mb=memory_mb, lookups=lookups)
        connection.execute("RESET threads")  # DuckDB's own default
        connection.execute(f"ATTACH '{database}' AS warehouse (STORAGE_VERSION '{storage}')")
        migration = files("ogf.warehouse").joinpath("migrations/0001_initial.sql").read_text(encoding="utf-8")
        (table,) = re.findall(r"CREATE TABLE activity_log \(.*?\);", migration, re.DOTALL)
        connection.execute(table.replace("activity_log", "warehouse.activity_log"))
        mapping = import_module(MAPPINGS[name]).activities_sql(_table(paths, connection, Path(scratch)))
        connection.execute(f"""
            INSERT INTO warehouse.activity_log BY NAME
            SELECT 1 AS load_id, * EXCLUDE (_reject, _raw) REPLACE (
                coalesce(category, '{DEFAULT_CATEGORY}') AS category,
                coalesce(location, '{DEFAULT_LOCATION}') AS location)
            FROM ({mapping}) WHERE _reject IS NULL""")
        connection.close()  # writes the checkpoint


def _table(paths: list[str], connection: object, scratch: Path) -> Table:
    """All files as one source, columns as in the first."""
    first = Path(paths[0])
    table = open_table(
        File(first, first.parent.as_uri(), "", owned=False), connection=connection, scratch=scratch
    )  # type: ignore[arg-type]
    names = "[" + ", ".join(f"'{path}'" for path in paths) + "]"
    table.abandon()
    if table.is_text:
        ours = re.sub(r"read_csv\('[^']*'", f"read_csv({names}", table.source)
        table.source = (
            ours.replace("compression='none'", "compression='gzip'")
            .replace("header=false", "header=true")
            .replace("store_rejects=true, rejects_limit=0", "store_rejects=false")
            .replace(f"max_line_size={4 << 20}, buffer_size={8 << 20}, ", "")  # DuckDB's own choice
        )
    else:
        table.source = f"read_parquet({names})"
    return table


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:])
