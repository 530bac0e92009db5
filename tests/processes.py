"""Real `ogf` processes for tests: with an environment of their own, so that nothing of this machine leaks in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OGF = str(Path(sys.executable).with_name("ogf"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """A bare environment. Warnings are shown by the processes, so that a test can see that there are none."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "default",
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "100",
        "MPLCONFIGDIR": str(
            Path(tempfile.gettempdir()) / "ogf-tests-matplotlib"
        ),  # fonts are looked for once
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        **more,
    }


def ogf(
    *words: object, cwd: Path, env: dict[str, str] | None = None, timeout: float = 120, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. stdout and stderr are texts."""
    return subprocess.run(
        [OGF, *map(str, words)],
        cwd=cwd,
        env=environment(cwd) | (env or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,
    )


def start(
    *words: object, cwd: Path, env: dict[str, str] | None = None, program: tuple[str, ...] = (OGF,)
) -> subprocess.Popen[str]:
    """Start a command in the background."""
    return subprocess.Popen(
        [*program, *map(str, words)],
        cwd=cwd,
        env=environment(cwd) | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
