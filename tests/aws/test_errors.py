from __future__ import annotations

import re
import time
from email.utils import formatdate

import botocore.exceptions
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ogf.errors import ErrorClass, SourceError
from ogf_aws.errors import classify, located, permission_hints, probe, rules

# Written out again on purpose: the table in the plugin must not be able to change unnoticed (B97).
CODES = {
    "transient": """
        Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
        TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded LimitExceededException
        ProvisionedThroughputExceededException TransactionInProgressException PriorRequestNotComplete
        EC2ThrottledException SlowDown ServiceUnavailable InternalError InternalFailure InternalServerException
        InternalErrorException RequestTimeout RequestTimeoutException IDPCommunicationError OperationAborted
        PreconditionFailed InvalidNextTokenException RequestChangedException""",
    "auth": """
        AccessDenied AccessDeniedException UnauthorizedException InvalidAccessKeyId SignatureDoesNotMatch
        InvalidClientTokenId UnrecognizedClientException ExpiredToken ExpiredTokenException InvalidToken
        MissingAuthenticationToken AuthFailure OptInRequired RegionDisabledException RequestTimeTooSkewed""",
    "not_found": """
        NoSuchKey NoSuchBucket NoSuchVersion ResourceNotFoundException BillExpirationException
        DataUnavailableException""",
    "bad_request": """
        ValidationException ValidationError InvalidParameterValue InvalidArgument InvalidRequest
        MalformedPolicyDocument PackedPolicyTooLarge IllegalLocationConstraintException
        AuthorizationHeaderMalformed PermanentRedirect InvalidObjectState BillingViewHealthStatusException
        ServiceQuotaExceededException""",
    "fatal": "NotImplemented",
}
RESTART = {"PreconditionFailed", "InvalidNextTokenException", "RequestChangedException"}
STATUSES = {
    301: "bad_request", 400: "bad_request", 401: "auth", 403: "auth", 404: "not_found", 408: "transient",
    409: "bad_request", 410: "not_found", 412: "transient", 422: "bad_request", 425: "transient", 429: "transient",
    500: "transient", 501: "fatal", 502: "transient", 503: "transient", 504: "transient", 505: "fatal",
}  # fmt: skip
TYPES = {
    "transient": """
        EndpointConnectionError ConnectionClosedError ConnectTimeoutError ReadTimeoutError HTTPClientError
        IncompleteReadError ResponseStreamingError ProxyConnectionError FlexibleChecksumError""",
    "auth": """
        NoCredentialsError PartialCredentialsError CredentialRetrievalError SSOTokenLoadError
        UnauthorizedSSOTokenError TokenRetrievalError LoginRefreshRequired""",
    "bad_request": "ParamValidationError ProfileNotFound NoRegionError EndpointResolutionError",
    "fatal": "UnknownServiceError",
}


def pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, error_class) for error_class, names in table.items() for name in names.split()]


def refused(
    code: str, *, status: int = 400, operation: str = "GetObject", headers=None, message: str = "no"
) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, operation)


def raised(name: str) -> BotoCoreError:
    """An exception of botocore with whatever its text asks for."""
    kind = getattr(botocore.exceptions, name)
    return kind(**dict.fromkeys(re.findall(r"{(\w+)}", kind.fmt), "x"))


@pytest.mark.parametrize(("code", "error_class"), pairs(CODES))
def test_b97_a_code_has_the_class_of_its_table_row_whatever_the_status(code, error_class):
    for status in (400, 403, 500):
        verdict = classify(refused(code, status=status))
        assert verdict.error_class == error_class
        assert verdict.restart is (code in RESTART)


@pytest.mark.parametrize(("name", "error_class"), pairs(TYPES))
def test_a_botocore_exception_has_the_class_of_its_type(name, error_class):
    verdict = classify(raised(name))
    assert verdict.error_class == error_class
    assert not verdict.restart


@pytest.mark.parametrize(("status", "error_class"), STATUSES.items())
def test_a_bare_status_and_an_unlisted_code_go_by_the_status(status, error_class):
    for code in (str(status), "SomethingNew", ""):
        verdict = classify(refused(code, status=status))
        assert verdict.error_class == error_class
        assert verdict.restart is (status == 412)


