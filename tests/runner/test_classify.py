from __future__ import annotations

import datetime as dt
import email.message
import errno
import http
import http.client
import inspect
import io
import socket
import ssl
import urllib.error
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.errors import ErrorClass, SourceError
from ogf.runner.classify import classify, code_of, no_connection

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


class Answer:
    def __init__(self, status_code, headers=None):
        self.status_code = status_code
        self.headers = headers or {}


class StatusCodeError(Exception):
    """azure-core."""

    def __init__(self, status, headers=None, message=""):
        super().__init__(message)
        self.status_code = status
        self.response = Answer(status, headers)


class ResponseError(Exception):
    """httpx, requests."""

    def __init__(self, status, headers=None, message=""):
        super().__init__(message)
        self.response = Answer(status, headers)


class CodeError(Exception):
    """google-api-core."""

    def __init__(self, status, headers=None, message=""):
        super().__init__(message)
        self.code = http.HTTPStatus(status)
        self.response = Answer(status, headers)


def urllib_error(status, headers=None, message=""):
    given = email.message.Message()
    for name, value in (headers or {}).items():
        given[name] = value
    return urllib.error.HTTPError("https://cloud.example", status, message, given, io.BytesIO())


SHAPES = [StatusCodeError, ResponseError, CodeError, urllib_error]

BY_STATUS = {
    ErrorClass.BAD_REQUEST: (400, 402, 405, 406, 409, 411, 412 + 1, 414, 415, 417, 418, 422, 431, 451),
    ErrorClass.AUTH: (401, 403),
    ErrorClass.NOT_FOUND: (404, 410),
    ErrorClass.TRANSIENT: (408, 412, 425, 429, 500, 502, 503, 504),
    ErrorClass.FATAL: (501, 505, 507, 511),
    ErrorClass.UNKNOWN: (300, 302, 304, 308),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("expected", "status"), [(c, s) for c, codes in BY_STATUS.items() for s in codes])
def test_b8_http_status(expected, status, shape):
    assert classify(shape(status)).error_class is expected
    assert code_of(shape(status)) == str(status)


def test_b8_412_means_that_the_source_changed():
    assert [status for status in range(300, 600) if classify(StatusCodeError(status)).restart] == [412]


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("deadline exceeded"),
        ConnectionResetError(),
        ConnectionRefusedError(),
        BrokenPipeError(),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(errno.ENOSPC, "a resolver's own number, not the disk's"),
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected(),
        http.client.BadStatusLine("?"),
        ssl.SSLEOFError(),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
    ],
    ids=repr,
)
def test_b7_no_answer_is_transient(error):
    assert classify(error).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    ("status", "expected"), [(429, "transient"), (401, "auth"), (404, "not_found"), (400, "bad_request")]
)
def test_b7_status(status, expected):
    assert classify(StatusCodeError(status)).error_class == expected


@given(
    message=st.sampled_from(
        ["403 Forbidden", "invalid", "timeout", "500", "No space left on device", "NoSuchKey", ""]
    )
)
def test_b7_the_text_does_not_matter(message):
    for status in (401, 404, 429, 500):
        assert classify(StatusCodeError(status, message=message)) == classify(StatusCodeError(status))
    assert classify(Exception(message)).error_class is ErrorClass.UNKNOWN
    assert classify(duckdb.IOException(message)).error_class is ErrorClass.UNKNOWN
    assert classify(OSError(message)).error_class is ErrorClass.UNKNOWN


@pytest.mark.parametrize("code", [True, 0, 5, 42, 200, 999, "503", None])
def test_b7_a_code_that_is_no_http_error_says_nothing(code):
    error = Exception()
    error.code = code
    assert classify(error).error_class is ErrorClass.UNKNOWN


def test_b98_a_bare_exception_with_a_number_is_unknown():
    assert classify(Exception("429")).error_class is ErrorClass.UNKNOWN
    assert code_of(Exception("429")) == "Exception"


def wrapped(*errors, by="cause"):
    """Each error raised while the next was handled; the first is the outermost."""
    outer = errors[0]
    link = outer
    for inner in errors[1:]:
        setattr(link, f"__{by}__", inner)
        link = inner
    return outer


@pytest.mark.parametrize("by", ["cause", "context"])
def test_b98_a_classified_error_deep_in_the_chain_decides(by):
    inner = SourceError("gone", error_class=ErrorClass.NOT_FOUND, hint="look elsewhere")
    verdict = classify(wrapped(ValueError(), ConnectionError(), OSError(errno.ENOSPC, ""), inner, by=by))
    assert verdict.error_class is ErrorClass.NOT_FOUND
    assert verdict.hint == "look elsewhere"


