"""A span that is really recorded, on OpenTelemetry's API. Imported only once there is somebody to send it to.

The process-wide tracer provider is left alone: the clouds' SDKs would send their own spans to it, with their own
ideas of what may be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from ogf import __version__
from ogf.errors import Cancelled, ErrorClass, OgfError
from ogf.telemetry.spans import Node, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import TracerProvider

_KEY = contexts.create_key("ogf-span")
_LONGEST_TEXT = 2000

Told = str | int | float | bool


class Spans:
    """Opens spans of a provider; an `ogf.telemetry.spans.Recorder`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("ogf", __version__)

    def open(self, name: str, *, mask: Callable[[str], str], identity: Mapping[str, Value]) -> Node:
        above = self.here()
        parent = above if isinstance(above, Recorded) else None
        return Recorded(
            self._tracer,
            name,
            parent=parent,
            around=contexts.get_current(),
            mask=mask,
            identity=_told(identity, mask),
        )

    def here(self) -> Node:
        node = contexts.get_value(_KEY)
        return node if isinstance(node, Node) else Node()


class Recorded(Node):
    """One span and its place in the tree. `identity` is masked already: all spans below carry the same texts."""

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        *,
        parent: Recorded | None,
        around: Context,
        mask: Callable[[str], str],
        identity: Mapping[str, Told],
    ) -> None:
        self._tracer = tracer
        self._parent = parent
        self._mask = mask
        self._identity = dict(identity)
        self._failed = False
        self._span = tracer.start_span(name, context=around, attributes=self._identity)
        self._context = contexts.set_value(_KEY, self, set_span_in_context(self._span, around))

    def child(self, name: str, **attributes: Value) -> Node:
        node = Recorded(
            self._tracer,
            name,
            parent=self,
            around=self._context,
            mask=self._mask,
            identity=self._identity,
        )
        node.set(**attributes)
        return node

    def identify(self, **attributes: Value) -> None:
        told = _told(attributes, self._mask)
        self._identity.update(told)
        self._span.set_attributes(told)

    def set(self, **attributes: Value) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_told(attributes, self._mask))

    def event(self, name: str, **attributes: Value) -> None:
        if self._span.is_recording():
            self._span.add_event(name, _told(attributes, self._mask))

    def record(self, error: BaseException) -> None:
        # Not `record_exception`: its stack trace would quote causes that nobody masked.
        if not isinstance(error, Cancelled) and self._span.is_recording():
            known = {
                "exception.type": type(error.__cause__ or error).__name__,
                "exception.message": _message(error),
            }
            self._span.add_event("exception", _told({**known, "error_class": _class(error)}, self._mask))
            self._fail(error)

    def fail(self, error: BaseException, *, alone: bool = False) -> None:
        if not isinstance(error, Cancelled):
            self._fail(error)
            if self._parent is not None and not alone:
                self._parent.fail(error)

    def end(self, at: int | None = None) -> None:
        if self._span.is_recording():
            self._span.end(at)

    @contextmanager
    def current(self) -> Iterator[None]:
        token = contexts.attach(self._context)
        try:
            yield
        finally:
            contexts.detach(token)

    def _fail(self, error: BaseException) -> None:
        """The first error counts."""
        if self._span.is_recording() and not self._failed:
            self._failed = True
            self.set(error_class=_class(error))
            self._span.set_status(Status(StatusCode.ERROR, self._mask(_message(error))[:_LONGEST_TEXT]))


def _told(attributes: Mapping[str, Value], mask: Callable[[str], str]) -> dict[str, Told]:
    return {
        name: mask(str(value))[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
    }


def _message(error: BaseException) -> str:
    """What an error says, without what it may quote of rows: DuckDB's words, and those of errors nobody foresaw."""
    if outline := getattr(error, "outline", ""):
        return str(outline)
    if not isinstance(error, OgfError) or _class(error) == ErrorClass.UNKNOWN:
        return type(error.__cause__ or error).__name__
    text, cause = error.message, error.__cause__
    while cause is not None:
        if type(cause).__module__.endswith("duckdb"):
            text = text.replace(str(cause).partition("\n")[0], "…")
        cause = cause.__cause__
    return text


def _class(error: BaseException) -> str:
    return str(getattr(error, "error_class", "")) or type(error).__name__
