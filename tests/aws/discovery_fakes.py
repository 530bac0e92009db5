"""The services that name reports and exports, as fakes that keep to botocore's models."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws.service_fake import ServiceFake

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:bcm-data-exports:us-east-1:123456789012:export/"


def report(
    name: str, *, prefix: str = "cur", status: str = "SUCCESS", resources: bool = True
) -> dict[str, Any]:
    return {
        "ReportName": name,
        "TimeUnit": "HOURLY",
        "Format": "Parquet",
        "Compression": "Parquet",
        "AdditionalSchemaElements": ["RESOURCES"] if resources else [],
        "S3Bucket": "billing",
        "S3Prefix": prefix,
        "S3Region": "eu-west-1",
        "ReportStatus": {"lastDelivery": "20261101T000000Z", "lastStatus": status},
    }


def export(name: str, table: str, *, prefix: str = "exports") -> dict[str, Any]:
    output = {
        "OutputType": "CUSTOM",
        "Format": "PARQUET",
        "Compression": "PARQUET",
        "Overwrite": "OVERWRITE_REPORT",
    }
    return {
        "ExportArn": ARN + name,
        "Name": name,
        "DataQuery": {"QueryStatement": f"SELECT a, b FROM {table}"},
        "DestinationConfigurations": {
            "S3Destination": {
                "S3Bucket": "billing",
                "S3Prefix": prefix,
                "S3Region": "eu-west-1",
                "S3OutputConfigurations": output,
            }
        },
        "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
    }


@dataclass
class Billing:
    """What an account has. Lists come in pages of two.

    Attributes:
        unhealthy: names of exports.
    """

    reports: list[dict[str, Any]] = field(default_factory=list)
    exports: list[dict[str, Any]] = field(default_factory=list)
    unhealthy: set[str] = field(default_factory=set)
    services: dict[str, ServiceFake] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return dict(fake.environment for fake in self.services.values())

    @contextmanager
    def serve(self) -> Iterator[Billing]:
        answers = {
            "cur": {
                "DescribeReportDefinitions": lambda given: _page("ReportDefinitions", self.reports, given)
            },
            "bcm-data-exports": {"ListExports": self._listed, "GetExport": self._export},
        }
        with ExitStack() as stack:
            for name, operations in answers.items():
                self.services[name] = stack.enter_context(ServiceFake(name, operations))
            yield self
        assert [fake.mistakes for fake in self.services.values()] == [[], []]

    def _listed(self, given: dict[str, Any]) -> dict[str, Any]:
        references = [
            {
                "ExportArn": item["ExportArn"],
                "ExportName": item["Name"],
                "ExportStatus": {"StatusCode": "UNHEALTHY" if item["Name"] in self.unhealthy else "HEALTHY"},
            }
            for item in self.exports
        ]
        return _page("Exports", references, given)

    def _export(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"Export": next(item for item in self.exports if item["ExportArn"] == given["ExportArn"])}


def _page(name: str, items: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    start = int(given.get("NextToken", 0))
    more = start + 2 < len(items)
    return {name: items[start : start + 2]} | ({"NextToken": str(start + 2)} if more else {})
