"""Running a BigQuery query and handing its rows out as Arrow files. What is asked for belongs to the streams.

A chain's first request says what a query would bill, starts it, waits for it and reads it: whole through the Storage
Read API, or, where that is not allowed, one REST page for each request.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import tempfile
import uuid
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ogf.errors import ErrorClass, SourceError
from ogf.files import File
from ogf.hookspecs import Page, Request
from ogf_gcp.errors import located
from ogf_gcp.session import bigquery_client
from ogf_gcp.settings import GcpSettings
from ogf_gcp.storage_read import batches_of, open_session, read_client, refused, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from google.cloud import bigquery

    from ogf.hookspecs import Context
    from ogf_gcp.names import TableName

    # A query parameter: its name, BigQuery type, and value as text (a list of texts for an array).
    Parameter = Sequence[Any]

LABELS = {"app": "ogf"}
# BigQuery keeps the rows of a finished job for about 24 hours.
_RESULTS_KEPT = dt.timedelta(hours=20)
_MOST_JOBS = 10
_LIMIT = "ingestion.gcp.maximum_bytes_billed"


@dataclass(frozen=True)
class Result(File):
    """A page of a query's rows: an Arrow IPC file in scratch.

    Attributes:
        token: names the following REST page; None at the end, and always where the Storage Read API was used.
        rows: rows read of the chain, this page's included.
        total: rows of the whole result.
        fields: the result's schema in BigQuery's own form: the REST pages after the first do not name it.
    """

    token: str | None = None
    job_id: str = ""
    location: str | None = None
    rows: int = 0
    total: int = 0
    fields: tuple[dict[str, Any], ...] = ()


class Started(NamedTuple):
    """A job that runs or has run. `number` is its place among the jobs of the same query."""

    job: bigquery.QueryJob
    number: int
    attached: bool


def request(
    key: str,
    sql: str,
    parameters: Iterable[Parameter] = (),
    *,
    project: str,
    location: str | None,
    job: str,
    source: str,
    stream: str = "",
) -> Request:
    """Make the first request of a chain.

    Args:
        stream: whose mapping the rows are for.
        project: runs the query and pays for it.
        location: where the dataset lies, from `dataset_location`.
        job: tells this query from the same query of other data: must hold the partition's version. Letters,
            digits, `-` and `_` only.
        source: what errors and auditors call it, such as bigquery://project.dataset.table/202601.
    """
    return Request(
        key,
        {
            "sql": sql,
            "parameters": [list(parameter) for parameter in parameters],
            "project": project,
            "location": location,
            "job": job,
            "source": source,
            "stream": stream,
        },
    )


def following(request: Request, page: Page) -> Request | None:
    """Name the request of the following REST page, or None at the end: for the hook `paginate`."""
    result: Result = page.data
    if result.token is None:
        return None
    going_on = {
        "job_id": result.job_id,
        "token": result.token,
        "location": result.location,
        "rows": result.rows,
        "total": result.total,
        "fields": list(result.fields),
    }
    return replace(request, params={**request.params, **going_on})


def fetch_page(ctx: Context, request: Request) -> Page:
    """Run the query and read its first page, or read a following one. For the hook `fetch`."""
    if "token" in request.params:
        return Page(_following_page(ctx, request.params))
    settings: GcpSettings = ctx.settings
    params = request.params
    with located(params["source"]):
        client = bigquery_client(settings)
        _refuse_dear(client, params, settings)
        # The rows of a job that we attach to may be gone already: then, once, a job of our own.
        after = -1
        while True:
            started = start(
                client,
                params["sql"],
                params["parameters"],
                project=params["project"],
                location=params["location"],
                base=params["job"],
                maximum_bytes_billed=settings.maximum_bytes_billed,
                timeout=settings.request_timeout,
                after=after,
            )
            try:
                return Page(_first_page(ctx, started.job, params))
            except Exception as error:
                if after >= 0 or not started.attached or _status(error) not in (403, 404):
                    raise
                after = started.number


def dataset_location(client: bigquery.Client, table: TableName, *, timeout: float) -> str:
    """Say where a dataset lies: a query must run there. One call."""
    from google.cloud import bigquery

    reference = bigquery.DatasetReference(table.project, table.dataset)
    with located(f"bigquery://{table.project}.{table.dataset}"):
        return str(client.get_dataset(reference, **_once(timeout)).location)


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
        **_once(timeout),
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
                **_once(timeout),
            )
        except Conflict:
            try:
                found: Any = client.get_job(job_id, project=project, location=location, **_once(timeout))
            except (Forbidden, NotFound):  # somebody else's, or not to be seen yet
                continue
            job = found
            if not _usable(job):
                continue
            return Started(job, number, attached=True)
        return Started(job, number, attached=False)


def _once(timeout: float) -> dict[str, Any]:
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


def _refuse_dear(client: bigquery.Client, params: Any, settings: GcpSettings) -> None:
    size = estimate(
        client,
        params["sql"],
        params["parameters"],
        project=params["project"],
        location=params["location"],
        timeout=settings.request_timeout,
    )
    limit = settings.maximum_bytes_billed
    if size > limit:
        raise SourceError(
            f"the query would bill {size:,} bytes, more than the limit of {limit:,}; it was not run",
            error_class=ErrorClass.BAD_REQUEST,
            where=params["source"],
            hint=f"set {_LIMIT} to {size} or more if that may be paid for, or ask for fewer months with --since",
        )


def _first_page(ctx: Context, job: bigquery.QueryJob, params: Any) -> Result:
    settings: GcpSettings = ctx.settings
    rows = finished(job, settings, params["source"])
    first = next(iter(rows.to_arrow_iterable()))
    result = Result(
        path=Path(),
        uri=params["source"],
        etag=job.job_id,
        owned=True,
        token=rows.next_page_token,
        job_id=job.job_id,
        location=job.location,
        rows=first.num_rows,
        total=_total(rows, first.num_rows),
        fields=tuple(field.to_api_repr() for field in rows.schema),
    )
    if result.token and settings.storage_api and job.destination is not None:
        whole = _whole(ctx, job.destination, result, params["project"])
        if whole is not None:
            return whole
    return _written(ctx, result, first.schema, [first])


def finished(job: bigquery.QueryJob, settings: GcpSettings, source: str) -> Any:
    """Wait for the job, at most about one timeout long. A runner that asks again finds the same job."""
    try:
        return job.result(page_size=settings.page_size, job_retry=None, **_once(settings.request_timeout))
    except StillRunning as error:
        silent = error.__cause__ is not None  # no answer at all: an attempt like any other
        raise SourceError(
            f"job {job.job_id} gave no answer in time" if silent else f"job {job.job_id} is still running",
            error_class=ErrorClass.TRANSIENT,
            where=source,
            retry_after=None if silent else 0.0,
            hint="look at the job in BigQuery's job history; `request_timeout` says how long one wait may be",
        ) from error


def _following_page(ctx: Context, params: Any) -> Result:
    settings: GcpSettings = ctx.settings
    try:
        with located(params["source"]):
            rows = _rows_after(bigquery_client(settings), params, settings)
            batch = next(iter(rows.to_arrow_iterable()))
    except Exception as error:
        if _status(error) not in (400, 404, 410):
            raise
        raise SourceError(
            f"the rest of the rows of job {params['job_id']} cannot be read any more: {_plain(error)}",
            error_class=ErrorClass.TRANSIENT,
            where=params["source"],
            hint="the partition is read again from its start; a larger `page_size` makes it take fewer pages",
            restart=True,
        ) from error
    result = Result(
        path=Path(),
        uri=params["source"],
        etag=params["job_id"],
        owned=True,
        token=rows.next_page_token,
        job_id=params["job_id"],
        location=params["location"],
        rows=params["rows"] + batch.num_rows,
        total=params["total"],
        fields=tuple(params["fields"]),
    )
    return _written(ctx, result, batch.schema, [batch])


def _rows_after(client: bigquery.Client, params: Any, settings: GcpSettings) -> Any:
    """The rows from a page token on. `list_rows` of the job's table needs a right on it that not all callers have."""
    from google.cloud import bigquery

    rows: Any = client._list_rows_from_query_results(  # noqa: SLF001  # there is no public way to a later page
        params["job_id"],
        params["location"],
        params["project"],
        [bigquery.SchemaField.from_api_repr(field) for field in params["fields"]],
        page_size=settings.page_size,
        **_once(settings.request_timeout),
    )
    rows.next_page_token = params["token"]
    return rows


