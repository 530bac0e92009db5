"""SIGINT and SIGTERM: the first asks for a clean end after the page under way, the second ends at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

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
        # Not through sys.stderr: the signal may have come in the midst of a line that is being written to it.
        with suppress(OSError):
            os.write(2, f"{name}: stopping after the page under way; once more to stop at once\n".encode())

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
