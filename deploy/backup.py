"""Copy a warehouse while `ogf serve` and runs go on: `python backup.py ogf.duckdb backup/ogf-2026-11-24.duckdb`.

Needs only the package duckdb. Opening the file to read takes DuckDB's shared lock: as long as this process has it,
nobody writes, and whoever wants to waits. The copy has its final name only once it was opened and counted.
Exit codes: 0 copied, 1 the copy is not like the original, 2 there is no original, or there is a copy of that
name already, 4 somebody wrote for longer than a minute.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb

_WAIT_SECONDS = 60.0
_RETRY_SECONDS = 0.05
_COUNT = "SELECT (SELECT count(*) FROM activity_log), (SELECT count(*) FROM loads), (SELECT count(*) FROM partitions)"


def main(source: Path, target: Path) -> int:
    if not source.exists():
        sys.stderr.write(f"there is no {source}\n")
        return 2
    if target.exists():
        sys.stderr.write(f"{target} is there already: name a new file, nothing is overwritten\n")
        return 2
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    held = _opened(source)
    if held is None:
        sys.stderr.write(f"{source} was written to for {_WAIT_SECONDS:g} s; try again later\n")
        return 4
    with held:
        counted = held.execute(_COUNT).fetchone()
        # Another process copies: the lock of this one would be gone as soon as it closed any handle of the file.
        _copy(source, part)
        log = Path(f"{source}.wal")  # there only after a writer was killed
        if log.exists():
            _copy(log, Path(f"{part}.wal"))
    with duckdb.connect(str(part)) as copy:  # takes the log in
        found = copy.execute(_COUNT).fetchone()
    if found != counted:
        sys.stderr.write(f"{part} holds {found}, {source} {counted}: it is no good copy\n")
        return 1
    part.replace(target)
    rows, loads, partitions = counted
    sys.stdout.write(f"{target}: {rows:,} rows of {loads:,} loads and {partitions:,} partitions\n")
    return 0


def _opened(source: Path) -> duckdb.DuckDBPyConnection | None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return duckdb.connect(str(source), read_only=True)
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() >= deadline:
                return None
        time.sleep(_RETRY_SECONDS)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=auto", "--", source, target], check=True)  # noqa: S603, S607 - names of ours


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python backup.py WAREHOUSE COPY")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
