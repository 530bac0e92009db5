"""Names of an organization's accounts, where the caller may read them: reports and figures often have ids alone.

organizations:ListAccounts (API version 2016-11-28) answers to the management account and to delegated administrators.
Names that were read once stay known when a later run may not ask any more.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ogf.errors import SourceError
from ogf.files import File
from ogf.files.pages import JsonPage
from ogf.files.table import literal
from ogf_aws.errors import located
from ogf_aws.session import client

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from ogf.hookspecs import Context
    from ogf_aws.settings import AwsSettings

_VARIABLE = "AWS_ENDPOINT_URL_ORGANIZATIONS"


@dataclass(frozen=True)
class NamedFile(File):
    """A file whose rows may lack the names of accounts. `names`: by account id."""

    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NamedPage(JsonPage):
    """A page whose rows lack the names of accounts. `names`: by account id."""

    names: Mapping[str, str] = field(default_factory=dict)


def learn_names(ctx: Context) -> None:
    """Ask for the names, for `names_of`. A refusal is no fault: most callers have no such right."""
    elsewhere = ctx.settings.endpoint_url and _VARIABLE not in os.environ  # an S3 server has no organization
    if not ctx.settings.account_names or elsewhere:
        return
    try:
        ctx.cache[_fact(ctx.settings)] = dict(sorted(_listed(ctx)))
    except SourceError as error:
        ctx.log.info("account names not readable", error_class=str(error.error_class), error=error.message)


def names_of(ctx: Context) -> Mapping[str, str]:
    """Give the names that are known, by account id."""
    known: Mapping[str, str] = ctx.cache.get(_fact(ctx.settings), {}) if ctx.settings.account_names else {}
    return known


def with_names(ctx: Context, file: File) -> File:
    """Give a file with the names that its rows may lack."""
    names = names_of(ctx)
    if not names:
        return file
    return NamedFile(**{item.name: getattr(file, item.name) for item in fields(file)}, names=names)


def named(relation: duckdb.DuckDBPyRelation, data: Any) -> duckdb.DuckDBPyRelation:
    """Fill in the names that rows of a page lack."""
    names: Mapping[str, str] = getattr(data, "names", {})
    if not names or "account_id" not in relation.columns:
        return relation
    pairs = ", ".join(f"({literal(account)}, {literal(name)})" for account, name in names.items())
    filled = (
        "coalesce(aws_page.account_name, known.name)" if "account_name" in relation.columns else "known.name"
    )
    rest = "aws_page.* EXCLUDE (account_name)" if "account_name" in relation.columns else "aws_page.*"
    return relation.query(
        "aws_page",
        f"SELECT {rest}, {filled} AS account_name FROM aws_page "
        f"LEFT JOIN (VALUES {pairs}) AS known (id, name) ON known.id = aws_page.account_id",
    )


def _listed(ctx: Context) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    token: str | None = None
    while True:
        page = ctx.call(_page, ctx.settings, token)
        found += [(account["Id"], account["Name"]) for account in page["Accounts"] if account.get("Name")]
        before, token = token, page.get("NextToken")
        if not token or token == before:
            return found


def _page(settings: AwsSettings, token: str | None) -> dict[str, Any]:
    with located("organizations:ListAccounts"):
        answer: dict[str, Any] = client(settings, "organizations").list_accounts(
            **({"NextToken": token} if token else {})
        )
    return answer


def _fact(settings: AwsSettings) -> str:
    """Who asks, without saying it: two accounts of one configuration may see two organizations."""
    who = repr((settings.access_key_id, settings.profile, settings.role_arn, settings.region))
    return f"names of accounts seen as {hashlib.sha256(who.encode()).hexdigest()[:16]}"
