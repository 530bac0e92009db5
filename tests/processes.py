"""Real `ogf` processes for tests: with an environment of their own, so that nothing of this machine leaks in.

A command that runs to its end is forked from a process that has imported already what most commands need: importing
it anew would be more than half of the suite's work.
"""

from __future__ import annotations

import atexit
import multiprocessing.forkserver
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

OGF = str(Path(sys.executable).with_name("ogf"))
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["ogf.cli.main", "ogf.runner.run", "ogf.cli.run"])
# What Python, or a module, looks at while it is imported.
_AT_IMPORT = ("PYTHONPATH", "OGF_FAILPOINT")


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
    *words: object, cwd: Path, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. stdout and stderr are texts."""
    told = environment(cwd) | (env or {})
    command = [OGF, *map(str, words)]
    if any(name in told for name in _AT_IMPORT):
        return subprocess.run(
            command,
            cwd=cwd,
            env=told,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    _start_forking()
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = _FORKS.Process(target=_carry_out, args=(command, str(cwd), told, str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
        return subprocess.CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _start_forking() -> None:
    """Have the process that is forked. It is not measured: tracing commands takes minutes of the suite.

    Their code counts as covered where tests call it in a process that is measured.
    """
    measured = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    multiprocessing.forkserver.ensure_running()
    if measured is not None:
        os.environ["COVERAGE_PROCESS_CONFIG"] = measured


def _carry_out(command: list[str], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    """What a process is given at its start, given to one that was forked."""
    from ogf.cli.main import main

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for number, path, way in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(path, way), number)
    warnings.simplefilter("default")
    sys.argv = command
    try:
        main()
    finally:
        atexit._run_exitfuncs()


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
