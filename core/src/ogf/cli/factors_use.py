"""`ogf factors use`: choose the factor set and the method of estimates, or bring factors of your own."""

from __future__ import annotations

from pathlib import Path

import click

from ogf.cli import options
from ogf.errors import ConfigError, ExitCode


@click.command("use")
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
    help="Your own factors (CSV): by kWh, in place of the set's by region and year; or by spend, for the method spend",
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
    ogf factors use --method spend --file our-spend-factors.csv
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    from ogf.cli.output import write_json
    from ogf.emissions import own, own_spend
    from ogf.emissions.choice import FACTOR_SETS, choose, read
    from ogf.emissions.install import install
    from ogf.emissions.methods import method

    if file is not None and no_file:
        raise ConfigError(
            "--file and --no-file contradict each other",
            hint="--file alone takes the place of the factors that you gave before",
        )
    if factor_set is not None and factor_set not in FACTOR_SETS:
        raise ConfigError(
            f"there is no factor set {factor_set}", hint=f"choose one of: {', '.join(FACTOR_SETS)}"
        )
    if method_name is not None:
        method(method_name)
    by_spend = file is not None and (method_name == "spend" or own_spend.is_one(file))
    spend_factors = own_spend.read(file) if file is not None and by_spend else None
    factors = own.read(file) if file is not None and not by_spend else None
    config = options.load_config(config_path=config_path, db=db, runner__wait=wait)
    warehouse = options.warehouse_of(config)
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
                own_spend.put(connection, [])
            if factors is not None:
                own.put(connection, factors)
            if spend_factors is not None:
                own_spend.put(connection, spend_factors)
            for text in global_regions:
                provider, _, region = text.partition("=")
                own.put_global(connection, provider, region)
            choice, _ = read(connection)
            if (
                choice.factor_set == "custom"
                and not connection.execute("SELECT 1 FROM emission_factors_own").fetchone()
            ):
                raise ConfigError("the factor set custom has no factors", hint="give it a file with --file")
            if choice.method == "spend":
                own_spend.require(connection)
            install(connection)
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    told = f"estimates use the method {choice.method} and the factor set {choice.factor_set}"
    if choice.method == "spend":
        told = "estimates use the method spend, which reads no factor set"
    if count := len(factors or spend_factors or ()):
        told += f", with {count:,} factor{'s' * (count > 1)} of {file}"
    if as_json:
        write_json(
            {"method": choice.method, "factor_set": choice.factor_set, "utilisation": choice.utilisation}
        )
    click.echo(f"{told}; reported figures are as they were", err=True)
    if spend_factors is not None and choice.method != "spend":
        click.echo(
            "Factors by spend are kept, and read by the method spend alone: --method spend uses them.",
            err=True,
        )
    elif factors is not None and choice.method == "spend":
        click.echo(
            "Factors by kWh are kept, and not read by the method spend: --method ogf-2026.1 uses them.",
            err=True,
        )
    return ExitCode.SUCCEEDED
