"""The Azure clouds: where ARM, the token authority and Blob storage of each are. The rows are `data/clouds.csv`."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ogf_azure.settings import AzureSettings

STORAGE_SCOPE = "https://storage.azure.com/.default"  # the same in all clouds


class Cloud(NamedTuple):
    """One cloud: ARM's address, the scope of its tokens, the token authority, the end of a blob host's name."""

    name: str
    arm: str
    scope: str
    authority: str
    blob_suffix: str


@cache
def clouds() -> dict[str, Cloud]:
    """Give every cloud by its name and by its aliases."""
    found = {}
    with files("ogf_azure").joinpath("data", "clouds.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            aliases = row.pop("aliases").split()
            found.update(dict.fromkeys((row["name"], *aliases), Cloud(**row)))
    return found


def names() -> list[str]:
    return list(dict.fromkeys(cloud.name for cloud in clouds().values()))


def cloud_of(settings: AzureSettings) -> Cloud:
    """Give the cloud that settings speak of, with `endpoint_url` and `authority_url` in place of its own."""
    cloud = clouds()[settings.cloud]
    return cloud._replace(
        arm=(settings.endpoint_url or cloud.arm).rstrip("/"),
        authority=(settings.authority_url or cloud.authority).rstrip("/"),
    )


def blob_address(settings: AzureSettings, account: str) -> str:
    """Give the address of a storage account: its own host, or a path of `blob_endpoint_url`."""
    endpoint = settings.blob_endpoint_url
    if endpoint is None:
        return f"https://{account}.{cloud_of(settings).blob_suffix}"
    endpoint = endpoint.rstrip("/")
    return endpoint if endpoint.endswith(f"/{account}") else f"{endpoint}/{account}"
