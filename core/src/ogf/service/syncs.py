"""Asking for a sync, whoever asks: a request, a schedule or the dashboard."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from ogf.runner.run import Options
from ogf.service.envelope import ApiError
from ogf.service.jobs.book import same
from ogf.warehouse import ledger
from ogf.warehouse.ledger import Job
from ogf.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ogf.service.connectors import Connectors
    from ogf.service.jobs.queue import JobQueue

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")


class Syncs:
    """Checks what is asked for, and stores it as a job."""

    def __init__(self, connectors: Connectors, queue: JobQueue) -> None:
        self._connectors = connectors
        self._queue = queue

    def start(
        self,
        provider: str,
        *,
        org_id: str,
        by: str,
        trigger: str = "request",
        streams: Sequence[str] = (),
        since: str | None = None,
        until: str | None = None,
        full: bool = False,
        idempotency_key: str | None = None,
    ) -> tuple[Job, bool]:
        """Store a sync and begin it in its turn.

        Returns:
            the job, and whether it is new; else it is the one under way, or the one that was asked for with this key

        Raises:
            UnknownProvider: no such plugin.
            ConfigError: settings are missing.
            ApiError: 422, a stream is unknown; 403, the provider's data belongs to another organisation; 409, the
                Idempotency-Key was used for something else.
        """
        plugin = self._connectors.plugin(provider)
        self._connectors.require_own(provider, org_id)
        known = [stream.name for stream in plugin.provider.streams]
        if unknown := [name for name in streams if name not in known]:
            raise ApiError(
                422,
                "validation_failed",
                f"{provider} has no stream {', '.join(unknown)}",
                detail=f"it has {', '.join(known)}",
                fields={"body.streams": f"they must be some of {', '.join(known)}"},
            )
        self._connectors.require_ready(provider, Options(tuple(streams), Window.of(since, until), full))
        wanted = Job(
            job_id=f"sync-{provider}-{_NOT_IN_IDS.sub('-', org_id)}-{int(time.time())}",
            org_id=org_id,
            provider=provider,
            status="queued",
            trigger=trigger,
            requested_by=by,
            idempotency_key=idempotency_key,
            streams=list(streams),
            since=since,
            until=until,
            full=full,
            requested_at=ledger.now(),
        )
        job, fresh = self._queue.ask(wanted)
        if not fresh and idempotency_key is not None and job.idempotency_key == idempotency_key:
            _require_same(job, wanted)
        return job, fresh


def _require_same(job: Job, wanted: Job) -> None:
    if not same(job, wanted):
        raise ApiError(
            409,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
            detail=f"it began {job.job_id}; send a key of its own for each request",
        )
