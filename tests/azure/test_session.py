from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import traceback

import pytest
from azure.azure_fake import ARM_SCOPE, CLIENT, SECRET, TENANT, reply, subscription
from werkzeug import Response

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf_azure import session
from ogf_azure.arm import ArmError, Server, call
from ogf_azure.clouds import STORAGE_SCOPE
from ogf_azure.errors import classify, located
from ogf_azure.session import blob_service, credential, credentials_source, http_client, token

VERSION = {"api-version": "2022-12-01"}


def listed(settings) -> list[str]:
    """One call of ARM, as the plugin makes them."""
    answer = call(settings, "GET", "/subscriptions", params=VERSION)
    return [one["subscriptionId"] for one in json.loads(answer.body)["value"]]


def failure(settings) -> SourceError:
    with pytest.raises(SourceError) as caught:
        token(settings, ARM_SCOPE)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_importing_the_plugins_modules_imports_no_sdk():
    program = (
        "import sys, ogf_azure.session, ogf_azure.arm, ogf_azure.errors, ogf_azure.settings;"
        "sys.exit(any(name in sys.modules for name in ('azure.core', 'azure.identity', 'msal', 'httpx2', 'duckdb')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_b30_equal_settings_share_one_credential_and_one_set_of_connections(azure):
    assert credential(azure.settings()) is credential(azure.settings(page_size=7))
    assert http_client(azure.settings()) is http_client(azure.settings(page_size=7))
    other = azure.settings(client_secret="another")
    assert credential(azure.settings()) is not credential(other)
    assert SECRET not in repr(credential(azure.settings()))
    assert CLIENT in credentials_source(other)


def test_b33_one_token_serves_many_requests(azure):
    for _ in range(5):
        assert listed(azure.settings()) == [subscription(1)]
    assert azure.token_calls == 1
    assert {one.headers["authorization"] for one in azure.asked("GET /subscriptions")} == {
        "Bearer planted-access-token-1"
    }


def test_b33_each_scope_has_a_token_of_its_own(azure):
    assert token(azure.settings(), ARM_SCOPE) != token(azure.settings(), STORAGE_SCOPE)
    assert token(azure.settings(), ARM_SCOPE) == "planted-access-token-1"


def test_b33_many_threads_make_one_token_call(azure):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(token(azure.settings(), ARM_SCOPE))) for _ in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    assert len(set(found)) == azure.token_calls == 1


def test_b51_an_unexpired_token_is_reused_until_five_minutes_before_its_end(azure):
    azure.token_life = 330
    assert token(azure.settings(), ARM_SCOPE) == token(azure.settings(), ARM_SCOPE)
    assert azure.token_calls == 1


def test_b34_a_token_is_renewed_five_minutes_before_its_end(azure):
    azure.token_life = 299
    assert token(azure.settings(), ARM_SCOPE) != token(azure.settings(), ARM_SCOPE)
    assert azure.token_calls == 2


def test_b34_a_token_withdrawn_in_mid_chain_is_renewed_once_and_the_request_repeated(azure):
    settings = azure.settings()
    listed(settings)
    azure.expire_tokens()
    assert listed(settings) == [subscription(1)]
    assert azure.token_calls == 2
    assert [one.status for one in azure.asked("GET /subscriptions")] == [200, 401, 200]
    listed(settings)
    assert azure.token_calls == 2


def test_b34_a_second_401_is_a_refusal(azure):
    azure.fail("GET /subscriptions", 401, "InvalidAuthenticationToken", times=5)
    with pytest.raises(ArmError) as caught:
        listed(azure.settings())
    assert (caught.value.status, caught.value.code) == (401, "InvalidAuthenticationToken")
    assert classify(caught.value).error_class is ErrorClass.AUTH
    assert azure.count("GET /subscriptions") == azure.token_calls == 2


