"""What can be configured under `ingestion.gcp`, and the tables that follow from it."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Self
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
from ogf_gcp.names import (
    TableName,
    problem_in_dataset,
    problem_in_project,
    problem_in_table,
    split_dataset,
)

_PROVIDER = "gcp"
_WHERE = f"ingestion.{_PROVIDER}"
_BILLING_ACCOUNT = re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}", re.ASCII)
_EMAIL = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/]+")
KEY_FIELDS = ("type", "project_id", "private_key", "client_email")


def _refuse(problem: str | None) -> None:
    if problem:
        raise ValueError(f"it {problem}")


def _project(value: str | None) -> str | None:
    _refuse(value and problem_in_project(value))
    return value


def _dataset(value: str | None) -> str | None:
    if value:
        project, dataset = split_dataset(value)
        _refuse(problem_in_dataset(dataset) and "must be dataset or project.dataset; a dataset's name is "
                "letters, digits and underscores")  # fmt: skip
        if project or "." in value:
            _refuse(problem_in_project(project))
    return value


def _table(value: str | None) -> str | None:
    _refuse(value and problem_in_table(value))
    return value


def _billing_account(value: str | None) -> str | None:
    if not value:
        return value
    if not _BILLING_ACCOUNT.fullmatch(value.upper()):
        raise ValueError("it must be a billing account's id, such as 012345-6789AB-CDEF01")
    return value.upper()  # as in the names of the export's tables, which heed case


def _email(value: str | None) -> str | None:
    if value and not _EMAIL.fullmatch(value):
        raise ValueError("it must be the e-mail address of a service account")
    return value


def _endpoint(value: str | None) -> str | None:
    parts = urlsplit(value or "https://unset")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("it must be an http:// or https:// address without a user name")
    return value


def _place(value: str | None) -> str | None:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value or "")
    if scheme and scheme[1].lower() not in ("gs", "file"):
        raise ValueError("it must be gs://bucket/prefix, or the path of a local folder")
    return value


def read_key(text: str) -> dict[str, Any]:
    """Read a service account's JSON key.

    Raises:
        ValueError: what is wrong with it, every missing field by name, and nothing of the text itself.
    """
    try:
        key = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's own message quotes no text, but its exception carries all of it.
        raise ValueError("it must be a service account's JSON key, as text or as file:PATH") from None
    if not isinstance(key, dict):
        raise ValueError("it must be a service account's JSON key: an object with fields") from None  # noqa: TRY004
    absent = [field for field in KEY_FIELDS if not isinstance(key.get(field), str) or not key[field].strip()]
    if absent:
        raise ValueError(
            f"the service account's JSON key lacks {_listed(absent)}; download the key again and give all of it"
        )
    if key["type"] != "service_account":
        raise ValueError("the JSON key must be of the type service_account; "
                         "other kinds are read from GOOGLE_APPLICATION_CREDENTIALS")  # fmt: skip
    _refuse(problem_in_project(key["project_id"]) and "holds a project_id that is no project's id")
    return key


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _key(value: Secret | None) -> Secret | None:
    text = _revealed(value)
    if text is not None:
        read_key(text)
    return value


def _revealed(secret: Secret | None) -> str | None:
    """Give the text; None where the secret did not travel into this process. Its use will say so."""
    try:
        return None if secret is None else secret.get_secret_value()
    except ConfigError:
        return None


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


OptionalSecret = Annotated[Secret | None, BeforeValidator(_blank_is_none), AfterValidator(_key)]
OptionalProject = Annotated[OptionalText, AfterValidator(_project)]
OptionalDataset = Annotated[OptionalText, AfterValidator(_dataset)]
OptionalTable = Annotated[OptionalText, AfterValidator(_table)]
Place = Annotated[OptionalText, AfterValidator(_place)]

_FILES = "gs://bucket/prefix or a local folder of exported files; wins over the table"
_DATASET_TEXT = "dataset, or project.dataset, of the export"


class CarbonSettings(Section):
    """The stream `carbon`: the Carbon Footprint export. Its table is bigquery_dataset and bigquery_table."""

    location: Place = Field(default=None, description=_FILES)


class BillingSettings(Section):
    """The stream `billing`: the standard or the detailed Cloud Billing export."""

    dataset: OptionalDataset = Field(default=None, description=_DATASET_TEXT)
    table: OptionalTable = Field(default=None, description="if not the one named after the billing account")
    detailed: Flag = Field(default=False, description="read the detailed export: costs by resource")
    location: Place = Field(default=None, description=_FILES)


class FocusSettings(Section):
    """The stream `focus`: the Cloud Billing export in the FOCUS format."""

    dataset: OptionalDataset = Field(default=None, description=_DATASET_TEXT)
    table: OptionalTable = Field(default=None, description="if not the one named after the billing account")
    location: Place = Field(default=None, description=_FILES)


class GcpSettings(ProviderSettings):
    """Google Cloud. Without a key, Application Default Credentials are used."""

    rate_limit_per_sec: Positive = 20.0
    rate_limit_capacity: PositiveCount = 200
    request_timeout: Annotated[Duration, Field(ge=1)] = 60.0
    page_size: Annotated[PositiveCount, Field(le=100_000)] = 1000

    project_id: OptionalProject = Field(default=None, description="pays for the queries and runs them")
    bigquery_project_id: OptionalProject = Field(
        default=None, description="runs the queries instead of project_id"
    )
    billing_account_id: Annotated[OptionalText, AfterValidator(_billing_account)] = Field(
        default=None, description="such as 012345-6789AB-CDEF01; names the tables of the billing exports"
    )
    bigquery_dataset: Annotated[Text, AfterValidator(_dataset)] = Field(
        default="carbon_footprint", description="of the Carbon Footprint export: dataset or project.dataset"
    )
    bigquery_table: Annotated[Text, AfterValidator(_table)] = Field(
        default="carbon_footprint", description="of the Carbon Footprint export"
    )
    service_account_key: OptionalSecret = Field(
        default=None, description="JSON key of a service account, or file:PATH of one"
    )
    impersonate: Annotated[OptionalText, AfterValidator(_email)] = Field(
        default=None, description="e-mail address of a service account to act as"
    )
    maximum_bytes_billed: PositiveCount = Field(
        default=10 * 1024**3, description="a query that would bill more bytes is not run"
    )
    endpoint_url: Annotated[OptionalText, AfterValidator(_endpoint)] = Field(
        default=None, description="a server that speaks BigQuery's REST API instead of Google"
    )
    storage_api: Flag = Field(
        default=True, description="use the BigQuery Storage Read API where the role allows it"
    )
    carbon: CarbonSettings = CarbonSettings()
    billing: BillingSettings = BillingSettings()
    focus: FocusSettings = FocusSettings()

    @model_validator(mode="after")
    def _named_tables(self) -> Self:
        """A dataset of billing exports is of no use as long as nothing says which of its tables is meant."""
        for name, section in (("billing", self.billing), ("focus", self.focus)):
            if section.dataset and not (section.location or section.table or self.billing_account_id):
                why = f"it is needed with {name}.dataset, whose tables bear it; or set {name}.table"
                raise wrong({"billing_account_id": why})
        return self

    def missing(self, stream: str) -> list[str]:
        sections: dict[str, CarbonSettings | BillingSettings | FocusSettings] = {
            "carbon": self.carbon,
            "billing": self.billing,
            "focus": self.focus,
        }
        section = sections.get(stream)
        if section is None or section.location:
            return []
        absent = [] if project_of(self) else ["project_id"]
        if isinstance(section, BillingSettings | FocusSettings):
            if not section.dataset:
                absent.insert(0, f"{stream}.dataset")
            if not section.table and not self.billing_account_id:
                absent.append("billing_account_id")
        if not absent:
            return []
        # Files in a place of their own are the other way to all of it.
        location, *others = (
            self.name_of(path, provider=_PROVIDER) for path in (f"{stream}.location", *absent)
        )
        return [f"{location}, or else {others[0]}", *others[1:]]


def query_project(settings: GcpSettings) -> str:
    """Say which project runs the queries: the configured one, else the one that the key names."""
    project = project_of(settings)
    if project is None:
        raise ConfigError(
            "nothing says which project runs the queries",
            where=_WHERE,
            hint=f"set {GcpSettings.name_of('project_id', provider=_PROVIDER)}",
        )
    return project


def carbon_table(settings: GcpSettings) -> TableName:
    """Name the table of the Carbon Footprint export."""
    return TableName.checked(
        query_project(settings), settings.bigquery_dataset, settings.bigquery_table, where=_WHERE
    )


def billing_table(settings: GcpSettings) -> TableName:
    """Name the table of the Cloud Billing export."""
    kind = "gcp_billing_export_resource_v1" if settings.billing.detailed else "gcp_billing_export_v1"
    return _export_table(settings, settings.billing, "billing", kind)


def focus_table(settings: GcpSettings) -> TableName:
    """Name the table of the FOCUS export."""
    return _export_table(settings, settings.focus, "focus", "gcp_billing_export_focus")


def _export_table(
    settings: GcpSettings, section: BillingSettings | FocusSettings, stream: str, kind: str
) -> TableName:
    table = section.table
    if table is None and settings.billing_account_id:
        table = f"{kind}_{settings.billing_account_id.replace('-', '_')}"
    if table is None or section.dataset is None:
        raise ConfigError(
            f"nothing says which table the {stream} export writes",
            where=_WHERE,
            hint=f"set {stream}.dataset, and billing_account_id or {stream}.table",
        )
    return TableName.checked(query_project(settings), section.dataset, table, where=f"{_WHERE}.{stream}")


def project_of(settings: GcpSettings) -> str | None:
    """Say which project is named anywhere: by `bigquery_project_id`, `project_id`, or else by the key."""
    configured = settings.bigquery_project_id or settings.project_id
    if configured:
        return configured
    text = _revealed(settings.service_account_key)
    return None if text is None else str(read_key(text)["project_id"])
