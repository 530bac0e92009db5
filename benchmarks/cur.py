"""ogf on Cost and Usage Reports against the floor: the one DuckDB statement that does the same work (floor.py).

    python benchmarks/cur.py [--rows 5000000] [--rounds 3] [--only parquet1,csv1,parquet4,csv4,memory,noop]

Each side is a real process, measured from its start to its end, so both pay for their own imports. Sides take turns,
because machines are noisy; the ratio of each round is kept, and median, least and most are shown. Files are made
once and kept in benchmarks/.data. It prints; it never fails because of a number.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import measure
from compare import BUDGET_MB, COLUMNS, HERE, Load, arguments, compare, data_files, median, ogf, verdict

ROUNDS_OF_NOOP = 3


class Case(NamedTuple):
    name: str
    title: str
    kind: str
    files: int
    workers: int
    limit: float


CASES = (
    Case("parquet1", "Parquet, 1 file, 1 worker", "parquet", 1, 1, 1.40),
    Case("csv1", "CSV.gz, 1 file, 1 worker", "csv.gz", 1, 1, 1.30),
    Case("parquet4", "Parquet, 4 files, 2 workers", "parquet", 4, 2, 1.25),
    Case("csv4", "CSV.gz, 4 files, 2 workers", "csv.gz", 4, 2, 1.15),
)


def exports(data: Path, kind: str, rows: int, files: int = 1, months: int = 1) -> Path:
    """The folder of a cached data set, made by a process of its own: this one must stay small (see measure.run)."""
    made_by = hashlib.sha256((HERE / "generate.py").read_bytes()).hexdigest()[:6]
    folder = data / f"{kind}-{rows}x{files}-{months}m-{made_by}"
    if not folder.exists():
        shutil.rmtree(folder.with_name(f"{folder.name}.partial"), ignore_errors=True)
        print(
            f"making {rows * months:,} rows of {kind} in {files * months} files …",
            file=sys.stderr,
            flush=True,
        )
        command = [sys.executable, HERE / "generate.py", folder, kind, rows, files, months]
        subprocess.run([str(part) for part in command], check=True)
    return folder


def memory(data: Path, kind: str, rows: int, large: measure.Usage | None, scratch: Path) -> None:
    """Print how ogf's peak grows from a fifth of the rows to all of them, in one file."""
    peaks = []
    for count in (rows // 5, rows):
        if count == rows and large is not None:
            peaks.append(large.peak_mb)
            continue
        with tempfile.TemporaryDirectory(dir=scratch) as home:
            peaks.append(
                measure.run(
                    ogf(_load(exports(data, kind, count)), Path(home) / "warehouse.duckdb", 1)
                ).peak_mb
            )
    growth = peaks[1] / peaks[0] - 1
    print(
        f"| {kind} | {peaks[0]:.0f} MiB | {peaks[1]:.0f} MiB | {verdict(peaks[1], 1024, '< 1 GiB')} "
        f"| {growth:+.0%} | {verdict(growth, 0.2, '< 20 %')} |",
        flush=True,
    )


def noop(data: Path, months: int, files: int, scratch: Path) -> None:
    """Print what a second run costs that finds nothing new."""
    folder = exports(data, "parquet", files * 10, files, months)
    db = scratch / "noop.duckdb"
    command = ogf(_load(folder), db, 2)
    with measure.Opened({Path(path).parent for path in data_files(folder)}) as opened:
        first = measure.run(command)
        opens_of_first = opened.count(".parquet")
        base = measure.imports(command)
        again = [measure.run(command) for _ in range(ROUNDS_OF_NOOP)]
        opens = opened.count(".parquet")
    cpu = median(again, "cpu") - base.cpu
    print(
        f"First load of {months} months x {files} files: {first.wall:.1f} s; inotify saw data files opened or read "
        f"{opens_of_first:,} times.\nThen, with nothing new in them:\n"
    )
    print(
        "| wall | CPU | of which imports | CPU beyond imports | limit | data files opened or read | limit |"
    )
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {median(again, 'wall'):.2f} s | {median(again, 'cpu'):.2f} s | {base.cpu:.2f} s | {cpu:.2f} s "
        f"| {verdict(cpu, 1.0, '< 1 s')} | {opens} | {'0: ok' if not opens else '0: MISSED'} |",
        flush=True,
    )


def _load(folder: Path) -> Load:
    return Load("aws", "cur", folder)


def main() -> None:
    parser = arguments(__doc__, rows=5_000_000)
    parser.add_argument("--months", type=int, default=13, help="months of the no-op [13]")
    parser.add_argument("--files", type=int, default=200, help="files of each of these months [200]")
    given = parser.parse_args()
    parts = set(given.only.split(",")) - {""} or {case.name for case in CASES} | {"memory", "noop"}
    given.data.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.data) as folder:
        scratch = Path(folder)
        print(
            f"{given.rows:,} rows x 107 columns, {given.rounds} rounds. Whole processes from start to exit, imports "
            "included on both sides;\nratio: ogf / floor by wall clock, median (least-most); CPU: median; peak: most.\n"
            f"The floor's memory limit is ogf's ({BUDGET_MB} MB), doubled where the statement runs out of it.\n"
        )
        used = {}
        if parts & {case.name for case in CASES}:
            print(COLUMNS)
            used = {
                case.name: compare(
                    _load(exports(given.data, case.kind, given.rows, case.files)),
                    title=case.title,
                    workers=case.workers,
                    limit=case.limit,
                    rounds=given.rounds,
                    scratch=scratch,
                    storage=given.floor_storage,
                )
                for case in CASES
                if case.name in parts
            }
        if "memory" in parts:
            print(
                f"\n| one file | peak at {given.rows // 5:,} rows | at {given.rows:,} | limit | growth | limit |"
            )
            print("|---|---|---|---|---|---|")
            memory(given.data, "parquet", given.rows, used.get("parquet1"), scratch)
            memory(given.data, "csv.gz", given.rows, used.get("csv1"), scratch)
        if "noop" in parts:
            print()
            noop(given.data, given.months, given.files, scratch)


if __name__ == "__main__":
    main()
