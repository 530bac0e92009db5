"""A BigQuery query as a chain of requests. What is asked for belongs to the streams.

The first request says what the query would bill, runs it (`jobs.py`) and reads its rows (`rows.py`): all of them, or,
where only REST pages may be read, the first; the others have a request each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Page, Request
from ogf_gcp.errors import located
from ogf_gcp.jobs import estimate, start
from ogf_gcp.rows import first_page, following_page, status
from ogf_gcp.session import bigquery_client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import bigquery

    from ogf.hookspecs import Context
    from ogf_gcp.jobs import Parameter
    from ogf_gcp.rows import Result
    from ogf_gcp.settings import GcpSettings

_LIMIT = "ingestion.gcp.maximum_bytes_billed"


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
        location: where the dataset lies: a query must run there.
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
        return Page(following_page(ctx, request.params))
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
                return Page(first_page(ctx, started.job, params))
            except Exception as error:
                if after >= 0 or not started.attached or status(error) not in (403, 404):
                    raise
                after = started.number


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
