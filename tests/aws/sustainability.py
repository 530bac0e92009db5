"""The Sustainability API over rows of a carbon export: the same figures, summed by what is asked for."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aws.carbon_files import FIGURES
from aws.service_fake import Refusal, ServiceFake

from ogf.window import Month

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIMENSIONS = {"USAGE_ACCOUNT_ID": "usage_account_id", "REGION": "region_code", "SERVICE": "product_code"}
_TYPES = {f"{name.upper().replace('_EMISSIONS', '_CARBON_EMISSIONS')}": name for name in FIGURES}


class Sustainability(ServiceFake):
    """`rows` may be changed at any time, `page` is the most results that a page has."""

    def __init__(self, *rows: Mapping[str, str], page: int = 1000) -> None:
        super().__init__("sustainability", {"GetEstimatedCarbonEmissions": self._answer})
        self.rows = list(rows)
        self.page = page

    def pages(self, month: str) -> int:
        """How many pages of a month's rows were asked for."""
        wanted = f"{month}-01T00:00:00Z"
        return sum(call["TimePeriod"]["Start"] == wanted and "GroupBy" in call for _, call in self.calls)

    def _answer(self, given: dict[str, Any]) -> dict[str, Any]:
        start, end = (dt.datetime.fromisoformat(given["TimePeriod"][name]) for name in ("Start", "End"))
        sums: defaultdict[tuple, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in self.rows:
            first = _time(row["usage_period_start"])
            if not start <= first < end:
                continue
            names = [(name, row[_DIMENSIONS[name]]) for name in given.get("GroupBy", ())]
            group = sums[first, row["model_version"], tuple(names)]
            for name in given["EmissionsTypes"]:
                if row[f"{_TYPES[name]}_value"]:
                    group[name] += float(row[f"{_TYPES[name]}_value"])
        results = [
            {
                "TimePeriod": {
                    "Start": first,
                    "End": dt.datetime.combine(Month.of(first.date()).plus(1).first_day, dt.time(), dt.UTC),
                },
                "DimensionsValues": {name: text for name, text in names if text},
                "ModelVersion": version,
                "EmissionsValues": {
                    name: {"Value": value, "Unit": "MTCO2e"} for name, value in group.items()
                },
            }
            for (first, version, names), group in sorted(sums.items())
        ]
        size = min(self.page, given.get("MaxResults", 1000))
        at = int(given.get("NextToken", "token-0").removeprefix("token-"))
        if at and at >= len(results):
            raise Refusal("ValidationException")
        more = {"NextToken": f"token-{at + size}"} if at + size < len(results) else {}
        return {"Results": results[at : at + size], **more}


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace(" ", "T"))
