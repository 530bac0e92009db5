"""Running a command and measuring it from outside: wall clock, CPU, peak memory, imports, and who opens which files."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_IN_ACCESS, _IN_OPEN, _IN_NONBLOCK = 0x1, 0x20, 0o4000


class Usage(NamedTuple):
    """What a process took from its start to its end. `cpu` is user and system time."""

    wall: float
    cpu: float
    peak_mb: float
    output: str


def run(command: Sequence[str], **environ: str) -> Usage:
    """Run a command to its end. Raises RuntimeError, with what it said, if it fails."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OGF_", "OFFGRIDFLOW_", "AWS_"))
    }
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**clean, **environ})
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-3000:]}")
    # Linux counts in KiB. A child starts with its parent's peak, which this process keeps small.
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def imports(command: Sequence[str]) -> Usage:
    """What it takes to start Python and import all that a command imports, and nothing else."""
    text = run(command, PYTHONPROFILEIMPORTTIME="1").output
    names = re.findall(r"^import time:[ \d]+\|[ \d]+\| +(\S+)$", text, re.MULTILINE)
    program = (
        "import importlib, sys\n"
        "for name in open(sys.argv[1]).read().split():\n"
        "    try: importlib.import_module(name)\n"
        "    except Exception: pass\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(names))
        listed.flush()
        return run([sys.executable, "-c", program, listed.name])


class Opened:
    """Asks the kernel (inotify) how often files in some folders are opened or read, by any process and any library."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(_IN_NONBLOCK)
        for folder in folders:
            if self._libc.inotify_add_watch(self._handle, os.fsencode(folder), _IN_ACCESS | _IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def count(self, suffix: str) -> int:
        """Events so far on files with this suffix; forgets them."""
        found = 0
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                _, _, _, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16 : at + 16 + length].rstrip(b"\0").decode()
                found += name.endswith(suffix)
                at += 16 + length
