"""Planning all streams of a run: what must be loaded, and the outcome of all that need not or cannot be."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ogf.errors import Cancelled, SourceError
from ogf.runner.failure import classified, log_failure
from ogf.runner.merge import merged
from ogf.runner.plan import CHECKED_LATELY, Planned, decide, vanished
from ogf.runner.report import PartitionOutcome
from ogf.window import Month, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ogf.config import Account
    from ogf.plugins import Plugin
    from ogf.runner.books import Books
    from ogf.runner.contexts import Contexts
    from ogf.runner.report import Reporter, RunResult
    from ogf.runner.watch import Watch
    from ogf.warehouse.ledger import PartitionState


@dataclass
class Listing:
    """What the listings of a run told about partitions that the warehouse knows.

    Attributes:
        seen: listed, and unchanged.
        fresh: listed, and not asked again: that was done lately.
        vanished: loaded once, and not named any more.
        resolved: never loaded, only failed, and not named any more: nothing is left of them.
        complete: stream → keys, where the whole stream was listed.
    """

    seen: list[PartitionState] = field(default_factory=list)
    fresh: list[PartitionState] = field(default_factory=list)
    vanished: list[PartitionState] = field(default_factory=list)
    resolved: list[PartitionState] = field(default_factory=list)
    complete: dict[str, set[str]] = field(default_factory=dict)

    def needs_no_load(self, stream: str, key: str) -> bool:
        """Whether a load begun for this partition is in vain: it is unchanged, or gone."""
        unchanged = any(
            (state.stream, state.partition_key) == (stream, key) for state in [*self.seen, *self.fresh]
        )
        return unchanged or (stream in self.complete and key not in self.complete[stream])


@dataclass
class Planner:
    """Plans stream after stream into `todo`; everything else goes into the result at once.

    Attributes:
        accounts: the configured ones, in the order of the configuration.
        states: partition states by stream and key.
        unfinished: streams with loads that an earlier run began and did not finish.
        lookback_days: without a window, look only at months overlapping so many days, once all has been loaded.
    """

    plugin: Plugin
    accounts: tuple[Account, ...]
    states: Mapping[str, Mapping[str, PartitionState]]
    window: Window
    unfinished: frozenset[str]
    lookback_days: int | None
    full: bool
    log: Any
    listing: Listing = field(default_factory=Listing)

    def stream(self, contexts: Contexts, name: str) -> list[Planned]:
        """List a stream and decide about each partition. Raises whatever a listing raises."""
        listings = [self._list(contexts, name, account.name) for account in self.reading(name)]
        return merged(listings, note=contexts.make(name).note)

    def reading(self, name: str) -> list[Account]:
        """The accounts for which a stream is configured."""
        return [account for account in self.accounts if not account.settings.missing(name)]

    def todo(
        self,
        contexts: Contexts,
        name: str,
        *,
        result: RunResult,
        books: Books,
        reporter: Reporter,
        watch: Watch,
    ) -> list[Planned]:
        """Plan a stream for a run. What cannot be listed fails alone, as an outcome without a key."""
        listings, refused = [], False
        for account in self.reading(name):
            try:
                listings.append(self._list(contexts, name, account.name))
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - what cannot be listed must not stop the others
                where = " ".join(part for part in (self.plugin.provider.name, name, account.name) if part)
                ctx = contexts.make(name, account=account.name)
                failure = classified(error, ctx=ctx, where=where, log=self.log)
                log_failure(self.log, self.plugin.provider.stream(name), "", failure)
                watch.unlisted(name, failure)
                outcome = PartitionOutcome.failed(name, "", "listing", failure, account=account.name)
                self._tell(outcome, result, reporter, watch)
                refused = True
        planned = merged(listings, note=contexts.make(name).note)
        if not refused:  # else what is missing may only be out of sight
            self._compare(name, planned, result)
        todo = []
        for item in planned:
            if item.partition.problem is not None:
                problem = item.partition.problem
                broken = SourceError(problem.message, error_class=problem.error_class, hint=problem.hint)
                log_failure(self.log, self.plugin.provider.stream(name), item.partition.key, broken)
                books.fail(item, broken)
                watch.unreadable(item, broken)
                outcome = PartitionOutcome.failed(
                    name, item.partition.key, "listing", broken, account=item.account
                )
                self._tell(outcome, result, reporter, watch)
            elif item.load:
                todo.append(item)
            else:
                self._tell(self._unchanged(item), result, reporter, watch)
        return todo

    def _list(self, contexts: Contexts, name: str, account: str) -> list[Planned]:
        states = self.states.get(name, {})
        ctx = contexts.make(name, account=account)
        return [
            decide(
                item,
                states.get(item.key),
                plugin_version=self.plugin.version,
                full=self.full,
                account=account,
            )
            for item in self.plugin.partitions(ctx, name, self.window_of(name))
        ]

    def again(self, contexts: Contexts, old: Planned) -> Planned | None:
        """Plan one partition anew, because its source changed; None if it is gone."""
        stream, month = old.partition.stream, old.partition.month
        window = Window(month, month.plus(1)) if month else self.window_of(stream)
        ctx = contexts.make(stream, old.partition.key, account=old.account)
        listed = self.plugin.partitions(ctx, stream, window)
        return next(
            (
                replace(
                    decide(item, old.state, plugin_version=self.plugin.version, account=old.account),
                    load=True,
                    reason=old.reason,
                )
                for item in listed
                if item.key == old.partition.key and item.problem is None
            ),
            None,
        )

    def window_of(self, stream: str) -> Window:
        """The window asked for; else the look-back, once everything has been loaded; else everything."""
        states = self.states.get(stream, {}).values()
        to_do = not states or stream in self.unfinished or any(state.status == "failed" for state in states)
        if any(self.window) or self.lookback_days is None or to_do:
            return self.window
        return Window(Month.of(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=self.lookback_days)), None)

    def _compare(self, name: str, planned: list[Planned], result: RunResult) -> None:
        """Note what the warehouse knows of this stream and the source does not name any more."""
        window = self.window_of(name)
        if not any(window):
            self.listing.complete[name] = {item.partition.key for item in planned}
        begun = {}
        if not self.plugin.provider.stream(name).editions:  # of which only one counts anyway
            begun = {str(item.partition.month): item.partition.key for item in planned if item.state is None}
        for state in vanished(self.states.get(name, {}), planned, window):
            if state.load_id is None:
                self.listing.resolved.append(state)
            elif state.listed:
                self.listing.vanished.append(state)
                result.notices.append(
                    f"{name} {state.partition_key}: the source does not list it any more; "
                    f"its {state.row_count:,} rows are kept" + _same_month(state, begun.get(str(state.month)))
                )

    def _unchanged(self, item: Planned) -> PartitionOutcome:
        outcome = PartitionOutcome(
            item.partition.stream, item.partition.key, "unchanged", item.reason, account=item.account
        )
        if item.state is not None:
            # What was not asked was not confirmed either: it would stay fresh for ever.
            known = self.listing.fresh if item.reason == CHECKED_LATELY else self.listing.seen
            known.append(item.state)
            outcome.rows, outcome.standing = item.state.row_count, list(item.state.notices)
        return outcome

    @staticmethod
    def _tell(outcome: PartitionOutcome, result: RunResult, reporter: Reporter, watch: Watch) -> None:
        result.partitions.append(outcome)
        reporter.finished(outcome)
        watch.told(outcome)


def _same_month(old: PartitionState, new: str | None) -> str:
    if old.month is None or new is None:
        return ""
    forget = shlex.join(
        ("ogf", "forget", "--provider", old.provider, "--stream", old.stream, old.partition_key)
    )
    return f" and count beside those of {new}, which is new; if both tell the same, `{forget}` takes the old ones out"
