"""The rows of a finished job as Arrow files: whole through the Storage Read API, or one REST page after the other."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.files import File
from ogf_gcp.errors import located
from ogf_gcp.jobs import finished, once
from ogf_gcp.session import bigquery_client
from ogf_gcp.storage_read import batches_of, open_session, read_client, refused, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from google.cloud import bigquery

    from ogf.hookspecs import Context
    from ogf_gcp.settings import GcpSettings


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


def first_page(ctx: Context, job: bigquery.QueryJob, params: Any) -> Result:
    """Wait for a job and read its rows: all of them where that is allowed, else the first page."""
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


def following_page(ctx: Context, params: Any) -> Result:
    """Read the page that a token names. Raises SourceError, to be restarted, if it cannot be read any more."""
    settings: GcpSettings = ctx.settings
    try:
        with located(params["source"]):
            rows = _rows_after(bigquery_client(settings), params, settings)
            batch = next(iter(rows.to_arrow_iterable()))
    except Exception as error:
        if status(error) not in (400, 404, 410):
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
        **once(settings.request_timeout),
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


def status(error: BaseException | None) -> int | None:
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
