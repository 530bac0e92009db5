"""The jobs as the warehouse keeps them. Each function is one short transaction."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlmodel import col, select

from ogf.warehouse import ledger
from ogf.warehouse.ledger import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

    from ogf.warehouse.file import WarehouseFile

UNFINISHED = ("queued", "running")
# How long an Idempotency-Key is remembered.
_REMEMBERED = dt.timedelta(hours=24)


def same(one: Job, other: Job) -> bool:
    """Whether two jobs ask for the same."""
    return all(getattr(one, name) == getattr(other, name) for name in ("streams", "since", "until", "full"))


def latest(
    connection: duckdb.DuckDBPyConnection, *, org_id: str, limit: int, provider: str | None = None
) -> list[Job]:
    """The newest jobs, newest first."""
    of = [Job.org_id == org_id, *([Job.provider == provider] if provider else [])]
    newest = (col(Job.requested_at).desc(), col(Job.job_id).desc())
    with ledger.transaction(connection) as session:
        found = session.exec(select(Job).where(*of).order_by(*newest).limit(limit)).all()
        return [ledger.revised(job) for job in found]


class JobBook:
    """Reads and writes jobs. Raises WarehouseError and its kin where the warehouse cannot be used."""

    def __init__(self, warehouse: WarehouseFile) -> None:
        self.warehouse = warehouse

    def ask(self, wanted: Job) -> tuple[Job, bool]:
        """Store a job, unless the same is under way or was asked for with this Idempotency-Key.

        Args:
            wanted: its `job_id` gets -2, -3… where that of another job is the same.

        Returns:
            the job, and whether it is new
        """
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            mine = (Job.org_id == wanted.org_id, Job.provider == wanted.provider)
            again = None
            if wanted.idempotency_key is not None:
                again = session.exec(
                    select(Job).where(
                        *mine,
                        Job.idempotency_key == wanted.idempotency_key,
                        Job.requested_at > wanted.requested_at - _REMEMBERED,
                    )
                ).first()
            under_way = session.exec(select(Job).where(*mine, col(Job.status).in_(UNFINISHED))).first()
            known = again or under_way
            if known is not None:
                found = ledger.revised(known)
                if wanted.idempotency_key and found.idempotency_key is None and same(found, wanted):
                    found = ledger.revised(found, idempotency_key=wanted.idempotency_key)
                    ledger.put(session, found)
                return found, False
            taken = set(
                session.exec(select(Job.job_id).where(col(Job.job_id).startswith(wanted.job_id))).all()
            )
            names = (f"{wanted.job_id}{'' if n == 1 else f'-{n}'}" for n in range(1, len(taken) + 2))
            job = ledger.revised(wanted, job_id=next(name for name in names if name not in taken))
            ledger.add(session, job)
        return job, True

    def change(self, job_id: str, **changes: Any) -> None:
        """Set columns of a job, if there is such a job."""
        self.revise(job_id, lambda _: changes)

    def revise(self, job_id: str, how: Callable[[Job], dict[str, Any]]) -> None:
        """Set columns of a job from what it is, if there is such a job."""
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            for job in ledger.rows(session, Job, job_id=job_id):
                ledger.put(session, ledger.revised(job, **how(job)))

    def find(self, job_id: str, *, org_id: str) -> Job | None:
        with self.warehouse.reading() as connection, ledger.transaction(connection) as session:
            return next(map(ledger.revised, ledger.rows(session, Job, job_id=job_id, org_id=org_id)), None)

    def last_scheduled(self, provider: str, org_id: str) -> dt.datetime | None:
        """When a schedule last asked for a sync of this provider."""
        with self.warehouse.reading() as connection, ledger.transaction(connection) as session:
            return session.exec(
                select(sa.func.max(Job.requested_at)).where(
                    Job.org_id == org_id, Job.provider == provider, Job.trigger == "schedule"
                )
            ).one()

    def recover(self, *, most_attempts: int) -> Sequence[Job]:
        """What the end of an earlier service left behind, put in order; returns the jobs that are to go on.

        Args:
            most_attempts: a job that was begun so often and never ended is given up.
        """
        at = ledger.now()
        with self.warehouse.writing() as connection, ledger.transaction(connection) as session:
            jobs = [job for status in UNFINISHED for job in ledger.rows(session, Job, status=status)]
            jobs = [_resumed(job, at, most_attempts) for job in jobs]
            ledger.put(session, *jobs)
        return [job for job in jobs if job.status == "queued"]


def _resumed(job: Job, at: dt.datetime, most_attempts: int) -> Job:
    if job.attempts < most_attempts:
        return ledger.revised(job, status="queued")
    return ledger.revised(
        job,
        status="failed",
        finished_at=at,
        message=f"interrupted: the service ended {job.attempts} times in the midst of it",
        hint="look at the service's log for why; then ask for the sync again",
    )
