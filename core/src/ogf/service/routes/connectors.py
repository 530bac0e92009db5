"""Connectors: how each provider stands, trying one, and starting syncs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ogf.errors import OgfError
from ogf.runner import trial
from ogf.service.auth.gate import Reader, Runner
from ogf.service.connectors import UnknownProvider
from ogf.service.envelope import ApiError, timestamp
from ogf.service.routes.asked import MONTH, STRICT, Wired, errors
from ogf.telemetry import masked
from ogf.warehouse.answers import answer

if TYPE_CHECKING:
    import duckdb

    from ogf.service.auth.principal import Principal
    from ogf.service.service import Service
    from ogf.warehouse.ledger import Job

router = APIRouter(prefix="/api/connectors", tags=["connectors"], dependencies=STRICT)

_STANDING = """
SELECT c.provider, c.status, c.last_run_at, c.last_success_at, c.last_error,
    (SELECT CAST(coalesce(sum(p.row_count), 0) AS BIGINT) FROM partitions AS p JOIN loads AS l USING (load_id)
     WHERE l.status = 'current' AND p.provider = c.provider AND p.org_id = c.org_id) AS row_count,
    (SELECT count(*) FROM partitions AS p WHERE p.status <> 'loaded' AND p.provider = c.provider
        AND p.org_id = c.org_id) AS issues
FROM connectors AS c WHERE c.org_id = ?"""
_COVERED = """
SELECT provider, sum(estimated_rows) / sum(usage_rows) AS share FROM coverage WHERE org_id = ?
GROUP BY provider HAVING sum(usage_rows) > 0"""

_LIVE = "SELECT provider, job_id FROM jobs WHERE org_id = ? AND finished_at IS NULL"


class ConnectorState(BaseModel):
    """How a provider stands."""

    name: str = Field(examples=["aws"])
    status: str = Field(description="disconnected, running, connected or error", examples=["connected"])
    configured: bool = Field(description="whether a sync could begin")
    enabled: bool = Field(description="whether it takes part in POST /api/connectors/run")
    last_run_at: dt.datetime | None = None
    last_success_at: dt.datetime | None = None
    last_error: str | None = Field(default=None, description="the first cause, and what to do")
    rows: int = Field(default=0, description="rows of its current loads")
    issues: int = Field(default=0, description="partitions that failed or carry notices")
    coverage: float | None = Field(
        default=None, description="share of usage rows with an estimate, 0 to 1; null without usage"
    )
    job_id: str | None = Field(default=None, description="the job under way")


class SyncRequest(BaseModel):
    """What to sync; everything that is new or changed if left out."""

    model_config = ConfigDict(extra="forbid")
    streams: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=50, examples=[["carbon"]]
    )
    since: str | None = Field(default=None, pattern=MONTH, examples=["2026-01"])
    until: str | None = Field(default=None, pattern=MONTH, description="exclusive", examples=["2026-07"])
    full: bool = Field(default=False, description="load again even what has not changed")


class SyncStarted(BaseModel):
    """A stored job. `status`: started, or running for the job that was under way already."""

    job_id: str = Field(examples=["sync-aws-org-123-1733048280"])
    provider: str = Field(examples=["aws"])
    status: str = Field(examples=["started"])
    timestamp: str = Field(examples=["2024-12-01T10:45:00Z"])


class RunStarted(BaseModel):
    """Jobs of every enabled connector. `job_id` is that of the first."""

    job_id: str
    status: str = Field(examples=["started"])
    timestamp: str = Field(examples=["2024-12-01T10:45:00Z"])
    jobs: list[SyncStarted]


class Tried(BaseModel):
    """Whether a provider's data can be reached. `status`: ok, or error with its class, message and hint."""

    status: str = Field(examples=["ok"])
    error_class: str | None = None
    message: str | None = None
    hint: str | None = None


class Planned(BaseModel):
    """When connectors are synced by themselves."""

    provider: str
    interval: str = Field(description="an interval, or a cron line (UTC)", examples=["6h"])
    last_run_at: dt.datetime | None
    next_run_at: dt.datetime


class SchedulePlan(BaseModel):
    """The soonest of the schedules, and all of them."""

    interval: str = Field(examples=["6h"])
    last_run_at: dt.datetime | None
    next_run_at: dt.datetime
    schedules: list[Planned]


_INTERRUPTED = "interrupted; the next run goes on from there"
_STATES = TypeAdapter(list[ConnectorState])
_DOC: dict[int | str, dict[str, Any]] = {200: {"model": list[ConnectorState]}, **errors()}


@router.get("", responses=_DOC, response_class=Response)
@router.get("/list", include_in_schema=False)
def states(service: Wired, who: Reader) -> Response:
    """Every installed provider, and how it stands."""
    going_on = service.connectors.going_on(who.org_id)
    body = service.answers.kept(
        ("connectors", who.org_id, going_on),
        lambda connection: _STATES.dump_json(_states(service, connection, who.org_id, going_on)),
        ledger=True,
    )
    return Response(body, media_type="application/json")