def _total(rows: Any, read: int) -> int:
    return read if rows.total_rows is None else int(rows.total_rows)


def _whole(ctx: Context, table: bigquery.TableReference, result: Result, project: str) -> Result | None:
    """Read all rows through the Storage Read API; None where it may not be used."""
    settings: GcpSettings = ctx.settings
    storage = read_client(settings)
    if storage is None:
        return None
    try:
        session = open_session(storage, table, project=project, timeout=settings.request_timeout)
        schema = schema_of(session)
        batches = batches_of(storage, session, schema, timeout=settings.request_timeout)
        return _written(ctx, replace(result, token=None), schema, batches, whole=True)
    except Exception as error:
        if not refused(error):
            raise
        ctx.note(
            f"rows of {project} are read through BigQuery's slower REST API: {_plain(error)}; "
            "grant roles/bigquery.readSessionUser for the fast one, or set storage_api to false; "
            "page_size and max_pages say how many rows one partition may have"
        )
        return None


def _written(
    ctx: Context, result: Result, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, whole: bool = False
) -> Result:
    """Write a page to a new file, which does not outlive a failure."""
    import pyarrow as pa

    handle, name = tempfile.mkstemp(dir=ctx.scratch, suffix=".arrow")
    try:
        written = 0
        with os.fdopen(handle, "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                written += batch.num_rows
        rows = written if whole else result.rows
        if result.token is None and rows != result.total:
            raise SourceError(
                f"BigQuery gave {rows:,} rows of the {result.total:,} that the query has",
                error_class=ErrorClass.TRANSIENT,
                where=result.uri,
                restart=not whole,
            )
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return replace(result, path=Path(name), rows=rows)


def _status(error: BaseException | None) -> int | None:
    """HTTP status of an error, or of what caused it."""
    while error is not None:
        code = getattr(error, "code", None)
        if isinstance(code, int):
            return int(code)
        error = error.__cause__
    return None


def _plain(error: BaseException) -> str:
    text = getattr(error, "message", None) or str(error)
    return str(text).strip().splitlines()[0] if str(text).strip() else type(error).__name__
