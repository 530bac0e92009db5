"""SIGINT and SIGTERM: the first asks for a clean end after the page under way, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ogf.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.runner.clock import Cancel

_STOPS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stopping(cancel: Cancel) -> Iterator[None]:
    """While inside, a signal sets `cancel` instead of killing; a second one ends the process.

    A thread hears them: Python's own handlers run in the main thread, and that may be deep inside DuckDB.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = {number: signal.signal(number, _leave_to_the_thread) for number in _STOPS}
    other = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(heard, cancel), name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(other)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        listener.join()
        os.close(heard)


def _leave_to_the_thread(_number: int, _frame: object) -> None:
    pass


def _listen(heard: int, cancel: Cancel) -> None:
    while byte := os.read(heard, 1):
        if byte[0] not in _STOPS:
            continue
        name = signal.Signals(byte[0]).name
        if cancel.is_set():
            _say(
                f"{name} again: stopped at once. Nothing is lost but the page under way: finished pages are kept; "
                "run the same command to go on",
                last=True,
            )
            os._exit(ExitCode.INTERRUPTED)
        cancel.set()
        _say(f"{name}: stopping after the page under way; once more to stop at once")


def _say(line: str, *, last: bool = False) -> None:
    """Not through sys.stderr: somebody may be in the midst of writing to it."""
    if os.isatty(2):  # where the progress bar is, and has hidden the cursor
        line = f"\n{_SHOW_CURSOR if last else ''}{line}"
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())