def test_b34_threads_that_are_refused_together_renew_together(azure):
    settings, found = azure.settings(), []
    old = token(settings, ARM_SCOPE)
    threads = [
        threading.Thread(target=lambda: found.append(session.renew(settings, ARM_SCOPE, old)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"planted-access-token-2"}


def test_b34_the_next_token_makes_the_claims_that_a_401_demands(azure):
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    coded = base64.b64encode(claims.encode()).decode()
    header = f'Bearer authorization_uri="x", error="insufficient_claims", claims="{coded}"'
    azure.answer("GET /subscriptions", {}, 401, {"WWW-Authenticate": header})
    assert listed(azure.settings()) == [subscription(1)]
    assert "nbf" in azure.asked("oauth2/v2.0/token")[-1].form["claims"]


def test_b35_a_token_endpoint_that_fails_twice_gives_a_token_at_the_third_attempt(azure):
    """MSAL remembers refusals for some seconds; here each attempt really asks."""
    azure.answer("/oauth2/v2.0/token", "<html>", 503, times=2)
    for _ in range(2):
        assert failure(azure.settings()).error_class is ErrorClass.TRANSIENT
    assert token(azure.settings(), ARM_SCOPE)
    assert azure.token_calls == 3


def test_b35_the_wait_that_the_token_endpoint_asks_for_is_kept(azure):
    azure.answer("/oauth2/v2.0/token", {"error": "temporarily_unavailable"}, 429, {"Retry-After": "17"})
    error = failure(azure.settings())
    assert (error.error_class, error.retry_after) == (ErrorClass.TRANSIENT, 17)
    assert azure.token_calls == 1


def test_b35_trouble_in_finding_the_token_endpoint_is_transient(azure):
    azure.answer("openid-configuration", "<html>", 502)
    assert failure(azure.settings()).error_class is ErrorClass.TRANSIENT
    assert token(azure.settings(), ARM_SCOPE)


def test_b35_an_authority_that_cannot_be_reached_is_transient(azure):
    error = failure(azure.settings(authority_url="https://127.0.0.1:9"))
    assert error.error_class is ErrorClass.TRANSIENT
    assert error.where == "https://127.0.0.1:9"


def test_b35_a_wrong_secret_is_refused_after_one_call(azure):
    error = failure(azure.settings(client_secret="wrong"))
    assert error.error_class is ErrorClass.AUTH
    assert "AADSTS7000215" in error.message
    assert "not to its id" in error.hint
    assert azure.token_calls == 1


@pytest.mark.parametrize(
    ("number", "hint"),
    [(7000222, "has expired"), (700016, "`client_id`"), (7000112, "disabled"), (700024, "clock"),
     (53003, "Conditional Access"), (1234567, "AADSTS number")],
)  # fmt: skip
def test_bad_input_the_aadsts_code_is_explained(azure, number, hint):
    azure.refuse_tokens(number, status=400)
    error = failure(azure.settings())
    assert error.error_class is ErrorClass.AUTH
    assert f"AADSTS{number}" in error.message
    assert "Trace" not in error.where
    assert hint in error.hint


def test_bad_input_a_wrong_tenant_is_explained(azure):
    error = failure(azure.settings(tenant_id=TENANT.replace("1", "9")))
    assert error.error_class is ErrorClass.AUTH
    assert "AADSTS90002" in error.message
    assert "`tenant_id`" in error.hint
    assert azure.token_calls == 0


def test_a_failing_credential_is_not_told_beside_us(azure, caplog):
    failure(azure.settings(client_secret="wrong"))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_without_a_secret_the_environment_gives_the_credentials(azure, monkeypatch):
    nothing = dict.fromkeys(("tenant_id", "client_id", "client_secret"))
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    settings = azure.settings(**nothing)
    assert listed(settings) == [subscription(1)]
    assert "DefaultAzureCredential" in credentials_source(settings)


def test_a_private_authority_must_be_named(azure):
    with pytest.raises(SourceError) as caught:
        token(azure.settings(ca_bundle=None), ARM_SCOPE)
    assert caught.value.error_class is ErrorClass.FATAL
    assert "`ca_bundle`" in caught.value.hint
    with pytest.raises(SourceError) as caught, located("ARM"):
        http_client(azure.settings(ca_bundle=None)).get(azure.url)
    assert caught.value.error_class is ErrorClass.FATAL
    assert "`ca_bundle`" in caught.value.hint


def test_a_bundle_of_the_environment_is_used_too(azure, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.ca))
    assert listed(azure.settings(ca_bundle=None)) == [subscription(1)]


def test_a_bundle_that_cannot_be_read_is_named(azure, tmp_path):
    with pytest.raises(ConfigError, match="ca_bundle"):
        http_client(azure.settings(ca_bundle=str(tmp_path / "absent.pem")))


def test_b39_a_post_sends_its_body_and_204_is_no_data(azure):
    azure.route("POST", "/x", lambda request: reply(request.get_json()))
    azure.route("POST", "/empty", lambda request: None)
    answer = call(azure.settings(), "POST", "/x", params={"api-version": "1"}, body={"a": [1]})
    assert json.loads(answer.body) == {"a": [1]}
    assert azure.asked("/x")[0].query == {"api-version": "1"}
    assert call(azure.settings(), "POST", "/empty") is None


def test_b40_a_throttled_post_is_asked_once_and_left_to_the_runner(azure):
    azure.fail("POST /x", 429, "TooManyRequests", retry_after="7")
    with pytest.raises(ArmError) as caught:
        call(azure.settings(), "POST", "/x", body={})
    verdict = classify(caught.value)
    assert (verdict.error_class, verdict.retry_after) == (ErrorClass.TRANSIENT, 7)
    assert azure.count("POST /x") == 1


def test_a_slow_answer_ends_in_time_and_is_transient(azure):
    token(azure.settings(), ARM_SCOPE)
    azure.slow("GET /subscriptions", 2.5)
    with pytest.raises(SourceError) as caught:
        listed(azure.settings(request_timeout=1))
    assert caught.value.error_class is ErrorClass.TRANSIENT


def test_an_answer_that_is_cut_short_is_transient(azure):
    azure.cut("GET /subscriptions")
    with pytest.raises(SourceError) as caught:
        listed(azure.settings())
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert caught.value.where == f"{azure.url}/subscriptions"


def test_a_servers_own_headers_are_sent_and_not_shown(azure):
    azure.route("GET", "/x", lambda request: {"key": request.headers["X-Key"]})
    server = Server(azure.url, ARM_SCOPE, {"X-Key": "planted-key"})
    assert b"planted-key" in call(azure.settings(), "GET", "/x", server=server).body
    assert "planted-key" not in repr(server)


def test_the_blob_client_uses_the_same_tokens(azure):
    nothing = Response(
        "<EnumerationResults><Containers/></EnumerationResults>", content_type="application/xml"
    )
    azure.route("GET", "/demo/", lambda _: nothing, scopes=frozenset({STORAGE_SCOPE}))
    settings = azure.settings(blob_endpoint_url=azure.url)
    assert list(blob_service(settings, "demo").list_containers()) == []
    assert blob_service(settings, "demo") is blob_service(settings, "demo")
    assert token(settings, STORAGE_SCOPE) == "planted-access-token-1"
    assert azure.token_calls == 1
