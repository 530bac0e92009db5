"""What can be configured under `ingestion.azure`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ogf.config import (
    Duration,
    Flag,
    OptionalText,
    Positive,
    PositiveCount,
    ProviderSettings,
    Secret,
    Section,
    Text,
    Texts,
    wrong,
)
from ogf_azure.clouds import clouds, names

_PROVIDER = "azure"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TENANT = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)
_SUBSCRIPTION = re.compile(r"subscriptions/([^/]+)", re.IGNORECASE)
_PLACES = ("abfss", "abfs", "https", "file")
_GROUPINGS = 2


def guid(value: str | None) -> str | None:
    """Fold an id to the lower-case form in which Azure's APIs ask for it."""
    if value is None:
        return None
    folded = value.strip().lower()
    if not _GUID.fullmatch(folded):
        raise ValueError("it must be an id such as 11111111-2222-3333-4444-555555555555")
    return folded


def _guids(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found for value in values if (found := guid(value))))


def _tenant(value: str | None) -> str | None:
    if value and not _TENANT.fullmatch(value):
        raise ValueError("it must be a tenant's id, or one of its domains such as example.onmicrosoft.com")
    return value.lower() if value else value


def _cloud(value: str) -> str:
    cloud = clouds().get(value.strip().lower())
    if cloud is None:
        raise ValueError(f"it must be one of {', '.join(names())}")
    return cloud.name


def _server(value: str | None) -> str | None:
    parts = urlsplit(value or "https://unset")
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ValueError("it must be an https:// address without a user name: access tokens travel to it")
    return value


def _place(value: str | None) -> str | None:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value or "")
    if scheme and scheme[1].lower() not in _PLACES:
        raise ValueError(
            "it must be abfss://container@account.dfs.core.windows.net/prefix, "
            "https://account.blob.core.windows.net/container/prefix, or the path of a local folder"
        )
    if value and re.search(r"[?&]sig=", value):
        raise ValueError("it must not carry a signature (SAS): access is by the caller's role")
    return value


def _scopes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_scope, values)))


def _scope(value: str) -> str:
    """Write a scope of Cost Management as ARM's paths do: `/subscriptions/…`, `/providers/Microsoft.Billing/…`."""
    path = value.strip("/")
    if _GUID.fullmatch(path.lower()):
        return f"/subscriptions/{path.lower()}"
    if not re.match(r"(subscriptions|providers)/.", path, re.IGNORECASE) or re.search(
        r"[?#\s]|//|\.\.", path
    ):
        raise ValueError(
            "each must be a subscription's id or a path such as /subscriptions/ID "
            "or /providers/Microsoft.Billing/billingAccounts/ID"
        )
    return "/" + _SUBSCRIPTION.sub(lambda found: f"subscriptions/{found[1].lower()}", path, count=1)


