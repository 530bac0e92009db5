"""AWS's part of the FOCUS mapping: its tables of services and regions, and how it calls itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf import focus
from ogf_aws.meters import CATALOGUE

if TYPE_CHECKING:
    from ogf.files import Table

_OURS = "aws|amazon"
months_sql = focus.months_sql


def activities_sql(table: Table, *, only: tuple[str, str] | None = None) -> str:
    """Write the SELECT that maps rows to activities; rows of other providers are refused."""
    return focus.activities_sql(
        table, services="aws_services", regions="aws_regions", provider=_OURS, only=only, catalogue=CATALOGUE
    )
