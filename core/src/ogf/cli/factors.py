"""`ogf factors`: which emission factors and which method the estimates use, and choosing others."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_SETS = """
SELECT factor_set, count(*) AS factors, string_agg(DISTINCT licence, '; ' ORDER BY licence) AS licence
FROM factor_grid GROUP BY ALL ORDER BY ALL"""

_SHOW_REGION = """
SELECT usage_year AS "year", factor_id, gco2e_per_kwh, low_gco2e_per_kwh AS low, high_gco2e_per_kwh AS high, pue,
    factor_basis AS basis, factor_licence AS licence
FROM factor_regions WHERE provider = ? AND reported = replace(lower(?), ' ', '') ORDER BY usage_year"""

_MISSING = """
SELECT provider, region, place FROM factor_places AS p
WHERE NOT EXISTS (FROM factor_regions AS f WHERE f.provider = p.provider AND f.region = p.region)
    AND (? <> 'google-operational' OR provider = 'gcp')
ORDER BY ALL"""

_UNKNOWN = """
SELECT provider, coalesce(region, '') AS region, CAST(sum(unknown_region_rows) AS BIGINT) AS "rows",
    CAST(sum(cost) FILTER (unknown_region_rows > 0) AS DECIMAL(18,2)) AS cost
FROM coverage GROUP BY ALL HAVING sum(unknown_region_rows) > 0 ORDER BY "rows" DESC, provider, region"""

_PROCESSORS = """
SELECT m.provider, m.processor, CAST(sum(m.vcpu_rows) AS BIGINT) AS "rows"
FROM monthly AS m ANTI JOIN factor_processors AS p ON p.provider = m.provider AND p.processor = m.processor
WHERE m.processor IS NOT NULL AND m.vcpu_rows > 0 GROUP BY ALL ORDER BY "rows" DESC"""

_NEGATIVE = """
SELECT provider, account_id, "month", service, round(sum(emissions_kgco2e), 6) AS emissions_kgco2e
FROM footprint GROUP BY ALL HAVING sum(emissions_kgco2e) < 0 ORDER BY ALL"""


@click.group("factors")
def command() -> None:
    """Show, check and choose the emission factors of estimates.

    Estimates are computed when they are asked for: choosing another factor set changes them at once, needs no
    download, and leaves reported figures alone.
    """


@command.command("list")
@options.wait
@options.common
def list_(*, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """List the factor sets and the methods; the chosen ones are marked."""
    from ogf.cli.output import write_json, write_table
    from ogf.emissions.choice import FACTOR_SETS, read
    from ogf.emissions.methods import methods

    with _reading(wait, config_path, db) as connection:
        choice, _ = read(connection)
        have = {row["factor_set"]: row for row in _ask(connection, _SETS)}
    sets = [
        {
            "chosen": name == choice.factor_set,
            "factor_set": name,
            "factors": have.get(name, {}).get("factors", 0),
            "licence": have.get(name, {}).get("licence", ""),
            "what": what,
        }
        for name, what in FACTOR_SETS.items()
    ]
    known = [
        {"chosen": name == choice.method, "method": name, "version": item.version, "what": item.title}
        for name, item in methods().items()
    ]
    if as_json:
        write_json({"factor_sets": sets, "methods": known, "utilisation": choice.utilisation})
        return ExitCode.SUCCEEDED
    for rows, numbers in ((sets, ("factors",)), (known, ())):
        write_table(
            list(rows[0]),
            [["*" if v is True else "" if v is False else v for v in row.values()] for row in rows],
            numbers=numbers,
        )
    if choice.utilisation is not None:
        click.echo(f"vCPUs are taken to be busy {choice.utilisation:.0%} of the time, as you chose.")
    return ExitCode.SUCCEEDED


@command.command("show")
@click.argument("what")
@options.wait
@options.common
def show(*, what: str, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """Show a factor by its id, or the factors of a region.

    \b
    ogf factors show em:2024:DE
    ogf factors show aws/eu-central-1
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.cli.output import write_json, write_table

    with _reading(wait, config_path, db) as connection:
        rows = _factor(connection, what)
        if not rows and "/" in what:
            rows = _ask(connection, _SHOW_REGION, *what.split("/", 1))
    if not rows:
        raise ConfigError(
            f"there is no factor and no region with a factor named {what}",
            hint="ids stand in the column factor_id of emissions; a region is written as in gcp/us-east4",
        )
    if as_json:
        write_json(rows)
        return ExitCode.SUCCEEDED
    rows = [{key: str(value) if "year" in key else value for key, value in row.items()} for row in rows]
    if len(rows) == 1:
        write_table(("", what), [(key, value) for key, value in rows[0].items() if value is not None])
    else:
        write_table(
            list(rows[0]),
            [list(row.values()) for row in rows],
            numbers=("gco2e_per_kwh", "low", "high", "pue"),
        )
    return ExitCode.SUCCEEDED


