"""Runs of the real plugin against the fake: a carbon service with state, a warehouse, `ogf` processes."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws.cur_files import Warehouse
from processes import ogf

import ogf as core
import ogf_azure
from ogf import config, plugins
from ogf.files.worker import connect
from ogf.runner.run import Options, ProviderRun
from ogf.window import Month

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from azure.azure_fake import AzureFake
    from werkzeug import Request

    from ogf.hookspecs import Page
    from ogf.runner.report import RunResult

REPORTS = "/providers/Microsoft.Carbon/carbonEmissionReports"
RANGE = "/providers/Microsoft.Carbon/queryCarbonEmissionDataAvailableDateRange"


@cache
def plugin() -> plugins.Plugin:
    import ogf_azure.plugin

    return plugins.bind(ogf_azure.plugin, name="azure", where="ogf-azure", version="0.1.0")


def mapped(page: Page, params: Mapping[str, Any], columns: str, folder: Path) -> list[tuple[Any, ...]]:
    """Map one page as a worker does."""

    @dataclass
    class Mapping:
        duckdb: Any

    connection = connect(scratch=folder, threads=1, memory_mb=200, lookups=plugin().provider.lookups)
    try:
        from ogf.hookspecs import Request

        made = plugin().to_activities(Mapping(connection), Request("page", params), page)  # type: ignore[arg-type]
        connection.register("activities", made)
        return connection.execute(f"SELECT {columns} FROM activities ORDER BY ALL").fetchall()
    finally:
        connection.close()


def item(subscription: str, name: str, kg: Any = 0.1, **changes: Any) -> dict[str, Any]:
    """A row of an ItemDetailsReport by Resource, as the API's specification shows it."""
    group = f"/subscriptions/{subscription}/resourceGroups/demoGroup"
    return {
        "dataType": "ResourceItemDetailsData",
        "latestMonthEmissions": kg,
        "previousMonthEmissions": 0.05,
        "monthOverMonthEmissionsChangeRatio": 1.0,
        "monthlyEmissionsChangeValue": 0.05,
        "itemName": name,
        "resourceGroup": "demoGroup",
        "resourceId": f"{group}/providers/microsoft.storage/storageaccounts/{name}",
        "subscriptionId": subscription,
        "categoryType": "Resource",
        "resourceType": "microsoft.storage/storageaccounts",
        "location": "east us",
    } | changes


@dataclass
class Carbon:
    """Carbon Optimization: what each subscription emitted, and who may not be read.

    Attributes:
        items: (month, scope) → what was emitted; a month that is not in it has `usual`.
        problems: what was wrong with requests that came.
    """

    azure: AzureFake
    first: str = "2025-11-01"
    last: str = "2026-10-01"
    denied: set[str] = field(default_factory=set)
    items: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.azure.route("POST", RANGE, lambda _: {"startDate": self.first, "endDate": self.last})
        self.azure.route("POST", REPORTS, self.report)

    @property
    def months(self) -> list[str]:
        month, found = Month.parse(self.first), []
        while month <= Month.parse(self.last):
            found.append(str(month))
            month = month.plus(1)
        return found

    def usual(self, month: str, scope: int, subscriptions: Iterable[str]) -> list[dict[str, Any]]:
        """One resource of each subscription, with a figure of its own."""
        share = int(month[:4]) * 12 + int(month[5:])
        return [item(one, f"res{one[-4:]}", int(one[-4:], 16) * scope + share / 8) for one in subscriptions]

    def report(self, request: Request) -> Any:
        body = request.get_json()
        asked = body["subscriptionList"]
        (scope,) = (int(name.removeprefix("Scope")) for name in body["carbonScopeList"])
        month = body["dateRange"]["start"][:7]
        self._check(body, asked, month, scope)
        may = [one for one in asked if one not in self.denied]
        items = self.items.get((month, scope))
        rows = (
            self.usual(month, scope, may)
            if items is None
            else [row for row in items if row["subscriptionId"] in may]
        )
        start = int((body.get("skipToken") or "t0")[1:])
        end = start + body["pageSize"]
        return {
            "subscriptionAccessDecisionList": [
                {"subscriptionId": one, "decision": "Denied" if one in self.denied else "Allowed"}
                for one in asked
            ],
            "value": rows[start:end],
            **({"skipToken": f"t{end}"} if end < len(rows) else {}),
        }

    def _check(self, body: dict[str, Any], asked: list[str], month: str, scope: int) -> None:
        """Note what the real service would refuse."""
        wrong = {
            "more than 100 subscriptions": len(asked) > 100,
            "upper-case subscriptions": any(one != one.lower() for one in asked),
            f"scope {scope}": scope not in (1, 2, 3),
            f"a month that is not offered, {month}": month not in self.months,
            "more than one month": body["dateRange"]["start"] != body["dateRange"]["end"],
            f"a page of {body['pageSize']}": not 1 <= body["pageSize"] <= 5000,
        }
        self.problems += [text for text, is_so in wrong.items() if is_so]


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


class Cloud(Warehouse):
    """A warehouse that is filled from the fake: `Cloud(path, azure, page_size=2)`. `__` is a dot in settings."""

    def __init__(self, path: Path, azure: AzureFake, **settings: Any) -> None:
        super().__init__(path, "")
        self.clock = HurriedClock()
        given = azure.values() | {"rate_limit_per_sec": 10_000, "rate_limit_capacity": 10_000} | settings
        self.settings = {"warehouse.path": str(path), "runner.workers": 2} | self._ours(given)

    @staticmethod
    def _ours(settings: Mapping[str, Any]) -> dict[str, Any]:
        return {f"ingestion.azure.{name.replace('__', '.')}": value for name, value in settings.items()}

    def provider_run(self, *, reporter: Any = None, **settings: Any) -> ProviderRun:
        nothing = self.path.with_suffix(".yaml")  # whatever ogf.yaml lies in the working directory
        nothing.write_text("")
        loaded = config.load(
            path=nothing,
            environ={},
            overrides=self.settings | self._ours(settings),
            providers={"azure": plugin().provider.settings},
            installed=["azure"],
        )
        return ProviderRun(plugin(), loaded, reporter=reporter, clock=self.clock)

    def stream(self, name: str, **settings: Any) -> RunResult:
        """Run one stream alone."""
        return self.provider_run(**settings).run(Options(streams=(name,)))


class Process:
    """`ogf` as a process in a folder. The plugin is found by its entry point, installed or not."""

    def __init__(self, folder: Path, azure: AzureFake, **variables: str) -> None:
        self.folder = folder
        paths = [str(Path(package.__file__ or "").parents[1]) for package in (ogf_azure, core)]
        if not importlib.metadata.entry_points(group="ogf.providers", name="azure"):
            paths.insert(0, str(self._installed(folder / "entry")))
        self.env = azure.variables(**variables) | {"PYTHONPATH": os.pathsep.join(paths)}

    @staticmethod
    def _installed(folder: Path) -> Path:
        info = folder / "ogf_azure-0.1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ogf-azure\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text("[ogf.providers]\nazure = ogf_azure.plugin\n")
        return folder

    def __call__(self, *words: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        answer = ogf(*words, cwd=self.folder, env=self.env | env, timeout=120)
        assert answer.returncode == code, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        assert "planted" not in answer.stdout + answer.stderr
        return answer
