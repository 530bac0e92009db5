"""What an error means when the plugin has no opinion: by type, errno and HTTP status, never by its text.

Knowledge of one cloud's error codes belongs in its plugin's `classify_error`.

Known limit: DuckDB has no errno. It reports a full disk as `IOException` (its own files, a `COPY`) with the
reason in the text only, so that it is `unknown` here; whoever runs `COPY` or an append asks
`shutil.disk_usage` when it fails. A spill that finds no room is an `OutOfMemoryException`, `fatal` here.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Verdict
from ogf.retry_after import seconds, utc_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

_CREDENTIALS = "check the credentials and their permissions; `ogf doctor` names what is missing"
_MISSING = "check the name in the settings, or wait until the source has published it"
_REQUEST = "check the provider's settings; `ogf doctor` shows each with its origin"
_DISK = "free disk space, or move the warehouse and its spool to a larger disk"
_MEMORY = "raise the memory limit, run with fewer `--workers`, or free space for temporary files"
_CERTIFICATE = (
    "behind a proxy that signs its own certificates, name its CA bundle in SSL_CERT_FILE, "
    "REQUESTS_CA_BUNDLE or AWS_CA_BUNDLE"
)
_SCHEMA = "a file or the warehouse has not the columns expected; this is a bug or a too old ogf: report it"

_STATUS = {
    **dict.fromkeys((401, 403), Verdict(ErrorClass.AUTH, hint=_CREDENTIALS)),
    **dict.fromkeys((404, 410), Verdict(ErrorClass.NOT_FOUND, hint=_MISSING)),
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504), Verdict(ErrorClass.TRANSIENT)),
    412: Verdict(ErrorClass.TRANSIENT, restart=True),
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_ROUTE = {errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH}
_NO_ANSWER = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    socket.herror,
    http.client.IncompleteRead,
    http.client.BadStatusLine,
    ssl.SSLError,
)
# By name, because neither library may be imported for the sake of an error it did not raise.
_ENGINE = {
    "OutOfMemoryException": Verdict(ErrorClass.FATAL, hint=_MEMORY),
    **dict.fromkeys(
        (
            "BinderException",
            "CatalogException",
            "InvalidTypeException",
            "TypeMismatchException",
            "ArrowTypeError",
        ),
        Verdict(ErrorClass.FATAL, hint=_SCHEMA),
    ),
    **dict.fromkeys(
        ("FatalException", "InternalException"),
        Verdict(ErrorClass.FATAL, hint="DuckDB itself failed: run again, and report it if it fails again"),
    ),
}


def classify(error: BaseException, *, now: Callable[[], dt.datetime] = utc_now) -> Verdict:
    """Classify an error by the whole chain of its causes.

    A `SourceError` anywhere decides; then what is broken on this machine; then the outermost error that says
    anything. `now` turns a `Retry-After` date into seconds.
    """
    errors = tuple(chain(error))
    for link in errors:
        if isinstance(link, SourceError):
            return Verdict(link.error_class, link.retry_after, link.restart, link.hint)
    for judge in (_broken_here, lambda link: _by_status(link, now) or _by_type(link)):
        for link in errors:
            if verdict := judge(link):
                return verdict
    return Verdict(ErrorClass.UNKNOWN)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Walk an error and its causes as a traceback shows them: `raise … from None` ends the chain."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def no_connection(error: BaseException) -> str:
    """Say in words that nobody answered, and where; "" for any other error. Libraries say it in their own terms."""
    for link in chain(error):
        if isinstance(link, ConnectionRefusedError | socket.gaierror | TimeoutError):
            why = (
                "no answer in time"
                if isinstance(link, TimeoutError)
                else (link.strerror or str(link)).lower()
            )
            return f"no connection to {_host(error) or 'the server'}: {why}"
    return ""


def _host(error: BaseException) -> str:
    for link in chain(error):
        url = getattr(getattr(link, "request", None), "url", None)
        if url is not None:
            return urlsplit(str(url)).netloc.rpartition("@")[2]
    return ""


def code_of(error: BaseException) -> str:
    """Name an error in logs: its HTTP status, or else the name of its type."""
    status = next((found for link in chain(error) if (found := _status(link))), None)
    return type(error).__name__ if status is None else str(status)


def retry_after(error: BaseException, *, now: Callable[[], dt.datetime] = utc_now) -> float | None:
    """Read the seconds that an HTTP error's `Retry-After` header asks for, given as seconds or as a date."""
    text = _header(error, "retry-after")
    return None if text is None else seconds(text, now=now)


def _broken_here(error: BaseException) -> Verdict | None:
    if isinstance(error, MemoryError):
        return Verdict(ErrorClass.FATAL, hint=_MEMORY)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Verdict(ErrorClass.FATAL, hint=_CERTIFICATE)
    # getaddrinfo has error numbers of its own, which may equal an errno.
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno in _NO_ROOM:
        return Verdict(ErrorClass.FATAL, hint=_DISK)
    return _by_engine(error)


def _by_engine(error: BaseException) -> Verdict | None:
    for kind in type(error).__mro__:
        if kind.__module__.partition(".")[0] in {"duckdb", "_duckdb", "pyarrow"} and kind.__name__ in _ENGINE:
            return _ENGINE[kind.__name__]
    return None


def _by_status(error: BaseException, now: Callable[[], dt.datetime]) -> Verdict | None:
    status = _status(error)
    if status is None or status < 400:
        return None
    verdict = _STATUS.get(status)
    if verdict is None:
        return Verdict(ErrorClass.BAD_REQUEST, hint=_REQUEST) if status < 500 else Verdict(ErrorClass.FATAL)
    if verdict.error_class is ErrorClass.TRANSIENT and not verdict.restart:
        return Verdict(ErrorClass.TRANSIENT, retry_after=retry_after(error, now=now))
    return verdict


def _by_type(error: BaseException) -> Verdict | None:
    if isinstance(error, _NO_ANSWER):
        return Verdict(ErrorClass.TRANSIENT)
    if isinstance(error, PermissionError):
        return Verdict(ErrorClass.AUTH, hint=f"let this user read and write {_file(error)}")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Verdict(ErrorClass.NOT_FOUND, hint=f"check that {_file(error)} exists and is named right")
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Verdict(ErrorClass.TRANSIENT)
    return None


def _file(error: OSError) -> str:
    return str(error.filename) if error.filename is not None else "the file"


def _status(error: BaseException) -> int | None:
    """Find the HTTP status where urllib, requests, httpx, azure-core and google-api-core put it."""
    response = getattr(error, "response", None)
    found = (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        getattr(error, "status", None),
        getattr(error, "code", None),
    )
    return next((int(value) for value in found if isinstance(value, int) and 300 <= value < 600), None)


def _header(error: BaseException, name: str) -> str | None:
    for owner in (error, getattr(error, "response", None)):
        items = getattr(getattr(owner, "headers", None), "items", None)
        for key, value in items() if callable(items) else ():
            if str(key).lower() == name:
                return str(value).strip()
    return None
