"""The manifest of one run of a Cost Management export: `manifest.json`, or the older `_manifest.json`.

Newer ones say everything (scope, type, period, files, rows). Older ones lack some of it: what they do not say may
be read from the names of their folders, and nothing else is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ogf.errors import ErrorClass, SourceError
from ogf.window import Month

NAMES = ("manifest.json", "_manifest.json")

_EXPORT = re.compile(r"(.*?)/?providers/microsoft\.costmanagement/exports/([^/]+)/?", re.IGNORECASE)
_RUN_FOLDER = re.compile(r"\d{8}-\d{8}|\d{12,14}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PERIOD_FOLDER = re.compile(r"(?:^|/)(\d{4})(\d{2})\d{2}-\d{8}(?=/)")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?")


@dataclass(frozen=True)
class Blob:
    """One file of a run: its name below the container, and its rows if the manifest counts them."""

    name: str
    rows: int | None


@dataclass(frozen=True)
class Manifest:
    """One run of an export for one month.

    Attributes:
        scope: what the costs are of (a billing account, a subscription …), in lower case without outer slashes; of
            old manifests the export's folder.
        export: the export's name.
        kind: ActualCost, AmortizedCost, FocusCost, Usage …; "" if the manifest does not say.
        first: the first day that the run covers, as YYYY-MM-DD; "" if the manifest does not say.
        submitted: when the run was asked for, so that times sort as texts; "" if the manifest does not say.
        rows: of all files together, if the manifest counts them.
        unfinished: why there is not all of the run yet; "" for a whole one.
    """

    key: str
    scope: str
    export: str
    kind: str
    month: Month
    first: str
    submitted: str
    run: str
    blobs: tuple[Blob, ...]
    rows: int | None
    unfinished: str

    @property
    def title(self) -> str:
        return f"run {self.run or self.submitted or self.key} of the export {self.export or self.scope}"


def parse(fields: object, key: str, *, uri: str) -> Manifest:
    """Read a manifest's JSON.

    Raises:
        SourceError: `bad_request` naming the field that is missing or wrong.
    """
    if not isinstance(fields, dict):
        raise _wrong(uri, "the manifest is not a JSON object")
    config, run = _section(fields, "exportConfig"), _section(fields, "runInfo")
    scope, export = _whose(str(config.get("resourceId") or ""), str(config.get("exportName") or ""))
    blobs = _blobs(fields, uri)
    rows = _count(fields.get("dataRowCount"))
    counted = [blob.rows for blob in blobs]
    if rows is None and counted and None not in counted:
        rows = sum(count for count in counted if count is not None)
    return Manifest(
        key=key,
        scope=scope or _export_folder(key),
        export=export,
        kind=str(config.get("type") or ""),
        month=_month(run.get("startDate") or fields.get("startDate"), key, uri),
        first=str(run.get("startDate") or fields.get("startDate") or "")[:10],
        submitted=_time(run.get("submittedTime") or fields.get("submittedTime")),
        run=str(run.get("runId") or fields.get("runId") or ""),
        blobs=blobs,
        rows=rows,
        unfinished=_unfinished(fields, blobs),
    )


def load(text: bytes, *, uri: str) -> Any:
    """Read the JSON of a manifest, with or without a byte order mark. Raises as `parse`."""
    try:
        return json.loads(text.decode("utf-8-sig"))
    except ValueError as error:
        raise _wrong(uri, f"the manifest is not valid JSON ({error})") from error


def kind_of(fields: object) -> str:
    """The type that a manifest names; "" if it names none."""
    return str(_section(fields, "exportConfig").get("type") or "") if isinstance(fields, dict) else ""


def _section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    section = fields.get(name)
    return section if isinstance(section, dict) else {}


def _blobs(fields: dict[str, Any], uri: str) -> tuple[Blob, ...]:
    listed = fields.get("blobs") or []
    if not isinstance(listed, list):
        raise _wrong(uri, "`blobs` of the manifest is no list")
    found = []
    for item in listed:
        name = item.get("blobName") if isinstance(item, dict) else item
        if not isinstance(name, str) or not name.strip("/"):
            raise _wrong(uri, f"the manifest lists a blob without a name: {item!r}")
        rows = _count(item.get("dataRowCount")) if isinstance(item, dict) else None
        found.append(Blob(name.strip("/"), rows))
    return tuple(found)


def _unfinished(fields: dict[str, Any], blobs: tuple[Blob, ...]) -> str:
    number = _count(fields.get("blobCount"))
    if not blobs and number != 0:
        return "its manifest lists no blobs yet"
    if number is not None and number > len(blobs):
        return f"its manifest lists {len(blobs)} of {number} blobs"
    return ""


def _count(value: object) -> int | None:
    """A number of rows or blobs, written as a number or a text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _whose(resource: str, name: str) -> tuple[str, str]:
    """Scope and name, from an export's resource id: <scope>/providers/Microsoft.CostManagement/exports/<name>."""
    match = _EXPORT.fullmatch(resource)
    scope, found = (match[1], match[2]) if match else (resource, "")
    return scope.strip("/").lower(), name or found


def _month(start: object, key: str, uri: str) -> Month:
    text = str(start or "")[:7]
    try:
        return Month.parse(text)
    except ValueError:
        pass
    if text:
        raise _wrong(uri, f"the manifest's `startDate` is no date: {start!r}")
    match = _PERIOD_FOLDER.search(key)
    if match is None or not 1 <= int(match[2]) <= 12:
        raise _wrong(uri, "the manifest has no `runInfo.startDate`, and its folders name no period")
    return Month(int(match[1]), int(match[2]))


def _export_folder(key: str) -> str:
    """The folder of an export: the manifest's, without the ones that tell its runs apart."""
    folders = key.split("/")[:-1]
    while folders and _RUN_FOLDER.fullmatch(folders[-1]):
        folders.pop()
    return "/".join(folders)


def _time(value: object) -> str:
    """A time that sorts as a text: with nine decimals."""
    match = _TIME.match(str(value or ""))
    return f"{match[1]}.{(match[2] or '')[:9]:0<9}" if match else ""


def _wrong(uri: str, what: str) -> SourceError:
    return SourceError(
        what,
        error_class=ErrorClass.BAD_REQUEST,
        where=uri,
        hint="run the export again, or download the manifest again",
    )
