"""What Google's errors mean, decided on structured codes only. The codes are rows of `data/errors.csv`.

A code is a reason (of BigQuery, Cloud Storage or OAuth) or, where no known reason is given, an exception class.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ogf.error_rules import Rule, rules_of
from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Verdict
from ogf.retry_after import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

# A job that failed for one of these is dead: asking for it again gives the same error. It needs a new id.
JOB_REASONS = frozenset({"jobBackendError", "jobInternalError", "jobRateLimitExceeded"})

rules = partial(rules_of, "ogf_gcp")

_REFRESH_ERROR = "google.auth.exceptions.RefreshError"
_OURS = ("google.", "requests.")
_LONGEST = 300
# How google.api_core begins the text of an error: "404 GET https://…: ".
_CALL = re.compile(r"^\d{3} (GET|POST|PUT|PATCH|DELETE) \S+: ")


def classify(error: BaseException) -> Verdict | None:
    """Say what an error of Google's libraries means; None for any other, and where nothing is known."""
    rule = rule_of(error)
    if rule is None:
        return None
    wait = _retry_after(error) if rule.error_class is ErrorClass.TRANSIENT else None
    return Verdict(rule.error_class, retry_after=wait, restart=rule.restart, hint=rule.hint)


def rule_of(error: BaseException) -> Rule | None:
    """Find the row of an error: by its reason first, then by its class."""
    lineage = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    if not any(name.startswith(_OURS) for name in lineage) or _is_certificate(error):
        return None
    codes = [*_reasons(error), *lineage]
    rule = next((rules()[code] for code in codes if code in rules()), None)
    if rule is not None and _REFRESH_ERROR in lineage and getattr(error, "retryable", False):
        return Rule(rule.code, ErrorClass.TRANSIENT, restart=False, hint="")
    return rule


def reason(error: BaseException) -> str:
    """Give the reason that an error carries (`rateLimitExceeded`, `invalid_grant`); "" if it has none."""
    return next(_reasons(error), "")


@contextmanager
def located(where: str, hints: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn an error of Google's libraries into one that says where it happened and what to do.

    Args:
        hints: what to do instead of what the table says, by code.
    """
    try:
        yield
    except Exception as error:
        rule, verdict = rule_of(error), classify(error)
        if rule is None or verdict is None:
            raise
        raise SourceError(
            message(error),
            error_class=verdict.error_class,
            where=where,
            hint=(hints or {}).get(rule.code, verdict.hint),
            retry_after=verdict.retry_after,
            restart=verdict.restart,
        ) from error


def message(error: BaseException) -> str:
    """Give an error's text without the address called; of a token endpoint's answer only what it says of the error."""
    if not _is_refresh(error):
        return _CALL.sub("", str(error))
    said = ": ".join(filter(None, (reason(error), _description(_answer(error)))))
    return f"Google gave no access token: {said or str(next(iter(error.args), ''))[:_LONGEST]}"


def _is_refresh(error: BaseException) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" == _REFRESH_ERROR for kind in type(error).__mro__)


def _is_certificate(error: BaseException) -> bool:
    """A rejected certificate looks like a broken connection; the core tells them apart by their cause."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            return True
        link = link.__cause__ or link.__context__
    return False


def _reasons(error: BaseException) -> Iterator[str]:
    """Reasons, the most telling first. Errors of gRPC have no list of reasons but may have one of their own."""
    if _is_refresh(error):
        answer = _answer(error).get("error")
        yield from (str(answer),) if isinstance(answer, str) else ()
        return
    for item in getattr(error, "errors", None) or ():
        if isinstance(item, Mapping) and item.get("reason"):
            yield str(item["reason"])
    own = getattr(error, "reason", None)
    if isinstance(own, str) and own:
        yield own


def _answer(error: BaseException) -> Mapping[str, Any]:
    """Give the body of a token endpoint's refusal: google-auth keeps it as the second argument, parsed or not."""
    body = error.args[1] if len(error.args) > 1 else None
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    return body if isinstance(body, Mapping) else {}


def _description(answer: Mapping[str, Any]) -> str:
    inner = answer.get("error")
    text = inner.get("message") if isinstance(inner, Mapping) else answer.get("error_description")
    return text if isinstance(text, str) else ""


def _retry_after(error: BaseException) -> float | None:
    """Seconds the server asked us to wait."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    return seconds(headers.get("Retry-After", "")) if isinstance(headers, Mapping) else None
