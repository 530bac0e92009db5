"""`ogf status`: how each connector and its partitions stand."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


_CONNECTORS = """
SELECT c.provider, c.org_id, c.status, c.last_run_at, c.last_success_at, c.last_error,
    (SELECT arg_max(r.status, r.started_at) FROM runs AS r
     WHERE r.provider = c.provider AND r.org_id = c.org_id) AS last_run,
    count(p.load_id) AS partitions,
    CAST(coalesce(sum(p.row_count) FILTER (l.status = 'current'), 0) AS BIGINT) AS "rows",
    CAST(count(*) FILTER (p.status <> 'loaded') AS BIGINT) AS issues
FROM connectors AS c LEFT JOIN partitions AS p USING (provider, org_id) LEFT JOIN loads AS l USING (load_id)
GROUP BY ALL ORDER BY ALL"""

_ISSUES = """
SELECT provider, org_id, stream, partition_key AS partition, status, error_class, message, notices
FROM partitions WHERE status <> 'loaded' ORDER BY ALL"""

_UNLISTED = """
SELECT p.provider, p.org_id, p.stream, p.partition_key AS partition, p.month, p.row_count AS "rows", p.loaded_at
FROM partitions AS p JOIN loads AS l USING (load_id)
WHERE NOT p.listed AND l.status = 'current' ORDER BY ALL"""

_RUNS = """
SELECT provider, org_id, started_at, status, loaded, unchanged, failed, row_count AS "rows", message
FROM runs ORDER BY started_at DESC LIMIT ?"""


@click.command("status")
@click.option(
    "--runs", default=3, type=click.IntRange(0), show_default=True, help="How many past runs to show"
)
@click.option("--strict", is_flag=True, help="Exit 3 if anything needs attention")
@options.wait
@options.common
def command(
    *, runs: int, strict: bool, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool
) -> int:
    """Show how each provider stands, and what needs attention.

    Attention needs a partition that failed or carries notices, and a provider whose last run failed.
    """
    from ogf.cli.output import write_json
    from ogf.warehouse.answers import answer

    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    file = options.warehouse_of(config)
    with file.reading() as connection:
        connectors = answer(connection, _CONNECTORS).rows
        issues = answer(connection, _ISSUES).rows
        unlisted = answer(connection, _UNLISTED).rows
        past = answer(connection, _RUNS, runs).rows
    _mark_interrupted(connectors + past, config.settings.warehouse.path)
    issues += _untold(connectors, issues)
    for row in connectors:
        row["issues"] = sum(_who(issue) == _who(row) for issue in issues)
    if as_json:
        write_json({"connectors": connectors, "issues": issues, "unlisted": unlisted, "runs": past})
    else:
        _show_connectors(connectors)
        _show_runs(past)
        _show_unlisted(unlisted)
        _show_issues(issues)  # last, where nothing pushes them off the screen
    return ExitCode.PARTIAL if strict and issues else ExitCode.SUCCEEDED


def _who(row: dict[str, Any]) -> tuple[str, str]:
    return row["provider"], row["org_id"]


def _mark_interrupted(rows: list[dict[str, Any]], db: Path) -> None:
    """Tell a run that was killed from one that goes on: the ledger hears of it when the next one begins."""
    from ogf.runner.spool import Spool, spool_root

    root = spool_root(db)
    for row in rows:
        if row["status"] == "running" and not Spool(root, row["org_id"], row["provider"]).under_way:
            row["status"] = "interrupted"


def _untold(connectors: list[dict[str, Any]], issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors of connectors that are no partition's: a stream that cannot be listed, a run that broke off."""
    return [
        {
            "provider": row["provider"],
            "org_id": row["org_id"],
            "stream": None,
            "partition": None,
            "status": "error",
            "error_class": None,
            "message": row["last_error"],
            "notices": "[]",
        }
        for row in connectors
        if row["status"] == "error"
        and not any(_who(issue) == _who(row) and _tells(issue, row["last_error"] or "") for issue in issues)
    ]


def _tells(issue: dict[str, Any], error: str) -> bool:
    """Whether a partition's issue is the error that its connector ended with."""
    return error.startswith(f"{issue['stream']} {issue['partition']}: ") or error in issue["notices"]


def _show_connectors(connectors: list[dict[str, Any]]) -> None:
    from ogf.cli.output import write_table

    shown = ("provider", "status", "last_success_at", "partitions", "rows", "issues")
    for row in connectors:
        if row["last_run"] == "cancelled" and row["status"] != "error":
            row["status"] = "cancelled"
    write_table(
        ("provider", "status", "last success (UTC)", "partitions", "rows", "issues"),
        [[row[name] for name in shown] for row in connectors],
        numbers=("partitions", "rows", "issues"),
    )


def _show_runs(past: list[dict[str, Any]]) -> None:
    from ogf.cli.output import counted, folded, screen_width

    if past:
        click.echo("Latest runs (UTC)")
    wide = max((len(row["provider"]) for row in past), default=0)
    for row in past:
        counts = ", ".join(
            f"{row[outcome]} {outcome}"
            for outcome in ("loaded", "unchanged", "failed")
            if row[outcome] or outcome == "loaded"
        )
        click.echo(
            f"  {row['started_at']:%Y-%m-%d %H:%M}  {row['provider']:<{wide}}  {row['status']:<11}  {counts}; "
            f"{counted(row['rows'], 'row')}"
        )
        if row["message"]:
            for line in folded(row["message"], indent="    ", room=screen_width()):
                click.echo(line)


def _show_unlisted(unlisted: list[dict[str, Any]]) -> None:
    from ogf.cli.output import counted

    if not unlisted:
        return
    click.echo("\nNo longer listed by their source, and still counted")
    found = Counter((row["provider"], row["stream"]) for row in unlisted)
    for (provider, stream), many in found.items():
        rows = sum(row["rows"] for row in unlisted if (row["provider"], row["stream"]) == (provider, stream))
        click.echo(f"  {provider} {stream}: {counted(many, 'partition')}, {counted(rows, 'row')}")
    click.echo("  → --json names them; to take one out: ogf forget --provider P --stream S KEY")


def _show_issues(issues: list[dict[str, Any]]) -> None:
    from ogf.cli.output import folded, screen_width

    if issues:
        click.echo("\nNeeds attention")
    for row in issues:
        where = " ".join(row[name] for name in ("provider", "stream", "partition") if row[name])
        what = row["message"] or "; ".join(_notices(row["notices"]))
        what = what.removeprefix(f"{where}: ")
        if (room := screen_width()) is None:
            click.echo(f"{row['status']}: {where}: {what}")
            continue
        click.echo(f"{row['status']}: {where}")
        for line in folded(what, indent="    ", room=room):
            click.echo(line)


def _notices(text: str) -> list[str]:
    import json

    return [str(notice) for notice in json.loads(text)]
