"""The HTML page: one file with everything in it, no script, readable on a phone, in print, by day and by night."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from ogf import __version__
from ogf.report import charts, comparisons, notes
from ogf.report.sections import months, sections

if TYPE_CHECKING:
    import datetime as dt

    from jinja2 import Environment

    from ogf.report.tables import Tables

_TEMPLATES = ("page.html", "body.html", "charts.html")


def page(tables: Tables, made_at: dt.datetime) -> str:
    """The page as a text. Everything that comes from data is escaped.

    Args:
        made_at: when, UTC, as the page says.

    Raises:
        ConfigError: matplotlib or jinja2 is not installed.
    """
    from markupsafe import Markup

    return _rendered(
        "page.html",
        tables,
        style=Markup(style()),  # noqa: S704 - our own file
        months=_months(tables),
        made_at=made_at,
        version=__version__,
    )


def fragment(tables: Tables) -> str:
    """What the page says, without its head and its style: for a page that has its own. Raises as `page`."""
    return _rendered("body.html", tables)


def month_charts(tables: Tables) -> str:
    """The footprint by month as charts, by the first accounting that has any; empty without. Raises as `page`."""
    charts.require()
    panel = next(iter(months(tables).panels), None)
    return _environment().get_template("charts.html").render(panel=panel) if panel else ""


def style() -> str:
    """The page's style sheet, for whoever shows a fragment."""
    return _file("page.css")


def _rendered(name: str, tables: Tables, **more: object) -> str:
    charts.require()
    return (
        _environment()
        .get_template(name)
        .render(
            clouds=comparisons.clouds(tables["clouds"]),
            sections=sections(tables),
            factors=comparisons.factors(tables["factors"]),
            basis=notes.basis(tables.connection),
            orgs=tables.organisations(),
            providers=tables.asked.providers,
            accountings=tables.asked.accountings,
            **more,
        )
    )


def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=DictLoader({each: _file(each) for each in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["chart"] = Markup  # drawn by us, escaped as XML
    return environment


def _file(name: str) -> str:
    return files("ogf.report").joinpath("templates", name).read_text(encoding="utf-8")


def _months(tables: Tables) -> str:
    """First and last month that have a figure or usage, in words; empty where none has."""
    row = tables.connection.execute(
        'SELECT min("month"), max("month") FROM ('
        'SELECT "month" FROM report_footprint UNION ALL SELECT "month" FROM report_coverage)'
    ).fetchone()
    first, last = row or (None, None)
    if first is None:
        return ""
    return f"{first:%Y-%m}" if first == last else f"{first:%Y-%m} to {last:%Y-%m}"
