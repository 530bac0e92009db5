"""`ogf report`: footprint, reported beside estimated, coverage and restatements, as tables, files or an HTML page."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode
from ogf.report.tables import ACCOUNTINGS, GROUPS, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from ogf.report.shown import Shown
    from ogf.report.tables import Table, Tables
    from ogf.window import Month

_FORMATS = ("csv", "json", "parquet")
_IN_SHORT = ("clouds", "months", "services", "regions", "reconciliation", "coverage", "restatements")


@click.command("report", short_help="Report carbon, as tables or one HTML page.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one self-contained page to this file",
)
@click.option(
    "--table",
    "names",
    multiple=True,
    metavar="TABLE",
    type=click.Choice(list(TABLES)),
    help=f"Only this one of {', '.join(TABLES)}; repeatable [all]",
)
@click.option(
    "--by",
    metavar="GROUP[,GROUP…]",
    help=f"The footprint by any of {', '.join(GROUPS)}, instead of the tables",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *_FORMATS]),
    default="table",
    show_default=True,
    help="Tables are rounded and in one unit each; the others are complete and in kg",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write each table to a file of this folder (csv, json, parquet)",
)
@click.option("--accounting", type=click.Choice(ACCOUNTINGS), help="Only these figures [both, never added]")
@options.period
@options.orgs
@options.wait
@options.common
def command(
    *,
    html: Path | None,
    names: tuple[str, ...],
    by: str | None,
    form: str,
    output: Path | None,
    accounting: str | None,
    providers: tuple[str, ...],
    since: Month | None,
    until: Month | None,
    orgs: tuple[str, ...],
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Show carbon as tables, or write it as a page.

    By month and scope, service and region; reported beside estimated; coverage; restatements.

    \b
    ogf report                                   every table, in short
    ogf report --html report.html                one page, to read, print or send
    ogf report --by provider,month --format csv  the footprint by what you choose
    ogf report --format parquet -o report/       every table as a file

    Location-based and market-based figures are never added, nor are reported and estimated ones.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.cli.known import require_loaded
    from ogf.report.tables import Asked, Tables

    if as_json and form not in ("table", "json"):
        raise ConfigError(f"--json and --format {form} contradict each other", hint="leave out one of them")
    form = "json" if as_json else form
    groups = options.groups(by, GROUPS)
    _check(html, names, groups, form, output)
    asked = Asked(options.window(since, until), providers, orgs, (accounting,) if accounting else ACCOUNTINGS)
    with options.warehouse(config_path, db, wait).reading() as connection:
        require_loaded(connection, providers=providers, orgs=orgs)
        tables = Tables(connection, asked)
        if html is not None:
            _write_page(html, tables)
            if form == "table":
                return ExitCode.SUCCEEDED
        if groups:
            chosen = [tables.by(groups)]
        else:
            chosen = [tables[name] for name in names or (_IN_SHORT if form == "table" else TABLES)]
        if form == "table":
            _show(chosen, tables)
        elif output is not None:
            _write_files(connection, chosen, form, output)
        elif form == "json":
            _tell(chosen, tables)
        else:
            _write_csv(connection, chosen)
    return ExitCode.SUCCEEDED


def _check(
    html: Path | None, names: tuple[str, ...], groups: list[str], form: str, output: Path | None
) -> None:
    """Raise ConfigError for options that contradict each other, before the warehouse is opened."""
    if groups and names:
        raise ConfigError("--by makes a table of its own", hint="leave out --table")
    if output is not None and form == "table":
        raise ConfigError(
            "tables are for the screen", hint="name a --format to write files: csv, json, parquet"
        )
    if form == "parquet" and output is None:
        raise ConfigError("Parquet is written as files", hint="name a folder with -o")
    if form == "csv" and output is None and not groups and len(names) != 1:
        raise ConfigError(
            "CSV on stdout is one table",
            hint="choose it with --table or --by, or write all of them into a folder with -o",
        )
    if html is not None and (names or groups):
        raise ConfigError(
            f"the page always has every table: --html goes without {'--by' if groups else '--table'}",
            hint="make page and table with a command each; --since, --provider, --org and --accounting cut either",
        )
    if output is not None:
        _require_folder(output.absolute().parent, "write the files elsewhere")
    if html is not None:
        from ogf.report.charts import require

        require()
        _require_folder(html.parent, "write the page elsewhere")


def _require_folder(folder: Path, otherwise: str) -> None:
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", hint=f"create it, or {otherwise}")


def _write_page(path: Path, tables: Tables) -> None:
    from ogf.report.page import page

    text = page(tables, dt.datetime.now(dt.UTC))
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {path} ({len(text.encode()) / 1000:,.0f} kB)", err=True)


def _show(chosen: Iterable[Table], tables: Tables) -> None:
    from ogf.cli.output import write_table

    said = False
    for table in chosen:
        for shown in people(table, tables):
            said = True
            write_table(shown.columns, shown.rows, numbers=shown.numbers, title=shown.title)
            for note in shown.notes:
                click.echo(note, err=True)
            click.echo()
    orgs = tables.organisations()
    if len(orgs) > 1:
        click.echo(f"Organisations {', '.join(orgs)} are added together; --org shows one.", err=True)
    if not said:
        click.echo(
            "There is nothing to report for this.\n  → `ogf run` loads exports; `ogf status` says what is loaded",
            err=True,
        )


def people(table: Table, tables: Tables) -> list[Shown]:
    """A table as people read it; several where accountings are kept apart; none where it is empty."""
    from ogf.report import comparisons, restated, shown

    accountings = tables.accountings()
    if table.name == "footprint":
        made = [shown.footprint(table)]
    elif table.name == "months":
        made = [shown.months(table, accounting) for accounting in accountings]
    elif table.name in ("services", "regions"):
        made = [shown.ranked(table, accounting, table.name.removesuffix("s")) for accounting in accountings]
    elif table.name == "restatements":
        made = [restated.restatements(table)]
    else:
        made = [getattr(comparisons, table.name)(table)]
    return [one for one in made if one.rows]


def _tell(chosen: Iterable[Table], tables: Tables) -> None:
    from ogf.cli.output import write_json
    from ogf.report.notes import basis

    write_json({"basis": basis(tables.connection).as_dict()} | {table.name: table.rows for table in chosen})


def _write_csv(connection: duckdb.DuckDBPyConnection, chosen: list[Table]) -> None:
    from ogf.cli.query import copy_answer

    connection.execute("SET preserve_insertion_order = true")
    (table,) = chosen
    copy_answer(connection, connection.sql(table.question), "csv", None)


def _write_files(
    connection: duckdb.DuckDBPyConnection, chosen: Iterable[Table], form: str, folder: Path
) -> None:
    from ogf.cli.query import copy_answer

    if folder.is_file():
        raise ConfigError(
            f"{folder} is a file", hint="name a folder with -o; each table becomes a file in it"
        )
    folder.mkdir(exist_ok=True)
    connection.execute("SET preserve_insertion_order = true")
    for table in chosen:
        path = folder / f"{table.name}.{form}"
        copy_answer(connection, connection.sql(table.question), form, path)
        click.echo(f"wrote {path}", err=True)
