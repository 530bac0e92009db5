"""`ogf status`: how each connector and its partitions stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_CONNECTORS = """
SELECT c.provider, c.org_id, c.status, c.last_run_at, c.last_success_at, c.last_error,
    count(p.load_id) AS partitions,
    CAST(coalesce(sum(p.row_count) FILTER (l.status = 'current'), 0) AS BIGINT) AS "rows",
    CAST(count(*) FILTER (p.status <> 'loaded') AS BIGINT) AS issues
FROM connectors AS c LEFT JOIN partitions AS p USING (provider, org_id) LEFT JOIN loads AS l USING (load_id)
GROUP BY ALL ORDER BY ALL"""

_ISSUES = """
SELECT provider, stream, partition_key AS partition, status, error_class, message, notices
FROM partitions WHERE status <> 'loaded' ORDER BY ALL"""

_RUNS = """
SELECT provider, started_at, status, loaded, unchanged, failed, row_count AS "rows", message
FROM runs ORDER BY started_at DESC LIMIT ?"""


@click.command("status")
@click.option(
    "--runs", default=5, type=click.IntRange(0), show_default=True, help="How many past runs to show"
)
@click.option("--strict", is_flag=True, help="Exit 3 if any partition has failed or carries notices")
@options.wait
@options.common
def command(
    *, runs: int, strict: bool, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool
) -> int:
    """Show how each provider stands, and what needs attention."""
    from ogf.cli.output import write_json, write_table
    from ogf.warehouse.file import WarehouseFile

    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    file = WarehouseFile(config.settings.warehouse.path, wait=config.settings.runner.wait)
    with file.reading() as connection:
        connectors = _ask(connection, _CONNECTORS)
        issues = _ask(connection, _ISSUES)
        past = _ask(connection, _RUNS, runs)
    if as_json:
        write_json({"connectors": connectors, "issues": issues, "runs": past})
    else:
        shown = ("provider", "status", "last_success_at", "partitions", "rows", "issues")
        write_table(
            ("provider", "status", "last success (UTC)", "partitions", "rows", "issues"),
            [[row[name] for name in shown] for row in connectors],
            numbers=("partitions", "rows", "issues"),
        )
        if issues:
            click.echo("\nNeeds attention")
        for row in issues:
            what = row["message"] or "; ".join(_notices(row["notices"]))
            click.echo(f"{row['status']}: {row['provider']} {row['stream']} {row['partition']}: {what}")
        if past:
            click.echo("\nLatest runs")
            write_table(
                ("provider", "started (UTC)", "status", "loaded", "same", "failed", "rows", "message"),
                [
                    (row["provider"], f"{row['started_at']:%Y-%m-%d %H:%M}", *list(row.values())[2:])
                    for row in past
                ],
                numbers=("loaded", "same", "failed", "rows"),
            )
    return ExitCode.PARTIAL if strict and issues else ExitCode.SUCCEEDED


def _ask(connection: duckdb.DuckDBPyConnection, statement: str, *values: object) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, list(values))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _notices(text: str) -> list[str]:
    import json

    return [str(notice) for notice in json.loads(text)]
