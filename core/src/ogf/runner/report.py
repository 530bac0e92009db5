"""What a run tells: events while it goes on, and its result at the end. Words for people are the CLI's business."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ogf.errors import ErrorClass, ExitCode, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class PartitionOutcome:
    """How one partition fared in this run.

    Attributes:
        outcome: loaded, unchanged or failed.
        reason: why it was looked at: new, version changed, content changed, forced, same version, same content,
            checked lately.
        account: the configured account that it was read through; empty where there is only one.
        notices: what makes the run partial though the partition was loaded.
        standing: notices of an earlier load that is still current.
        unmapped: region, service or unit → values that are in no table → rows.
    """

    stream: str
    key: str
    outcome: str
    reason: str
    rows: int = 0
    rejected: int = 0
    pages: int = 0
    notices: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
    unmapped: dict[str, dict[str, int]] = field(default_factory=dict)
    error_class: ErrorClass | None = None
    message: str = ""
    hint: str = ""
    account: str = ""

    @classmethod
    def failed(
        cls, stream: str, key: str, reason: str, error: SourceError, *, account: str
    ) -> PartitionOutcome:
        """A partition, or for an empty key the listing of a stream, that an error ended."""
        return cls(
            stream,
            key,
            "failed",
            reason,
            error_class=error.error_class,
            message=error.in_partition,
            hint=error.hint,
            account=account,
        )


@dataclass
class RunResult:
    """One provider's run. `status`: succeeded, partial, failed, cancelled."""

    provider: str
    org_id: str
    run_id: str = ""
    status: str = "succeeded"
    partitions: list[PartitionOutcome] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    message: str = ""
    hint: str = ""
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(item.rows for item in self.partitions if item.outcome == "loaded")

    @property
    def rejected(self) -> int:
        return sum(item.rejected for item in self.partitions if item.outcome == "loaded")

    def count(self, outcome: str) -> int:
        return sum(item.outcome == outcome for item in self.partitions)

    def judge(self) -> None:
        """Set the status from the partitions' outcomes."""
        failed = [item for item in self.partitions if item.outcome == "failed"]
        noticed = [item for item in self.partitions if item.outcome == "loaded" and item.notices]
        if failed:
            hopeless = any(item.error_class is ErrorClass.FATAL for item in failed)
            self.status = "failed" if hopeless or len(failed) == len(self.partitions) else "partial"
            first = failed[0]
            where = " ".join(part for part in (first.stream, first.key) if part)
            self.message, self.hint = f"{where}: {first.message}", first.hint
        elif noticed:
            self.status, self.message = "partial", noticed[0].notices[0]

    def exit_code(self, *, strict: bool = False) -> int:
        standing = strict and any(item.standing for item in self.partitions)
        match self.status:
            case "cancelled":
                return ExitCode.INTERRUPTED
            case "failed":
                return ExitCode.FAILED
            case "partial":
                return ExitCode.PARTIAL
            case _:
                return ExitCode.PARTIAL if standing else ExitCode.SUCCEEDED

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "rows": self.rows,
            "rejected": self.rejected,
            "loaded": self.count("loaded"),
            "unchanged": self.count("unchanged"),
            "failed": self.count("failed"),
        }


def overall(results: Sequence[RunResult], *, strict: bool = False) -> int:
    """The exit code of a command that ran several providers: partial unless they all agree."""
    codes = {result.exit_code(strict=strict) for result in results}
    if ExitCode.INTERRUPTED in codes:
        return ExitCode.INTERRUPTED
    if len(codes) > 1:
        return ExitCode.PARTIAL
    return codes.pop() if codes else ExitCode.SUCCEEDED


class Reporter(Protocol):
    """Who is told while a run goes on. Called from the driver's thread only."""

    def waiting(self, holder: int | None, seconds: float) -> None: ...

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None: ...

    def page(self, stream: str, key: str, *, rows: int) -> None: ...

    def finished(self, outcome: PartitionOutcome) -> None: ...


class Silent:
    """Tells nobody."""

    def waiting(self, holder: int | None, seconds: float) -> None: ...

    def planned(self, provider: str, *, partitions: int, chains: int, costs: Sequence[str] = ()) -> None: ...

    def page(self, stream: str, key: str, *, rows: int) -> None: ...

    def finished(self, outcome: PartitionOutcome) -> None: ...
