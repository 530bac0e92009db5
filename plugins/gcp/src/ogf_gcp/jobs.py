"""Running a query as a BigQuery job: what it would bill, starting it or attaching to it, waiting for it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from concurrent.futures import TimeoutError as StillRunning
from typing import TYPE_CHECKING, Any, NamedTuple

from ogf.errors import ErrorClass, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.cloud import bigquery

    from ogf_gcp.settings import GcpSettings

    # A query parameter: its name, BigQuery type, and value as text (a list of texts for an array).
    Parameter = Sequence[Any]

LABELS = {"app": "ogf"}
# BigQuery keeps the rows of a finished job for about 24 hours.
_RESULTS_KEPT = dt.timedelta(hours=20)
_MOST_JOBS = 10


class Started(NamedTuple):
    """A job that runs or has run. `number` is its place among the jobs of the same query."""

    job: bigquery.QueryJob
    number: int
    attached: bool


def estimate(
    client: bigquery.Client,
    sql: str,
    parameters: Iterable[Parameter],
    *,
    project: str,
    location: str | None,
    timeout: float,
) -> int:
    """Say how many bytes a query would read. One call, free; checks the SQL and the right to read too."""
    config = _config(parameters)
    config.dry_run = True
    config.use_query_cache = False  # a cached result bills nothing, and is gone when the query runs
    job = client.query(
        sql,
        job_config=config,
        project=project,
        location=location,
        job_retry=None,
        **once(timeout),
    )
    return int(job.total_bytes_processed or 0)


def start(
    client: bigquery.Client,
    sql: str,
    parameters: Iterable[Parameter],
    *,
    project: str,
    location: str | None,
    base: str,
    maximum_bytes_billed: int,
    timeout: float,
    after: int = -1,
) -> Started:
    """Start a query, or attach to the job that an earlier attempt started: what was paid for is not paid twice.

    Job ids follow from the query and a counter. BigQuery never takes an id twice, so the ids of jobs that have
    failed, or whose rows are gone, are passed over: no state has to be kept for that.
    """
    from google.api_core.exceptions import Conflict, Forbidden, NotFound

    parameters = [list(parameter) for parameter in parameters]
    stem = f"{base}_{_digest(sql, parameters, project)}"
    number = after
    while True:
        number += 1
        last = number > after + _MOST_JOBS
        job_id = f"{stem}_{uuid.uuid4().hex if last else number}"
        try:
            job = client.query(
                sql,
                job_config=_config(parameters, maximum_bytes_billed=maximum_bytes_billed),
                job_id=job_id,
                project=project,
                location=location,
                job_retry=None,
                **once(timeout),
            )
        except Conflict:
            try:
                found: Any = client.get_job(job_id, project=project, location=location, **once(timeout))
            except (Forbidden, NotFound):  # somebody else's, or not to be seen yet
                continue
            job = found
            if not _usable(job):
                continue
            return Started(job, number, attached=True)
        return Started(job, number, attached=False)


def once(timeout: float) -> dict[str, Any]:
    """What every call is told: no retry of its own, and when to give up."""
    return {"retry": None, "timeout": timeout}


def _digest(sql: str, parameters: Sequence[Parameter], project: str) -> str:
    text = json.dumps([sql, parameters, project])
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _usable(job: bigquery.QueryJob) -> bool:
    if job.state != "DONE":
        return True
    ended: dt.datetime | None = job.ended
    fresh = ended is None or dt.datetime.now(dt.UTC) - ended < _RESULTS_KEPT
    return job.error_result is None and fresh


def _config(
    parameters: Iterable[Parameter], *, maximum_bytes_billed: int | None = None
) -> bigquery.QueryJobConfig:
    from google.cloud import bigquery

    config = bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ArrayQueryParameter(name, kind, value)
            if isinstance(value, list)
            else bigquery.ScalarQueryParameter(name, kind, value)
            for name, kind, value in parameters
        ],
        labels=LABELS,
    )
    if maximum_bytes_billed is not None:
        config.maximum_bytes_billed = maximum_bytes_billed
    return config


def finished(job: bigquery.QueryJob, settings: GcpSettings, source: str) -> Any:
    """Wait for the job, at most about one timeout long. A runner that asks again finds the same job."""
    try:
        return job.result(page_size=settings.page_size, job_retry=None, **once(settings.request_timeout))
    except StillRunning as error:
        silent = error.__cause__ is not None  # no answer at all: an attempt like any other
        raise SourceError(
            f"job {job.job_id} gave no answer in time" if silent else f"job {job.job_id} is still running",
            error_class=ErrorClass.TRANSIENT,
            where=source,
            retry_after=None if silent else 0.0,
            hint="look at the job in BigQuery's job history; `request_timeout` says how long one wait may be",
        ) from error
