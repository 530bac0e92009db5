"""What Azure's errors mean, decided on structured codes only. The codes are rows of `data/errors.csv`.

A code is, the most telling first: an AADSTS number of the token authority, an `error.code` of ARM or of Blob
storage, an HTTP status, or the full name of an exception class.
"""

from __future__ import annotations

import json
import re
import ssl
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ogf.error_rules import Rule, rules_of
from ogf.errors import ErrorClass, OgfError, SourceError
from ogf.hookspecs import Verdict
from ogf.retry_after import moment, number, seconds, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

rules = partial(rules_of, "ogf_azure")

_OURS = ("azure.", "httpx2.")
_AUTHENTICATION = "azure.core.exceptions.ClientAuthenticationError"
_AADSTS = re.compile(r"AADSTS\d+", re.ASCII)
_THROTTLED = re.compile(
    r"x-ms-ratelimit-microsoft\.(costmanagement|consumption)-([a-z-]+-)?retry-after", re.ASCII
)
_PRIVATE = re.compile(r"\._\w+")
_SKEW = 300  # seconds; Azure's own tolerance for the times in a token
_LONGEST = 500
_CERTIFICATE = (
    "the server's certificate is of no known authority: behind a proxy that signs its own, or with a private "
    "one, name its PEM file in `ca_bundle`"
)


class ArmError(Exception):
    """An HTTP answer that is a refusal: of ARM, or of the token authority.

    Attributes:
        code: ARM's `error.code`, or the authority's `AADSTS…`; "" if the answer has none.
        where: what was asked of whom.
        headers: of the answer, their names in lower case.
        skew: seconds by which this machine's clock is ahead of the server's; 0 if the answer does not say.
    """

    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        where: str = "",
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.where = where
        sent = moment(self.headers.get("date", ""))
        self.skew = 0.0 if sent is None else (utc_now() - sent).total_seconds()
        named = f"HTTP {status}" if code in ("", str(status)) else f"HTTP {status} {code}"
        super().__init__(f"{named}: {message}" if message else named)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.where, self.status, self.code, self.message, self.headers)


class TokenError(ArmError):
    """A refusal of the token authority."""


def _again(kind: type[ArmError], where: str, *said: Any) -> ArmError:
    return kind(*said, where=where)


def classify(error: BaseException) -> Verdict | None:
    """Say what an error of ARM, of azure-core or of httpx2 means; None for any other."""
    rule = rule_of(error)
    if rule is None:
        return None
    wait = (
        retry_after(_headers(error))
        if rule.error_class is ErrorClass.TRANSIENT and not rule.restart
        else None
    )
    hint = rule.hint
    if rule.error_class is ErrorClass.AUTH and (skew := _skew(error)):
        hint = f"{skew}: set it right, for example by NTP; if that does not help: {hint}"
    return Verdict(rule.error_class, retry_after=wait, restart=rule.restart, hint=hint)


def rule_of(error: BaseException) -> Rule | None:
    """Find the row of an error: by its code first, then its status, then its class."""
    lineage = _lineage(error)
    if not isinstance(error, ArmError) and not any(name.startswith(_OURS) for name in lineage):
        return None
    if _is_certificate(error):
        return Rule("certificate", ErrorClass.FATAL, restart=False, hint=_CERTIFICATE)
    if _AUTHENTICATION in lineage and _response(error) is None:
        # azure-identity wraps whatever went wrong on the way to the token authority in this.
        for cause in _causes(error):
            if (inner := rule_of(cause)) and inner.error_class is ErrorClass.TRANSIENT:
                return inner
    status = _status(error)
    named = [*_codes(error), *((str(status),) if status else ()), *lineage]
    found = next((rules()[name] for name in named if name in rules()), None)
    return found or _unlisted(status)


def _unlisted(status: int | None) -> Rule | None:
    if status is None or status < 400:
        return None
    error_class = ErrorClass.BAD_REQUEST if status < 500 else ErrorClass.FATAL
    return Rule(str(status), error_class, restart=False, hint="")