def _states(
    service: Service, connection: duckdb.DuckDBPyConnection, org_id: str, going_on: frozenset[str]
) -> list[ConnectorState]:
    known = {row["provider"]: row for row in answer(connection, _STANDING, org_id).rows}
    covered = {row["provider"]: row["share"] for row in answer(connection, _COVERED, org_id).rows}
    live = {row["provider"]: row["job_id"] for row in answer(connection, _LIVE, org_id).rows}
    enabled = service.connectors.enabled()
    found = []
    for name in service.connectors.names:
        row = known.get(name, {})
        broken = service.connectors.broken.get(name)
        if row.get("status") == "running" and name not in live and name not in going_on:
            row |= {"status": "error", "last_error": _INTERRUPTED}
        found.append(
            ConnectorState(
                name=name,
                status="error" if broken else row.get("status", "disconnected"),
                configured=service.connectors.configured(name),
                enabled=name in enabled,
                last_run_at=row.get("last_run_at"),
                last_success_at=row.get("last_success_at"),
                last_error=masked(broken.message if broken else row.get("last_error") or "") or None,
                rows=row.get("row_count", 0),
                issues=row.get("issues", 0),
                coverage=covered.get(name),
                job_id=live.get(name),
            )
        )
    return found


_KEY = Header(
    alias="Idempotency-Key",
    max_length=255,
    min_length=1,
    description="The same key gives the same answer for 24 hours",
    examples=["nightly-2026-11-24"],
)


@router.post("/sync/{provider}", status_code=202, responses=errors(400, 405, 409, 413))
def sync(
    service: Wired,
    who: Runner,
    provider: Annotated[str, Path(max_length=100, examples=["aws"])],
    wanted: Annotated[SyncRequest | None, Body()] = None,
    key: Annotated[str | None, _KEY] = None,
) -> SyncStarted:
    """Start a sync of one provider; the same as `ogf run --provider`. It goes on when the client has gone."""
    wanted = wanted or SyncRequest()
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise ApiError(
            422,
            "validation_failed",
            "since is not before until",
            fields={"body.until": "it must be after since"},
        )
    return _started(*_ask(service, who, provider, wanted, key))


@router.post("/run", status_code=202, responses=errors(409, 413))
def run(service: Wired, who: Runner, key: Annotated[str | None, _KEY] = None) -> RunStarted:
    """Start a sync of every enabled provider."""
    names = [name for name in service.connectors.enabled() if service.connectors.org_of(name) == who.org_id]
    if not names:
        raise ApiError(
            503,
            "ingestion_unavailable",
            "no provider is enabled for this organisation",
            detail="set ingestion.<provider>.enabled: true in ogf.yaml and restart ogf serve",
        )
    jobs, troubles = [], []
    for name in names:
        try:
            jobs.append(_started(*_ask(service, who, name, SyncRequest(), key)))
        except OgfError as error:  # one that is not configured must not keep the others
            troubles.append(error)
    if not jobs:
        raise troubles[0]
    return RunStarted(job_id=jobs[0].job_id, status=jobs[0].status, timestamp=timestamp(), jobs=jobs)


def _ask(
    service: Service, who: Principal, provider: str, wanted: SyncRequest, key: str | None
) -> tuple[Job, bool]:
    try:
        return service.syncs.start(
            provider,
            org_id=who.org_id,
            by=who.name,
            idempotency_key=key,
            **wanted.model_dump(),
        )
    except UnknownProvider as error:
        raise ApiError(400, "invalid_provider", error.message, detail=error.hint) from None


def _started(job: Job, fresh: bool) -> SyncStarted:
    return SyncStarted(
        job_id=job.job_id,
        provider=job.provider,
        status="started" if fresh or job.finished_at else "running",
        timestamp=job.requested_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@router.post("/test", responses=errors(400, 405))
def test(
    service: Wired,
    who: Runner,
    name: Annotated[str, Query(min_length=1, max_length=100, examples=["aws"])],
    response: Response,
) -> Tried:
    """Really try a provider, as `ogf doctor` does: credentials, permissions, one listing. Loads nothing."""
    response.headers["Cache-Control"] = "no-store"
    try:
        plugin = service.connectors.plugin(name)
    except UnknownProvider as error:
        raise ApiError(400, "invalid_provider", error.message, detail=error.hint) from None
    service.connectors.require_own(name, who.org_id)
    if not service.trials.acquire(blocking=False):
        raise ApiError(
            503, "too_many_tests", "other tests are under way", detail="try again when they have ended"
        )
    try:
        failed = trial.first_failure(plugin, service.config)
    finally:
        service.trials.release()
    if failed is None:
        return Tried(status="ok")
    return Tried(
        status="error",
        error_class=failed.error_class,
        message=masked(failed.detail),
        hint=masked(failed.hint) or None,
    )


@router.get("/schedule", responses=errors(501))
def schedule(service: Wired, who: Reader) -> SchedulePlan:
    """When providers are synced by themselves."""
    plans: list[Any] = [plan for plan in service.scheduler.plans if plan.org_id == who.org_id]
    if not plans:
        raise ApiError(
            501,
            "schedule_not_configured",
            "no schedule is configured",
            detail="set ingestion.schedule_interval, or ingestion.<provider>.schedule, in ogf.yaml",
        )
    found = [
        Planned(
            provider=plan.provider,
            interval=plan.every,
            last_run_at=service.book.last_scheduled(plan.provider, plan.org_id),
            next_run_at=service.scheduler.due(plan),
        )
        for plan in plans
    ]
    soonest = min(found, key=lambda each: each.next_run_at)
    return SchedulePlan(
        interval=soonest.interval,
        last_run_at=soonest.last_run_at,
        next_run_at=soonest.next_run_at,
        schedules=found,
    )
