"""What AWS's errors mean, decided on structured codes only. The codes are rows of `data/errors.csv`."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from ogf.error_rules import rules_of
from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Verdict
from ogf.retry_after import number, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

rules = partial(rules_of, "ogf_aws")

_CLIENT_ERROR = "botocore.exceptions.ClientError"
# A rejected certificate and a broken handshake look the same here; the core tells them apart by their cause.
_TLS_ERROR = "botocore.exceptions.SSLError"
# What S3 says of a key that is not there: 403 to a caller that may not list, and a bare status to a HEAD.
_ABSENT = {"AccessDenied", "403", "NoSuchKey", "404"}

# The caller is known, and may not do this: as against a caller whom nobody knows.
_REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedException", "403"}


@cache
def permission_hints() -> dict[str, str]:
    """Operation → what to grant to a caller that may not use it."""
    return {row["operation"]: row["hint"] for row in _rows("permissions.csv")}


def classify(error: BaseException) -> Verdict | None:
    """Say what an error of boto3 means; None for any other error and for codes that nothing is known of."""
    lineage = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    if _CLIENT_ERROR in lineage:
        return _answer_verdict(error)
    if _TLS_ERROR in lineage:
        return None
    rule = next((rules()[name] for name in lineage if name in rules()), None)
    return rule and Verdict(rule.error_class, restart=rule.restart, hint=rule.hint)


def refused_operation(error: BaseException | None) -> str:
    """Name the operation that a caller may not use, if that is what an error or its cause says; else ""."""
    while error is not None:
        if _code(error) in _REFUSALS:
            return str(getattr(error, "operation_name", ""))
        error = error.__cause__
    return ""


@cache
def permissions() -> dict[str, str]:
    """Operation → the permission it takes."""
    return {row["operation"]: row["permission"] for row in _rows("permissions.csv")}


@contextmanager
def located(where: str) -> Iterator[None]:
    """Turn an error of boto3 into one that says where it happened and what to do."""
    try:
        yield
    except Exception as error:
        verdict = classify(error)
        if verdict is None:
            raise
        raise SourceError(
            str(error),
            error_class=verdict.error_class,
            where=where,
            hint=verdict.hint,
            retry_after=verdict.retry_after,
            restart=verdict.restart,
        ) from error


def probe(function: Callable[..., T], /, *args: Any) -> T:
    """Make a store call about a key that nothing named: `ask(ctx, store, probe, store.read, key)`.

    There a 403 is no refusal: without s3:ListBucket, S3 gives it for every missing key.

    Raises:
        SourceError: `not_found` when the key is not there, or cannot be told from one that is not.
    """
    try:
        return function(*args)
    except Exception as error:
        if _ABSENT.isdisjoint(_codes(error)):
            raise
        raise SourceError(
            f"there is no object {args[-1]}" if args else "there is no such object",
            error_class=ErrorClass.NOT_FOUND,
            hint="if it should be there, grant s3:ListBucket on the bucket: "
            "without it, S3 answers the same for a missing object as for a forbidden one",
        ) from error


def _answer_verdict(error: BaseException) -> Verdict | None:
    metadata = _response(error).get("ResponseMetadata", {})
    rule = rules().get(_code(error)) or rules().get(str(metadata.get("HTTPStatusCode")))
    if rule is None:
        return None
    hint = rule.hint
    if rule.error_class is ErrorClass.AUTH and not hint:
        operation = getattr(error, "operation_name", "this operation")
        hint = permission_hints().get(operation, f"grant the caller permission for {operation}")
    wait = _retry_after(metadata.get("HTTPHeaders", {})) if rule.error_class is ErrorClass.TRANSIENT else None
    return Verdict(rule.error_class, retry_after=wait, restart=rule.restart, hint=hint)


def _response(error: BaseException | None) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _code(error: BaseException | None) -> str:
    return str(_response(error).get("Error", {}).get("Code", ""))


def _codes(error: BaseException | None) -> Iterator[str]:
    """Codes of an error and of what caused it."""
    while error is not None:
        yield _code(error)
        error = error.__cause__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asked us to wait, the longest of its hints; `x-amz-…` is in milliseconds."""
    milliseconds = number(headers.get("x-amz-retry-after", ""))
    waits = (
        seconds(headers.get("retry-after", "")),
        None if milliseconds is None else milliseconds / 1000,
    )
    return max((wait for wait in waits if wait is not None), default=None)


def _rows(name: str) -> list[dict[str, str]]:
    with files("ogf_aws").joinpath("data", name).open(encoding="utf-8") as table:
        return list(csv.DictReader(table))
