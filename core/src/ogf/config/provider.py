"""`ProviderSettings`: the settings that every provider has. Plugins derive theirs from it.

Here are the limits that the core enforces for a plugin. What only one cloud knows (buckets, tenants,
projects) belongs in the plugin's own subclass.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from pydantic import Field

from ogf.config.shape import Section, env_name
from ogf.config.values import Count, Duration, Flag, Positive, PositiveCount, Schedule, Text


class ProviderSettings(Section):
    """The section `ingestion.<provider>`. Subclasses override defaults and add fields."""

    enabled: Flag = Field(default=False, description="takes part in `ogf run` without --provider")
    org_id: Text | None = Field(default=None, description="organisation, if not the general one")
    rate_limit_per_sec: Positive = Field(default=5.0, description="requests a second")
    rate_limit_capacity: PositiveCount = Field(default=100, description="requests at once after a pause")
    max_retries: PositiveCount = Field(default=3, description="attempts in total, the first one included")
    request_timeout: Annotated[Duration, Ge(1)] = Field(default=30.0, description="of one attempt")
    max_pages: Count = Field(default=1000, description="of one file or query; 0 means no limit")
    drop_zero_emissions: Flag = Field(
        default=False, description="leave out rows whose reported emissions are nought"
    )
    schedule: Schedule | None = Field(
        default=None, description="an interval or a cron line (UTC) for `ogf serve`, if not the general one"
    )
    page_size: PositiveCount | None = Field(default=None, description="if not the service's own")

    def missing(self, stream: str) -> list[str]:
        """Name the settings that a stream needs and that are not set, each as `name_of` writes it."""
        del stream
        return []

    @classmethod
    def name_of(cls, path: str, *, provider: str) -> str:
        """Write a setting for people: `ingestion.aws.bucket (OFFGRIDFLOW_AWS_S3_BUCKET)`."""
        return f"ingestion.{provider}.{path} ({env_name(provider, path, cls)})"
