"""What a figure rests on: method, factor set, coefficients, and whose data they are, as the licences ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ogf.emissions.choice import FACTOR_SETS, read
from ogf.emissions.methods import method

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

_GRID = {
    "electricity-maps": ("electricity_maps/zones",),
    "ember": ("ember",),
    "google-operational": ("google",),
    "custom": (),
}
# Bounds are looked for in every set that knows the place.
_BOUNDS = ("electricity_maps/zones", "ember", "google")


@dataclass(frozen=True)
class Source:
    """Whose data a shipped table is, from the note beside it."""

    table: str
    source: str
    licence: str
    attribution: str
    year: str


@dataclass(frozen=True)
class Basis:
    """How the estimates of a warehouse are made now."""

    method: str
    method_title: str
    method_version: str
    factor_set: str
    factor_set_title: str
    utilisation: float | None
    own_factors: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "method_version": self.method_version,
            "factor_set": self.factor_set,
            "utilisation": self.utilisation,
        }


def basis(connection: duckdb.DuckDBPyConnection) -> Basis:
    """What was chosen in this warehouse, and the sources that it takes its figures from."""
    choice, _ = read(connection)
    chosen = method(choice.method)
    own = connection.execute(
        "SELECT DISTINCT source, licence FROM emission_factors_own ORDER BY ALL"
    ).fetchall()
    tables = [*_GRID.get(choice.factor_set, ()), *_BOUNDS, *chosen.tables]
    return Basis(
        method=chosen.name,
        method_title=chosen.title,
        method_version=chosen.version,
        factor_set=choice.factor_set,
        factor_set_title=FACTOR_SETS.get(choice.factor_set, ""),
        utilisation=choice.utilisation,
        own_factors=tuple(own),
        sources=sources(tables),
    )


def sources(tables: Sequence[str]) -> tuple[Source, ...]:
    """The notes beside these tables of `emissions/data`, each once."""
    data = files("ogf.emissions").joinpath("data")
    found = []
    for table in dict.fromkeys(tables):
        told = json.loads(data.joinpath(f"{table}.source.json").read_text(encoding="utf-8"))
        found.append(Source(table, *(told[name] for name in ("source", "licence", "attribution", "year"))))
    return tuple(found)
