"""`activities` over HTTP: pages in JSON, or everything that was asked for as CSV or Parquet."""

from __future__ import annotations

import base64
import json
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from ogf.files.table import literal
from ogf.service.answers import as_json
from ogf.service.auth.gate import Reader
from ogf.service.envelope import ApiError
from ogf.service.routes.asked import STRICT, Provider, Since, Until, Wired, choose, errors, window
from ogf.warehouse.answers import COPY_OPTIONS, answer

if TYPE_CHECKING:
    import duckdb

router = APIRouter(tags=["figures"], dependencies=STRICT)

FORMATS = {
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}
_DOWNLOAD_SECONDS = 300.0
_START = "coalesce(epoch_us(period_start), -9223372036854775807)"  # later than the beginning
_ID = "coalesce(activity_id, '00000000-0000-0000-0000-000000000000'::UUID)"
_BEGINNING = (-(2**63), "00000000-0000-0000-0000-000000000000")

_Text = Annotated[str | None, Query(max_length=1000)]


class Condition:
    """What is asked for, as SQL with its values apart."""

    def __init__(self, org_id: str) -> None:
        self.parts = ["org_id = ?"]
        self.values: list[object] = [org_id]

    def add(self, part: str, *values: object) -> None:
        self.parts.append(part)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self.parts)


@router.get(
    "/api/activities",
    responses={
        200: {
            "content": {
                "application/json": {
                    "example": {
                        "data": [{"activity_id": "…", "provider": "aws"}],
                        "next": None,
                    }
                },
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
            "description": "A page as JSON, or every row as CSV or Parquet",
        },
        **errors(400, 406),
    },
    response_class=Response,
)
def activities(
    service: Wired,
    who: Reader,
    since: Since = None,
    until: Until = None,
    provider: Provider = None,
    stream: _Text = None,
    account_id: _Text = None,
    service_name: Annotated[str | None, Query(alias="service", max_length=1000)] = None,
    region: _Text = None,
    category: _Text = None,
    charge_category: _Text = None,
    resource_id: _Text = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of a page (JSON)")] = 100,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the page before (JSON)")
    ] = None,
    accept: Annotated[str | None, Header(max_length=1000)] = None,
    form: Annotated[
        str | None, Query(alias="format", pattern="^(json|csv|parquet)$", description="Instead of Accept")
    ] = None,
) -> Response:
    """The rows of `activities`, oldest first.

    JSON comes in pages: ask again with `after` set to the page's `next` until that is null. CSV and Parquet have every
    row. Rows of the same `activity_id` are never parted, so a page may be a little longer than `limit`.
    """
    given = {
        "provider": provider, "stream": stream, "account_id": account_id, "service": service_name, "region": region,
        "category": category, "charge_category": charge_category, "resource_id": resource_id,
    }  # fmt: skip
    condition = Condition(who.org_id)
    asked = window(since, until)
    for month, side in ((asked.since, ">="), (asked.until, "<")):
        if month:
            start = str(month.first_day)
            condition.add(f"period_start {side} CAST(? AS DATE)::TIMESTAMP AT TIME ZONE 'UTC'", start)
    for name, value in given.items():
        if value is not None:
            condition.add(f"{name} = ?", value)
    form = form or choose(accept, FORMATS)
    if form != "json":
        with service.answers.connection(seconds=_DOWNLOAD_SECONDS) as connection:
            return _file(connection, condition, form)
    key = _read_key(after) if after else _BEGINNING
    body = service.answers.kept(
        ("activities", str(condition), tuple(condition.values), key, limit),
        lambda connection: as_json(_page(connection, condition, key, limit)),
    )
    return Response(body, media_type="application/json")


def _page(
    connection: duckdb.DuckDBPyConnection, condition: Condition, start: tuple[int, str], limit: int
) -> dict[str, Any]:
    """The rows after a key, of the next `limit` keys."""
    later = f"({_START}, {_ID}) > (?::BIGINT, ?::UUID)"
    keys = connection.execute(
        f"SELECT DISTINCT {_START} AS at, {_ID} AS id FROM activities WHERE {condition} AND {later} ORDER BY ALL "
        f"LIMIT {limit + 1}",
        [*condition.values, *start],
    ).fetchall()
    if not keys:
        return {"data": [], "next": None}
    last = keys[min(limit, len(keys)) - 1]
    # Spelt out: DuckDB makes a BETWEEN of two comparisons of pairs, and has none for them.
    until = f"({_START} < ?::BIGINT OR ({_START} = ?::BIGINT AND {_ID} <= ?::UUID))"
    rows = answer(
        connection,
        f"SELECT * FROM activities WHERE {condition} AND {later} AND {until} ORDER BY {_START}, {_ID}, load_id",
        *condition.values,
        *start,
        last[0],
        last[0],
        str(last[1]),
    ).rows
    more = len(keys) > limit
    return {"data": rows, "next": _write_key(last[0], str(last[1])) if more else None}


def _file(connection: duckdb.DuckDBPyConnection, condition: Condition, form: str) -> FileResponse:
    folder = tempfile.TemporaryDirectory(prefix="ogf-answer-")
    path = Path(folder.name) / f"activities.{form}"
    try:
        connection.execute(
            f"COPY (SELECT * FROM activities WHERE {condition} ORDER BY period_start, activity_id) "
            f"TO {literal(str(path))} ({COPY_OPTIONS[form]})",
            condition.values,
        )
    except BaseException:
        folder.cleanup()
        raise
    media = next(media for media, short in FORMATS.items() if short == form)
    return FileResponse(path, media_type=media, filename=path.name, background=BackgroundTask(folder.cleanup))


def _write_key(at: int, activity_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([at, activity_id]).encode()).decode().rstrip("=")


def _read_key(text: str) -> tuple[int, str]:
    try:
        at, activity_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(at, int) or not -(2**63) <= at < 2**63:
            raise ValueError
        return at, str(uuid.UUID(activity_id))
    except (ValueError, TypeError, AttributeError):
        raise ApiError(
            422,
            "validation_failed",
            "after is no key of a page",
            detail="send `next` of the page before, as it came",
            fields={"query.after": "it is not the `next` of a page"},
        ) from None