@command.command("check")
@options.wait
@options.common
def check(*, wait: str | None, config_path: Path | None, db: Path | None, as_json: bool) -> int:
    """Say which regions, and what usage, have no factor.

    Exits 3 if usage in the warehouse is left out because of that.
    """
    from ogf.cli.output import write_json, write_table
    from ogf.emissions.choice import read
    from ogf.emissions.sidecars import damaged

    with _reading(wait, config_path, db) as connection:
        choice, _ = read(connection)
        found = {
            "regions_without_factor": _ask(connection, _MISSING, choice.factor_set),
            "usage_without_factor": _ask(connection, _UNKNOWN),
            "processors_without_watts": _ask(connection, _PROCESSORS),
            "months_below_zero": _ask(connection, _NEGATIVE),
        }
    broken = damaged()
    if as_json:
        write_json({"factor_set": choice.factor_set, "damaged_tables": broken, **found})
    else:
        titles = {
            "regions_without_factor": f"Regions without a factor in the set {choice.factor_set}",
            "usage_without_factor": "Usage in the warehouse without an estimate: no factor for its region",
            "processors_without_watts": "Processors without watts of their own: the provider's average is used",
            "months_below_zero": "Below zero: more was taken back than used",
        }
        for key, title in titles.items():
            if found[key]:
                write_table(
                    list(found[key][0]),
                    [list(row.values()) for row in found[key]],
                    numbers=("rows", "cost"),
                    title=title,
                )
        if broken:
            click.echo(f"changed after they were made, so not to be trusted: {', '.join(broken)}", err=True)
        if not found["usage_without_factor"]:
            click.echo("All usage with a physical quantity has a factor.", err=True)
    if broken:
        return ExitCode.FAILED
    return ExitCode.PARTIAL if found["usage_without_factor"] else ExitCode.SUCCEEDED


@command.command("use")
@click.argument("factor_set", required=False)
@click.option(
    "--method",
    "method_name",
    metavar="NAME",
    help="How usage becomes carbon; `ogf factors list` has the names",
)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="Your own factors (CSV), in place of the set's by region and year",
)
@click.option("--no-file", is_flag=True, help="Forget your own factors")
@click.option(
    "--utilisation", type=click.FloatRange(0, 1), help="Share of a vCPU that is busy, if you know it [0.5]"
)
@click.option(
    "--global",
    "global_regions",
    multiple=True,
    metavar="PROVIDER=REGION",
    help="Region that stands for usage without one; repeatable",
)
@click.option("--defaults", is_flag=True, help="Everything as shipped, before the other options")
@options.wait
@options.common
def use(
    *,
    factor_set: str | None,
    method_name: str | None,
    file: Path | None,
    no_file: bool,
    utilisation: float | None,
    global_regions: tuple[str, ...],
    defaults: bool,
    wait: str | None,
    config_path: Path | None,
    db: Path | None,
    as_json: bool,
) -> int:
    """Choose the factor set, the method, or factors of your own.

    It is kept in the warehouse: everybody who asks it sees the same figures.

    \b
    ogf factors use ember
    ogf factors use --file our-factors.csv
    ogf factors use --global aws=eu-central-1
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.cli.output import write_json
    from ogf.emissions import own
    from ogf.emissions.choice import FACTOR_SETS, choose, read
    from ogf.emissions.install import install
    from ogf.emissions.methods import method
    from ogf.warehouse.file import WarehouseFile

    if factor_set is not None and factor_set not in FACTOR_SETS:
        raise ConfigError(
            f"there is no factor set {factor_set}", hint=f"choose one of: {', '.join(FACTOR_SETS)}"
        )
    if method_name is not None:
        method(method_name)
    factors = own.read(file) if file is not None else None
    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    warehouse = WarehouseFile(config.settings.warehouse.path, wait=config.settings.runner.wait)
    with warehouse.writing() as connection:
        connection.begin()
        try:
            choose(
                connection,
                factor_set=factor_set,
                method=method_name,
                utilisation=utilisation,
                defaults=defaults,
            )
            if no_file:
                own.put(connection, [])
            if factors is not None:
                own.put(connection, factors)
            for text in global_regions:
                provider, _, region = text.partition("=")
                own.put_global(connection, provider, region)
            choice, _ = read(connection)
            if (
                choice.factor_set == "custom"
                and not connection.execute("SELECT 1 FROM emission_factors_own").fetchone()
            ):
                raise ConfigError("the factor set custom has no factors", hint="give it a file with --file")
            install(connection)
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    told = f"estimates use the method {choice.method} and the factor set {choice.factor_set}"
    if factors is not None:
        told += f", with {len(factors):,} factors of {file}"
    if as_json:
        write_json(
            {"method": choice.method, "factor_set": choice.factor_set, "utilisation": choice.utilisation}
        )
    click.echo(f"{told}; reported figures are as they were", err=True)
    return ExitCode.SUCCEEDED


@contextmanager
def _reading(
    wait: str | None, config_path: Path | None, db: Path | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse; where there is none yet, the shipped factors."""
    import duckdb

    from ogf.warehouse.file import WarehouseFile
    from ogf.warehouse.migrate import upgrade

    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    path = config.settings.warehouse.path
    if path.exists() or db is not None:
        with WarehouseFile(path, wait=config.settings.runner.wait).reading() as connection:
            yield connection
        return
    with duckdb.connect(":memory:") as connection:
        upgrade(connection, where="shipped factors")
        yield connection


def _factor(connection: duckdb.DuckDBPyConnection, factor_id: str) -> list[dict[str, Any]]:
    for table in (
        "factor_grid",
        "factor_pue",
        "factor_machines",
        "factor_processors",
        "factor_gpus",
        "factor_coefficients",
        "factor_ccf_grid",
        "factor_ccf_machines",
    ):
        if rows := _ask(connection, f"SELECT * FROM {table} WHERE factor_id = ?", factor_id):
            return rows[:1]
    # What is made of several regions has no row of its own but where it applies.
    return _ask(
        connection,
        "SELECT DISTINCT * EXCLUDE (reported, usage_year) FROM factor_regions WHERE factor_id = ?",
        factor_id,
    )[:1]


def _ask(connection: duckdb.DuckDBPyConnection, statement: str, *values: object) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, list(values))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
