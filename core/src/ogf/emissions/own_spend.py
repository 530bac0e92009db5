"""The user's own factors by spend: the other kind of factor file, known by its column kgco2e_per_currency."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from ogf.emissions.factor_file import no_number, no_year, rows_of
from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

_BOUNDS = ("low_kgco2e_per_currency", "kgco2e_per_currency", "high_kgco2e_per_currency")
COLUMNS = ("provider", "currency", "year", *_BOUNDS, "source", "licence")
_EXAMPLE = "aws,USD,2024,0.02,0.1,0.3,our supplier's disclosure,internal"
_MOST = 100  # kg for one unit of the dearest currency; published factors are below 1


@dataclass(frozen=True)
class SpendFactor:
    """One row of the file: kgCO2e for each unit of a currency that is paid to a provider in a year, and its bounds."""

    factor_id: str
    provider: str
    currency: str
    year: int
    low_kgco2e_per_currency: float
    kgco2e_per_currency: float
    high_kgco2e_per_currency: float
    source: str
    licence: str


def is_one(path: Path) -> bool:
    """Whether the file's first line has this kind's columns. False if it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return "kgco2e_per_currency" in lines.readline()
    except (OSError, UnicodeDecodeError):
        return False


def read(path: Path) -> list[SpendFactor]:
    """Read a file of factors by spend.

    Raises:
        ConfigError: the file cannot be read, or with one line for each mistake in it.
    """
    return rows_of(path, COLUMNS, _EXAMPLE, _mistakes, _factor)


def _mistakes(row: dict[str, str]) -> Iterator[str]:
    yield from no_year(row)
    if not re.fullmatch(r"[A-Za-z]{3}", row["currency"]):
        yield f"currency is {row['currency']!r}; it must be a code of three letters such as USD"
    what = "kilograms of CO2e per unit of currency"
    wrong = [text for name in _BOUNDS for text in no_number(row[name], name, 0, _MOST, what)]
    yield from wrong
    if not wrong and [float(row[name]) for name in _BOUNDS] != sorted(float(row[name]) for name in _BOUNDS):
        yield f"{_BOUNDS[1]} is {row[_BOUNDS[1]]}, not between its bounds {row[_BOUNDS[0]]} and {row[_BOUNDS[2]]}"


def _factor(row: dict[str, str], name: str) -> SpendFactor:
    provider, currency = row["provider"].lower(), row["currency"].upper()
    low, middle, high = (float(row[bound]) for bound in _BOUNDS)
    return SpendFactor(
        factor_id=f"spend:{name}:{row['year']}:{provider}/{currency}",
        provider=provider,
        currency=currency,
        year=int(row["year"]),
        low_kgco2e_per_currency=low,
        kgco2e_per_currency=middle,
        high_kgco2e_per_currency=high,
        source=row["source"],
        licence=row["licence"],
    )


def put(connection: duckdb.DuckDBPyConnection, factors: Sequence[SpendFactor]) -> None:
    """Keep these factors in place of earlier ones."""
    connection.execute("DELETE FROM emission_spend_own")
    for item in factors:
        connection.execute(
            "INSERT INTO emission_spend_own VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", list(astuple(item))
        )


def require(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse the method spend without factors.

    Raises:
        ConfigError: none were given; its hint says what the file looks like.
    """
    if not connection.execute("SELECT 1 FROM emission_spend_own LIMIT 1").fetchone():
        raise ConfigError(
            "the method spend has no factors: none may be shipped, so they must be yours",
            hint="give it a CSV with --file: low_ and high_ bound it, source and licence say whose it is\n"
            f"  {','.join(COLUMNS)}\n  {_EXAMPLE}",
        )
