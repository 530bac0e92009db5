"""Reports and exports that exist and are not read yet: legacy CUR by `cur`, data exports by `bcm-data-exports`.

API versions 2017-01-06 and 2023-11-26. Whoever may not ask loses nothing: a bucket is enough to read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.hookspecs import Check, Found
from ogf_aws.errors import located
from ogf_aws.policy import missing_for
from ogf_aws.session import client, credentials_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings

_FILES = ("cur", "carbon", "focus")
_TABLE = re.compile(r"\bFROM\s+[\"`]?(\w+)", re.IGNORECASE)
# Tables of data exports, by the stream that reads them.
_STREAMS = {
    "COST_AND_USAGE_REPORT": "cur",
    "CARBON_EMISSIONS": "carbon",
    "FOCUS_1_2_AWS": "focus",
    "FOCUS_1_0_AWS": "focus",
}


class _Source(NamedTuple):
    """A report or export. `rank` orders those of one stream, the best first."""

    stream: str
    title: str
    location: str
    note: str
    rank: tuple[bool, int]


def discover(ctx: Context) -> Iterator[Found | Check]:
    """List what is there and not configured, best first; nothing where there are no credentials to ask with."""
    if _all_local(ctx.settings):
        return
    try:
        if ctx.call(credentials_source, ctx.settings) is None:
            return
    except SourceError as error:
        yield Check("discovery", ok=True, detail=f"nothing was looked for: {error.message}")
        return
    sources: list[_Source] = []
    for what, look in (("exports", _exports), ("reports", _reports)):
        try:
            sources += look(ctx)
        except SourceError as error:
            yield Check(
                "discovery",
                ok=True,
                detail=f"{what} were not looked for: {error.message}",
                hint=error.hint if error.error_class is ErrorClass.AUTH else "",
                missing=missing_for(ctx.settings, error),
            )
    for source in sorted(sources, key=lambda source: source.rank):
        if not _is_read(ctx.settings, source):
            yield Found(
                source.stream, source.title, {f"{source.stream}.location": source.location}, source.note
            )


def _reports(ctx: Context) -> Iterator[_Source]:
    found = _pages(ctx, "cur", "describe_report_definitions", "ReportDefinitions")
    for report in found:
        name, bucket, prefix = (str(report.get(key, "")) for key in ("ReportName", "S3Bucket", "S3Prefix"))
        status = report.get("ReportStatus", {}).get("lastStatus", "SUCCESS")
        failing = f"its last delivery failed: {status}" if status != "SUCCESS" else ""
        bare = "" if "RESOURCES" in report.get("AdditionalSchemaElements", []) else "it has no resource ids"
        yield _Source(
            "cur",
            f"{report.get('TimeUnit', '').lower()} report {name} in s3://{bucket}",
            _location(bucket, prefix, name),
            "; ".join(filter(None, (failing, bare))),
            (bool(failing), len(_STREAMS) + bool(bare)),
        )


def _exports(ctx: Context) -> Iterator[_Source]:
    for listed in _pages(ctx, "bcm-data-exports", "list_exports", "Exports"):
        export = _call(ctx, "bcm-data-exports", "get_export", ExportArn=listed["ExportArn"])["Export"]
        table = _TABLE.search(export["DataQuery"]["QueryStatement"])
        name = table[1].upper() if table else ""
        if name not in _STREAMS:
            continue
        place = export["DestinationConfigurations"]["S3Destination"]
        status = listed.get("ExportStatus", {}).get("StatusCode", "HEALTHY")
        yield _Source(
            _STREAMS[name],
            f"export {export['Name']} of {name} in s3://{place['S3Bucket']}",
            _location(place["S3Bucket"], place["S3Prefix"], export["Name"]),
            f"AWS calls it {status.lower()}" if status != "HEALTHY" else "",
            (status != "HEALTHY", list(_STREAMS).index(name)),
        )


def _pages(ctx: Context, service: str, operation: str, field: str) -> Iterator[dict[str, Any]]:
    token: str | None = None
    while True:
        page = _call(ctx, service, operation, **({"NextToken": token} if token else {}))
        yield from page.get(field, [])
        before, token = token, page.get("NextToken")
        if not token or token == before:
            return


def _call(ctx: Context, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        with located(service):
            method: Callable[..., dict[str, Any]] = getattr(client(ctx.settings, service), operation)
            return method(**parameters)

    answer: dict[str, Any] = ctx.call(ask)
    return answer


def _location(bucket: str, prefix: str, name: str) -> str:
    return "/".join(part for part in (f"s3://{bucket}", prefix.strip("/"), name) if part)


def _all_local(settings: AwsSettings) -> bool:
    """Whether only folders of this machine are read: then nobody asked for AWS."""
    places = [_configured(settings, stream) for stream in _FILES]
    asked = settings.carbon_api.enabled or settings.cost_explorer.enabled
    return not asked and any(places) and not any(place.startswith("s3://") for place in places)


def _is_read(settings: AwsSettings, source: _Source) -> bool:
    place = _configured(settings, source.stream).rstrip("/")
    return bool(place) and (f"{source.location}/").startswith(f"{place}/")


def _configured(settings: AwsSettings, stream: str) -> str:
    from ogf_aws.settings import location_of

    try:
        return location_of(settings, stream)
    except OgfError:
        return ""