def _groupings(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > _GROUPINGS:
        raise ValueError("the Query API takes two at most")
    if len({value.lower() for value in values}) < len(values):
        raise ValueError("each must be another one")
    return values


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _cost_type(value: object) -> object:
    types = {name.lower(): name for name in ("ActualCost", "AmortizedCost")}
    return types.get(value.strip().lower(), value) if isinstance(value, str) else value


OptionalSecret = Annotated[Secret | None, BeforeValidator(_blank_is_none)]
OptionalFlag = Annotated[Flag | None, BeforeValidator(_blank_is_none)]
Place = Annotated[OptionalText, AfterValidator(_place)]
Server = Annotated[OptionalText, AfterValidator(_server)]

_FILES = "abfss://… or https://account.blob… of the exports, or a local folder of them"


class CarbonSettings(Section):
    """The stream `carbon`: the Carbon Optimization API."""

    enabled: OptionalFlag = Field(
        default=None, description="unset: on if credentials, subscriptions or endpoint_url are set"
    )


class FocusSettings(Section):
    """The stream `focus`: Cost Management exports in the FOCUS format."""

    location: Place = Field(default=None, description=_FILES)


class ActualCostSettings(Section):
    """The stream `actual_cost`: Cost Management exports of actual (or amortized, never both) cost."""

    location: Place = Field(default=None, description=_FILES)


class CostQuerySettings(Section):
    """The stream `cost_query`: the Query API of Cost Management, where there is no export."""

    enabled: OptionalFlag = Field(default=None, description="unset: on if scopes are set")
    scopes: Annotated[Texts, AfterValidator(_scopes)] = Field(
        default=(), description="subscriptions, billing accounts …; none: the subscriptions"
    )
    groupings: Annotated[Texts, AfterValidator(_groupings)] = Field(
        default=("ServiceName", "ResourceLocation"), description="dimensions, or tag:NAME; two at most"
    )
    cost: Annotated[Literal["ActualCost", "AmortizedCost"], BeforeValidator(_cost_type)] = Field(
        default="ActualCost", description="ActualCost or AmortizedCost"
    )


class McfsSettings(Section):
    """The stream `mcfs` (preview): Microsoft Cloud for Sustainability."""

    instance_id: OptionalText = Field(default=None, description="of the Cloud for Sustainability environment")
    enrollments: Texts = Field(default=(), description="billing accounts")
    subscription_key: OptionalSecret = Field(default=None, description="of the API's subscription")
    endpoint_url: Server = Field(
        default=None, description="a server instead of https://api.mcfs.microsoft.com"
    )


class AzureSettings(ProviderSettings):
    """Microsoft Azure. Without a client secret, DefaultAzureCredential finds the credentials."""

    rate_limit_per_sec: Positive = 3.0
    rate_limit_capacity: PositiveCount = 60
    request_timeout: Annotated[Duration, Field(ge=1)] = 45.0
    page_size: Annotated[PositiveCount, Field(le=5000)] = 5000

    tenant_id: Annotated[OptionalText, AfterValidator(_tenant)] = Field(
        default=None, description="directory of the application; goes with client_id and client_secret"
    )
    client_id: Annotated[OptionalText, AfterValidator(guid)] = Field(
        default=None, description="application (client) id"
    )
    client_secret: OptionalSecret = Field(default=None, description="the secret's value, not its id")
    subscription_ids: Annotated[Texts, AfterValidator(_guids)] = Field(
        default=(),
        description="one, several between commas, or a list; none: all that the caller sees",
        json_schema_extra={
            "env": "AZURE_SUBSCRIPTION_ID",
            "also": ["OFFGRIDFLOW_AZURE_SUBSCRIPTION_IDS"],
            "aliases": ["subscription_id"],
        },
    )
    cloud: Annotated[Text, AfterValidator(_cloud)] = Field(
        default="public", description="public, usgov or china"
    )
    endpoint_url: Server = Field(default=None, description="a server instead of Azure Resource Manager")
    authority_url: Server = Field(default=None, description="a token authority instead of the cloud's")
    blob_endpoint_url: Server = Field(
        default=None, description="a server instead of Blob storage; accounts are paths of it"
    )
    ca_bundle: OptionalText = Field(
        default=None, description="PEM file of the certificate authorities to trust instead of the usual ones"
    )
    carbon: CarbonSettings = CarbonSettings()
    focus: FocusSettings = FocusSettings()
    actual_cost: ActualCostSettings = ActualCostSettings()
    cost_query: CostQuerySettings = CostQuerySettings()
    mcfs: McfsSettings = McfsSettings()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problems = {}
        parts = {name: getattr(self, name) for name in ("tenant_id", "client_id", "client_secret")}
        given = [name for name, value in parts.items() if value is not None]
        if 0 < len(given) < len(parts):
            said = f"it is needed with {' and '.join(given)}: set all three, or none"
            problems = {name: said for name, value in parts.items() if value is None}
        if self.actual_cost.location and self.queries_cost and self.cost_query.cost == "AmortizedCost":
            problems["cost_query.cost"] = (
                "actual and amortized cost together count twice: set ActualCost here, or leave out actual_cost"
            )
        if problems:
            raise wrong(problems)
        return self

    @property
    def queries_cost(self) -> bool:
        """Whether the stream `cost_query` is on."""
        return bool(self.cost_query.scopes) if self.cost_query.enabled is None else self.cost_query.enabled

    @property
    def reads_carbon(self) -> bool:
        """Whether the stream `carbon` is on."""
        if self.carbon.enabled is None:
            return bool(self.client_secret or self.subscription_ids or self.endpoint_url)
        return self.carbon.enabled

    def missing(self, stream: str) -> list[str]:
        match stream:
            case "carbon":
                return (
                    []
                    if self.reads_carbon
                    else self._one_of("client_secret", "subscription_ids", "carbon.enabled")
                )
            case "cost_query":
                return [] if self.queries_cost else self._one_of("cost_query.scopes", "cost_query.enabled")
            case "focus" | "actual_cost":
                return [] if getattr(self, stream).location else self._one_of(f"{stream}.location")
            case "mcfs":
                absent = (name for name in ("instance_id", "enrollments") if not getattr(self.mcfs, name))
                return [text for name in absent for text in self._one_of(f"mcfs.{name}")]
            case _:
                return []

    def _one_of(self, *paths: str) -> list[str]:
        return [", or else ".join(self.name_of(path, provider=_PROVIDER) for path in paths)]
