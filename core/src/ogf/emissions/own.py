"""The user's own factors: a CSV file, read and judged as a whole, kept in the warehouse."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"the factor file cannot be read: {why}", where=str(path), hint="check the path of --file"
        ) from None
    table = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        raise ConfigError(
            f"the factor file lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            where=str(path),
            hint=f"its first line must be {','.join(COLUMNS)} (and pue, if you like); then such as {_EXAMPLE}",
        )
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "own"
    factors: dict[tuple[str, str, int], OwnFactor] = {}
    mistakes: list[str] = []
    for row in table:
        found = list(_mistakes(row))
        if not found:
            factor = _factor(row, name)
            key = (factor.provider, _folded(factor.region), factor.year)
            if key in factors:
                found.append(f"{factor.provider} {factor.region} {factor.year} is there twice")
            factors[key] = factor
        mistakes += [f"line {table.line_num}: {text}" for text in found]
    if not factors and not mistakes:
        mistakes = ["it has no rows"]
    if mistakes:
        raise ConfigError(
            "the factor file cannot be used\n  " + "\n  ".join(mistakes),
            where=str(path),
            hint="correct these lines; nothing has changed in the warehouse",
        )
    return list(factors.values())


def _mistakes(row: dict[str, str | None]) -> Iterator[str]:
    for name in COLUMNS:
        if not (row.get(name) or "").strip():
            yield f"{name} is empty"
            return
    if not re.fullmatch(r"(19|20)\d\d", str(row["year"]).strip()):
        yield f"year is {row['year']!r}; it must be a year such as 2025"
    no_grams = list(_no_number(row["gco2e_per_kwh"], "gco2e_per_kwh", 0, _MOST_G, "grams of CO2e per kWh"))
    yield from no_grams
    if not no_grams and 0 < (given := float(row["gco2e_per_kwh"] or "")) < _LEAST_G:
        yield (
            f"gco2e_per_kwh is {row['gco2e_per_kwh']!r}, which looks like kilograms (or tonnes per MWh); "
            f"it must be grams of CO2e per kWh: {given * 1000:g}? No grid is between 0 and {_LEAST_G:g} g"
        )
    if (row.get("pue") or "").strip():
        yield from _no_number(row["pue"], "pue", 1, _MOST_PUE, "a ratio")


def _no_number(text: str | None, name: str, least: float, most: float, what: str) -> Iterator[str]:
    try:
        good = least <= float(text or "") <= most
    except ValueError:
        good = False
    if not good:
        yield f"{name} is {text!r}; it must be {what}, a number from {least} to {most:,}"


def _folded(region: str) -> str:
    """A region as factor_regions compares it: whatever its case and spaces."""
    return region.lower().replace(" ", "")


def _factor(row: dict[str, str | None], name: str) -> OwnFactor:
    told = {key: (row.get(key) or "").strip() for key in (*COLUMNS, *OPTIONAL)}
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
        (provider, _folded(region)): region
        for provider, region in connection.execute(
            "SELECT provider, region FROM factor_places UNION SELECT provider, region FROM factor_regions ORDER BY ALL"
        ).fetchall()
    }
    providers = {provider for provider, _ in places if provider in ("aws", "azure", "gcp")}
    unknown = [
        f"{item.provider} {item.region}"
        for item in factors
        if item.provider in providers and (item.provider, _folded(item.region)) not in places
    ]
    if unknown:
        raise ConfigError(
            f"the factor file names regions that do not exist: {', '.join(dict.fromkeys(unknown))}",
            hint='`ogf query "SELECT provider, region, place FROM factor_places"` lists them',
        )
    connection.execute("DELETE FROM emission_factors_own")
    for item in factors:
        # Of a provider of the user's own, the first spelling: two would be two factors of one place.
        region = places.setdefault((item.provider, _folded(item.region)), item.region)
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
