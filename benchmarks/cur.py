"""ogf on Cost and Usage Reports against the floor: the one DuckDB statement that does the same work (floor.py).

    python benchmarks/cur.py [--rows 5000000] [--rounds 3] [--only parquet1,csv1,parquet4,csv4,memory,noop]

Each side is a real process, measured from its start to its end, so both pay for their own imports. Sides take turns,
because machines are noisy; the ratio of each round is kept, and median, least and most are shown. Files are made
once and kept in benchmarks/.data. It prints; it never fails because of a number.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import measure

HERE = Path(__file__).parent
OGF = str(Path(sys.executable).with_name("ogf"))
BUDGET_MB = 640  # what ogf's DuckDBs may use together: the default of runner.memory_limit
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


def data_files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.name.endswith((".parquet", ".csv.gz")))


def ogf(folder: Path, db: Path, workers: int) -> list[str]:
    config = db.with_suffix(".yaml")
    config.write_text(f"ingestion:\n  aws:\n    cur:\n      location: {folder}\n", encoding="utf-8")
    asked = f"run --provider aws --stream cur --json --quiet --workers {workers}"
    return [OGF, *asked.split(), "--config", str(config), "--db", str(db)]


def run_floor(folder: Path, db: Path, budget: int, storage: str) -> tuple[measure.Usage, int]:
    """Run the floor; where the one statement does not fit into ogf's memory, it gets as much more as it needs."""
    while True:
        try:
            program = [sys.executable, str(HERE / "floor.py"), str(db), str(budget), storage]
            return measure.run([*program, *data_files(folder)]), budget
        except RuntimeError as error:
            if "OutOfMemoryException" not in str(error) or budget > 16 * BUDGET_MB:
                raise
            budget *= 2
            for path in db.parent.glob(f"{db.name}*"):
                path.unlink()


def totals(db: Path, table: str) -> str:
    """Rows and cost of a table, asked by a process of its own."""
    program = (
        "import duckdb, sys; print(*duckdb.connect(sys.argv[1], read_only=True)"
        f".execute('SELECT count(*), sum(cost) FROM {table}').fetchone())"
    )
    return measure.run([sys.executable, "-c", program, str(db)]).output.strip()


def compare(data: Path, case: Case, rows: int, rounds: int, scratch: Path, storage: str) -> measure.Usage:
    """Print one line of the table; returns ogf's usage in the round of its highest peak."""
    folder = exports(data, case.kind, rows, case.files)
    for path in data_files(folder):  # warm the page cache for both
        with Path(path).open("rb") as file:
            while file.read(1 << 22):
                pass
    ours: list[measure.Usage] = []
    theirs: list[measure.Usage] = []
    budget, same = BUDGET_MB, True
    for number in range(rounds):
        sums = set()
        for side in (theirs, ours) if number % 2 == 0 else (ours, theirs):
            with tempfile.TemporaryDirectory(dir=scratch) as home:
                db = Path(home) / "warehouse.duckdb"
                if side is theirs:
                    usage, budget = run_floor(folder, db, budget, storage)
                    sums.add(totals(db, "activity_log"))
                else:
                    usage = measure.run(ogf(folder, db, case.workers))
                    sums.add(totals(db, "activities"))
                side.append(usage)
        same &= len(sums) == 1
    ratios = [one.wall / other.wall for one, other in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"| {case.title} | {_median(theirs, 'wall'):.2f} s | {_median(ours, 'wall'):.2f} s | {ratio:.2f} "
        f"({min(ratios):.2f}-{max(ratios):.2f}) | {_verdict(ratio, case.limit)} | {_median(theirs, 'cpu'):.1f} s "
        f"| {_median(ours, 'cpu'):.1f} s | {_peak(theirs):.0f} of {budget} MiB | {_peak(ours):.0f} MiB "
        f"| {'yes' if same else 'NO'} |",
        flush=True,
    )
    return max(ours, key=lambda usage: usage.peak_mb)


def memory(data: Path, kind: str, rows: int, large: measure.Usage | None, scratch: Path) -> None:
    """Print how ogf's peak grows from a fifth of the rows to all of them, in one file."""
    peaks = []
    for count in (rows // 5, rows):
        if count == rows and large is not None:
            peaks.append(large.peak_mb)
            continue
        with tempfile.TemporaryDirectory(dir=scratch) as home:
            peaks.append(
                measure.run(ogf(exports(data, kind, count), Path(home) / "warehouse.duckdb", 1)).peak_mb
            )
    growth = peaks[1] / peaks[0] - 1
    print(
        f"| {kind} | {peaks[0]:.0f} MiB | {peaks[1]:.0f} MiB | {_verdict(peaks[1], 1024, '< 1 GiB')} "
        f"| {growth:+.0%} | {_verdict(growth, 0.2, '< 20 %')} |",
        flush=True,
    )


def noop(data: Path, months: int, files: int, scratch: Path) -> None:
    """Print what a second run costs that finds nothing new."""
    folder = exports(data, "parquet", files * 10, files, months)
    db = scratch / "noop.duckdb"
    command = ogf(folder, db, 2)
    with measure.Opened({Path(path).parent for path in data_files(folder)}) as opened:
        first = measure.run(command)
        opens_of_first = opened.count(".parquet")
        base = measure.imports(command)
        again = [measure.run(command) for _ in range(ROUNDS_OF_NOOP)]
        opens = opened.count(".parquet")
    cpu = _median(again, "cpu") - base.cpu
    print(
        f"First load of {months} months x {files} files: {first.wall:.1f} s; inotify saw data files opened or read "
        f"{opens_of_first:,} times.\nThen, with nothing new in them:\n"
    )
    print(
        "| wall | CPU | of which imports | CPU beyond imports | limit | data files opened or read | limit |"
    )
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {_median(again, 'wall'):.2f} s | {_median(again, 'cpu'):.2f} s | {base.cpu:.2f} s | {cpu:.2f} s "
        f"| {_verdict(cpu, 1.0, '< 1 s')} | {opens} | {'0: ok' if not opens else '0: MISSED'} |",
        flush=True,
    )


def _median(side: list[measure.Usage], field: str) -> float:
    return statistics.median(getattr(usage, field) for usage in side)


def _peak(side: list[measure.Usage]) -> float:
    return max(usage.peak_mb for usage in side)


def _verdict(value: float, limit: float, text: str = "") -> str:
    return f"{text or f'≤ {limit:.2f}'}: {'ok' if value <= limit else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of each data set [5,000,000]")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs [3]")
    parser.add_argument("--only", default="", help="parts to run, separated by commas [all]")
    parser.add_argument(
        "--floor-storage", default="v0.10.2", help="storage version of the floor's file [DuckDB's default]"
    )
    parser.add_argument("--months", type=int, default=13, help="months of the no-op [13]")
    parser.add_argument("--files", type=int, default=200, help="files of each of these months [200]")
    parser.add_argument(
        "--data", type=Path, default=HERE / ".data", help="where data sets are kept [benchmarks/.data]"
    )
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
            print(
                "| case | floor | ogf | ratio | limit | CPU floor | CPU ogf | peak floor | peak ogf "
                "| same rows and cost |"
            )
            print("|---|---|---|---|---|---|---|---|---|---|")
            used = {
                case.name: compare(given.data, case, given.rows, given.rounds, scratch, given.floor_storage)
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
