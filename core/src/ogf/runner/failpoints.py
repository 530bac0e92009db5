"""Named places where a test can kill the process: `OGF_FAILPOINT=segment.renamed:3` kills at the third passing.

Without the variable a point costs one comparison. The names are the crash tests' vocabulary (tests/faults).
"""

from __future__ import annotations

import os
import signal
import threading

_name, _, _nth = os.environ.get("OGF_FAILPOINT", "").partition(":")
_left = int(_nth or 1)
_lock = threading.Lock()


def passing(name: str) -> None:
    """Die here, by SIGKILL, if the environment says so."""
    global _left  # noqa: PLW0603 - one process, one way to die
    if name != _name:
        return
    with _lock:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
