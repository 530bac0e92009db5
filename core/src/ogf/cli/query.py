"""`ogf query`: SQL on the warehouse, read-only."""

from __future__ import annotations

import re
import select
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode, OgfError
from ogf.warehouse.answers import COPY_OPTIONS

if TYPE_CHECKING:
    import duckdb

_MOST_ROWS = 1000
_ADVICE = '`ogf query "SHOW TABLES"` lists the tables, `ogf query "DESCRIBE activities"` the columns'
_EXPLAIN = re.compile(r"[\s;]*EXPLAIN\b\s*(ANALYZE\b|\([^)]*\))?", re.IGNORECASE)


@click.command("query")
@click.argument("sql")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *COPY_OPTIONS]),
    default="table",
    show_default=True,
    help=f"The table shows at most {_MOST_ROWS:,} rows and says so; the others are complete",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file")
@options.wait
@options.common
def command(
    *,
    sql: str,
    form: str,
    output: Path | None,
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Ask the warehouse in SQL, read-only. Times are UTC.

    One statement that only reads: SELECT, FROM, PIVOT, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN. It may read other files, as
    in FROM 'map.csv', but writes none: use --format with -o. A result too wide for the terminal is shown record by
    record, without its NULLs.

    \b
    ogf query "SELECT service, sum(cost) AS cost FROM activities GROUP BY ALL"
    ogf query "FROM activities" --format parquet -o activities.parquet
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    import duckdb

    form = "json" if as_json else form
    if form == "table" and output is not None:
        raise ConfigError(
            "a table is for the screen", hint="name a --format to write to a file: csv, json, parquet"
        )
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise ConfigError("Parquet would garble the terminal", hint="give it a file with -o, or a pipe")
    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    if output is not None and output.resolve() == config.settings.warehouse.path.resolve():
        raise ConfigError("the output would overwrite the warehouse", hint="name another file with -o")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # reading can be stopped at once, even inside DuckDB
    file = options.warehouse_of(config)
    with file.reading() as connection:
        try:
            _require_reading(connection, sql)
            answer = connection.sql(sql)
            if form == "table":
                _show(answer)
            else:
                copy_answer(connection, answer, form, output)
        except duckdb.Error as error:
            if output is None and _reader_gone():
                raise BrokenPipeError from error
            raise _QueryError(str(error).strip(), hint=_ADVICE) from error
    return ExitCode.SUCCEEDED


def _require_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse anything but one statement that reads. The file is open read-only, but COPY and others write elsewhere."""
    import duckdb

    kinds = duckdb.StatementType
    # A PIVOT is two to DuckDB: a type for its columns, made in memory and without a text of its own, and the SELECT.
    statements = [
        each for each in connection.extract_statements(sql) if each.query or each.type != kinds.CREATE
    ]
    if not statements:
        raise _QueryError("there is no SQL in it", hint='ogf query "FROM activities LIMIT 5"')
    if len(statements) > 1:
        raise _QueryError(f"these are {len(statements)} statements", hint="ask one at a time")
    (statement,) = statements
    if statement.type == kinds.EXPLAIN:  # with ANALYZE, DuckDB carries the explained statement out
        _require_reading(connection, _EXPLAIN.sub("", sql, count=1))
    elif statement.type != kinds.SELECT:
        raise _QueryError(
            f"{statement.type.name} is not a question: `ogf query` only reads",
            hint="to write the answer to a file: ogf query --format csv -o FILE SQL (or json, parquet)",
        )


def _reader_gone() -> bool:
    """Whether whoever read our output (`| head`) has closed it: DuckDB has no error of its own for that."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


class _QueryError(OgfError):
    exit_code = ExitCode.USAGE


def _show(answer: duckdb.DuckDBPyRelation) -> None:
    from ogf.cli.output import write_table

    rows = answer.fetchmany(_MOST_ROWS + 1)
    numbers = [
        name
        for name, kind in zip(answer.columns, answer.types, strict=True)
        if str(kind).startswith(("DECIMAL", "DOUBLE", "FLOAT", "BIGINT", "INTEGER", "HUGEINT", "UBIGINT"))
    ]
    write_table(answer.columns, rows[:_MOST_ROWS], numbers=numbers)
    if len(rows) > _MOST_ROWS:
        click.echo(f"only the first {_MOST_ROWS:,} rows are shown; --format csv gives all of them", err=True)


def copy_answer(
    connection: duckdb.DuckDBPyConnection,
    answer: duckdb.DuckDBPyRelation,  # noqa: ARG001 - DuckDB finds it by its name
    form: str,
    output: Path | None,
) -> None:
    """Write an answer as csv, json or parquet, to a file or, without one, to stdout."""
    from ogf.cli.output import until_enough
    from ogf.files.table import literal

    # Never /dev/stdout by name: opening it truncates a file it points to, and a closed one's number may be reused.
    with tempfile.TemporaryDirectory() as folder:
        target = output or Path(folder) / "answer"
        connection.execute(f"COPY (SELECT * FROM answer) TO {literal(str(target))} ({COPY_OPTIONS[form]})")
        if output is None and sys.stdout is not None:
            with until_enough(), target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.flush()