def test_every_row_is_covered_by_this_table():
    listed = {code for code, _ in pairs(CODES)}
    assert listed == {code for code in rules() if not code.isdigit() and "." not in code}


def test_every_type_in_the_table_exists():
    for code in rules():
        module, _, name = code.rpartition(".")
        assert not module or hasattr(botocore.exceptions, name), code


def test_the_message_does_not_matter():
    assert (
        classify(refused("NoSuchKey", status=404, message="503 SlowDown throttled")).error_class
        == "not_found"
    )
    assert classify(Exception("429 ThrottlingException")) is None
    assert classify(ValueError("AccessDenied")) is None


def test_what_nothing_is_known_of_is_left_to_the_core():
    assert classify(refused("SomethingNew", status=200)) is None
    assert classify(BotoCoreError()) is None


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("ListObjectsV2", "s3:ListBucket"),
        ("GetObject", "s3:GetObject"),
        ("HeadObject", "s3:GetObject"),
        ("AssumeRole", "sts:AssumeRole"),
        ("GetCostAndUsage", "ce:GetCostAndUsage"),
        ("SomeNewOperation", "SomeNewOperation"),
    ],
)
def test_a_refusal_names_the_permission_of_the_operation(operation, permission):
    for code in ("AccessDenied", "403"):
        assert permission in classify(refused(code, status=403, operation=operation)).hint


def test_a_refused_object_may_lack_the_key_to_decrypt_it():
    assert "kms:Decrypt" in classify(refused("AccessDenied", status=403)).hint


def test_bad_credentials_are_not_answered_with_a_permission():
    for code in ("InvalidAccessKeyId", "ExpiredToken", "RequestTimeTooSkewed"):
        hint = classify(refused(code, status=403)).hint
        assert hint
        assert hint not in permission_hints().values()


@pytest.mark.parametrize("code", ["PermanentRedirect", "301", "AuthorizationHeaderMalformed"])
def test_the_wrong_region_is_named(code):
    assert "`region`" in classify(refused(code, status=301)).hint


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"retry-after": "1", "x-amz-retry-after": "2500"}, 2.5),
        ({"retry-after": "soon", "x-amz-retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_the_longest_wait_asked_for_is_honoured(headers, seconds):
    assert classify(refused("SlowDown", status=503, headers=headers)).retry_after == seconds


def test_a_wait_may_be_a_date():
    later = {"retry-after": formatdate(time.time() + 60, usegmt=True)}
    assert classify(refused("SlowDown", status=503, headers=later)).retry_after == pytest.approx(60, abs=2)
    past = {"retry-after": formatdate(0, usegmt=True)}
    assert classify(refused("SlowDown", status=503, headers=past)).retry_after == 0


def test_a_wait_means_nothing_where_nothing_is_retried():
    assert classify(refused("AccessDenied", status=403, headers={"retry-after": "9"})).retry_after is None


def test_tls_trouble_is_left_to_the_core_which_looks_at_its_cause():
    assert classify(raised("SSLError")) is None


def test_an_error_is_located():
    with pytest.raises(SourceError) as caught, located("s3://bucket/key"):
        raise refused("SlowDown", status=503, headers={"retry-after": "3"})
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert caught.value.retry_after == 3
    assert str(caught.value).startswith("s3://bucket/key: ")


def test_other_errors_pass_unlocated():
    with pytest.raises(ZeroDivisionError), located("s3://bucket/key"):
        raise ZeroDivisionError


def calling(error: Exception):
    def call(key: str) -> str:
        with located(key):
            raise error

    return call


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("403", 403), ("NoSuchKey", 404), ("404", 404)]
)
def test_a_probed_key_that_is_refused_is_not_there(code, status):
    with pytest.raises(SourceError) as caught:
        probe(calling(refused(code, status=status)), "a/manifest.json")
    assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert "s3:ListBucket" in caught.value.hint


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "ExpiredToken", "SlowDown", "NoSuchBucket"])
def test_probing_hides_no_other_error(code):
    with pytest.raises(SourceError) as caught:
        probe(calling(refused(code, status=403)), "a/manifest.json")
    assert caught.value.error_class is rules()[code].error_class


def test_a_probe_gives_what_the_call_gave():
    assert probe(str.upper, "a") == "A"
