"""The tables behind the report: asks the views of an open warehouse, cut to what was asked for. Masses are kg CO2e."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ogf.files.statement import put
from ogf.files.table import literal, quoted
from ogf.warehouse.answers import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from ogf.window import Window

TABLES = {
    "clouds": "per provider: reported beside estimated, ratio, coverage",
    "months": "footprint by month and scope",
    "services": "footprint by service",
    "regions": "footprint by region",
    "reconciliation": "reported beside estimated by month and provider, with ratios",
    "coverage": "share of usage with an estimate, by service",
    "uncovered": "usage without an estimate, by usage type",
    "restatements": "what providers changed about months they had reported",
    "factors": "grid factors and PUE behind the estimates",
}
GROUPS = {
    "org": ("org_id",),
    "provider": ("provider",),
    "account": ("account_id",),
    "month": ("month",),
    "scope": ("provider_scope", "lifecycle"),
    "service": ("service",),
    "category": ("category",),
    "region": ("region",),
}
_FOOTPRINT = {
    "months": ("month", "scope"),
    "services": ("provider", "service"),
    "regions": ("provider", "region"),
}
ACCOUNTINGS = ("location", "market")


@dataclass(frozen=True)
class Asked:
    """What the report is to be about.

    Attributes:
        window: months; an open side has no bound.
        providers, orgs: only these; empty for all.
        accountings: `location`, `market` or both. Each gets figures of its own.
    """

    window: Window
    providers: Sequence[str] = ()
    orgs: Sequence[str] = ()
    accountings: Sequence[str] = ACCOUNTINGS

    def condition(self, of: str = "") -> str:
        """As SQL over a relation with org_id, provider and month, which `of` names."""
        parts = [
            f'{of}"month" >= DATE {literal(str(self.window.since.first_day))}' if self.window.since else "",
            f'{of}"month" < DATE {literal(str(self.window.until.first_day))}' if self.window.until else "",
            f"{of}provider IN ({_list(self.providers)})" if self.providers else "",
            f"{of}org_id IN ({_list(self.orgs)})" if self.orgs else "",
        ]
        return " AND ".join(filter(None, parts)) or "true"


@dataclass(frozen=True)
class Table:
    """One table: columns in order, rows as dictionaries of them.

    Attributes:
        question: the SELECT that they answer, over temporary tables of the same connection.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    question: str = ""


class Tables:
    """The tables of one report, each made when it is asked for.

    Args:
        connection: an open warehouse; read-only is enough. Temporary tables are made in it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, asked: Asked) -> None:
        self.asked = asked
        self.connection = connection
        self._values = {
            "asked": asked.condition(),
            "asked_of_r": asked.condition("r."),
            "accountings": _list(asked.accountings),
        }
        connection.execute(put(_sql("base"), self._values))

    def __getitem__(self, name: str) -> Table:
        """One of TABLES."""
        if name in _FOOTPRINT:
            return self.by(_FOOTPRINT[name], name)
        return self._made(name, put(_sql(name), self._values))

    def by(self, groups: Sequence[str], name: str = "footprint") -> Table:
        """The footprint by any of GROUPS; always by accounting and basis too, for neither may be added up."""
        columns = [column for group in groups for column in GROUPS[group]]
        keys = ", ".join(quoted(column) for column in dict.fromkeys([*columns, "accounting", "basis"]))
        return self._made(
            name,
            f"SELECT {keys}, steady(fsum(emissions_kgco2e)) AS emissions_kgco2e, "
            "steady(fsum(low_kgco2e)) AS low_kgco2e, steady(fsum(high_kgco2e)) AS high_kgco2e, "
            "steady(fsum(energy_kwh)) AS energy_kwh, "
            "bool_and(complete) AS complete "
            f"FROM report_footprint GROUP BY {keys} ORDER BY {keys}",
        )

    def accountings(self) -> list[str]:
        """Of those asked for, the ones by which some account is whole: scope 3 alone is no market-based set."""
        rows = self.connection.execute(
            "SELECT DISTINCT accounting FROM report_footprint WHERE complete ORDER BY ALL"
        ).fetchall()
        return [accounting for (accounting,) in rows]

    def organisations(self) -> list[str]:
        """Whose figures these are."""
        rows = self.connection.execute(
            "SELECT org_id FROM report_footprint UNION SELECT org_id FROM report_coverage ORDER BY ALL"
        ).fetchall()
        return [org for (org,) in rows]

    def _made(self, name: str, question: str) -> Table:
        return Table(name, *answer(self.connection, question), question)


def _list(values: Sequence[str]) -> str:
    return ", ".join(literal(value) for value in values)


def _sql(name: str) -> str:
    return files("ogf.report").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
