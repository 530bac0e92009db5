"""Rows as clouds give them, reported and billed, and a warehouse that real runs put them into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.config import Config, ProviderSettings, Settings
from ogf.hookspecs import Stream
from ogf.runner.forget import find, forget
from ogf.runner.run import Options, ProviderRun
from ogf.testing.provider import FakeCloud
from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BILLS = {"aws": "cur", "azure": "actual_cost", "gcp": "billing"}


def _month(month: str) -> dict[str, str]:
    first = Month.parse(month)
    return {
        "period_start": f"{first.first_day} 00:00:00+00",
        "period_end": f"{first.plus(1).first_day} 00:00:00+00",
    }


def reported(
    month: str,
    scope: int | None,
    kg: float | str,
    accounting: str | None = None,
    *,
    account: str = "000000000001",
    service: str = "AmazonEC2",
    region: str | None = "eu-west-1",
    **more: Any,
) -> dict[str, Any]:
    """A row of a carbon export."""
    if scope == 2 and accounting is None:
        accounting = "location"
    return {
        **_month(month), "account_id": account, "service": service, "category": "cloud_compute", "region": region,
        "location": region and "EU-WEST",
        "emissions_kgco2e": kg, "provider_scope": scope, "accounting": accounting, "model_version": "1",
        "data_quality": "measured", **more,
    }  # fmt: skip


def used(
    month: str,
    *,
    account: str = "000000000001",
    service: str = "AmazonEC2",
    region: str | None = "eu-west-1",
    usage_type: str = "BoxUsage:m6i.2xlarge",
    cost: str = "100",
    currency: str = "USD",
    **more: Any,
) -> dict[str, Any]:
    """A row of a bill; with physical quantities (vcpu_hours and so on) it can be estimated."""
    return {
        **_month(month), "account_id": account, "service": service, "category": "cloud_compute", "region": region,
        "location": region and "EU-WEST",
        "usage_type": usage_type, "charge_category": "Usage", "cost": cost, "currency": currency, **more,
    }  # fmt: skip


def machine(hours: float = 720.0, vcpus: int = 8) -> dict[str, Any]:
    """What a machine of Ice Lake cores needs."""
    return {
        "vcpu_hours": vcpus * hours,
        "memory_gib_hours": 4 * vcpus * hours,
        "processor": "Ice Lake",
        "instance_type": "m6i.2xlarge",
    }


@dataclass
class Warehouse:
    """A file that providers deliver to."""

    db: Path

    def __post_init__(self) -> None:
        self.clouds: dict[tuple[str, str], FakeCloud] = {}
        self.readers: list[Any] = []

    def close(self) -> None:
        """End every reading: one process opens a file for reading or for writing, not both."""
        while self.readers:
            self.readers.pop().__exit__(None, None, None)

    def forget(self, provider: str = "aws", *, org: str = "default") -> None:
        """Take the carbon that was loaded out again."""
        run = self._run(provider, org)
        forget(run, find(run, "carbon", ["export"]))

    def load(self, provider: str = "aws", *, org: str = "default", **rows: Sequence[dict[str, Any]]) -> None:
        """Run a provider with these rows: `carbon=[…]`, `bill=[…]`, in place of what it had before."""
        self.close()
        bill = Stream(BILLS[provider], billing=True)
        streams = (Stream("carbon", keeps_history=True), bill)
        cloud = self.clouds.setdefault((provider, org), FakeCloud(name=provider, streams=streams))
        for name, delivered in rows.items():
            stream = bill.name if name == "bill" else name
            cloud.put("export", [list(delivered)], version=str(len(cloud.calls)), stream=stream)
        result = self._run(provider, org).run(Options())
        assert result.status == "succeeded", result

    def _run(self, provider: str, org: str) -> ProviderRun:
        self.close()
        cloud = self.clouds[provider, org]
        settings = Settings.model_validate({"warehouse": {"path": self.db}, "runner": {"workers": 1}})
        config = Config(settings=settings, providers={provider: ProviderSettings(org_id=org)})
        return ProviderRun(cloud.plugin(), config, clock=cloud.clock)
