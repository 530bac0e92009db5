"""Runs of the real plugin against the emulator, through a proxy that keeps a log and injects faults."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from gcp.bigquery_emulator import BILLING_ACCOUNT, PARTITION, PROJECT
from gcp.bigquery_fake import _STATUS, BigQueryFake, _error
from gcp.export_files import Exports, plugin
from processes import ogf

from ogf import config
from ogf.runner.run import ProviderRun

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gcp.bigquery_emulator import Emulator

    from ogf.runner.report import RunResult


class Proxy(BigQueryFake):
    """The fake, with its log and its faults, but real answers: those of the emulator.

    Attributes:
        turns: what happens to each request in turn, over and over: "" passes it on, a reason refuses it, `lost`
            passes it on and loses the answer. A reason may have a status: `rateLimitExceeded 429`.
        size: bytes that every dry run says it would read, instead of what the emulator says.
    """

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self.emulator = emulator

    def reset(self) -> None:
        super().reset()
        self.turns: Sequence[str] = ("",)
        self.size: int | None = None
        self.later: list[tuple[int, dict]] = []
        self._turn = itertools.count()

    def fail_later_page(self, reason: str, status: int = 0, *, times: int = 1, message: str = "") -> None:
        """Refuse the next requests for a page of a table's rows after the first."""
        self.later += [_error(reason, message or f"injected {reason}", status)] * times

    def answer(self, line: str, method: str, path: list[str], query: dict, body: dict) -> tuple[int, dict]:
        if self.later and "/queries/ogf_" in line and "pageToken=" in line:
            return self.later.pop(0)
        turn = self.turns[next(self._turn) % len(self.turns)]
        reason, _, status = turn.partition(" ")
        if reason and reason != "lost":
            return _error(reason, f"injected {reason}", int(status or _STATUS[reason]))
        answer = self._forward(line, method, body)
        if reason == "lost":
            return _error("backendError", "injected: the answer is lost")
        if method == "POST":
            self.bodies.append(body)
        return answer

    def _forward(self, line: str, method: str, body: dict) -> tuple[int, dict]:
        target = line.split(" ")[1].replace(" ", "%20")
        asked = urllib.request.Request(
            f"{self.emulator.url}/bigquery/v2{target}",
            method=method,
            data=json.dumps(body).encode() if method == "POST" else None,
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as reply:
                status, answer = reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        if "tableReference" in answer:
            answer["location"] = self._location(answer["tableReference"])
        statistics = answer.get("statistics", {})
        if self.size is not None and body.get("configuration", {}).get("dryRun"):
            statistics["totalBytesProcessed"] = str(self.size)
            statistics.get("query", {})["totalBytesProcessed"] = str(self.size)
        if answer.get("timePartitioning", {}).get("field") == PARTITION:
            # As Google's table: by the time of ingestion, which is no column.
            del answer["timePartitioning"]["field"]
            fields = answer["schema"]["fields"]
            fields[:] = [field for field in fields if field["name"] != PARTITION]
        return status, answer

    def _location(self, table: dict[str, str]) -> str:
        """Where a table lies: Google says it of tables too."""
        home = f"{self.emulator.url}/bigquery/v2/projects/{table['projectId']}/datasets/{table['datasetId']}"
        with urllib.request.urlopen(home, timeout=30) as reply:
            return str(json.load(reply)["location"])

    def forget(self) -> None:
        """Begin a new log."""
        with self.lock:
            self.calls.clear()
            self.bodies.clear()

    def queries(self) -> list[dict]:
        """The queries that ran, dry runs left out."""
        return [
            body["configuration"]["query"] for body in self.bodies if "dryRun" not in body["configuration"]
        ]

    def downloads(self) -> list[str]:
        """What asked for rows of a table: ids of the jobs that the plugin named, in order."""
        ids = [body["jobReference"]["jobId"] for body in self.bodies if "dryRun" not in body["configuration"]]
        return [name for name in ids if name.startswith("ogf_")]


class HurriedClock:
    """Real time, plus the waits, which it skips."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def wait(self, seconds: float, cancel: Any) -> None:
        cancel.raise_if_set()
        with self.lock:
            self.skipped += seconds


class Cloud(Exports):
    """A warehouse that is filled from tables: `Cloud(path, proxy.url, carbon="carbon", billing="billing")`.

    Datasets are given by stream; a stream without one is not configured, but for `carbon`, which is always.
    """

    def __init__(
        self, path: Path, url: str, settings: Mapping[str, Any] | None = None, **datasets: str
    ) -> None:
        super().__init__(path)
        self.settings |= {f"ingestion.gcp.{name}": value for name, value in tables(url, **datasets).items()}
        self.settings |= {
            "ingestion.gcp.rate_limit_per_sec": 10_000,
            "ingestion.gcp.rate_limit_capacity": 10_000,
        }
        self.settings |= {f"ingestion.gcp.{name}": value for name, value in (settings or {}).items()}

    def provider_run(self, *, reporter: Any = None, **settings: Any) -> ProviderRun:
        overrides = self.settings | {
            f"ingestion.gcp.{name.replace('__', '.')}": value for name, value in settings.items()
        }
        nothing = self.path.with_suffix(".yaml")
        nothing.write_text("")
        loaded = config.load(
            path=nothing,
            environ={},
            overrides=overrides,
            providers={"gcp": plugin().provider.settings},
            installed=["gcp"],
        )
        return ProviderRun(plugin(), loaded, reporter=reporter, clock=HurriedClock())

    def stream(self, name: str, **values: Any) -> RunResult:
        """Run one stream alone."""
        from ogf.runner.run import Options

        return self.provider_run(**values).run(Options(streams=(name,)))


def tables(url: str, **datasets: str) -> dict[str, Any]:
    """Settings that lead to a server and its datasets."""
    given = {"project_id": PROJECT, "billing_account_id": BILLING_ACCOUNT, "endpoint_url": url}
    for stream, dataset in datasets.items():
        given["bigquery_dataset" if stream == "carbon" else f"{stream}.dataset"] = dataset
    return given


def variables(url: str, **datasets: str) -> dict[str, str]:
    """The same, as environment variables of a process."""
    return {
        f"OFFGRIDFLOW_GCP_{name.replace('.', '_').upper()}": str(value)
        for name, value in ({"ingest_enabled": "true"} | tables(url, **datasets)).items()
    }


class Process:
    """`ogf` as a process in a folder, with the variables given."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env

    def __call__(self, *words: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        answer = ogf(*words, cwd=self.folder, env=self.env | env)
        assert answer.returncode == code, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        assert "Warning" not in answer.stderr
        return answer


def outcomes(result: RunResult) -> dict[str, tuple[str, str]]:
    """The last part of a partition's key → outcome and reason."""
    return {item.key.rpartition("/")[2]: (item.outcome, item.reason) for item in result.partitions}
