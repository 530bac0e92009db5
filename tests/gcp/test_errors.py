from __future__ import annotations

import importlib
import json
import ssl
import time
from email.utils import formatdate

import pytest
import requests
from gcp.google_fake import error_body
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from ogf.errors import ErrorClass, SourceError
from ogf.runner.classify import classify as core_classify
from ogf_gcp.errors import JOB_REASONS, classify, located, message, reason, rules

# Written out again on purpose: the table in the plugin must not be able to change unnoticed (B97).
REASONS = {
    "transient": """
        rateLimitExceeded userRateLimitExceeded backendError internalError badGateway tableUnavailable
        jobBackendError jobInternalError jobRateLimitExceeded conditionNotMet""",
    "auth": """
        accessDenied billingNotEnabled blocked USER_PROJECT_DENIED invalid_grant accessNotConfigured
        SERVICE_DISABLED invalid_client unauthorized_client""",
    "not_found": "notFound",
    "bad_request": """
        invalid invalidQuery responseTooLarge resourcesExceeded resourceInUse timeout bytesBilledLimitExceeded""",
    "fatal": "quotaExceeded notImplemented stopped",
}
TYPES = {
    "transient": [
        api.ServiceUnavailable, api.TooManyRequests, api.ResourceExhausted, api.InternalServerError, api.BadGateway,
        api.GatewayTimeout, api.DeadlineExceeded, api.Aborted, api.Unknown, api.DataLoss, api.PreconditionFailed,
        auth.TransportError, auth.TimeoutError, requests.ConnectionError, requests.ConnectTimeout,
        requests.ReadTimeout, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError,
    ],
    "auth": [
        api.Unauthorized, api.Unauthenticated, api.Forbidden, api.PermissionDenied, auth.DefaultCredentialsError,
        auth.MalformedError, auth.RefreshError, auth.ReauthFailError, auth.MutualTLSChannelError,
    ],
    "not_found": [api.NotFound],
    "bad_request": [api.BadRequest, api.InvalidArgument, api.FailedPrecondition, api.OutOfRange, api.Conflict],
    "fatal": [api.MethodNotImplemented],
}  # fmt: skip
RESTART = {"conditionNotMet", api.PreconditionFailed}


def pairs(table) -> list[tuple]:
    rows = {
        error_class: names.split() if isinstance(names, str) else names
        for error_class, names in table.items()
    }
    return [(name, error_class) for error_class, names in rows.items() for name in names]


