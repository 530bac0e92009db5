"""The payer that the configuration expects, against the one that a report names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass
from ogf.hookspecs import Problem

if TYPE_CHECKING:
    from ogf.hookspecs import Context


def wrong_payer(ctx: Context, payer: str) -> Problem | None:
    """Why a report must not be loaded: it belongs to somebody else. None where nothing is expected or named."""
    expected = ctx.settings.account_id
    if not expected or not payer or payer == expected:
        return None
    return Problem(
        ErrorClass.BAD_REQUEST,
        f"the report belongs to account {payer}, the configuration expects {expected}",
        "correct ingestion.aws.account_id, or point bucket, prefix or location at the right report",
    )
