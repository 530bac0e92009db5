"""The benchmark itself works, on a few rows: it compares equal tables and prints every limit. No time is asserted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark asks Linux's kernel")
def test_b85_benchmark_prints_every_comparison_and_never_fails_because_of_a_number(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            BENCHMARKS / "cur.py",
            "--rows=2000",
            "--rounds=1",
            "--months=2",
            "--files=2",
            f"--data={tmp_path}",
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    compared = [line for line in lines if re.match(r"\| (Parquet|CSV.gz), ", line)]
    assert len(compared) == 4
    assert all(line.endswith("| yes |") for line in compared), done.stdout
    for limit in ("≤ 1.40", "≤ 1.30", "≤ 1.25", "≤ 1.15", "< 1 GiB", "< 20 %", "< 1 s", "| 0: ok |"):
        assert limit in done.stdout, limit


def test_the_benchmark_of_the_footprint_prints_its_ratio():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "footprint.py", "3600"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^footprint +[\d.]+ s, 12 months$", done.stdout, re.MULTILINE)
    assert re.search(r"^ratio [\d.]+ \(goal: below 1.5\)$", done.stdout, re.MULTILINE)
