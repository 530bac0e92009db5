"""The control tables as SQLModel models: what was run, listed, loaded, and how each connector stands.

The same models are the response schema of an HTTP API. Their tables are made by `migrations/`; writes are
delete-and-insert by natural key, so that a lake without constraints can hold them too. Times are UTC.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb_sqlalchemy
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from sqlmodel import Field, Session, SQLModel, create_engine, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

_Model = TypeVar("_Model", bound=SQLModel)


class Run(SQLModel, table=True):
    """One invocation for one provider. Status: running, succeeded, partial, failed, cancelled."""

    __tablename__ = "runs"
    run_id: str = Field(primary_key=True)
    org_id: str
    provider: str
    status: str
    started_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))
    finished_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    window: str = ""
    pid: int = Field(default=0, sa_type=sa.BigInteger)
    loaded: int = Field(default=0, sa_type=sa.BigInteger)
    unchanged: int = Field(default=0, sa_type=sa.BigInteger)
    failed: int = Field(default=0, sa_type=sa.BigInteger)
    row_count: int = Field(default=0, sa_type=sa.BigInteger)
    rejected: int = Field(default=0, sa_type=sa.BigInteger)
    message: str | None = None


class PartitionState(SQLModel, table=True):
    """How a partition stands. Status: loaded, partial (loaded with notices), failed (its old load stays).

    `version` and `content_hash` are those of the current load; `listed` is False once the source names it no more.
    """

    __tablename__ = "partitions"
    org_id: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    stream: str = Field(primary_key=True)
    partition_key: str = Field(primary_key=True)
    status: str
    version: str | None = None
    content_hash: str | None = None
    load_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    month: str | None = None
    source: str = ""
    row_count: int = Field(default=0, sa_type=sa.BigInteger)
    rejected: int = Field(default=0, sa_type=sa.BigInteger)
    notices: list[str] = Field(default_factory=list, sa_type=sa.JSON)
    error_class: str | None = None
    message: str | None = None
    listed: bool = True
    loaded_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    checked_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))


class Load(SQLModel, table=True):
    """One version of one partition. Status: loading, current, superseded, abandoned.

    `digest` tells what its segments were made from: key, version, plugin and schema version. `dropped` counts the rows
    that were left out on purpose: those that another of its files holds too, and zeros where they are not wanted.
    """

    __tablename__ = "loads"
    load_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    org_id: str
    provider: str
    stream: str
    partition_key: str
    version: str | None = None
    digest: str
    status: str
    run_id: str
    row_count: int = Field(default=0, sa_type=sa.BigInteger)
    rejected: int = Field(default=0, sa_type=sa.BigInteger)
    content_hash: str | None = None
    started_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))
    published_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    superseded_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    pruned_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    dropped: int = Field(default=0, sa_type=sa.BigInteger)


class Segment(SQLModel, table=True):
    """A segment whose rows are in `activity_log`: committed together with them, so never appended twice."""

    __tablename__ = "segments"
    load_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    name: str = Field(primary_key=True)
    row_count: int = Field(sa_type=sa.BigInteger)
    rejected: int = Field(sa_type=sa.BigInteger)
    appended_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))


class Connector(SQLModel, table=True):
    """A provider as the user sees it. Status: disconnected, running, connected, error."""

    __tablename__ = "connectors"
    org_id: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    status: str
    last_run_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    last_success_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    last_error: str | None = None


class Job(SQLModel, table=True):
    """One sync that the service was asked for. Status: queued, running, or how its run ended.

    Attributes:
        trigger: request or schedule.
        attempts: how often it was begun; more than once where the service ended in its midst.
        partitions_total: how many its run found to load.
    """

    __tablename__ = "jobs"
    job_id: str = Field(primary_key=True)
    org_id: str
    provider: str
    status: str
    trigger: str
    requested_by: str
    idempotency_key: str | None = None
    streams: list[str] = Field(default_factory=list, sa_type=sa.JSON)
    since: str | None = None
    until: str | None = None
    full: bool = False
    requested_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))
    started_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    finished_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    attempts: int = Field(default=0, sa_type=sa.BigInteger)
    run_id: str | None = None
    partitions_total: int = Field(default=0, sa_type=sa.BigInteger)
    partitions_done: int = Field(default=0, sa_type=sa.BigInteger)
    partitions_failed: int = Field(default=0, sa_type=sa.BigInteger)
    pages: int = Field(default=0, sa_type=sa.BigInteger)
    row_count: int = Field(default=0, sa_type=sa.BigInteger)
    rejected: int = Field(default=0, sa_type=sa.BigInteger)
    message: str | None = None
    hint: str | None = None
    notices: list[str] = Field(default_factory=list, sa_type=sa.JSON)


class ApiKey(SQLModel, table=True):
    """A key that may use the HTTP API, by its SHA-256: the key itself is shown once and kept nowhere."""

    __tablename__ = "api_keys"
    key_id: str = Field(primary_key=True)
    name: str
    sha256: str
    org_id: str
    scopes: list[str] = Field(default_factory=list, sa_type=sa.JSON)
    created_at: dt.datetime = Field(sa_type=sa.DateTime(timezone=True))
    expires_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))
    revoked_at: dt.datetime | None = Field(default=None, sa_type=sa.DateTime(timezone=True))


LEDGER: tuple[type[SQLModel], ...] = (Run, PartitionState, Load, Segment, Connector, Job, ApiKey)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[Session]:
    """One transaction for the models and for SQL on `connection` alike: both are committed, or neither."""
    with _session(connection) as session, session.begin():
        session.connection()  # emits BEGIN on the shared connection; without it, its statements autocommit
        yield session


@contextmanager
def _session(connection: duckdb.DuckDBPyConnection) -> Iterator[Session]:
    engine = create_engine(
        "duckdb://", creator=lambda: duckdb_sqlalchemy.ConnectionWrapper(connection), poolclass=StaticPool
    )
    with Session(engine, expire_on_commit=False) as session:
        yield session


def put(session: Session, *rows: SQLModel) -> None:
    """Write rows of one model in place of those with the same natural keys.

    A few statements for any number of rows: each INSERT of a transaction holds on to memory until its end.
    """
    for some in _chunks(rows):
        remove(session, *some)
        add(session, *some)


def remove(session: Session, *rows: SQLModel) -> None:
    """Delete rows of one model by their natural keys."""
    for some in _chunks(rows):
        table, where = _same_keys(some)
        session.execute(sa.delete(table).where(where))


def add(session: Session, *rows: SQLModel) -> None:
    """Write rows of one model that are known to be new."""
    for some in _chunks(rows):
        table = sa.inspect(type(some[0])).local_table
        session.execute(sa.insert(table).values([row.model_dump() for row in some]))


def _same_keys(rows: Sequence[SQLModel]) -> tuple[Any, Any]:
    table = sa.inspect(type(rows[0])).local_table
    key = list(table.primary_key.columns)
    keys = [tuple(getattr(row, column.key) for column in key) for row in rows]
    return table, sa.tuple_(*key).in_(keys)


def _chunks(rows: Sequence[SQLModel], size: int = 500) -> Iterator[Sequence[SQLModel]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def rows(session: Session, model: type[_Model], **equal: Any) -> Sequence[_Model]:
    """Every row whose columns have these values."""
    conditions = [getattr(model, name) == value for name, value in equal.items()]
    return session.exec(select(model).where(*conditions)).all()


def revised(row: _Model, **changes: Any) -> _Model:
    """A copy of a row with some columns changed, tied to no session."""
    return type(row)(**{**row.model_dump(), **changes})


def states(session: Session, **equal: Any) -> dict[str, dict[str, PartitionState]]:
    """Partition states by stream and key."""
    found: dict[str, dict[str, PartitionState]] = {}
    for state in rows(session, PartitionState, **equal):
        found.setdefault(state.stream, {})[state.partition_key] = revised(state)
    return found
