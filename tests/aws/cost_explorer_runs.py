"""Runs of the stream `cost_explorer` against a fake of GetCostAndUsage that keeps to botocore's model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws.cur_files import plugin
from aws.service_fake import Refusal

from ogf import config
from ogf.runner.run import Options, ProviderRun
from ogf.testing.clock import FakeClock
from ogf.window import Month, Window

if TYPE_CHECKING:
    from pathlib import Path

    from ogf.runner.report import Reporter, RunResult

ACCOUNT = "123456789012"  # moto's


def group(*keys: str, cost: str = "1", used: str = "24", unit: str = "Hrs") -> dict[str, Any]:
    return {
        "Keys": list(keys),
        "Metrics": {
            "UnblendedCost": {"Amount": cost, "Unit": "USD"},
            "UsageQuantity": {"Amount": used, "Unit": unit},
        },
    }


@dataclass
class Costs:
    """What Cost Explorer would answer. `months` holds pages of groups; every other month has `usual`.

    Attributes:
        estimated: months that AWS calls estimated.
        attributes: value of the second grouping → its attributes.
    """

    months: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    usual: tuple[dict[str, Any], ...] = (
        group("BoxUsage:m6i.large", "Amazon Elastic Compute Cloud - Compute"),
    )
    estimated: set[str] = field(default_factory=set)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    _first: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, given: dict[str, Any]) -> dict[str, Any]:
        given = dict(given)
        period = given["TimePeriod"]
        month = period["Start"][:7]
        token = given.pop("NextPageToken", None)
        if token is None:
            self._first[month] = given
        elif self._first.get(month) != given:
            raise Refusal("RequestChangedException")
        pages = self.months.get(month, [list(self.usual)])
        number = 0 if token is None else int(token.removeprefix("page-"))
        more = number + 1 < len(pages)
        return {
            "GroupDefinitions": given["GroupBy"],
            "ResultsByTime": [
                {
                    "TimePeriod": period,
                    "Total": {},
                    "Groups": pages[number],
                    "Estimated": month in self.estimated,
                }
            ],
            "DimensionValueAttributes": [
                {"Value": value, "Attributes": about} for value, about in self.attributes.items()
            ],
        } | ({"NextPageToken": f"page-{number + 1}"} if more else {})


def cost_run(
    folder: Path,
    endpoint: str,
    *,
    since: str | None = None,
    until: str | None = None,
    full: bool = False,
    reporter: Reporter | None = None,
    clock: FakeClock | None = None,
    **settings: Any,
) -> RunResult:
    """One run; `settings` are those of the section `cost_explorer`."""
    window = Window(since and Month.parse(since), until and Month.parse(until))
    run = provider_run(folder, endpoint, reporter=reporter, clock=clock, **settings)
    return run.run(Options(streams=("cost_explorer",), window=window, full=full))


def provider_run(
    folder: Path,
    endpoint: str,
    *,
    reporter: Reporter | None = None,
    clock: FakeClock | None = None,
    **settings: Any,
) -> ProviderRun:
    nothing = folder / "nothing.yaml"
    nothing.write_text("")
    aws = {
        "endpoint_url": endpoint,
        "access_key_id": "AKIAEXAMPLE",
        "secret_access_key": "planted-secret",
        "cost_explorer.enabled": "yes",
    } | {f"cost_explorer.{name}": value for name, value in settings.items()}
    loaded = config.load(
        path=nothing,
        environ={},
        overrides={
            "warehouse.path": str(folder / "ogf.duckdb"),
            "runner.workers": 1,
            **{f"ingestion.aws.{name}": value for name, value in aws.items()},
        },
        providers={"aws": plugin().provider.settings},
        installed=["aws"],
    )
    return ProviderRun(plugin(), loaded, reporter=reporter, clock=clock or FakeClock())
