"""`ogf demo`: sample exports, the real pipeline, a table of cost and one of reported emissions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from ogf.plugins import Plugin

    Writer = Callable[[Path], Mapping[str, Any]]

_COST = """
SELECT strftime(timezone('UTC', period_start), '%Y-%m') AS month, service, region, count(*) AS "rows",
    CAST(sum(cost) AS DECIMAL(18,2)) AS cost, any_value(currency) AS currency
FROM activities WHERE cost IS NOT NULL GROUP BY ALL ORDER BY month, cost DESC, service, region"""

# Added up as decimals: a sum of doubles depends on the order of its rows.
_EMISSIONS = """
SELECT strftime(timezone('UTC', period_start), '%Y-%m') AS month, provider, provider_scope AS scope, accounting,
    CAST(sum(CAST(emissions_kgco2e AS DECIMAL(38,12))) AS DECIMAL(18,2)) AS emissions_kgco2e
FROM activities WHERE emissions_kgco2e IS NOT NULL
GROUP BY ALL ORDER BY month, provider, scope, accounting NULLS FIRST"""


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where the sample exports and the demo's own warehouse go",
)
@click.option(
    "--provider",
    "names",
    multiple=True,
    metavar="P",
    help="Whose sample exports; repeatable [every provider that has some]",
)
@options.common
def command(
    *, folder: Path, names: tuple[str, ...], config_path: Path | None, db: Path | None, as_json: bool
) -> int:
    """Load sample exports and show what is in them.

    Writes the exports into a folder, loads them with the real pipeline and shows cost by month, service and region,
    and the emissions that are reported, by month, provider, scope and accounting. Needs no account and no network.
    Run it twice: the second time nothing has changed.
    """
    del config_path
    from ogf import telemetry
    from ogf.cli.output import write_json, write_table
    from ogf.cli.progress import reporter
    from ogf.cli.run import show_summary
    from ogf.config import load
    from ogf.runner.run import Options, ProviderRun, overall

    plugins = _with_demo(names)
    folder.mkdir(parents=True, exist_ok=True)
    exports = folder / "exports"
    db = db or folder / "ogf.duckdb"
    overrides: dict[str, object] = {"warehouse.path": db}
    for name, (_, write) in plugins.items():
        overrides |= _dotted(
            f"ingestion.{name}", write(exports / name)
        )  # a folder each: none reads another's files
    config = load(
        path=Path(os.devnull),  # whatever ogf.yaml lies here, the demo is the same
        environ={},
        overrides=overrides,
        providers={name: plugin.provider.settings for name, (plugin, _) in plugins.items()},
        installed=list(plugins),
    )
    telemetry.configure(level="critical")
    show = reporter()
    show.say(f"sample exports are in {exports}")
    runs = [ProviderRun(plugin, config, reporter=show) for plugin, _ in plugins.values()]
    results = []
    for run in runs:
        results.append(run.run(Options()))
        show_summary(show, results[-1])
    with runs[0].warehouse.reading() as connection:
        cost, emissions = (_table(connection, question) for question in (_COST, _EMISSIONS))
    if as_json:
        write_json(
            {
                key: [dict(zip(columns, row, strict=True)) for row in rows]
                for key, (columns, rows) in {"cost": cost, "emissions": emissions}.items()
            }
        )
    else:
        write_table(*cost, numbers=("rows", "cost"), title="Cost")
        if emissions[1]:
            write_table(
                *emissions, numbers=("scope", "emissions_kgco2e"), title="Reported emissions, kg CO2e"
            )
        show.say(f'Ask it yourself: ogf query --db {db} "FROM activities LIMIT 5"')
    return overall(results)


def _table(connection: duckdb.DuckDBPyConnection, question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor = connection.execute(question)
    return [column[0] for column in cursor.description or ()], cursor.fetchall()


def _with_demo(names: Sequence[str]) -> dict[str, tuple[Plugin, Writer]]:
    """Find the providers asked for, else all installed ones, and what writes their sample exports.

    Raises:
        PluginError: one that was asked for has none or cannot be loaded; or there is not one that has some.
    """
    from ogf.plugins import installed, load

    found: dict[str, tuple[Plugin, Writer]] = {}
    for name in names or installed():
        try:
            plugin = load(name)
        except PluginError:
            if names:
                raise
            continue  # a broken plugin must not stop another's demo
        if plugin.provider.demo is not None:
            found[name] = (plugin, plugin.provider.demo)
        elif names:
            raise PluginError(f"the provider {name} has no sample exports", hint="leave out --provider")
    if not found:
        raise PluginError(
            "no installed provider has sample exports", hint="pip install ogf-aws ogf-azure ogf-gcp"
        )
    return found


def _dotted(above: str, settings: object) -> dict[str, object]:
    if not isinstance(settings, dict):
        return {above: settings}
    return {
        key: value
        for name, item in settings.items()
        for key, value in _dotted(f"{above}.{name}", item).items()
    }
