"""What a figure rests on: method, factor set, coefficients, and whose data they are, as the licences ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.emissions.choice import FACTOR_SETS, read
from ogf.emissions.install import version
from ogf.emissions.methods import method
from ogf.emissions.sidecars import sidecars

if TYPE_CHECKING:
    import duckdb

    from ogf.emissions.sidecars import Sidecar

# Whichever set is chosen, bounds are looked for in every set that knows the place.
_GRID = ("electricity_maps/zones", "ember", "google")


@dataclass(frozen=True)
class Basis:
    """How the estimates of a warehouse are made now."""

    method: str
    method_title: str
    method_version: str
    formula: str
    bounds: str
    factor_set: str
    factor_set_title: str
    utilisation: float | None
    own_factors: tuple[tuple[str, str], ...]
    sources: tuple[Sidecar, ...]

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
    by_spend = chosen.name == "spend"
    given = "emission_spend_own" if by_spend else "emission_factors_own"
    own = connection.execute(f"SELECT DISTINCT source, licence FROM {given} ORDER BY ALL").fetchall()
    read_from = {f"{table}.csv" for table in (*(() if by_spend else _GRID), *chosen.tables)}
    return Basis(
        method=chosen.name,
        method_title=chosen.title,
        method_version=version(choice),
        formula=chosen.formula,
        bounds=chosen.bounds,
        factor_set=choice.factor_set,
        factor_set_title="not read by this method" if by_spend else FACTOR_SETS.get(choice.factor_set, ""),
        utilisation=choice.utilisation,
        own_factors=tuple(own),
        sources=tuple(item for item in sidecars() if item.table in read_from),
    )
