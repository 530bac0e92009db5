from __future__ import annotations

import json
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback

import pytest
from gcp.google_fake import EMAIL, TOKEN, google, google_server, key_of, private_key
from google.auth import iam

from ogf.errors import ErrorClass, SourceError
from ogf.runner.classify import classify as core_classify
from ogf_gcp import session
from ogf_gcp.errors import located
from ogf_gcp.session import bigquery_client, credentials, credentials_source, identity, storage_client
from ogf_gcp.settings import GcpSettings

__all__ = ["google", "google_server"]

QUERIES = {"kind": "bigquery#datasetList", "datasets": []}
ACTING = "billing@key-project.iam.gserviceaccount.com"
SECRET = private_key()[40:80]


def datasets(settings) -> list:
    """One call of BigQuery's, as the plugin makes them."""
    with located("BigQuery"):
        return list(bigquery_client(settings).list_datasets(retry=None, timeout=settings.request_timeout))


def shown(error: BaseException) -> str:
    """All that a log could hold of an error."""
    return "".join(traceback.format_exception(error))


def test_importing_the_plugins_modules_imports_no_sdk():
    program = (
        "import sys, ogf_gcp.session, ogf_gcp.gs, ogf_gcp.errors, ogf_gcp.settings, ogf_gcp.names;"
        "sys.exit(any(name.split('.')[0] in ('google', 'requests', 'pyarrow', 'duckdb') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_equal_settings_share_one_client(google):
    assert bigquery_client(google.settings()) is bigquery_client(google.settings())
    assert storage_client(google.settings()) is storage_client(google.settings())
    assert credentials(google.settings()) is credentials(google.settings(page_size=5))
    assert bigquery_client(google.settings()) is not bigquery_client(google.settings(project_id="another"))


def test_threads_share_one_client(google):
    settings, found = google.settings(), []
    threads = [threading.Thread(target=lambda: found.append(bigquery_client(settings))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1


def test_b60_a_valid_key_gets_a_token_and_its_project(google):
    google.answer("/bigquery/v2/projects/key-project/datasets", QUERIES)
    settings = google.settings()
    assert datasets(settings) == []
    assert bigquery_client(settings).project == "key-project"
    assert credentials(settings).token == TOKEN
    assert credentials_source(settings) == "service_account_key of the configuration"
    assert identity(settings) == EMAIL


def test_the_configured_project_is_not_beaten_by_the_keys(google):
    google.answer("/bigquery/v2/projects/mine/datasets", QUERIES)
    assert datasets(google.settings(project_id="mine")) == []


def test_one_token_serves_many_calls(google):
    for _ in range(3):
        google.answer("/bigquery/v2/", QUERIES)
        datasets(google.settings())
    assert google.count("POST /token") == 1


def test_an_expired_key_is_an_auth_error_met_once(google):
    google.answer(
        "/token", {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, status=400
    )
    with pytest.raises(SourceError) as caught:
        datasets(google.settings())
    error = caught.value
    assert error.error_class is ErrorClass.AUTH
    assert "invalid_grant: Invalid JWT Signature." in error.message
    assert "service_account_key" in error.hint
    assert google.count("POST /token") == 1
    assert google.count("/bigquery/") == 0
    assert SECRET not in shown(error)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_of_the_token_endpoint_is_transient_and_left_to_the_runner(google, status):
    google.fail("/token", status, times=5)
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        datasets(google.settings())
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert str(status) in caught.value.message
    assert google.count("POST /token") == 1
    assert time.monotonic() - started < 0.9  # google-auth itself would wait a second before it asks again


def test_a_token_endpoint_that_is_not_there_is_transient(google):
    key = json.dumps(key_of(token_uri="http://127.0.0.1:9/token"))
    with pytest.raises(SourceError) as caught:
        datasets(google.settings(service_account_key=key))
    assert caught.value.error_class is ErrorClass.TRANSIENT


def test_a_token_endpoint_that_never_answers_is_left_after_the_time_limit(silent):
    key = json.dumps(key_of(token_uri=f"{silent}/token"))
    settings = GcpSettings(service_account_key=key, endpoint_url=silent, request_timeout=1)
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        datasets(settings)
    assert caught.value.error_class is ErrorClass.TRANSIENT
    assert time.monotonic() - started < 5


def test_a_server_that_never_answers_is_left_after_the_time_limit(silent):
    started = time.monotonic()
    with pytest.raises(Exception) as caught:
        datasets(GcpSettings(project_id="p-1", endpoint_url=silent, request_timeout=1))
    assert core_classify(caught.value).error_class is ErrorClass.TRANSIENT
    assert time.monotonic() - started < 5


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    "pem",
    ["planted", "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n"],
)
def test_b61_a_private_key_that_cannot_be_read_is_a_bad_request_without_its_text(pem):
    settings = GcpSettings(service_account_key=json.dumps(key_of(private_key=pem)))
    with pytest.raises(SourceError) as caught:
        bigquery_client(settings)
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    assert "private_key" in caught.value.message
    assert "planted" not in shown(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{planted", "JSON key"), (json.dumps(key_of(private_key=None)), "lacks private_key")],
)
def test_b61_a_key_that_turned_bad_after_it_was_configured_is_a_bad_request(tmp_path, text, words):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key_of()))
    carried = pickle.dumps(GcpSettings(service_account_key=f"file:{path}", project_id="mine"))
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        bigquery_client(pickle.loads(carried))
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    assert words in caught.value.message
    assert "planted" not in shown(caught.value)


class TestDefaultCredentials:
    @pytest.fixture
    def key_file(self, google, monkeypatch, tmp_path):
        path = tmp_path / "adc.json"
        path.write_text(google.key())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    def test_are_used_without_a_key(self, key_file):
        settings = GcpSettings(project_id="mine")
        assert credentials(settings).service_account_email == EMAIL
        assert credentials_source(settings) == "the file that GOOGLE_APPLICATION_CREDENTIALS names"
        assert identity(settings) == EMAIL

    def test_are_beaten_by_a_key(self, key_file, google):
        key_file.write_text("{}")
        assert "service_account_key" in credentials_source(google.settings())

    def test_do_not_go_to_a_server_that_is_not_google(self, key_file, google):
        google.answer("/bigquery/v2/", QUERIES)
        settings = google.settings(service_account_key=None, project_id="mine")
        assert datasets(settings) == []
        assert google.authorizations == []
        assert google.count("POST /token") == 0
        assert "not Google" in credentials_source(settings)
        assert identity(settings) is None

    def test_that_are_missing_name_all_ways_to_give_some(self):
        with pytest.raises(SourceError) as caught:
            credentials_source(GcpSettings(project_id="mine"))
        assert caught.value.error_class is ErrorClass.AUTH
        for way in ("service_account_key", "GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth"):
            assert way in caught.value.hint

    @pytest.mark.parametrize(
        "text", ["planted", "{}", '{"type": "service_account", "private_key": "planted"}']
    )
    def test_that_are_malformed_are_not_echoed(self, key_file, text):
        key_file.write_text(text)
        with pytest.raises(SourceError) as caught:
            credentials(GcpSettings(project_id="mine"))
        assert caught.value.error_class is ErrorClass.AUTH
        assert "planted" not in str(caught.value)


@pytest.mark.parametrize("variable", ["BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"])
def test_an_emulator_is_asked_without_credentials(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    make = bigquery_client if variable.startswith("BIG") else storage_client
    client = make(GcpSettings(project_id="mine"))
    assert type(client._credentials).__name__ == "AnonymousCredentials"
    assert client._connection.API_BASE_URL == "http://127.0.0.1:9"


class TestImpersonation:
    @pytest.fixture
    def settings(self, google, monkeypatch):
        # The address of Google's own service, which no setting changes.
        monkeypatch.setattr(iam, "_IAM_ENDPOINT", google.url + "/iam/{}:generateAccessToken")
        return google.settings(impersonate=ACTING)

    def test_calls_carry_the_token_of_the_account_acted_as(self, google, settings):
        google.answer("/bigquery/v2/", QUERIES)
        assert datasets(settings) == []
        assert google.count(f"POST /iam/{ACTING}:generateAccessToken") == 1
        assert google.authorizations[0] == f"Bearer {TOKEN}"
        assert credentials(settings).token == f"{TOKEN}-acting"
        assert identity(settings) == ACTING
        assert credentials_source(settings).endswith(f"acting as {ACTING}")

    def test_that_is_not_allowed_names_the_role(self, google, settings):
        google.fail(":generateAccessToken", 403, "forbidden")
        with pytest.raises(SourceError) as caught:
            datasets(settings)
        assert caught.value.error_class is ErrorClass.AUTH
        assert "injected" in caught.value.message
        assert "roles/iam.serviceAccountTokenCreator" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "reason", "error_class"),
    [
        (403, "rateLimitExceeded", ErrorClass.TRANSIENT),
        (403, "accessDenied", ErrorClass.AUTH),
        (403, "quotaExceeded", ErrorClass.FATAL),
        (503, "backendError", ErrorClass.TRANSIENT),
    ],
)
def test_b100_a_403_of_bigquery_over_the_wire_is_met_once_and_read_by_its_reason(
    google, status, reason, error_class
):
    google.fail("/bigquery/v2/", status, reason, times=5, Retry_After="7")
    with pytest.raises(SourceError) as caught:
        datasets(google.settings())
    assert caught.value.error_class is error_class
    assert caught.value.retry_after == (7 if error_class is ErrorClass.TRANSIENT else None)
    assert google.count("/bigquery/v2/") == 1


def test_nothing_but_the_configured_servers_is_spoken_to(google, monkeypatch):
    asked = set()
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *args, **kw: (asked.add(host), resolve(host, *args, **kw))[1]
    )
    google.answer("/bigquery/v2/", QUERIES)
    google.put("exports", "a")
    settings = google.settings()
    datasets(settings)
    list(storage_client(settings).list_blobs("exports", retry=None, timeout=5))
    for thread in threading.enumerate():  # what google-auth asks in the background
        if "Boundary" in type(thread).__name__:
            thread.join(5)
    assert asked == {"127.0.0.1"}
    assert google.count("GET /storage/v1/b/exports?") == 0


def test_no_secret_shows(google):
    google.answer("/bigquery/v2/", QUERIES)
    settings = google.settings()
    datasets(settings)
    access = session._access(settings, "BIGQUERY_EMULATOR_HOST")
    for value in (
        settings,
        access,
        bigquery_client(settings),
        storage_client(settings),
        credentials(settings),
    ):
        for text in (repr(value), f"{value!s}"):
            assert SECRET not in text
            assert "planted" not in text
    assert SECRET.encode() not in pickle.dumps(settings)
