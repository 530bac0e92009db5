"""SIGINT and SIGTERM: the first asks for a clean end after the page under way, the second ends at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.runner.clock import Cancel


@contextmanager
def stopping(cancel: Cancel) -> Iterator[None]:
    """While inside, signals set `cancel` instead of killing."""

    def ask(number: int, _frame: Any) -> None:
        cancel.set()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        name = signal.Signals(number).name
        click.echo(f"{name}: stopping after the page under way; once more to stop at once", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
