"""What can be configured under `ingestion.aws`."""

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
    wrong,
)
from ogf.errors import ConfigError
from ogf_aws.cost_explorer.grouping import checked

_PROVIDER = "aws"
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/\S+", re.ASCII)


def _no_number(value: object) -> object:
    if isinstance(value, int):
        raise ValueError("put it in quotes: it is text, and a number loses its leading zeros")  # noqa: TRY004
    return value


def _account(value: str | None) -> str | None:
    if value and not _ACCOUNT.fullmatch(value):
        raise ValueError("it must be the 12 digits of an AWS account")
    return value


def _role(value: str | None) -> str | None:
    if value and not _ROLE.fullmatch(value):
        raise ValueError("it must be a role's ARN, such as arn:aws:iam::123456789012:role/name")
    return value


def _bucket(value: str | None) -> str | None:
    if value and re.search("[:/]", value):
        raise ValueError("it must be the bare name of a bucket; a URI belongs in the stream's location")
    return value


def _endpoint(value: str | None) -> str | None:
    parts = urlsplit(value or "https://unset")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("it must be an http:// or https:// address without a user name")
    return value


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


OptionalSecret = Annotated[Secret | None, BeforeValidator(_blank_is_none)]


def _place(value: str | None) -> str | None:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value or "")
    if scheme and scheme[1].lower() not in ("s3", "file"):
        raise ValueError("it must be s3://bucket/prefix, or the path of a local folder")
    return value


Place = Annotated[OptionalText, AfterValidator(_place)]


class CurSettings(Section):
    """The stream `cur`: Cost and Usage Reports."""

    location: Place = Field(
        default=None, description="s3://bucket/prefix or a local folder; wins over bucket and prefix"
    )
    keeps_history: Flag = Field(default=False, description="keep superseded deliveries")


class CarbonSettings(Section):
    """The stream `carbon`: exports of the table CARBON_EMISSIONS."""

    location: Place = Field(default=None, description="s3://bucket/prefix or a local folder of the export")
    keeps_history: Flag = Field(default=True, description="keep older model versions and restated months")


class CarbonApiSettings(Section):
    """The stream `carbon_api`: the Sustainability API, where there is no carbon export."""

    enabled: Flag = Field(
        default=False, description="ask for the account's carbon; not beside carbon.location"
    )


class FocusSettings(Section):
    """The stream `focus`: exports of the tables FOCUS_1_0_AWS and FOCUS_1_2_AWS."""

    location: Place = Field(default=None, description="s3://bucket/prefix or a local folder of the export")
    keeps_history: Flag = Field(default=False, description="keep superseded deliveries")


class CostExplorerSettings(Section):
    """The stream `cost_explorer`: costs from the API, where there is no report or export. AWS charges for each page."""

    enabled: Flag = Field(default=False, description="ask Cost Explorer: $0.01 a page")
    max_cost_usd: Positive = Field(default=1.0, description="what one run may spend at most, in USD")
    group_by: Annotated[Text, AfterValidator(checked)] = Field(
        default="SERVICE",
        description="beside USAGE_TYPE: a dimension such as LINKED_ACCOUNT, TAG:key or COST_CATEGORY:name",
    )
    granularity: Literal["monthly", "daily"] = Field(
        default="monthly", description="of the rows; daily ones take more pages"
    )
    refresh: Duration = Field(
        default=86400.0, description="an open month is not asked again within this time"
    )
    keeps_history: Flag = Field(default=False, description="keep superseded answers")


class AwsSettings(ProviderSettings):
    """Amazon Web Services. Without keys, the SDK's default credential chain is used."""

    rate_limit_per_sec: Positive = 5.0
    rate_limit_capacity: PositiveCount = 100
    request_timeout: Annotated[Duration, Field(ge=1)] = 30.0
    page_size: Annotated[PositiveCount, Field(le=1000)] = 1000

    access_key_id: OptionalText = Field(default=None, repr=False)
    secret_access_key: OptionalSecret = None
    session_token: OptionalSecret = Field(default=None, description="of temporary keys")
    profile: OptionalText = Field(default=None, description="a profile of the AWS configuration file")
    region: Text = "us-east-1"
    role_arn: Annotated[OptionalText, AfterValidator(_role)] = Field(
        default=None, description="role to assume; its credentials refresh themselves"
    )
    external_id: OptionalText = Field(default=None, description="what the role's trust policy asks for")
    account_id: Annotated[OptionalText, BeforeValidator(_no_number), AfterValidator(_account)] = Field(
        default=None, description="expected payer; a mismatch is an error before any data moves"
    )
    account_names: Flag = Field(
        default=True, description="ask AWS Organizations for the names of accounts, where that is allowed"
    )
    bucket: Annotated[OptionalText, AfterValidator(_bucket)] = Field(
        default=None, json_schema_extra={"env": "AWS_S3_BUCKET", "aliases": ["s3_bucket"]}
    )
    prefix: Annotated[str, AfterValidator(lambda text: text.strip().strip("/"))] = Field(
        default="", json_schema_extra={"env": "AWS_S3_PREFIX", "aliases": ["s3_prefix"]}
    )
    endpoint_url: Annotated[OptionalText, AfterValidator(_endpoint)] = Field(
        default=None, description="an S3-compatible server instead of AWS"
    )
    requester_pays: Flag = Field(
        default=False, description="agree to pay for reading buckets that ask for it"
    )
    cur: CurSettings = CurSettings()
    carbon: CarbonSettings = CarbonSettings()
    carbon_api: CarbonApiSettings = CarbonApiSettings()
    focus: FocusSettings = FocusSettings()
    cost_explorer: CostExplorerSettings = CostExplorerSettings()

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        key, secret = self.access_key_id is not None, self.secret_access_key is not None
        problems = {}
        if key and not secret:
            problems["secret_access_key"] = "it is needed with access_key_id: set both, or neither"  # noqa: S105
        if secret and not key:
            problems["access_key_id"] = "it is needed with secret_access_key: set both, or neither"
        if self.session_token is not None and not key:
            problems["session_token"] = "it is of use only with access_key_id"  # noqa: S105
        if self.external_id and not self.role_arn:
            problems["external_id"] = "it is of use only with role_arn"
        if self.carbon.location and self.carbon_api.enabled:
            problems["carbon_api.enabled"] = (
                "the export in carbon.location tells the same: set one of the two, or everything counts twice"
            )
        if problems:
            raise wrong(problems)
        return self

    def missing(self, stream: str) -> list[str]:
        needs: tuple[str, ...] = ()
        match stream:
            case "cur":
                needs = () if self.cur.location or self.bucket else ("cur.location", "bucket")
            case "carbon_api" | "cost_explorer":
                needs = () if getattr(self, stream).enabled else (f"{stream}.enabled",)
            case "carbon" | "focus":
                needs = () if getattr(self, stream).location else (f"{stream}.location",)
        return [" or ".join(self.name_of(path, provider=_PROVIDER) for path in needs)] if needs else []


def location_of(settings: AwsSettings, stream: str) -> str:
    """Say where a stream's files lie: `s3://bucket/prefix` or a local folder. `bucket` and `prefix` are of `cur`."""
    location: str | None = getattr(settings, stream).location
    if location:
        return location
    if stream == "cur" and settings.bucket:
        return f"s3://{settings.bucket}/{settings.prefix}".rstrip("/")
    raise ConfigError(
        f"nothing says where the files of the stream {stream} lie",
        where="ingestion.aws",
        hint=f"set {stream}.location to s3://bucket/prefix or to a local folder"
        + (", or set bucket" if stream == "cur" else ""),
    )
