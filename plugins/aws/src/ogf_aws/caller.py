"""Whose credentials ask: an API's answer does not say whose figures it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogf.errors import ErrorClass, SourceError
from ogf_aws.errors import located
from ogf_aws.session import client

if TYPE_CHECKING:
    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings


def calling_account(ctx: Context, stream: str) -> str:
    """Ask for the account of the credentials.

    Raises:
        SourceError: `bad_request` where it is another than the configured one.
    """
    settings: AwsSettings = ctx.settings
    with located("sts:GetCallerIdentity"):
        account = str(ctx.call(client(settings, "sts").get_caller_identity)["Account"])
    if settings.account_id and settings.account_id != account:
        raise SourceError(
            f"the credentials are of account {account}, the configuration expects {settings.account_id}",
            error_class=ErrorClass.BAD_REQUEST,
            where=stream,
            hint="correct ingestion.aws.account_id, or use credentials or a role_arn of that account",
        )
    return account
