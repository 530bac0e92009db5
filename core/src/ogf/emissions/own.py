"""The user's own factors by kWh: a CSV file, read and judged as a whole, kept in the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ogf.emissions.factor_file import folded, no_number, no_year, rows_of
from ogf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

COLUMNS = ("provider", "region", "year", "gco2e_per_kwh", "basis", "source", "licence")
OPTIONAL = ("pue",)
_EXAMPLE = 'aws,eu-central-1,2025,320.5,"lifecycle, consumption",our utility\'s disclosure,internal'
_MOST_G = 3000  # the dirtiest grids are near 1,000
_LEAST_G = (
    1.5  # above zero and below it is a grid in kilograms: the cleanest are near 2 g, the dirtiest near 1.3 kg
)
_MOST_PUE = 5


@dataclass(frozen=True)
class OwnFactor:
    """One row of the file: gCO2e/kWh of a region in a year, and its PUE where given."""

    factor_id: str
    provider: str
    region: str
    year: int
    gco2e_per_kwh: float
    basis: str
    source: str
    licence: str
    pue: float | None


def read(path: Path) -> list[OwnFactor]:
    """Read a factor file.

    Raises:
        ConfigError: the file cannot be read, or with one line for each mistake in it.
    """
    return rows_of(path, COLUMNS, _EXAMPLE, _mistakes, _factor, OPTIONAL)


def _mistakes(row: dict[str, str]) -> Iterator[str]:
    yield from no_year(row)
    no_grams = list(no_number(row["gco2e_per_kwh"], "gco2e_per_kwh", 0, _MOST_G, "grams of CO2e per kWh"))
    yield from no_grams
    if not no_grams and 0 < (given := float(row["gco2e_per_kwh"])) < _LEAST_G:
        yield (
            f"gco2e_per_kwh is {row['gco2e_per_kwh']!r}, which looks like kilograms (or tonnes per MWh); "
            f"it must be grams of CO2e per kWh: {given * 1000:g}? No grid is between 0 and {_LEAST_G:g} g"
        )
    if row["pue"]:
        yield from no_number(row["pue"], "pue", 1, _MOST_PUE, "a ratio")


def _factor(told: dict[str, str], name: str) -> OwnFactor:
    provider, region = told["provider"].lower(), told["region"]
    return OwnFactor(
        factor_id=f"custom:{name}:{told['year']}:{provider}/{region}",
        provider=provider,
        region=region,
        year=int(told["year"]),
        gco2e_per_kwh=float(told["gco2e_per_kwh"]),
        basis=told["basis"],
        source=told["source"],
        licence=told["licence"],
        pue=float(told["pue"]) if told["pue"] else None,
    )


def put(connection: duckdb.DuckDBPyConnection, factors: Sequence[OwnFactor]) -> None:
    """Keep these factors in place of earlier ones. A region is spelled as in factor_places, where it is there.

    Raises:
        ConfigError: a region of aws, azure or gcp that they do not have.
    """
    places = {
        (provider, folded(region)): region
        for provider, region in connection.execute(
            "SELECT provider, region FROM factor_places UNION SELECT provider, region FROM factor_regions ORDER BY ALL"
        ).fetchall()
    }
    providers = {provider for provider, _ in places if provider in ("aws", "azure", "gcp")}
    unknown = [
        f"{item.provider} {item.region}"
        for item in factors
        if item.provider in providers and (item.provider, folded(item.region)) not in places
    ]
    if unknown:
        raise ConfigError(
            f"the factor file names regions that do not exist: {', '.join(dict.fromkeys(unknown))}",
            hint='`ogf query "SELECT provider, region, place FROM factor_places"` lists them',
        )
    connection.execute("DELETE FROM emission_factors_own")
    for item in factors:
        # Of a provider of the user's own, the first spelling: two would be two factors of one place.
        region = places.setdefault((item.provider, folded(item.region)), item.region)
        connection.execute(
            "INSERT INTO emission_factors_own VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                item.factor_id.removesuffix(item.region) + region,
                item.provider,
                region,
                item.year,
                item.gco2e_per_kwh,
                item.basis,
                item.source,
                item.licence,
                item.pue,
            ],
        )


# How bills write that usage has no region of its own: edge locations, global services.
NO_REGION = ("", "global", "aws-global", "any", "none", "unassigned", "noregion")


def put_global(connection: duckdb.DuckDBPyConnection, provider: str, region: str) -> None:
    """Let usage of a provider without a region count as usage of this region.

    Raises:
        ConfigError: the region has no factor.
    """
    known = connection.execute(
        "SELECT DISTINCT region FROM factor_regions WHERE provider = ? AND lower(region) = lower(?)",
        [provider, region],
    ).fetchone()
    if known is None:
        raise ConfigError(
            f"{provider} has no region {region} with a factor",
            hint='`ogf query "SELECT DISTINCT provider, region FROM factor_regions"` lists them',
        )
    connection.execute("DELETE FROM emission_regions_own WHERE provider = ?", [provider])
    for reported in NO_REGION:
        connection.execute(
            "INSERT INTO emission_regions_own VALUES (?, ?, ?)", [provider, reported, known[0]]
        )
