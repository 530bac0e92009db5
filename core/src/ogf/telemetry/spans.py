"""Spans, where somebody listens: a tree of nodes that cost nothing otherwise, and import nothing.

A node is handed from thread to thread; `current` makes it the one that `here` finds, for what happens deep below it
(a retry, a wait). Texts are masked on their way in, and a span never holds a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from ogf.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import TracerProvider

Value = str | int | float | bool | None


class Node:
    """One span; this one is none at all, and all its methods do nothing. `recorded.Recorded` is a real one."""

    def child(self, name: str, **attributes: Value) -> Node:
        """Open a span below this one. It carries what `identify` was told, too."""
        del name, attributes
        return self

    def identify(self, **attributes: Value) -> None:
        """Set attributes that every span opened below this one from now on carries too."""

    def set(self, **attributes: Value) -> None:
        """Set attributes; None is left out."""

    def event(self, name: str, **attributes: Value) -> None:
        """Note something that happened at a moment."""

    def record(self, error: BaseException) -> None:
        """Note an error in the span it happened in, with its class, and that the span failed."""

    def fail(self, error: BaseException, *, alone: bool = False) -> None:
        """Say that this span, and so all above it unless `alone`, failed because of an error that is recorded."""

    def end(self, at: int | None = None) -> None:
        """Close the span, once; `at` in nanoseconds since 1970, None is now."""

    def current(self) -> AbstractContextManager[object]:
        """Make this the node that `here` finds in this thread."""
        return nullcontext()


class Recorder(Protocol):
    """Who opens real spans."""

    def open(self, name: str, *, mask: Callable[[str], str], identity: Mapping[str, Value]) -> Node:
        """Open a span below the one that is current in this thread."""

    def here(self) -> Node: ...


_NOTHING = Node()
_recorder: Recorder | None = None


def use(provider: TracerProvider | None) -> None:
    """Send spans to this provider from now on; None: nowhere. `ogf.telemetry.setup` does it for a process."""
    global _recorder  # noqa: PLW0603 - one process, one way out
    if provider is None:
        _recorder = None
        return
    from ogf.telemetry.recorded import Spans

    _recorder = Spans(provider)


def here() -> Node:
    """The node under which this thread works now; one that does nothing if there is none."""
    return _NOTHING if _recorder is None else _recorder.here()


def start(name: str, *, mask: Callable[[str], str] = redact, **identity: Value) -> Node:
    """Open a span below the current one, if there is one. What it is identified by, its children carry too."""
    return _NOTHING if _recorder is None else _recorder.open(name, mask=mask, identity=identity)


@contextmanager
def ingestion_run(mask: Callable[[str], str] = redact, **attributes: Value) -> Iterator[Node]:
    """The root of a tree: one command, or one job of a service, that runs providers. An error goes through."""
    node = start("ingestion.run", mask=mask)
    node.set(**attributes)
    try:
        with node.current():
            yield node
    except BaseException as error:
        node.fail(error)
        raise
    finally:
        node.end()
