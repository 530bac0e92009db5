"""The settings that belong to no provider, and the names of the past that are refused with a hint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Gt, Le
from pydantic import Field, model_validator

from ogf.config.secret import Secret
from ogf.config.shape import Section
from ogf.config.values import Count, Duration, Flag, PositiveCount, Schedule, Share, Size, Text, wrong

JWT_SECRET_LENGTH = 32

_JOBS = "Jobs are resumed where they stopped, never retried as a whole; remove it."
_DATABASE = (
    "The warehouse is a DuckDB file; remove it and set OGF_DB (or warehouse.path) to that file's path."
)
REFUSED_ENV = {
    "OFFGRIDFLOW_DB_DSN": _DATABASE,
    "OFFGRIDFLOW_WORKER_RETRY_LIMIT": _JOBS,
    "OFFGRIDFLOW_WORKER_BACKOFF_INITIAL": _JOBS,
    "OFFGRIDFLOW_WORKER_BACKOFF_MAX": _JOBS,
    "OFFGRIDFLOW_WORKER_JITTER": _JOBS,
}
REFUSED_KEYS = {
    "runner.retry_limit": _JOBS,
    "runner.backoff_initial": _JOBS,
    "runner.backoff_max": _JOBS,
    "runner.jitter": _JOBS,
}
# Sources of the original that ogf does not have; a plugin may take such a name some day.
UNSERVED = ("sap", "utility")


def _env(*names: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    return {**({"env": names[0]} if names else {}), **({"also": list(also)} if also else {})}


class Ingestion(Section):
    """What all providers share."""

    org_id: Text = Field(default="default", description="organisation", json_schema_extra=_env("ORG_ID"))
    lookback_days: PositiveCount | None = Field(
        default=None,
        description="after a first load, look only at months that overlap so many days",
        json_schema_extra=_env("INGEST_LOOKBACK_DAYS"),
    )
    schedule_interval: Schedule | None = Field(
        default=None,
        description="an interval or a cron line (UTC) for `ogf serve`; `ogf run` ignores it",
        json_schema_extra=_env("INGESTION_SCHEDULE_INTERVAL"),
    )


class Server(Section):
    """The HTTP service, `ogf serve`."""

    host: Text = Field(
        default="127.0.0.1", description="address to listen on", json_schema_extra=_env("HTTP_HOST")
    )
    port: Annotated[Count, Le(65535)] = Field(
        default=8090, json_schema_extra=_env("HTTP_PORT", also=("PORT",))
    )
    env: Literal["development", "test", "staging", "production"] = Field(
        default="development", json_schema_extra=_env("APP_ENV")
    )


class Auth(Section):
    api_key: Secret | None = Field(default=None, json_schema_extra=_env("API_KEY"))
    jwt_secret: Secret | None = Field(default=None, json_schema_extra=_env("JWT_SECRET"))
    require: Flag = Field(default=True, json_schema_extra=_env("REQUIRE_AUTH"))


class Telemetry(Section):
    tracing: Flag | None = Field(
        default=None,
        description="send spans: if not set, where an OTEL_* variable says so; false sends none at all",
        json_schema_extra=_env("TRACING_ENABLED"),
    )
    log_format: Literal["console", "json"] = Field(default="console", json_schema_extra=_env("LOG_FORMAT"))
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", json_schema_extra=_env("LOG_LEVEL")
    )


class Warehouse(Section):
    path: Path = Field(default=Path("ogf.duckdb"), json_schema_extra=_env(also=("OGF_DB",)))


class Runner(Section):
    """How runs go."""

    workers: PositiveCount | None = Field(
        default=None, description="pages read at the same time, if not one a core"
    )
    wait: Duration = Field(
        default=60.0, description="for a busy warehouse, before giving up with exit code 4"
    )
    max_reject_share: Share = Field(
        default=0.01, description="more refused rows than this fail their partition"
    )
    resume_ttl: Duration = Field(
        default=6 * 3600.0, description="how old pages of a source without versions may be to be resumed from"
    )
    time_budget: Annotated[Duration, Gt(0)] = Field(
        default=6 * 3600.0, description="what the retries of one partition may wait in total"
    )
    memory_limit: Size = Field(default=640_000_000, description="of DuckDB, for loader and workers together")


class Settings(Section):
    """Everything outside `ingestion.<provider>`."""

    ingestion: Ingestion = Ingestion()
    server: Server = Server()
    auth: Auth = Auth()
    telemetry: Telemetry = Telemetry()
    warehouse: Warehouse = Warehouse()
    runner: Runner = Runner()

    @model_validator(mode="after")
    def _production_needs_a_long_jwt_secret(self) -> Self:
        secret = self.auth.jwt_secret
        if self.server.env == "production" and secret is not None and len(secret) < JWT_SECRET_LENGTH:
            rule = f"it must have at least {JWT_SECRET_LENGTH} characters when server.env is production"
            raise wrong({"auth.jwt_secret": rule})
        return self