def test_b98_everything_a_classified_error_says_is_kept():
    inner = SourceError("slow", error_class=ErrorClass.TRANSIENT, retry_after=7.5, restart=True, hint="wait")
    verdict = classify(wrapped(StatusCodeError(404), inner))
    assert (verdict.error_class, verdict.retry_after, verdict.restart, verdict.hint) == (
        "transient",
        7.5,
        True,
        "wait",
    )


def test_b98_from_none_ends_the_chain():
    outer = wrapped(ValueError(), SourceError("x", error_class=ErrorClass.AUTH), by="context")
    outer.__suppress_context__ = True
    assert classify(outer).error_class is ErrorClass.UNKNOWN


def test_b98_an_unclassified_chain_takes_its_outermost_answer():
    assert (
        classify(wrapped(ValueError(), StatusCodeError(404), StatusCodeError(503))).error_class
        is ErrorClass.NOT_FOUND
    )
    assert code_of(wrapped(ValueError(), StatusCodeError(404))) == "404"


def test_b98_a_chain_that_bites_its_tail_ends():
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    assert classify(first).error_class is ErrorClass.UNKNOWN


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("86400", 86400.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
    ],
)
def test_b99_retry_after_in_seconds_and_as_a_date(shape, name, value, seconds):
    verdict = classify(shape(429, {name: value}), now=lambda: NOW)
    assert verdict.error_class is ErrorClass.TRANSIENT
    assert verdict.retry_after == seconds


def test_b99_only_a_transient_answer_has_a_delay():
    assert classify(StatusCodeError(503, {"Retry-After": "5"})).retry_after == 5
    for status in (403, 412, 501):
        assert classify(StatusCodeError(status, {"Retry-After": "5"})).retry_after is None


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, ""), OSError(errno.EDQUOT, ""), MemoryError(), duckdb.OutOfMemoryException("")],
    ids=repr,
)
@pytest.mark.parametrize("outer", [None, ConnectionError(), StatusCodeError(503)], ids=repr)
def test_what_is_broken_here_is_fatal_whatever_wraps_it(error, outer):
    verdict = classify(error if outer is None else wrapped(outer, error))
    assert verdict.error_class is ErrorClass.FATAL
    assert verdict.hint


def test_a_refused_certificate_is_fatal_and_names_the_setting():
    verdict = classify(
        wrapped(ConnectionError(), urllib.error.URLError("tls"), ssl.SSLCertVerificationError())
    )
    assert verdict.error_class is ErrorClass.FATAL
    assert "SSL_CERT_FILE" in verdict.hint


def test_local_files(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "none").read_bytes()
    verdict = classify(missing.value)
    assert verdict.error_class is ErrorClass.NOT_FOUND
    assert str(tmp_path / "none") in verdict.hint
    assert classify(PermissionError(errno.EACCES, "no", "/etc/shadow")).error_class is ErrorClass.AUTH
    assert "/etc/shadow" in classify(PermissionError(errno.EACCES, "no", "/etc/shadow")).hint


@pytest.mark.parametrize("sql", ["SELECT nothing", "SELECT * FROM nowhere"])
def test_a_broken_schema_is_fatal(sql):
    with duckdb.connect() as con, pytest.raises(duckdb.Error) as caught:
        con.execute(sql)
    assert classify(caught.value).error_class is ErrorClass.FATAL


def test_a_name_alone_does_not_make_a_duckdb_error():
    impostor = type("OutOfMemoryException", (Exception,), {"__module__": "elsewhere"})
    assert classify(impostor()).error_class is ErrorClass.UNKNOWN


def test_duckdb_says_disk_full_in_its_text_only():
    """Remove the note in `classify`, and judge by errno, on the day this fails."""
    with duckdb.connect() as con, pytest.raises(duckdb.IOException) as caught:
        con.execute("COPY (SELECT range FROM range(100000)) TO '/dev/full' (FORMAT csv)")
    assert not hasattr(caught.value, "errno")
    assert classify(caught.value).error_class is ErrorClass.UNKNOWN


def test_classify_needs_no_heavy_import():
    import ogf.runner.classify as module

    assert "import duckdb" not in inspect.getsource(module)


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (TimeoutError("timed out"), "no answer in time"),
    ],
)
def test_no_connection_is_said_in_words_with_the_host(cause, why):
    class LibraryError(Exception):
        request = SimpleNamespace(url="https://user:word@cloud.test:8443/path?sig=secret")

    error = LibraryError("HTTPSConnectionPool(host=…): Max retries exceeded")
    error.__cause__ = cause
    assert no_connection(error) == f"no connection to cloud.test:8443: {why}"
    assert no_connection(ValueError("no connection")) == ""
