"""`ProviderSettings`: the settings that every provider has. Plugins derive theirs from it.

Here are the limits that the core enforces for a plugin. What only one cloud knows (buckets, tenants,
projects) belongs in the plugin's own subclass.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from ogf.config.shape import Section, env_name
from ogf.config.values import Count, Duration, Flag, Positive, PositiveCount, Text


class ProviderSettings(Section):
    """The section `ingestion.<provider>`. Subclasses override defaults and add fields.

    Attributes:
        enabled: takes part in `ogf run` without `--provider`.
        org_id: None means the general `ingestion.org_id`.
        max_retries: attempts in total, the first one included.
        request_timeout: seconds per attempt.
        max_pages: per request chain; 0 means no limit.
        page_size: None means the service's own.
    """

    enabled: Flag = False
    org_id: Text | None = None
    rate_limit_per_sec: Positive = 5.0
    rate_limit_capacity: PositiveCount = 100
    max_retries: PositiveCount = 3
    request_timeout: Annotated[Duration, Ge(1)] = 30.0
    max_pages: Count = 1000
    page_size: PositiveCount | None = None

    def missing(self, stream: str) -> list[str]:
        """Name the settings that a stream needs and that are not set, each as `name_of` writes it."""
        del stream
        return []

    @classmethod
    def name_of(cls, path: str, *, provider: str) -> str:
        """Write a setting for people: `ingestion.aws.bucket (OFFGRIDFLOW_AWS_S3_BUCKET)`."""
        return f"ingestion.{provider}.{path} ({env_name(provider, path, cls)})"
