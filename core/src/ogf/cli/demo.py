"""`ogf demo`: sample exports, the real pipeline, a table of the clouds, and the report as a page."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogf.cli import options
from ogf.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ogf.cli.progress import Lines
    from ogf.plugins import Plugin
    from ogf.report.tables import Tables

    Writer = Callable[[Path], Mapping[str, Any]]


_OURS = "# Made by ogf demo, which overwrites it.\n"


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

    Writes the exports into a folder, loads them with the real pipeline, shows what is reported beside what is
    estimated, and writes the report with its charts as report.html. Needs no account and no network. Run it twice:
    the second time nothing has changed.
    """
    del config_path
    from ogf import telemetry
    from ogf.cli.output import write_json, write_table
    from ogf.cli.progress import reporter
    from ogf.cli.run import show_summary
    from ogf.config import load
    from ogf.report import comparisons
    from ogf.report.tables import Asked, Tables
    from ogf.runner.report import overall
    from ogf.runner.run import Options, ProviderRun
    from ogf.window import Window

    plugins = _with_demo(names)
    settings = folder / "ogf.yaml"
    if settings.exists() and not settings.read_text(encoding="utf-8").startswith(_OURS):
        raise ConfigError(
            f"{settings} is not the demo's own, and would be overwritten",
            hint="give the demo another --folder",
        )
    folder.mkdir(parents=True, exist_ok=True)
    exports = folder / "exports"
    db = db or folder / "ogf.duckdb"
    # a folder of exports each: none reads another's files
    sections = {name: {"enabled": True, **write(exports / name)} for name, (_, write) in plugins.items()}
    settings.write_text(_document(sections, db), encoding="utf-8")
    config = load(
        path=settings,
        environ={},
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
        tables = Tables(connection, Asked(Window()))
        clouds = tables["clouds"]
        page = _page(folder / "report.html", tables, show)
    if as_json:
        write_json({"clouds": clouds.rows, "report": page and str(page)})
    else:
        shown = comparisons.clouds(clouds)
        write_table(shown.columns, shown.rows, numbers=shown.numbers, title=shown.title)
        for note in shown.notes:
            show.say(note)
    if page:
        show.say(f"The report is {page}: open it in a browser")
    show.say(f'Ask it yourself: ogf query --db {db} "FROM footprint LIMIT 5"')
    show.say(
        f"Or serve it: ogf serve --config {settings}, with a key of ogf token create --config {settings}"
    )
    return overall(results)


def _page(path: Path, tables: Tables, show: Lines) -> Path | None:
    """Write the report, if what draws it is installed."""
    from ogf.report.page import page

    try:
        text = page(tables, dt.datetime.now(dt.UTC))
    except ConfigError as error:
        show.say(str(error))
        return None
    path.write_text(text, encoding="utf-8")
    return path


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


def _document(sections: Mapping[str, object], db: Path) -> str:
    """The configuration that the demo runs with, for whoever wants to go on with it."""
    import yaml

    told = {"warehouse": {"path": str(db)}, "ingestion": dict(sections)}
    return _OURS + yaml.safe_dump(json.loads(json.dumps(told, default=str)), sort_keys=False)
