from __future__ import annotations

import json
import pickle
import time
from email.utils import formatdate

import httpx2
import pytest
import requests
from azure.azure_fake import arm_error, entra_error
from azure.core import exceptions as core
from azure.core.pipeline.transport import RequestsTransportResponse
from azure.identity import CredentialUnavailableError

from ogf.errors import ErrorClass, SourceError
from ogf.runner.classify import classify as core_classify
from ogf_azure.arm import call
from ogf_azure.errors import ArmError, TokenError, classify, located, retry_after, rules

# Written out again on purpose: the table in the plugin must not be able to change unnoticed (B97).
CODES = {
    "transient": """TooManyRequests ServerBusy ServerTimeout OperationTimedOut InternalServerError
        ServiceUnavailable ConditionNotMet AADSTS90033 temporarily_unavailable""",
    "auth": """InvalidAuthenticationToken ExpiredAuthenticationToken InvalidAuthenticationTokenTenant
        AuthorizationFailed RBACAccessDenied AuthorizationPermissionMismatch AADSTS7000215 AADSTS7000222
        AADSTS700016 AADSTS90002 AADSTS700024 invalid_client""",
    "not_found": "SubscriptionNotFound ResourceNotFound ContainerNotFound BlobNotFound",
    "bad_request": "BlobArchived",
}
STATUSES = {
    "transient": [408, 412, 425, 429, 500, 502, 503, 504],
    "auth": [401, 403],
    "not_found": [404, 410],
    "bad_request": [400, 405, 409, 413, 422, 451],
    "fatal": [501, 505, 507],
}
TYPES = {
    "transient": [
        core.ServiceRequestError, core.ServiceRequestTimeoutError, core.ServiceResponseError,
        core.ServiceResponseTimeoutError, core.IncompleteReadError, core.ResourceModifiedError,
        httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ReadError, httpx2.ReadTimeout, httpx2.WriteTimeout,
        httpx2.PoolTimeout, httpx2.RemoteProtocolError, httpx2.ProxyError, httpx2.DecodingError,
    ],
    "auth": [core.ClientAuthenticationError, CredentialUnavailableError],
    "not_found": [core.ResourceNotFoundError],
    "bad_request": [core.ResourceExistsError, httpx2.UnsupportedProtocol],
}  # fmt: skip
RESTART = {"ConditionNotMet", 412, core.ResourceModifiedError}
QPU = "x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after"


def pairs(table) -> list[tuple]:
    found = {key: names.split() if isinstance(names, str) else names for key, names in table.items()}
    return [(name, error_class) for error_class, names in found.items() for name in names]


def response_of(status: int, body: object, **headers: str) -> RequestsTransportResponse:
    """An answer as azure-core hands it out."""
    answer = requests.Response()
    answer.status_code = status
    answer._content = json.dumps(body).encode()
    answer.headers.update({"Content-Type": "application/json"} | headers)
    return RequestsTransportResponse(None, answer)


@pytest.mark.parametrize(("code", "error_class"), pairs(CODES))
def test_b97_a_code_has_the_class_of_its_table_row_whatever_the_status(code, error_class):
    for status in (400, 401, 403, 404, 429, 500):
        verdict = classify(ArmError(status, code, "no"))
        assert verdict.error_class == error_class
        assert verdict.restart is (code in RESTART)


@pytest.mark.parametrize(("status", "error_class"), pairs(STATUSES))
def test_b97_an_unknown_code_leaves_it_to_the_status(status, error_class):
    for code in ("", str(status), "NobodyHasHeardOfThis"):
        verdict = classify(ArmError(status, code))
        assert verdict.error_class == error_class
        assert verdict.restart is (status in RESTART)


@pytest.mark.parametrize(("kind", "error_class"), pairs(TYPES))
def test_b97_a_class_without_an_answer_has_its_row(kind, error_class):
    verdict = classify(kind("no"))
    assert verdict.error_class == error_class
    assert verdict.restart is (kind in RESTART)


def test_b97_every_row_that_needs_the_user_tells_what_to_do():
    for rule in rules().values():
        if rule.error_class in {ErrorClass.AUTH, ErrorClass.NOT_FOUND, ErrorClass.FATAL}:
            assert rule.hint, rule


@pytest.mark.parametrize("number", [7000222, 123456789])
def test_b97_a_4xx_of_the_token_endpoint_is_auth_and_a_5xx_is_transient(number):
    for status in (400, 401, 403):
        assert classify(TokenError(status, f"AADSTS{number}")).error_class is ErrorClass.AUTH
        error = core.ClientAuthenticationError(response=response_of(status, entra_error(number)))
        assert classify(error).error_class is ErrorClass.AUTH
    for status in (429, 500, 503):
        assert classify(TokenError(status)).error_class is ErrorClass.TRANSIENT


def test_b97_what_azure_identity_wraps_decides():
    for cause in (core.ServiceRequestError("no route"), core.ServiceResponseError("reset")):
        with pytest.raises(core.ClientAuthenticationError) as caught:
            raise core.ClientAuthenticationError("Authentication failed") from cause
        assert classify(caught.value).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [ValueError("429"), RuntimeError("AuthorizationFailed"), SourceError("x", error_class=ErrorClass.AUTH)],
)
def test_b98_errors_of_others_and_texts_decide_nothing(error):
    assert classify(error) is None


