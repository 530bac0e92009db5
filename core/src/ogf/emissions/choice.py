"""What the user chose: method, factor set, own factors. Kept in the warehouse, so that every reader sees the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ogf.emissions.methods import DEFAULT

if TYPE_CHECKING:
    import duckdb

FACTOR_SETS = {
    "electricity-maps": "lifecycle, consumption-based, by zone and year 2021-2025 (Electricity Maps, ODbL-1.0)",
    "ember": "lifecycle, production mix, by country or state, about 2025 (Ember, CC BY 4.0)",
    "google-operational": "direct, Google Cloud alone, by region and year 2021-2024 (Google, Apache-2.0)",
    "custom": "only the factors of your own file",
}
DEFAULT_SET = "electricity-maps"


@dataclass(frozen=True)
class Choice:
    """How estimates are made.

    Attributes:
        method: name of a method's folder.
        factor_set: one of FACTOR_SETS. Own factors take the place of the set's by region and year.
        utilisation: share of a vCPU that is busy, in place of the method's; burstable types keep their baseline.
        own: hash of the user's own factors, by kWh and by spend, and region names.
    """

    method: str = DEFAULT
    factor_set: str = DEFAULT_SET
    utilisation: float | None = None
    own: str = ""


def read(connection: duckdb.DuckDBPyConnection) -> tuple[Choice, str | None]:
    """The choice, and what the tables in the file were made from. A new warehouse gets the defaults."""
    row = connection.execute(
        "SELECT method, factor_set, utilisation, made_from FROM emission_choice"
    ).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO emission_choice (method, factor_set) VALUES (?, ?)", [DEFAULT, DEFAULT_SET]
        )
        row = (DEFAULT, DEFAULT_SET, None, None)
    own = connection.execute(
        "SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM ("
        "SELECT CAST(o AS VARCHAR) AS line FROM emission_factors_own AS o "
        "UNION ALL SELECT CAST(r AS VARCHAR) FROM emission_regions_own AS r "
        "UNION ALL SELECT CAST(s AS VARCHAR) FROM emission_spend_own AS s)"
    ).fetchone()
    method, factor_set, utilisation, made_from = row
    return Choice(method, factor_set, utilisation, (own and own[0]) or ""), made_from


def choose(
    connection: duckdb.DuckDBPyConnection,
    *,
    factor_set: str | None = None,
    method: str | None = None,
    utilisation: float | None = None,
    defaults: bool = False,
) -> None:
    """Keep a choice; what is None stays as it was, or as shipped with `defaults`."""
    if defaults:
        connection.execute("DELETE FROM emission_choice")
        connection.execute("DELETE FROM emission_factors_own")
        connection.execute("DELETE FROM emission_spend_own")
        connection.execute("DELETE FROM emission_regions_own")
    before, made_from = read(connection)
    connection.execute("DELETE FROM emission_choice")
    connection.execute(
        "INSERT INTO emission_choice (method, factor_set, utilisation, chosen_at, made_from) "
        "VALUES (?, ?, ?, now(), ?)",
        [
            method or before.method,
            factor_set or before.factor_set,
            before.utilisation if utilisation is None else utilisation,
            made_from,
        ],
    )
