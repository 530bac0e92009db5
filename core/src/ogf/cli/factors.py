"""`ogf factors`: which emission factors and which method the estimates use. Choosing others is `factors_use`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.cli.factors_use import use
from ogf.errors import ConfigError, ExitCode
from ogf.warehouse.answers import answer

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

_UNPRICED = """
SELECT provider, coalesce(currency, '') AS currency, CAST(sum(usage_rows - estimated_rows) AS BIGINT) AS "rows",
    CAST(sum(cost) - coalesce(sum(estimated_cost), 0) AS DECIMAL(18,2)) AS cost
FROM coverage GROUP BY ALL HAVING sum(cost) IS DISTINCT FROM sum(estimated_cost) AND sum(cost) <> 0
ORDER BY "rows" DESC, provider, currency"""

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
        have = {row["factor_set"]: row for row in answer(connection, _SETS).rows}
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
            rows = answer(connection, _SHOW_REGION, *what.split("/", 1)).rows
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
        by_spend = choice.method == "spend"
        found = {
            "regions_without_factor": []
            if by_spend
            else answer(connection, _MISSING, choice.factor_set).rows,
            "usage_without_factor": answer(connection, _UNPRICED if by_spend else _UNKNOWN).rows,
            "processors_without_watts": answer(connection, _PROCESSORS).rows,
            "months_below_zero": answer(connection, _NEGATIVE).rows,
        }
    broken = damaged()
    if as_json:
        write_json({"factor_set": choice.factor_set, "damaged_tables": broken, **found})
    else:
        titles = {
            "regions_without_factor": f"Regions without a factor in the set {choice.factor_set}",
            "usage_without_factor": "Usage in the warehouse without an estimate: "
            + (
                "no factor for its currency, or no charge category"
                if by_spend
                else "no factor for its region"
            ),
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
            counted = "cost" if by_spend else "physical quantity"
            click.echo(f"All usage with a {counted} has a factor.", err=True)
    if broken:
        return ExitCode.FAILED
    return ExitCode.PARTIAL if found["usage_without_factor"] else ExitCode.SUCCEEDED


@contextmanager
def _reading(
    wait: str | None, config_path: Path | None, db: Path | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse; where there is none yet, the shipped factors."""
    import duckdb

    from ogf.warehouse.migrate import upgrade

    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    path = config.settings.warehouse.path
    if path.exists() or db is not None:
        with options.warehouse_of(config).reading() as connection:
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
        "emission_spend_own",
    ):
        if rows := answer(connection, f"SELECT * FROM {table} WHERE factor_id = ?", factor_id).rows:
            return rows[:1]
    # What is made of several regions has no row of its own but where it applies.
    return answer(
        connection,
        "SELECT DISTINCT * EXCLUDE (reported, usage_year) FROM factor_regions WHERE factor_id = ?",
        factor_id,
    ).rows[:1]


command.add_command(use)