@contextmanager
def located(where: str, hints: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn an error of azure-core or httpx2 into one that says where it happened and what to do.

    Args:
        hints: what to do instead of what the table says, by code.
    """
    try:
        yield
    except OgfError:
        raise
    except Exception as error:
        rule, verdict = rule_of(error), classify(error)
        if rule is None or verdict is None:
            raise
        raise SourceError(
            message(error),
            error_class=verdict.error_class,
            where=error.where if isinstance(error, ArmError) and error.where else where,
            hint=(hints or {}).get(rule.code, verdict.hint),
            retry_after=verdict.retry_after,
            restart=verdict.restart,
        ) from error


def message(error: BaseException) -> str:
    """Give an error's text: its first line, and a name for those that have none."""
    text = str(error).strip()
    first = text.splitlines()[0].strip() if text else ""
    return (first or type(error).__name__)[:_LONGEST]


def aadsts(body: object) -> str:
    """Find the `AADSTS…` code in a refusal of the token authority, or else its OAuth code."""
    if not isinstance(body, dict):
        return ""
    codes = body.get("error_codes")
    if isinstance(codes, list) and codes and isinstance(codes[0], int):
        return f"AADSTS{codes[0]}"
    described = body.get("error_description")
    # The description begins with the code, of which it is the only place where there are no `error_codes`.
    found = _AADSTS.match(described) if isinstance(described, str) else None
    said = body.get("error")
    return found[0] if found else said if isinstance(said, str) else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Give the longest wait, in seconds, of all that an answer's headers ask for: alone, each is often too short."""
    waits = []
    for name, value in headers.items():
        folded = name.lower()
        if folded == "retry-after":
            waits.append(seconds(value))
        elif folded in {"retry-after-ms", "x-ms-retry-after-ms"}:
            milliseconds = number(value)
            waits.append(None if milliseconds is None else milliseconds / 1000)
        elif _THROTTLED.fullmatch(folded):
            waits.append(number(value))
    return max((wait for wait in waits if wait is not None), default=None)


def _skew(error: BaseException) -> str:
    skew = error.skew if isinstance(error, ArmError) else 0.0
    if abs(skew) < _SKEW:
        return ""
    direction = "ahead of" if skew > 0 else "behind"
    return f"this machine's clock is {abs(skew) / 60:.0f} minutes {direction} the server's"


def _lineage(error: BaseException) -> list[str]:
    """Name an error's classes, as they are imported: without the private modules that define some."""
    return [f"{_PRIVATE.sub('', kind.__module__)}.{kind.__qualname__}" for kind in type(error).__mro__]


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    link = error.__cause__ or error.__context__
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _is_certificate(error: BaseException) -> bool:
    """A rejected certificate looks like a broken connection until its cause is read."""
    return any(
        isinstance(link, ssl.SSLCertVerificationError) or _wrapped(link) for link in (error, *_causes(error))
    )


def _wrapped(error: BaseException) -> bool:
    """azure-core and requests keep the cause in `inner_exception`, `args` and `reason` as well."""
    seen = 0
    links = [error]
    while links and seen < 16:
        seen += 1
        link = links.pop()
        if isinstance(link, ssl.SSLCertVerificationError):
            return True
        inner = (getattr(link, "inner_exception", None), getattr(link, "reason", None), *link.args)
        links += [item for item in inner if isinstance(item, BaseException)]
    return False


def _response(error: BaseException) -> Any:
    return getattr(error, "response", None)


def _status(error: BaseException) -> int | None:
    if isinstance(error, ArmError):
        return error.status
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _codes(error: BaseException) -> Iterator[str]:
    """Codes that an error carries: ArmError's own; `error_code` of Blob storage; `error.code`; the body's AADSTS."""
    if isinstance(error, ArmError):
        yield from filter(None, (error.code,))
        return
    blob = getattr(error, "error_code", None)
    if blob:
        yield str(getattr(blob, "value", blob))
    arm = getattr(getattr(error, "error", None), "code", None)
    if isinstance(arm, str):
        yield arm
    if _AUTHENTICATION in _lineage(error) and _response(error) is not None:
        try:
            yield from filter(None, (aadsts(json.loads(_response(error).text())),))
        except (ValueError, TypeError, AttributeError):
            return


def _headers(error: BaseException) -> Mapping[str, str]:
    if isinstance(error, ArmError):
        return error.headers
    found = getattr(_response(error), "headers", None)
    return dict(found.items()) if found is not None and hasattr(found, "items") else {}
