"""Logs: structured events on stderr, for people (`console`) or machines (`json`), with secrets masked.

Callers bind `run`, `provider`, `stream` and `partition`, to a logger or through `structlog.contextvars`.
Records of other libraries (SDKs, HTTP clients) take the same way, from warnings upwards.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

from ogf.redaction import Redactor

_screen = Redactor()

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]


def configure(
    log_format: LogFormat = "console",
    level: LogLevel = "info",
    *,
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Set up logging for this process. May be called again, for instance once the secrets are known.

    Args:
        log_format: for people or for machines.
        level: the least that is written.
        stream: where to write; None means whatever `sys.stderr` is at the time of writing.
        secrets: values to mask wherever they appear (`Config.secrets()`).
    """
    global _screen  # noqa: PLW0603 - one process, one standard error
    secrets = tuple(secrets)
    _screen = Redactor(secrets)
    structlog.configure(
        processors=_processors(log_format, secrets=secrets, colours=(stream or sys.stderr).isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.WriteLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, _ForeignRecords)]
    root.addHandler(_ForeignRecords(level=logging.WARNING))


def masked(text: str) -> str:
    """Mask a text for the screen as log events are masked: by the secrets that `configure` was told last."""
    return _screen.text(text)


def _processors(log_format: LogFormat, *, secrets: Iterable[str], colours: bool) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Tracebacks become text before redaction, and plain ones: others show local variables.
        structlog.processors.format_exc_info,
        _Redaction(secrets),
        _renderer(log_format, colours=colours),
    ]


def _renderer(log_format: LogFormat, *, colours: bool) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )


class _Redaction:
    """The last step before rendering: every field of an event, masked by key and by value."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._redactor = Redactor(secrets)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        del logger, method
        return self._redactor.mapping(event)


class _ForeignRecords(logging.Handler):
    """Hands the standard library's log records to structlog, so that they are formatted and masked alike."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger().bind(logger=record.name)
            log.log(record.levelno, "%s", record.getMessage(), exc_info=record.exc_info)
        except Exception:  # noqa: BLE001  what logging itself does: a log line never stops the program
            self.handleError(record)
