"""Any error as a classified one: what the driver and the planner record and show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.errors import ErrorClass, OgfError, SourceError

if TYPE_CHECKING:
    from ogf.hookspecs import Stream
    from ogf.runner.context import TaskContext


def classified(error: BaseException, *, ctx: TaskContext, where: str, log: Any) -> SourceError:
    """Give an error its class, hint and place; one that nobody expected is logged with its traceback.

    Raises:
        BaseException: `error` itself, if it is not an `Exception` (KeyboardInterrupt and its like).
    """
    if isinstance(error, SourceError):
        return error
    if not isinstance(error, Exception):
        raise error
    verdict = ctx.retry.classify(error)
    hopeless = isinstance(error, OgfError) and verdict.error_class is ErrorClass.UNKNOWN
    if verdict.error_class is ErrorClass.UNKNOWN and not hopeless:
        log.error("unexpected error", where=where, exc_info=error)
    known = error if isinstance(error, OgfError) else None
    found = SourceError(
        ctx.retry.mask(known.message if known else f"{type(error).__name__}: {error}"),
        error_class=ErrorClass.BAD_REQUEST if hopeless else verdict.error_class,
        where=where,
        hint=(known.hint if known else "") or verdict.hint,
        restart=verdict.restart,
    )
    found.__cause__ = error
    return found


def log_failure(log: Any, stream: Stream, partition: str, error: SourceError) -> None:
    """Write the event of a partition, or a whole listing, that failed for good."""
    log.error(
        f"failed to ingest {stream.title or stream.name}",
        stream=stream.name,
        partition=partition,
        error=error.message,
        error_class=str(error.error_class),
        hint=error.hint,
    )
