"""`ogf reconcile`: estimated against reported, the largest gaps first, each with what explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ExitCode
from ogf.report.reconcile import DEFAULT, GRAIN

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.window import Month


@click.command("reconcile", short_help="Explain where estimates and reports part.")
@click.option(
    "--by",
    metavar="GROUP[,GROUP…]",
    default=",".join(DEFAULT),
    show_default=True,
    help=f"Grain of the comparison: some of {', '.join(GRAIN)}. The provider is always told",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many gaps to show; --json has all",
)
@options.period
@options.orgs
@options.wait
@options.common
def command(
    *,
    by: str,
    limit: int,
    providers: tuple[str, ...],
    since: Month | None,
    until: Month | None,
    orgs: tuple[str, ...],
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Compare estimates with reported figures.

    The largest gaps first, each with what explains it.

    \b
    ogf reconcile                       per month, account, service and region
    ogf reconcile --by month,category   where carbon and bill use other names
    ogf reconcile --by provider --json  for machines: every row, in kg

    Figures are location-based. Operational carbon is compared with scope 2, operational and embodied with all scopes.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.cli.known import require_loaded
    from ogf.cli.output import counted, write_json, write_table
    from ogf.report import reconcile
    from ogf.report.notes import basis
    from ogf.report.tables import Asked, Tables

    grain = options.groups(by, GRAIN)
    asked = Asked(options.window(since, until), providers, orgs)
    with options.warehouse(config_path, db, wait).reading() as connection:
        require_loaded(connection, providers=providers, orgs=orgs)
        tables = Tables(connection, asked)
        found = reconcile.gaps(tables, grain)
        alone = reconcile.left_out(tables)
        how = basis(connection)
        orgs = tuple(tables.organisations())
    if as_json:
        write_json({"basis": how.as_dict(), "gaps": found.rows, "not_compared": alone})
        return ExitCode.SUCCEEDED
    if found.rows:
        shown = reconcile.people(found, limit)
        write_table(shown.columns, shown.rows, numbers=shown.numbers, title=shown.title)
        click.echo("\nWhy")
        for line in reconcile.explanations(found, limit):
            click.echo(f"  {line}")
    else:
        click.echo(
            "There is nothing to compare: no account has both a reported, location-based figure and an estimate in "
            "one month.\n  → load carbon exports and billing exports of the same accounts with `ogf run`",
            err=True,
        )
    if len(found.rows) > limit:
        click.echo(
            f"only the {limit} largest of {len(found.rows):,} gaps are shown; --limit shows more", err=True
        )
    for row in alone:
        click.echo(
            f"{row['provider']}: not compared are {counted(row['only_estimated'], 'account-month')} with an estimate "
            f"alone and {row['only_reported']:,} with a reported figure alone; market-based ones are not comparable",
            err=True,
        )
    if len(orgs) > 1 and "org" not in grain:
        click.echo(
            f"Organisations {', '.join(orgs)} are added together; --org shows one, --by org each.", err=True
        )
    return ExitCode.SUCCEEDED
