"""Jobs, and the log of runs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, TypeAdapter
from sqlmodel import col, select

from ogf.service.auth.gate import Reader, Runner
from ogf.service.envelope import ApiError
from ogf.service.jobs.book import latest
from ogf.service.routes.asked import STRICT, Provider, Wired, errors
from ogf.telemetry import masked
from ogf.warehouse import ledger
from ogf.warehouse.ledger import Job, Run

if TYPE_CHECKING:
    import duckdb

    from ogf.service.service import Service

router = APIRouter(tags=["jobs"], dependencies=STRICT)

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most")]
_JobId = Annotated[str, Path(max_length=300, examples=["sync-aws-org-123-1733048280"])]


class Progress(BaseModel):
    """How far the job's run has come: rows and pages read so far, and the partition of the last page (`doing`)."""

    partitions_total: int
    partitions_done: int
    partitions_failed: int = 0
    pages: int = 0
    rows: int = 0
    doing: str = ""


class JobState(BaseModel):
    """One sync. `status`: queued, running, or how its run ended: succeeded, partial, failed, cancelled."""

    job_id: str = Field(examples=["sync-aws-org-123-1733048280"])
    provider: str = Field(examples=["aws"])
    status: str = Field(examples=["running"])
    trigger: str = Field(description="request or schedule", examples=["request"])
    requested_by: str = Field(examples=["key 1f2e3d4c (nightly)"])
    requested_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    attempts: int = Field(description="more than one where the service ended in the midst of it")
    run_id: str | None = Field(description="its run, see /api/ingestion/logs")
    progress: Progress
    row_count: int = Field(description="rows loaded, once it has ended")
    rejected: int = Field(description="rows refused, once it has ended")
    error: str | None = Field(description="what went wrong, the first cause")
    hint: str | None = Field(description="what to do about it")
    notices: list[str] = Field(
        description="what else the run said, such as a month that is not published yet"
    )


class RunEntry(BaseModel):
    """One run of a provider, by `ogf run` or by a job."""

    id: str
    provider: str
    status: str = Field(description="running, succeeded, partial, failed or cancelled")
    org: str
    started: dt.datetime
    completed: dt.datetime | None
    processed: int = Field(description="partitions looked at")
    succeeded: int = Field(description="partitions loaded or found unchanged")
    failed: int
    rows: int
    rejected: int
    window: str
    errors: list[str]


_STATES = TypeAdapter(list[JobState])
_DOC: dict[int | str, dict[str, Any]] = {200: {"model": list[JobState]}, **errors()}


@router.get("/api/jobs", responses=_DOC, response_class=Response)
def jobs(service: Wired, who: Reader, provider: Provider = None, limit: Limit = 50) -> Response:
    """The newest jobs, newest first."""

    def made(connection: duckdb.DuckDBPyConnection) -> bytes:
        found = latest(connection, org_id=who.org_id, limit=limit, provider=provider)
        return _STATES.dump_json([_state(service, job) for job in found])

    if service.queue.busy:  # progress is no writing, so that such an answer does not hold
        with service.answers.connection() as connection:
            body = made(connection)
    else:
        body = service.answers.kept(("jobs", who.org_id, provider, limit), made, ledger=True)
    return Response(body, media_type="application/json")


@router.get("/api/jobs/{job_id}", responses=errors(404, 405))
def job(service: Wired, who: Reader, job_id: _JobId) -> JobState:
    """One job, and how far it has come."""
    return _state(service, _found(service, job_id, who.org_id))


@router.delete("/api/jobs/{job_id}", status_code=202, responses=errors(404, 405))
def cancel(service: Wired, who: Runner, job_id: _JobId) -> JobState:
    """Cancel a job: it ends after the page under way. What it had published stays, as does a job that has ended."""
    found = _found(service, job_id, who.org_id)
    if not service.queue.cancel(job_id):
        found = _found(service, job_id, who.org_id)
    return _state(service, found)


@router.get("/api/ingestion/logs", responses=errors())
def logs(service: Wired, who: Reader, limit: Limit = 50) -> list[RunEntry]:
    """The run log, newest first."""
    newest = col(Run.started_at).desc()
    with service.answers.connection() as connection, ledger.transaction(connection) as session:
        runs = session.exec(select(Run).where(Run.org_id == who.org_id).order_by(newest).limit(limit)).all()
        return [_entry(run) for run in runs]


def _found(service: Service, job_id: str, org_id: str) -> Job:
    found = service.book.find(job_id, org_id=org_id)
    if found is None:
        raise ApiError(404, "job_not_found", "there is no job of this id", detail="GET /api/jobs lists them")
    return found


def _state(service: Service, job: Job) -> JobState:
    live = service.queue.progress(job.job_id)
    progress: dict[str, Any] = (
        live.as_dict()
        if live and job.finished_at is None
        else {
            "partitions_total": job.partitions_total,
            "partitions_done": job.partitions_done,
            "partitions_failed": job.partitions_failed,
            "pages": job.pages,
            "rows": job.row_count,
        }
    )
    given = job.model_dump()
    return JobState(
        **{name: given[name] for name in JobState.model_fields if name in given},
        progress=Progress(**progress),
        error=job.message,
    )


def _entry(run: Run) -> RunEntry:
    return RunEntry(
        id=run.run_id,
        provider=run.provider,
        status=run.status,
        org=run.org_id,
        started=run.started_at,
        completed=run.finished_at,
        processed=run.loaded + run.unchanged + run.failed,
        succeeded=run.loaded + run.unchanged,
        failed=run.failed,
        rows=run.row_count,
        rejected=run.rejected,
        window=run.window,
        errors=[masked(run.message)] if run.message else [],
    )
