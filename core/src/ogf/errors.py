"""Every error that reaches a user, each with what happened, where, and what to do next.

OgfError
├── ConfigError            a setting or an argument is wrong               exit 2
├── PluginError            a provider plugin is missing, broken or doubled  exit 2
├── SourceError            a cloud or a file said no; carries its class     exit 1 or 3
├── WarehouseError         the DuckDB file cannot be used                   exit 1
│   ├── WarehouseBusy      somebody else holds it, or a run is under way    exit 4
│   └── WarehouseNewer     it was written by a newer ogf                    exit 1
└── Cancelled              SIGINT or SIGTERM                                exit 130
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class ErrorClass(StrEnum):
    """OffGridFlow's six classes. Only `transient` is retried."""

    TRANSIENT = "transient"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class ExitCode:
    """Exit codes are an API: cron jobs branch on them."""

    SUCCEEDED: ClassVar = 0
    FAILED: ClassVar = 1
    USAGE: ClassVar = 2
    PARTIAL: ClassVar = 3
    BUSY: ClassVar = 4
    INTERRUPTED: ClassVar = 130


class OgfError(Exception):
    """An error with a remedy.

    Args:
        message: what happened, one sentence.
        where: provider, stream, partition, file or setting it happened in.
        hint: what to do next.
    """

    exit_code: ClassVar[int] = ExitCode.FAILED

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    @property
    def headline(self) -> str:
        """What happened and where, without the remedy."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def __str__(self) -> str:
        remedy = f"\n  → {self.hint}" if self.hint else ""
        return f"{self.headline}{remedy}"


class ConfigError(OgfError):
    exit_code = ExitCode.USAGE


class PluginError(OgfError):
    exit_code = ExitCode.USAGE


class SourceError(OgfError):
    """A cloud, a bucket or a file said no. Plugins may raise it with the class already decided.

    Args:
        retry_after: seconds the server asked us to wait, honoured exactly.
        restart: the source changed while it was read; drop the partition's segments and plan it again.
    """

    def __init__(
        self,
        message: str,
        *,
        error_class: ErrorClass,
        where: str = "",
        hint: str = "",
        retry_after: float | None = None,
        restart: bool = False,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.error_class = error_class
        self.retry_after = retry_after
        self.restart = restart

    @property
    def in_partition(self) -> str:
        """What happened, and in which file if it was one: for where stream and partition are told already."""
        return self.headline if "://" in self.where else self.message


class WarehouseError(OgfError):
    pass


class WarehouseBusy(WarehouseError):
    exit_code = ExitCode.BUSY


class WarehouseNewer(WarehouseError):
    pass


class Cancelled(OgfError):
    """Not an error class: the user asked to stop. Finished pages are kept and resumed from."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str = "stopped on request; finished pages are kept and resumed from") -> None:
        super().__init__(message)
