"""The manifest of a delivery: legacy (top level or per assembly) and Data Exports, read liberally.

Field names: docs.aws.amazon.com/cur/latest/userguide (legacy); the Data Exports manifest is not formally published,
so `dataFiles` may hold strings or objects, and the period may have to come from the manifest's own key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ogf.errors import ErrorClass, SourceError
from ogf.window import Month

MANIFEST_NAME = re.compile(r"manifest\.json$", re.IGNORECASE)
DATA_NAME = re.compile(r"\.(csv|csv\.gz|csv\.zip|gz|zip|parquet)$", re.IGNORECASE)
# A folder of the carbon export, which keeps the months of each model version apart.
MODEL_VERSION = re.compile(r"(?:^|/)(?:carbon_)?model_version=([^/]+)/", re.IGNORECASE)

_PERIOD_FOLDER = re.compile(r"(\d{4})(\d{2})\d{2}-\d{8}")
_EXPORT_PERIOD = re.compile(r"(?:BILLING|USAGE)_PERIOD=(\d{4})-(\d{2})", re.IGNORECASE)
_HIVE_PERIOD = re.compile(r"year=(\d{4})/month=(\d{1,2})(?:/|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Manifest:
    """One delivery of one billing period.

    Attributes:
        version: assembly id or execution id: new with every delivery.
        files: keys as the manifest writes them, below their bucket, without a leading slash.
        account, bucket: whose it is and where it was delivered to; empty if the manifest does not say.
    """

    key: str
    report: str
    version: str
    month: Month
    files: tuple[str, ...]
    account: str
    bucket: str

    @property
    def parquet(self) -> bool:
        return any(name.endswith(".parquet") for name in self.files)


def parse(text: bytes, key: str, *, uri: str) -> Manifest:
    """Read a manifest.

    Raises:
        SourceError: `bad_request` naming the field that is missing or wrong.
    """
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise _wrong(uri, f"the manifest is not valid JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _wrong(uri, "the manifest is not a JSON object")
    version = fields.get("assemblyId") if "reportKeys" in fields else None
    version = version or fields.get("executionId") or fields.get("assemblyId")
    if not version:
        raise _wrong(uri, "the manifest has neither `assemblyId` nor `executionId`")
    bucket, files = _files(fields, uri)
    return Manifest(
        key=key,
        report=_report(fields, key),
        version=str(version),
        month=_month(fields, key, uri),
        files=files,
        account=str(fields.get("account") or "") or _owner(fields.get("exportArn")),
        bucket=bucket or str(fields.get("bucket") or "").strip("/"),
    )


def is_foreign(text: bytes, own: tuple[str, ...]) -> bool:
    """Whether this belongs to another kind of export: it lists its columns, and none begins as `own` ones do."""
    try:
        columns = json.loads(text).get("columns")
    except (ValueError, AttributeError):
        return False
    names = [
        str(item.get("category") or item.get("name")) if isinstance(item, dict) else str(item)
        for item in columns or []
    ]
    return bool(names) and not any(name.casefold().startswith(own) for name in names)


def period_of(path: str) -> Month | None:
    """The billing month that a key's folders name, if they name one."""
    for pattern in (_EXPORT_PERIOD, _PERIOD_FOLDER, _HIVE_PERIOD):
        if (match := pattern.search(path)) and 1 <= int(match[2]) <= 12:
            return Month(int(match[1]), int(match[2]))
    return None


def _files(fields: dict[str, Any], uri: str) -> tuple[str, tuple[str, ...]]:
    """Bucket (Data Exports write whole URIs) and data files, never manifests, SQL or status files."""
    listed = fields.get("reportKeys", fields.get("dataFiles"))
    if not isinstance(listed, list):
        raise _wrong(uri, "the manifest has no list `reportKeys` or `dataFiles`")
    bucket, keys = "", []
    for item in listed:
        name = item.get("s3Uri") or item.get("key") if isinstance(item, dict) else item
        if not isinstance(name, str):
            raise _wrong(uri, f"the manifest lists a file without a name: {item!r}")
        if name.startswith("s3://"):
            bucket, _, name = name.removeprefix("s3://").partition("/")
        if DATA_NAME.search(name):
            keys.append(name.lstrip("/"))
    if listed and not keys:
        raise _wrong(uri, "the manifest lists no data file")
    return bucket, tuple(keys)


def _month(fields: dict[str, Any], key: str, uri: str) -> Month:
    period = fields.get("billingPeriod")
    start = str(period.get("start", "")) if isinstance(period, dict) else ""
    if re.fullmatch(r"\d{8}T.*", start) and 1 <= int(start[4:6]) <= 12:
        return Month(int(start[:4]), int(start[4:6]))
    month = period_of(key) or next(filter(None, map(period_of, _strings(fields.get("dataFiles")))), None)
    if month is None:
        raise _wrong(uri, "the manifest has no `billingPeriod.start`, and its path names no period")
    return month


def _owner(arn: object) -> str:
    """The account in an export's ARN: arn:aws:bcm-data-exports:<region>:<account>:export/<name>."""
    parts = str(arn or "").split(":")
    return parts[4] if len(parts) > 5 else ""


def _strings(items: object) -> list[str]:
    return [str(item) for item in items] if isinstance(items, list) else []


def _report(fields: dict[str, Any], key: str) -> str:
    name = fields.get("reportName") or fields.get("exportName")
    return (
        str(name)
        if name
        else re.sub(r"[-_]?manifest\.json$", "", key.rsplit("/", 1)[-1], flags=re.IGNORECASE)
    )


def _wrong(uri: str, what: str) -> SourceError:
    return SourceError(
        what,
        error_class=ErrorClass.BAD_REQUEST,
        where=uri,
        hint="wait for the next delivery, or download the manifest again",
    )
