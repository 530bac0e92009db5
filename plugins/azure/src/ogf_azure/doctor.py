"""`ogf doctor`: really try credentials and permissions, step by step, and stop at the first that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ogf.checks import folder, listed, tried
from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.files.store import LocalStore
from ogf.hookspecs import Check
from ogf_azure import arm
from ogf_azure.blob import open_store
from ogf_azure.clouds import STORAGE_SCOPE, cloud_of
from ogf_azure.errors import located
from ogf_azure.pages import list_in, parsed
from ogf_azure.session import credentials_source, token
from ogf_azure.subscriptions import subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ogf.checks import Step
    from ogf.hookspecs import Context
    from ogf_azure.settings import AzureSettings


_BATCH = 100
_CARBON_ROLE = "Carbon Optimization Reader"
_COST_ROLE = "Cost Management Reader"
_SHOWN = 5
_DENIED = ("AuthorizationFailed", "RBACAccessDenied", "403")
_QUERY = {
    "type": "ActualCost",
    "timeframe": "MonthToDate",
    "dataset": {"granularity": "None", "aggregation": {"total": {"name": "Cost", "function": "Sum"}}},
}


def check(ctx: Context, stream: str) -> Iterator[Check]:
    """Try what reading a stream needs. Each failing step names the missing role and what to do."""
    settings: AzureSettings = ctx.settings
    missing = settings.missing(stream)
    if missing:
        yield Check("settings", ok=False, detail="the stream is not set up", hint=f"set {', '.join(missing)}")
        return
    try:
        steps = _steps(ctx, stream)
    except OgfError as error:
        yield Check.failed("settings", error)
        return
    yield from tried(steps)


def _steps(ctx: Context, stream: str) -> tuple[Step, ...]:
    match stream:
        case "carbon":
            return (
                _token_step(ctx, cloud_of(ctx.settings).scope),
                ("subscriptions", lambda: _subscriptions(ctx)),
                ("carbon", lambda: _carbon(ctx)),
            )
        case "cost_query":
            return (_token_step(ctx, cloud_of(ctx.settings).scope), ("query", lambda: _query(ctx)))
        case "mcfs":
            from ogf_azure.mcfs.request import server

            return (_token_step(ctx, server(ctx.settings).scope),)
        case _:
            return _file_steps(ctx, getattr(ctx.settings, stream).location)


def _file_steps(ctx: Context, location: str) -> tuple[Step, ...]:
    store = open_store(ctx.settings, location)
    if isinstance(store, LocalStore):
        return (("folder", lambda: folder(store)), ("exports", lambda: listed(ctx, store)))
    return (_token_step(ctx, STORAGE_SCOPE), ("exports", lambda: listed(ctx, store)))


def _token_step(ctx: Context, scope: str) -> Step:
    def step() -> str:
        ctx.call(token, ctx.settings, scope)
        return f"an access token from {credentials_source(ctx.settings)}"

    return "credentials", step


def _ask(ctx: Context, target: str, body: Any, *, version: str, role: str) -> dict[str, Any]:
    answer: dict[str, Any] = ctx.call(_post, ctx.settings, target, body, version, role)
    return answer


def _post(settings: AzureSettings, target: str, body: Any, version: str, role: str) -> dict[str, Any]:
    with located(target, dict.fromkeys(_DENIED, _grant(role, _scope_in(target)))):
        got = arm.call(settings, "POST", target, params={"api-version": version}, body=body)
    return {} if got is None else parsed(got.body, target)


def _scope_in(target: str) -> str:
    """Give what a role is granted on: what stands before the provider, or else the subscriptions."""
    return target.rpartition("/providers/")[0] or "the subscriptions"


def _grant(role: str, scope: str) -> str:
    return f"grant the caller the role `{role}` on {scope}; a new grant takes some minutes"


def _subscriptions(ctx: Context) -> str:
    found = subscriptions(ctx)
    if not found:
        raise SourceError(
            "the caller sees no subscription",
            error_class=ErrorClass.AUTH,
            hint=_grant(_CARBON_ROLE, "the subscriptions"),
        )
    configured = "configured" if ctx.settings.subscription_ids else "listed by Azure"
    return f"{len(found)} {configured}"


def _carbon(ctx: Context) -> str:
    """Ask for one month's sum of each batch: its answer says which subscriptions are denied."""
    offered = _ask(
        ctx, "/providers/Microsoft.Carbon/queryCarbonEmissionDataAvailableDateRange", None,
        version="2025-04-01", role=_CARBON_ROLE,
    )  # fmt: skip
    month = str(offered.get("endDate", ""))[:7]
    found = subscriptions(ctx)
    denied: list[str] = []
    for start in range(0, len(found), _BATCH):
        answer = _ask(
            ctx, "/providers/Microsoft.Carbon/carbonEmissionReports",
            {
                "reportType": "OverallSummaryReport",
                "subscriptionList": list(found[start : start + _BATCH]),
                "carbonScopeList": ["Scope1"],
                "dateRange": {"start": f"{month}-01", "end": f"{month}-01"},
            },
            version="2025-04-01", role=_CARBON_ROLE,
        )  # fmt: skip
        denied += [
            str(item.get("subscriptionId"))
            for item in list_in(answer, "subscriptionAccessDecisionList", "carbonEmissionReports")
            if str(item.get("decision")).lower() == "denied"
        ]
    if denied:
        names = ", ".join(denied[:_SHOWN]) + (
            f" and {len(denied) - _SHOWN} more" if len(denied) > _SHOWN else ""
        )
        raise SourceError(
            f"{len(denied)} of {len(found)} subscriptions may not be read: {names}",
            error_class=ErrorClass.AUTH,
            hint=_grant(_CARBON_ROLE, "them"),
        )
    span = f"{offered.get('startDate')} to {offered.get('endDate')}"
    return f"{len(found)} subscriptions may be read; Azure offers {span}"


def _query(ctx: Context) -> str:
    scopes = ctx.settings.cost_query.scopes or [f"/subscriptions/{name}" for name in subscriptions(ctx)[:1]]
    for scope in scopes[:1]:
        _ask(
            ctx, f"{scope}/providers/Microsoft.CostManagement/query", _QUERY,
            version="2025-03-01", role=_COST_ROLE,
        )  # fmt: skip
        return f"{scope} can be queried; {len(scopes)} scopes are set"
    raise SourceError(
        "there is no scope to query", error_class=ErrorClass.NOT_FOUND, hint="set cost_query.scopes"
    )
