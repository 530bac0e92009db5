"""Comparing two loads of the same files, ogf's and the floor's: whole processes, taking turns. Prints one line."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import measure

HERE = Path(__file__).parent
OGF = str(Path(sys.executable).with_name("ogf"))
BUDGET_MB = 640  # what ogf's DuckDBs may use together: the default of runner.memory_limit
COLUMNS = (
    "| case | floor | ogf | ratio | limit | CPU floor | CPU ogf | peak floor | peak ogf | same rows and cost |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


class Load(NamedTuple):
    """What is loaded: a provider's stream from a folder of files."""

    provider: str
    stream: str
    folder: Path


def arguments(doc: str | None, *, rows: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=rows, help=f"rows of each data set [{rows:,}]")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs [3]")
    parser.add_argument("--only", default="", help="parts to run, separated by commas [all]")
    parser.add_argument(
        "--floor-storage", default="v0.10.2", help="storage version of the floor's file [DuckDB's default]"
    )
    parser.add_argument(
        "--data", type=Path, default=HERE / ".data", help="where data sets are kept [benchmarks/.data]"
    )
    return parser


def data_files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.name.endswith((".parquet", ".csv.gz")))


def ogf(load: Load, db: Path, workers: int) -> list[str]:
    config = db.with_suffix(".yaml")
    config.write_text(
        f"ingestion:\n  {load.provider}:\n    {load.stream}:\n      location: {load.folder}\n",
        encoding="utf-8",
    )
    asked = f"run --provider {load.provider} --stream {load.stream} --json --quiet --workers {workers}"
    return [OGF, *asked.split(), "--config", str(config), "--db", str(db)]


def run_floor(load: Load, db: Path, budget: int, storage: str) -> tuple[measure.Usage, int]:
    """Run the floor; where the one statement does not fit into ogf's memory, it gets as much more as it needs."""
    while True:
        try:
            program = [sys.executable, str(HERE / "floor.py"), f"{load.provider}.{load.stream}"]
            return measure.run([*program, str(db), str(budget), storage, *data_files(load.folder)]), budget
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


def compare(
    load: Load, *, title: str, workers: int, limit: float, rounds: int, scratch: Path, storage: str
) -> measure.Usage:
    """Print one line of the table; returns ogf's usage in the round of its highest peak."""
    for path in data_files(load.folder):  # warm the page cache for both
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
                    usage, budget = run_floor(load, db, budget, storage)
                    sums.add(totals(db, "activity_log"))
                else:
                    usage = measure.run(ogf(load, db, workers))
                    sums.add(totals(db, "activities"))
                side.append(usage)
        same &= len(sums) == 1
    ratios = [one.wall / other.wall for one, other in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"| {title} | {median(theirs, 'wall'):.2f} s | {median(ours, 'wall'):.2f} s | {ratio:.2f} "
        f"({min(ratios):.2f}-{max(ratios):.2f}) | {verdict(ratio, limit)} | {median(theirs, 'cpu'):.1f} s "
        f"| {median(ours, 'cpu'):.1f} s | {_peak(theirs):.0f} of {budget} MiB | {_peak(ours):.0f} MiB "
        f"| {'yes' if same else 'NO'} |",
        flush=True,
    )
    return max(ours, key=lambda usage: usage.peak_mb)


def median(side: list[measure.Usage], field: str) -> float:
    return statistics.median(getattr(usage, field) for usage in side)


def _peak(side: list[measure.Usage]) -> float:
    return max(usage.peak_mb for usage in side)


def verdict(value: float, limit: float, text: str = "") -> str:
    return f"{text or f'≤ {limit:.2f}'}: {'ok' if value <= limit else 'MISSED'}"
