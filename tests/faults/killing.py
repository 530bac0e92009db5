"""Killing real runs: the exports they read, the ways they die, and what must hold afterwards."""

from __future__ import annotations

import ast
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from aws.cur_files import csv_file, folder_put, gz, month_lines, parquet_file, put_export, put_legacy
from processes import OGF, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws.cur_files import Put

SOURCES = Path(__file__).parents[2] / "core/src/ogf"
EAGER = (sys.executable, str(Path(__file__).with_name("eager.py")))
LAZY = (OGF,)
TIMEOUT = 120
DOWNLOADS = 13  # files that a first load of all deliveries reads


def failpoints() -> list[str]:
    """Every name that the core passes to `passing`, so that a new one is never forgotten."""
    return sorted(
        {
            call.args[0].value
            for path in SOURCES.rglob("*.py")
            for call in ast.walk(ast.parse(path.read_text()))
            if isinstance(call, ast.Call)
            and getattr(call.func, "id", "") == "passing"
            and isinstance(call.args[0], ast.Constant)
        }
    )


def deliver(put: Put) -> None:
    """The first deliveries: four partitions of two reports, ten files."""
    for month in ("2026-01", "2026-02"):
        put_legacy(put, [gz(csv_file(part)) for part in _parts(month, 3, rows=30)], month=month)
        put_export(
            put, [parquet_file(part) for part in _parts(month, 2, rows=20)], month=month, suffix="parquet"
        )


def restate(put: Put) -> None:
    """Later deliveries: one month of each report again, changed and with rows gone, and a new month."""
    put_legacy(
        put,
        [gz(csv_file(part)) for part in _parts("2026-01", 3, rows=25, line_item_usage_amount="2")],
        month="2026-01",
        assembly="assembly-2",
    )
    put_export(
        put,
        [parquet_file(part) for part in _parts("2026-02", 2, rows=10, line_item_usage_amount="3")],
        month="2026-02",
        execution="execution-2",
        suffix="parquet",
    )
    put_legacy(put, [gz(csv_file(part)) for part in _parts("2026-03", 3, rows=30)], month="2026-03")


def _parts(month: str, files: int, *, rows: int, **changes: str) -> list[list[dict[str, str]]]:
    return [
        [
            row | {"line_item_resource_id": f"{month}-{number}-{row['line_item_resource_id']}"}
            for row in month_lines(month, rows, identity_line_item_id=f"{month}-{number}", **changes)
        ]
        for number in range(files)
    ]


@dataclass
class Source:
    """Where runs read from, and the table that one clean run makes of it.

    Attributes:
        before: a warehouse from before the restatement.
        clean: a warehouse after one clean run.
    """

    home: Path
    env: Mapping[str, str]
    before: Path
    clean: Path
    seconds: float = 0.0

    @classmethod
    def make(cls, home: Path, put: Put, env: Mapping[str, str]) -> Source:
        source = cls(home, env, home / "before.duckdb", home / "clean.duckdb")
        deliver(put)
        Victim(source, home / "first").survive(copy_to=source.before)
        restate(put)
        clean = Victim(source, home / "second")
        clean.survive(copy_to=source.clean)
        source.seconds = clean.seconds
        return source

    @classmethod
    def local(cls, home: Path) -> Source:
        exports = home / "exports"
        return cls.make(home, folder_put(exports), {"OFFGRIDFLOW_AWS_CUR_LOCATION": str(exports)})


