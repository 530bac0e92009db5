"""`ogf doctor`: really try credentials and permissions, step by step, and stop at the first that fails."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ogf.checks import folder, listed, tried
from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.files import ask
from ogf.files.store import LocalStore
from ogf.hookspecs import Check
from ogf.window import Window
from ogf_aws.carbon import source as carbon
from ogf_aws.carbon_api import source as carbon_api
from ogf_aws.cost_explorer import source as cost_explorer
from ogf_aws.errors import located, rules
from ogf_aws.exports.discovery import first_manifest, read_manifest
from ogf_aws.policy import missing_for
from ogf_aws.s3 import open_store
from ogf_aws.session import client, credentials_source
from ogf_aws.settings import location_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ogf.checks import Step
    from ogf.files.store import ObjectStore
    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings


_DATA = (".csv", ".csv.gz", ".csv.zip", ".zip", ".parquet")


def check(ctx: Context, stream: str) -> Iterator[Check]:
    """Try what reading a stream needs. Each failing step names the missing permission and what to do."""
    missing = ctx.settings.missing(stream)
    if missing:
        yield Check(
            "settings",
            ok=False,
            detail="nothing says where the exports lie",
            hint=f"set {', '.join(missing)}",
        )
        return
    if stream in ("carbon_api", "cost_explorer"):
        figures = _figures if stream == "carbon_api" else _costs
        yield from _tried(ctx, (*_caller_steps(ctx), ("figures", lambda: figures(ctx))))
        return
    try:
        store = open_store(ctx.settings, location_of(ctx.settings, stream))
    except OgfError as error:
        yield Check.failed("location", error)
        return
    yield from _tried(
        ctx,
        _local_steps(ctx, store, stream) if isinstance(store, LocalStore) else _s3_steps(ctx, store, stream),
    )


def _tried(ctx: Context, steps: Iterable[Step]) -> Iterator[Check]:
    return tried(steps, missing=lambda error: missing_for(ctx.settings, error))


def _caller_steps(ctx: Context) -> tuple[Step, ...]:
    return (
        ("credentials", lambda: _credentials(ctx)),
        ("identity", lambda: _identity(ctx)),
    )


def _s3_steps(ctx: Context, store: ObjectStore, stream: str) -> tuple[Step, ...]:
    return (
        *_caller_steps(ctx),
        ("bucket", lambda: listed(ctx, store)),
        ("months", lambda: _carbon_months(ctx, store))
        if stream == "carbon"
        else ("manifest", lambda: _manifest(ctx, store)),
    )


def _local_steps(ctx: Context, store: LocalStore, stream: str) -> tuple[Step, ...]:
    return (
        ("folder", lambda: folder(store)),
        ("months", lambda: _carbon_months(ctx, store))
        if stream == "carbon"
        else ("exports", lambda: _manifest_or_data(ctx, store)),
    )


def _credentials(ctx: Context) -> str:
    source = ctx.call(credentials_source, ctx.settings)
    if source is None:
        raise SourceError(
            "no credentials were found",
            error_class=ErrorClass.AUTH,
            hint=rules()["botocore.exceptions.NoCredentialsError"].hint,
        )
    return f"from {source}"


def _identity(ctx: Context) -> str:
    try:
        identity = ctx.call(_caller, ctx.settings)
    except SourceError as error:
        # S3-compatible servers have no STS: only a refusal says something about the credentials.
        if error.error_class is ErrorClass.AUTH:
            raise
        return f"not verified, sts:GetCallerIdentity gave no answer ({error.message})"
    return f"{identity['Arn']} of account {identity['Account']}"


def _caller(settings: AwsSettings) -> Any:
    with located("sts:GetCallerIdentity"):
        return client(settings, "sts").get_caller_identity()


def _manifest(ctx: Context, store: ObjectStore) -> str:
    key = first_manifest(ctx, store)
    if key is None:
        raise SourceError(
            f"there is no manifest below {store.root}",
            error_class=ErrorClass.NOT_FOUND,
            hint="point `location` at the prefix of the report; its first delivery takes up to 24 hours",
        )
    read_manifest(ctx, store, key)
    return f"read {store.uri(key)}"


def _carbon_months(ctx: Context, store: ObjectStore) -> str:
    """List every month and, where there is a file of the newest, try whether it may be read."""
    found = carbon.partitions(ctx, Window())
    months = sorted(str(item.month) for item in found if item.month)
    versions = sorted({item.key.rpartition("@")[2] for item in found if item.month})
    request = next((request for item in reversed(found) for request in item.requests), None)
    if request is not None:
        ask(ctx, store, store.head, request.params["key"])
    return f"{months[0]} to {months[-1]}, model versions {', '.join(versions)}" if months else "no month yet"


def _figures(ctx: Context) -> str:
    months = sorted(map(str, carbon_api.offered(ctx, Window())))
    if not months:
        return "the answer has no months: this account has no figures yet"
    return f"{months[0]} to {months[-1]} can be read"


def _costs(ctx: Context) -> str:
    """One request, which costs what any other does: nothing else proves the permission."""
    today = dt.datetime.now(dt.UTC).date()
    period = {"Start": str(today - dt.timedelta(days=2)), "End": str(today - dt.timedelta(days=1))}
    ctx.call(cost_explorer.ask, ctx.settings, "ce:GetCostAndUsage", TimePeriod=period, Granularity="DAILY")
    return "Cost Explorer answers; this request cost $0.01"


def _manifest_or_data(ctx: Context, store: LocalStore) -> str:
    key = first_manifest(ctx, store)
    if key is not None:
        read_manifest(ctx, store, key)
        return f"read {store.uri(key)}"
    data = (path for path in store.folder.rglob("*") if path.name.lower().endswith(_DATA) and path.is_file())
    found = next(data, None)
    if found is None:
        raise SourceError(
            f"there are no manifests and no data files below {store.folder}",
            error_class=ErrorClass.NOT_FOUND,
            hint=f"copy exports there: a manifest with its files, or files ending in {', '.join(_DATA)}",
        )
    return f"no manifest; data files such as {found.relative_to(store.folder)}"
