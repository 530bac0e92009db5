"""Carbon: the footprint in rows and groups, totals, and the report's tables. Masses are kg CO2e."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from ogf.files.table import quoted
from ogf.report import reconcile
from ogf.report.notes import basis
from ogf.report.tables import GROUPS, TABLES, Asked, Tables
from ogf.service.auth.gate import Reader
from ogf.service.envelope import ApiError
from ogf.service.routes.asked import STRICT, Accounting, Filter, Wired, errors, figures, some_of
from ogf.warehouse.answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

router = APIRouter(tags=["figures"], dependencies=STRICT)
UNIT = "kg CO2e"
# An order that is the same for every page, though nothing is unique in it.
_ALL_OF_A_ROW = "account_id, service, region, usage_type, operation, instance_type, load_id, hash(r)"


class Basis(BaseModel):
    """How the estimates are made."""

    method: str
    method_version: str
    factor_set: str
    utilisation: float | None


class Coverage(BaseModel):
    """How much of the usage has an estimate; null without usage."""

    usage_rows: int
    estimated_rows: int
    share: float | None


class EmissionsPage(BaseModel):
    """A page of the footprint.

    Attributes:
        estimated_share: how much of the sum of all rows is estimated, 0 to 1; null where there is nothing.
    """

    data: list[dict[str, Any]]
    page: int
    per_page: int
    total: int = Field(description="rows of all pages")
    total_pages: int
    total_kgco2e: float | None = Field(
        description="sum of all rows, reported and estimated, of this accounting"
    )
    unit: str = Field(examples=[UNIT])
    accounting: str = Field(description="location or market; never added", examples=["location"])
    estimated_share: float | None
    coverage: Coverage
    basis: Basis


class SummaryRow(BaseModel):
    provider: str
    accounting: str
    basis: str = Field(description="reported or estimated")
    provider_scope: int | None = Field(description="1, 2 or 3; null for a total, and for embodied estimates")
    lifecycle: str
    emissions_kgco2e: float | None


class Summary(BaseModel):
    """Totals by provider and scope, each accounting apart."""

    totals: list[SummaryRow]
    unit: str
    first_month: str | None
    last_month: str | None
    coverage: Coverage
    basis: Basis


class TableAnswer(BaseModel):
    """One table, as `ogf report --json` writes it."""

    table: str
    rows: list[dict[str, Any]]
    unit: str
    basis: Basis


_GROUP_BY = Query(
    max_length=200,
    pattern=some_of(GROUPS),
    description=f"Any of {', '.join(GROUPS)}, with commas between them; rows of the footprint without it",
    examples=["provider,month"],
)


def emissions(
    service: Wired,
    who: Reader,
    request: Request,
    asked: Filter,
    group_by: Annotated[str | None, _GROUP_BY] = None,
    accounting: Accounting = None,
    page: Annotated[int, Query(ge=1, le=1_000_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """The footprint: its rows by month, or added up by groups. Reported where there is a figure, else estimated."""
    groups = _distinct(group_by) if group_by else []
    accounting = accounting or "location"
    return figures(
        service,
        who,
        request,
        lambda connection: _emissions(connection, asked, groups, accounting, page, per_page),
    )


_DOC = {200: {"model": EmissionsPage}, **errors()}
router.add_api_route("/api/emissions", emissions, methods=["GET"], responses=_DOC)


def _emissions(
    connection: duckdb.DuckDBPyConnection,
    asked: Asked,
    groups: list[str],
    accounting: str,
    page: int,
    per_page: int,
) -> dict[str, Any]:
    where = f"{asked.condition()} AND accounting = '{accounting}'"
    columns = [column for group in groups for column in GROUPS[group]]
    if groups:
        keys = ", ".join(quoted(column) for column in dict.fromkeys([*columns, "basis"]))
        relation = (
            f"(SELECT {keys}, fsum(emissions_kgco2e) AS emissions_kgco2e, fsum(low_kgco2e) AS low_kgco2e, "
            "fsum(high_kgco2e) AS high_kgco2e, fsum(energy_kwh) AS energy_kwh "
            f"FROM footprint WHERE {where} GROUP BY {keys})"
        )
    else:
        keys = f'"month", provider, {_ALL_OF_A_ROW}'
        relation = f"(SELECT * FROM footprint WHERE {where})"
    whole = connection.execute(
        "SELECT count(*), fsum(emissions_kgco2e), "
        f"fsum(emissions_kgco2e) FILTER (basis = 'estimated') FROM {relation}"
    ).fetchone()
    many, total, estimated = whole or (0, None, None)
    rows = answer(
        connection,
        f"SELECT * FROM {relation} AS r ORDER BY {keys} LIMIT {per_page} OFFSET {(page - 1) * per_page}",
    ).rows
    return {
        "data": rows,
        "page": page,
        "per_page": per_page,
        "total": many,
        "total_pages": math.ceil(many / per_page),
        "total_kgco2e": total,
        "unit": UNIT,
        "accounting": accounting,
        "estimated_share": (estimated or 0.0) / total if total else None,
        "coverage": _coverage(connection, asked),
        "basis": basis(connection).as_dict(),
    }


def _coverage(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    row = connection.execute(
        "SELECT CAST(coalesce(sum(usage_rows), 0) AS BIGINT), CAST(coalesce(sum(estimated_rows), 0) AS BIGINT) "
        f"FROM coverage WHERE {asked.condition()}"
    ).fetchone()
    usage, estimated = row or (0, 0)
    return {"usage_rows": usage, "estimated_rows": estimated, "share": estimated / usage if usage else None}


@router.get(
    "/api/emissions/summary", responses={200: {"model": Summary}, **errors()}, response_class=Response
)
def summary(service: Wired, who: Reader, request: Request, asked: Filter) -> Response:
    """Totals by provider and scope; location-based and market-based apart, never added."""
    return figures(service, who, request, lambda connection: _summary(connection, asked))


def _summary(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, Any]:
    accountings = ", ".join(f"'{name}'" for name in asked.accountings)
    where = f"{asked.condition()} AND accounting IN ({accountings})"
    keys = "provider, accounting, basis, provider_scope, lifecycle"
    totals = answer(
        connection,
        f"SELECT {keys}, fsum(emissions_kgco2e) AS emissions_kgco2e FROM footprint WHERE {where} "
        f"GROUP BY {keys} ORDER BY {keys}",
    ).rows
    months = connection.execute(
        f"SELECT strftime(min(\"month\"), '%Y-%m'), strftime(max(\"month\"), '%Y-%m') FROM footprint WHERE {where}"
    ).fetchone()
    first, last = months or (None, None)
    return {
        "totals": totals,
        "unit": UNIT,
        "first_month": first,
        "last_month": last,
        "coverage": _coverage(connection, asked),
        "basis": basis(connection).as_dict(),
    }


@router.get("/api/footprint", responses={200: {"model": TableAnswer}, **errors()}, response_class=Response)
def footprint(
    service: Wired,
    who: Reader,
    request: Request,
    asked: Filter,
    by: Annotated[
        str,
        Query(
            max_length=200,
            pattern=some_of(GROUPS),
            description=f"Any of {', '.join(GROUPS)}, with commas between them",
            examples=["month,scope"],
        ),
    ] = "month,provider",
) -> Response:
    """The footprint by groups, unpaged, with bounds: what `ogf report --by` writes."""

    def rows(tables: Tables) -> list[dict[str, Any]]:
        return tables.by(_distinct(by)).rows

    return figures(service, who, request, lambda connection: _told(connection, asked, "footprint", rows))


@router.get(
    "/api/reconciliation", responses={200: {"model": TableAnswer}, **errors()}, response_class=Response
)
def reconciliation(
    service: Wired,
    who: Reader,
    request: Request,
    asked: Filter,
    by: Annotated[
        str,
        Query(
            max_length=200,
            pattern=some_of(reconcile.GRAIN),
            description=f"Any of {', '.join(reconcile.GRAIN)}, with commas between them",
            examples=["month,account"],
        ),
    ] = "month,provider",
) -> Response:
    """Reported beside estimated, with the ratio and why they differ: what `ogf reconcile` writes. Location-based."""

    def rows(tables: Tables) -> list[dict[str, Any]]:
        return reconcile.gaps(tables, _distinct(by)).rows

    return figures(service, who, request, lambda connection: _told(connection, asked, "reconciliation", rows))


@router.get(
    "/api/reports/{table}", responses={200: {"model": TableAnswer}, **errors(404)}, response_class=Response
)
def report(
    service: Wired,
    who: Reader,
    request: Request,
    asked: Filter,
    table: Annotated[str, Path(max_length=100, examples=["coverage"], description=", ".join(TABLES))],
) -> Response:
    """One of the report's tables: coverage, restatements, factors and so on, as `ogf report --table` writes it."""
    if table not in TABLES:
        raise ApiError(
            404, "no_such_table", "there is no table of this name", detail=f"ask for {', '.join(TABLES)}"
        )

    def rows(tables: Tables) -> list[dict[str, Any]]:
        return tables[table].rows

    return figures(service, who, request, lambda connection: _told(connection, asked, table, rows))


def _told(
    connection: duckdb.DuckDBPyConnection,
    asked: Asked,
    table: str,
    rows: Callable[[Tables], list[dict[str, Any]]],
) -> dict[str, Any]:
    found = rows(Tables(connection, asked))
    return {"table": table, "rows": found, "unit": UNIT, "basis": basis(connection).as_dict()}


def _distinct(words: str) -> list[str]:
    return list(dict.fromkeys(words.split(",")))