def test_b98_a_number_in_a_text_decides_nothing():
    assert (
        classify(ArmError(400, "", "429 TooManyRequests AuthorizationFailed")).error_class
        is ErrorClass.BAD_REQUEST
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7), ({"retry-after": "0"}, 0), ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25), ({QPU: "11"}, 11), ({QPU.title(): "11"}, 11),
        ({"x-ms-ratelimit-microsoft.costmanagement-entity-retry-after": "3"}, 3),
        ({"x-ms-ratelimit-microsoft.consumption-retry-after": "9"}, 9),
        ({"Retry-After": "2", QPU: "30", "x-ms-ratelimit-microsoft.costmanagement-tenant-retry-after": "60",
          "x-ms-retry-after-ms": "61500"}, 61.5),
        ({"Retry-After": "soon", QPU: "5"}, 5),
        ({"Retry-After": "-1"}, None), ({"Retry-After": "nan"}, None), ({"Retry-After": "inf"}, None), ({}, None),
        ({"x-ms-ratelimit-microsoft.costmanagement-qpu-remaining": "9"}, None),
    ],
)  # fmt: skip
def test_b99_the_longest_of_all_headers_is_the_wait(headers, seconds):
    assert retry_after(headers) == seconds
    assert classify(ArmError(429, "", "", headers)).retry_after == seconds


def test_b99_an_http_date_is_understood():
    wait = retry_after({"Retry-After": formatdate(time.time() + 40, usegmt=True), QPU: "2"})
    assert 37 < wait <= 41
    assert retry_after({"Retry-After": formatdate(time.time() - 40, usegmt=True)}) == 0


def test_b99_an_error_of_azure_core_has_its_wait_too():
    error = core.HttpResponseError(response=response_of(503, arm_error("ServerBusy"), **{"Retry-After": "4"}))
    assert (classify(error).error_class, classify(error).retry_after) == (ErrorClass.TRANSIENT, 4)


def test_b99_only_what_is_asked_again_waits():
    assert classify(ArmError(403, "AuthorizationFailed", "", {"Retry-After": "5"})).retry_after is None


def test_b100_the_same_status_means_different_things():
    found = {
        code: classify(ArmError(403, code)).error_class for code in ("AuthorizationFailed", "TooManyRequests")
    }
    assert found == {"AuthorizationFailed": ErrorClass.AUTH, "TooManyRequests": ErrorClass.TRANSIENT}


def test_b100_204_is_no_error_and_200_with_denied_is_none_either(azure):
    azure.route("POST", "/empty", lambda _: None)
    denied = {"value": [], "subscriptionAccessDecisionList": [{"subscriptionId": "x", "decision": "Denied"}]}
    azure.route("POST", "/denied", lambda _: denied)
    assert call(azure.settings(), "POST", "/empty", body={}) is None
    assert json.loads(call(azure.settings(), "POST", "/denied", body={}).body) == denied


@pytest.mark.parametrize(("seconds", "said"), [(3600, "60 minutes behind"), (-1800, "30 minutes ahead of")])
def test_bad_input_a_wrong_clock_is_told_in_the_hint(seconds, said):
    date = {"Date": formatdate(time.time() + seconds, usegmt=True)}
    for error in (
        ArmError(401, "InvalidAuthenticationToken", "", date),
        TokenError(401, "AADSTS700024", "", date),
    ):
        assert f"this machine's clock is {said} the server's" in classify(error).hint
    assert (
        "clock" not in classify(ArmError(403, "AuthorizationFailed", "", date | {"Date": formatdate()})).hint
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (arm_error("AuthorizationFailed", "The client may not."), "AuthorizationFailed", "The client may not."),
        ({"code": "X", "message": "y"}, "X", "y"), ({"error": "invalid"}, "", "invalid"),
        ({"error": {"code": 403, "message": None}}, "", ""), ([], "", ""), ("<html>no</html>", "", ""),
    ],
)  # fmt: skip
def test_a_refusal_of_any_shape_is_an_arm_error(azure, body, code, message):
    azure.answer("GET /x", body, 403)
    with pytest.raises(ArmError) as caught:
        call(azure.settings(), "GET", "/x", params={"$skiptoken": "long"})
    error = caught.value
    assert (error.status, error.code, error.message) == (403, code, message)
    assert error.where == f"GET {azure.url}/x"
    assert str(error).startswith("HTTP 403")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.where, copied.headers) == (str(error), error.where, error.headers)


def test_an_error_is_told_with_its_place_and_a_special_hint():
    with pytest.raises(SourceError) as caught, located("a container", {"403": "grant it"}):
        raise core.HttpResponseError("first line\nsecond", response=response_of(403, {}))
    assert (caught.value.where, caught.value.hint) == ("a container", "grant it")
    assert "second" not in caught.value.message
    assert core_classify(caught.value).error_class is ErrorClass.AUTH
    with pytest.raises(ValueError), located("x"):
        raise ValueError
