"""`ogf demo`: sample exports, the real pipeline, a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ogf.cli import options
from ogf.errors import PluginError

if TYPE_CHECKING:
    from ogf.plugins import Plugin

_BY_MONTH = """
SELECT strftime(timezone('UTC', period_start), '%Y-%m') AS month, service, region, count(*) AS "rows",
    CAST(sum(cost) AS DECIMAL(18,2)) AS cost, any_value(currency) AS currency
FROM activities GROUP BY ALL ORDER BY month, cost DESC, service, region"""


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where the sample exports and the demo's own warehouse go",
)
@click.option(
    "--provider", "name", metavar="P", help="Whose sample exports [the first provider that has some]"
)
@options.common
def command(
    *, folder: Path, name: str | None, config_path: Path | None, db: Path | None, as_json: bool
) -> int:
    """Load sample exports and show what is in them.

    Writes the exports into a folder, loads them with the real pipeline and shows cost by month, service and region.
    Needs no account and no network. Run it twice: the second time nothing has changed.
    """
    del config_path
    from ogf import telemetry
    from ogf.cli.output import write_json, write_table
    from ogf.cli.progress import reporter
    from ogf.cli.run import show_summary
    from ogf.config import load
    from ogf.runner.run import Options, ProviderRun

    plugin = _with_demo(name)
    provider = plugin.provider
    assert provider.demo is not None  # noqa: S101 - `_with_demo` sees to it
    folder.mkdir(parents=True, exist_ok=True)
    exports = folder / "exports"
    settings = provider.demo(exports)
    db = db or folder / "ogf.duckdb"
    config = load(
        path=Path(os.devnull),  # whatever ogf.yaml lies here, the demo is the same
        environ={},
        overrides={"warehouse.path": db, **_dotted(f"ingestion.{provider.name}", settings)},
        providers={provider.name: provider.settings},
        installed=[provider.name],
    )
    telemetry.configure(level="critical")
    show = reporter()
    show.say(f"sample exports are in {exports}")
    result = ProviderRun(plugin, config, reporter=show).run(Options())
    show_summary(show, result)
    with ProviderRun(plugin, config).warehouse.reading() as connection:
        cursor = connection.execute(_BY_MONTH)
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
    if as_json:
        write_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        write_table(names, rows, numbers=("rows", "cost"))
        show.say(f'Ask it yourself: ogf query --db {db} "FROM activities LIMIT 5"')
    return result.exit_code()


def _with_demo(name: str | None) -> Plugin:
    from ogf.plugins import installed, load

    for each in [name] if name else installed():
        try:
            plugin = load(each)
        except PluginError:
            if name:
                raise
            continue  # a broken plugin must not stop another's demo
        if plugin.provider.demo is not None:
            return plugin
    raise PluginError("no installed provider has sample exports", hint="pip install ogf-aws")


def _dotted(above: str, settings: object) -> dict[str, object]:
    if not isinstance(settings, dict):
        return {above: settings}
    return {
        key: value
        for name, item in settings.items()
        for key, value in _dotted(f"{above}.{name}", item).items()
    }