def refused(status: int, code: str = "", *, text: str = "no", **headers: str) -> api.GoogleAPICallError:
    """An error as Google's clients make it of an answer."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response._content = json.dumps(error_body(status, code, text)).encode()
    response.request = requests.Request("GET", "http://127.0.0.1/").prepare()
    return api.from_http_response(response)


@pytest.mark.parametrize(("code", "error_class"), pairs(REASONS))
def test_b97_a_reason_has_the_class_of_its_table_row_whatever_the_status(code, error_class):
    errors = [refused(status, code) for status in (200, 400, 403, 404, 429, 500, 503)]
    if code in {"invalid_grant", "invalid_client", "unauthorized_client"}:
        errors = [auth.RefreshError(f"{code}: no", {"error": code, "error_description": "no"})]
    for error in errors:
        assert reason(error) == code
        verdict = classify(error)
        assert verdict.error_class == error_class
        assert verdict.restart is (code in RESTART)


@pytest.mark.parametrize(("kind", "error_class"), pairs(TYPES))
def test_b97_an_error_without_a_known_reason_has_the_class_of_its_type(kind, error_class):
    verdict = classify(kind("no"))
    assert verdict.error_class == error_class
    assert verdict.restart is (kind in RESTART)


def test_b97_a_token_that_could_not_be_had_is_asked_for_again_only_where_google_says_so():
    assert classify(auth.RefreshError("no", retryable=True)).error_class is ErrorClass.TRANSIENT
    assert classify(auth.RefreshError("no", retryable=False)).error_class is ErrorClass.AUTH
    assert (
        classify(auth.RefreshError("x", {"error": "server_error"}, retryable=True)).error_class == "transient"
    )


def test_b97_every_row_is_covered_by_this_table():
    assert {code for code, _ in pairs(REASONS)} == {code for code in rules() if "." not in code}


def test_b97_a_job_that_failed_inside_needs_a_new_id():
    assert {"jobBackendError", "jobInternalError", "jobRateLimitExceeded"} == JOB_REASONS


@pytest.mark.parametrize("code", [code for code in rules() if "." in code])
def test_every_type_in_the_table_exists(code):
    module, _, name = code.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), Exception)


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("rateLimitExceeded", "transient"),
        ("accessDenied", "auth"),
        ("quotaExceeded", "fatal"),
        ("responseTooLarge", "bad_request"),
        ("somethingNew", "auth"),
        ("", "auth"),
    ],
)
def test_b100_a_403_of_bigquery_means_what_its_reason_says(code, error_class):
    verdict = classify(refused(403, code, text="429 backendError"))
    assert verdict.error_class == error_class
    assert verdict.hint or error_class == "transient"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("bytesBilledLimitExceeded", "`maximum_bytes_billed`"),
        ("notFound", "location"),
        ("accessDenied", "roles/bigquery.dataViewer"),
        ("accessDenied", "roles/bigquery.jobUser"),
        ("quotaExceeded", "quota"),
        ("USER_PROJECT_DENIED", "roles/serviceusage.serviceUsageConsumer"),
        ("invalid_grant", "service_account_key"),
    ],
)
def test_a_hint_names_what_to_do(code, words):
    assert words in rules()[code].hint


def test_every_reason_that_ends_a_run_says_what_to_do_or_leaves_it_to_the_message():
    silent = {rule.code for rule in rules().values() if not rule.hint and rule.error_class != "transient"}
    assert silent == {
        "invalid", "google.api_core.exceptions.BadRequest", "google.api_core.exceptions.Conflict"
    }  # fmt: skip


def test_a_reason_of_grpc_is_read_too():
    from google.rpc.error_details_pb2 import ErrorInfo

    error = api.PermissionDenied(
        "no", error_info=ErrorInfo(reason="SERVICE_DISABLED"), errors=(Exception("an error of gRPC"),)
    )
    assert reason(error) == "SERVICE_DISABLED"
    assert "enable the API" in classify(error).hint


def test_the_quota_project_is_told_apart_from_the_table_by_its_details():
    body = error_body(403, "forbidden")
    body["error"]["details"] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "USER_PROJECT_DENIED"}
    ]
    error = refused(403)
    error.response._content = json.dumps(body).encode()
    assert "serviceUsageConsumer" in classify(api.from_http_response(error.response)).hint


def test_what_nothing_is_known_of_is_left_to_the_core():
    for error in (
        ValueError("accessDenied"),
        ConnectionError("no"),
        TimeoutError(),
        refused(408),
        refused(410),
    ):
        assert classify(error) is None
    assert core_classify(refused(408)).error_class is ErrorClass.TRANSIENT
    assert core_classify(refused(410)).error_class is ErrorClass.NOT_FOUND


@pytest.mark.parametrize("outer", [requests.exceptions.SSLError, auth.TransportError])
def test_a_rejected_certificate_is_left_to_the_core_which_looks_at_its_cause(outer):
    error = outer("no")
    error.__cause__ = ssl.SSLCertVerificationError("no")
    assert classify(error) is None
    assert core_classify(error).error_class is ErrorClass.FATAL


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("0", 0), ("soon", None), ("-5", None)])
def test_the_wait_asked_for_is_honoured(header, seconds):
    assert classify(refused(503, "backendError", **{"Retry-After": header})).retry_after == seconds


def test_a_wait_may_be_a_date_and_means_nothing_where_nothing_is_retried():
    later = formatdate(time.time() + 60, usegmt=True)
    assert classify(refused(429, **{"Retry-After": later})).retry_after == pytest.approx(60, abs=2)
    assert classify(refused(403, "accessDenied", **{"Retry-After": "9"})).retry_after is None


def test_an_error_is_located_with_the_hint_of_its_place():
    with pytest.raises(SourceError) as caught, located("gs://bucket/a", {"notFound": "look there"}):
        raise refused(404, "notFound")
    assert str(caught.value).startswith("gs://bucket/a: ")
    assert caught.value.hint == "look there"
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    with pytest.raises(ZeroDivisionError), located("gs://bucket/a"):
        raise ZeroDivisionError


def test_of_a_refused_token_only_the_error_is_told():
    answer = {"error": "invalid_grant", "error_description": "Invalid JWT", "id_token": "planted"}
    assert message(auth.RefreshError("invalid_grant: Invalid JWT", answer)) == (
        "Google gave no access token: invalid_grant: Invalid JWT"
    )
    assert "planted" not in message(
        auth.RefreshError("No access token in response.", {"id_token": "planted"})
    )
    assert message(auth.RefreshError()) == "Google gave no access token: "
    body = json.dumps(error_body(403, message="iam.serviceAccounts.getAccessToken denied"))
    assert "getAccessToken denied" in message(auth.RefreshError("Unable to acquire", body))
