"""`ogf doctor`: really try credentials and permissions, step by step, and stop at the first that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.checks import folder, listed, tried
from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.files.loose import DATA_NAME
from ogf.files.store import LocalStore
from ogf.hookspecs import Check
from ogf_gcp.errors import located
from ogf_gcp.gs import open_store
from ogf_gcp.jobs import estimate
from ogf_gcp.session import bigquery_client, credentials_source, identity
from ogf_gcp.settings import billing_table, carbon_table, focus_table, query_project
from ogf_gcp.storage_read import open_session, read_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ogf.checks import Step
    from ogf.hookspecs import Context
    from ogf_gcp.names import TableName
    from ogf_gcp.settings import GcpSettings


_TABLES: dict[str, Callable[[GcpSettings], TableName]] = {
    "carbon": carbon_table,
    "billing": billing_table,
    "focus": focus_table,
}
# Columns that tell an export's table from any other.
_COLUMNS = {
    "carbon": {"usage_month", "carbon_footprint_kgCO2e"},
    "billing": {"cost", "credits", "export_time"},
    "focus": {"BilledCost", "BillingPeriodStart"},
}
_DENIED = ("accessDenied", "google.api_core.exceptions.Forbidden")


def check(ctx: Context, stream: str) -> Iterator[Check]:
    """Try what reading a stream needs. Each failing step names the missing role and what to do."""
    settings: GcpSettings = ctx.settings
    missing = settings.missing(stream)
    if missing:
        yield Check(
            "settings",
            ok=False,
            detail="nothing says where the export lies",
            hint=f"set {', '.join(missing)}",
        )
        return
    try:
        steps = _steps(ctx, stream)
    except OgfError as error:
        yield Check.failed("settings", error)
        return
    yield from tried(steps)


def _steps(ctx: Context, stream: str) -> tuple[Step, ...]:
    location = getattr(ctx.settings, stream).location
    if not location:
        return (*_caller_steps(ctx), *_table_steps(ctx, stream))
    if location.lower().startswith("gs:"):
        # The client needs credentials itself, so it is opened only after they were tried.
        return (*_caller_steps(ctx), ("exports", lambda: listed(ctx, open_store(ctx.settings, location))))
    store = open_store(ctx.settings, location)
    if isinstance(store, LocalStore):
        return (("folder", lambda: folder(store)), ("exports", lambda: _data(store)))
    raise AssertionError(location)  # settings accept nothing else


def _caller_steps(ctx: Context) -> tuple[Step, ...]:
    return (
        ("credentials", lambda: f"from {ctx.call(credentials_source, ctx.settings)}"),
        ("identity", lambda: _identity(ctx)),
    )


def _table_steps(ctx: Context, stream: str) -> tuple[Step, ...]:
    table = _TABLES[stream](ctx.settings)
    return (
        ("table", lambda: _table(ctx, stream, table)),
        ("query", lambda: _query(ctx, table)),
        ("storage api", lambda: _storage_api(ctx, table)),
    )


def _identity(ctx: Context) -> str:
    account = ctx.call(identity, ctx.settings)
    return account or "the credentials do not say whose they are"


def _table(ctx: Context, stream: str, name: TableName) -> str:
    found = ctx.call(_described, ctx.settings, name)
    absent = sorted(_COLUMNS[stream] - {field.name for field in found.schema})
    if absent:
        raise SourceError(
            f"the table has no column {' or '.join(absent)}",
            error_class=ErrorClass.BAD_REQUEST,
            where=_uri(name),
            hint=f"check that the settings name the table of the {stream} export",
        )
    return f"{name} in {found.location} has {len(found.schema)} columns"


def _described(settings: GcpSettings, name: TableName) -> Any:
    dataset = f"{name.project}.{name.dataset}"
    grant = f"grant roles/bigquery.dataViewer on the dataset {dataset} to the caller (bigquery.tables.get)"
    with located(_uri(name), dict.fromkeys(_DENIED, grant)):
        return _get_table(settings, name)


def _get_table(settings: GcpSettings, name: TableName) -> Any:
    return bigquery_client(settings).get_table(
        _reference(name),
        retry=None,  # type: ignore[arg-type]
        timeout=settings.request_timeout,
    )


def _query(ctx: Context, name: TableName) -> str:
    size = ctx.call(_dry_run, ctx.settings, name)
    project = query_project(ctx.settings)
    return f"a dry run in {project} would read {size:,} bytes; queries may bill {ctx.settings.maximum_bytes_billed:,}"


def _dry_run(settings: GcpSettings, name: TableName) -> int:
    project = query_project(settings)
    grant = (
        f"grant roles/bigquery.jobUser on the project {project} (bigquery.jobs.create), "
        f"and roles/bigquery.dataViewer on the dataset {name.project}.{name.dataset}, to the caller"
    )
    with located(_uri(name), dict.fromkeys(_DENIED, grant)):
        return estimate(
            bigquery_client(settings),
            f"SELECT * FROM {name.quoted}",
            (),
            project=project,
            location=None,  # BigQuery finds it from the table
            timeout=settings.request_timeout,
        )


def _storage_api(ctx: Context, name: TableName) -> str:
    """Only a remark: without it, rows are read through the REST API."""
    if not ctx.settings.storage_api:
        return "switched off by storage_api; rows are read through the REST API"
    try:
        answer: str = ctx.call(_session, ctx.settings, name)
    except OgfError as error:
        return (
            f"not used, rows are read through the slower REST API ({error.message}); for the fast one grant "
            f"roles/bigquery.readSessionUser on the project {query_project(ctx.settings)} to the caller"
        )
    return answer


def _session(settings: GcpSettings, name: TableName) -> str:
    with located(_uri(name)):
        client = read_client(settings)
        if client is None:
            return "not used: the server is not Google; rows are read through the REST API"
        open_session(
            client,
            _reference(name),
            project=query_project(settings),
            timeout=settings.request_timeout,
        )
    return "may be used"


def _reference(name: TableName) -> Any:
    from google.cloud import bigquery

    return bigquery.TableReference(bigquery.DatasetReference(name.project, name.dataset), name.table)


def _uri(name: TableName) -> str:
    return f"bigquery://{name}"


def _data(store: LocalStore) -> str:
    data = (path for path in store.folder.rglob("*") if DATA_NAME.search(path.name) and path.is_file())
    found = next(data, None)
    if found is None:
        raise SourceError(
            f"there are no data files below {store.folder}",
            error_class=ErrorClass.NOT_FOUND,
            hint="copy exports there: Parquet, CSV or JSON files",
        )
    return f"data files such as {found.relative_to(store.folder)}"