@dataclass
class Victim:
    """One warehouse whose runs are killed.

    Attributes:
        kills: where its runs died.
        seconds: how long the last survivor worked, from its first log line on.
    """

    source: Source
    folder: Path
    restated: bool = False
    program: Sequence[str] = LAZY
    kills: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if self.restated:
            shutil.copy(self.source.before, self.db)

    @property
    def db(self) -> Path:
        return self.folder / "ogf.duckdb"

    @property
    def _way(self) -> str:
        return f"{'restated' if self.restated else 'first'} {'eager' if self.program == EAGER else 'lazy'} "

    def segments(self) -> list[Path]:
        """Finished segments that wait to be loaded."""
        return sorted(Path(f"{self.db}.spool").rglob("*.parquet"))

    def start(self, *words: str, **env: str):
        return start(
            "run",
            "--provider",
            "aws",
            "--workers",
            "2",
            "-v",
            *words,
            cwd=self.folder,
            env={**self.source.env, **env},
            program=tuple(self.program),
        )

    def die_at(self, failpoint: str) -> bool:
        """Run up to a failpoint; False if it was not reached."""
        process = self.start(OGF_FAILPOINT=failpoint)
        _, err = process.communicate(timeout=TIMEOUT)
        return self._died(process.returncode, err, failpoint)

    def die_after(self, share: float) -> bool:
        """Kill a run when this share of the time that a clean run works has gone by; False if it was quicker."""
        process = self.start()
        process.stderr.readline()
        time.sleep(self.source.seconds * share)
        process.kill()
        _, err = process.communicate(timeout=TIMEOUT)
        return self._died(process.returncode, err, f"{share:.2%} of a run")

    def killed(self, process, where: str) -> None:
        """Kill a run now."""
        process.kill()
        _, err = process.communicate(timeout=TIMEOUT)
        assert self._died(process.returncode, err, where)

    def _died(self, code: int, err: str, where: str) -> bool:
        assert code in (0, -signal.SIGKILL), f"{where}: exit {code}\n{err}"
        if code == 0:
            return False
        self.kills.append(f"{self._way}{where}")
        return True

    def survive(self, copy_to: Path | None = None) -> None:
        """Run once to the end."""
        process = self.start()
        process.stderr.readline()
        began = time.monotonic()
        _, err = process.communicate(timeout=TIMEOUT)
        self.seconds = time.monotonic() - began
        assert process.returncode == 0, f"after {self.kills}: exit {process.returncode}\n{err}"
        assert "Traceback" not in err, err
        assert "Warning" not in err, err
        if copy_to:
            shutil.copy(self.db, copy_to)

    def check(self) -> None:
        """Everything that must hold after the survivor, then remove the folder."""
        after = f"after kills at {self.kills}, in {self.folder}"
        with duckdb.connect() as connection:
            connection.execute(
                f"ATTACH '{self.source.clean}' AS clean (READ_ONLY); ATTACH '{self.db}' AS ours (READ_ONLY)"
            )
            one, two = (f"SELECT * EXCLUDE load_id FROM {name}.activities" for name in ("clean", "ours"))
            for missing, extra in ((one, two), (two, one)):
                assert connection.execute(f"({missing}) EXCEPT ALL ({extra})").fetchall() == [], after

            def ask(sql: str) -> object:
                return connection.execute(sql).fetchall()

            assert (
                ask(
                    "SELECT DISTINCT status FROM ours.runs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')"
                )
                == []
            ), after
            assert (
                ask(
                    "SELECT status, count(*) FROM ours.loads WHERE status NOT IN ('current', 'abandoned', 'superseded') GROUP BY ALL"
                )
                == []
            ), after
            assert (
                ask(
                    "SELECT org_id, provider, stream, partition_key FROM ours.loads WHERE status = 'current' GROUP BY ALL HAVING count(*) > 1"
                )
                == []
            ), after
            stale = "SELECT load_id FROM ours.loads WHERE status <> 'current'"
            for table in ("activity_log", "quarantine_log", "segments"):
                assert ask(f"SELECT count(*) FROM ours.{table} WHERE load_id IN ({stale})") == [(0,)], (
                    table,
                    after,
                )
            assert ask("SELECT status, last_error FROM ours.connectors") == [("connected", None)], after
        spool = Path(f"{self.db}.spool")
        left = [
            path
            for path in spool.rglob("*")
            if path.is_file() and path.name not in ("run.lock", "cache.json")
        ]
        assert left == [], after
        assert [path.name for path in spool.rglob("scratch/*")] == [], after
        assert not Path(f"{self.db}.wal").exists(), after
        shutil.rmtree(self.folder)


class Campaign:
    """Makes victims with folders of their own and counts the kills. Used from several threads."""

    def __init__(self, source: Source, seed: int) -> None:
        self.source = source
        self.rng = random.Random(seed)
        self.points: list[str] = []
        self._lock = threading.Lock()

    def victim(self, *, restated: bool, program: Sequence[str] = LAZY) -> Victim:
        folder = Path(tempfile.mkdtemp(prefix="victim-", dir=self.source.home))
        return Victim(self.source, folder, restated=restated, program=program)

    def finish(self, victim: Victim) -> None:
        victim.survive()
        victim.check()
        with self._lock:
            self.points += victim.kills

    def share(self) -> float:
        with self._lock:
            return self.rng.random()
