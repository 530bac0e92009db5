"""Who is let in, as whom, and what others are told. B120, and the part of B103 that answers are."""

from __future__ import annotations

import datetime as dt
import json
import re

import jwt
import pytest
from service.conftest import JWT_SECRET, Served

ENVELOPE = {"code", "message", "status", "requestId", "timestamp"}


def token(**claims: object) -> str:
    return jwt.encode({"exp": dt.datetime.now(dt.UTC) + dt.timedelta(days=1), **claims}, JWT_SECRET, "HS256")


def problem(served: Served, path: str, status: int, method: str = "GET", **options) -> dict:
    answer = served.ask(path, method, status=status, **options)
    error = answer["error"]
    assert ENVELOPE <= set(error) <= ENVELOPE | {"detail", "fields"}
    assert error["status"] == status
    return error


def test_b120_no_credential_wrong_scope_bad_provider_wrong_method_unconfigured(served: Served) -> None:
    reader = served.token("read")
    sync = "/api/connectors/sync/gcp"
    assert problem(served, sync, 401, "POST", key="")["code"] == "unauthorized"
    assert problem(served, sync, 403, "POST", key=reader)["code"] == "forbidden"
    unknown = problem(served, "/api/connectors/sync/nimbus", 400, "POST")
    assert unknown["code"] == "invalid_provider"
    assert all(name in unknown["message"] for name in ("aws", "azure", "gcp"))
    assert problem(served, sync, 405)["code"] == "method_not_allowed"
    unconfigured = problem(served, "/api/connectors/sync/aws", 503, "POST")
    assert unconfigured["code"] == "ingestion_unavailable"
    assert "OFFGRIDFLOW_AWS_S3_BUCKET" in unconfigured["message"]


def test_b120_the_organisation_comes_from_the_credential_only(served: Served) -> None:
    other = served.token("run", org="other")
    pretend = {"X-Org-ID": "default", "X-Tenant-ID": "default"}
    path = "/api/emissions?org_id=default"
    assert served.ask(path, key=other, headers=pretend)["total"] == 0
    assert served.ask("/api/activities?org_id=default", key=other, headers=pretend)["data"] == []
    assert served.ask("/api/ingestion/logs", key=other) == []
    assert served.ask(path, headers={"X-Org-ID": "other"})["total"] > 0
    assert problem(served, "/api/connectors/sync/gcp", 403, "POST", key=other)["code"] == "other_organisation"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/metrics"])
def test_open_to_everybody_on_this_machine(served: Served, path: str) -> None:
    served.ask(path, key="")
    if path != "/":
        served.ask(path, "HEAD", key="", status=405 if path == "/metrics" else 200)


def test_metrics_through_a_proxy_need_a_key(served: Served) -> None:
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    served.ask("/metrics", key="", headers=elsewhere, status=401)
    text = served.ask("/metrics", headers=elsewhere).text
    assert 'ingestion_jobs_total{connector="gcp"' in text
    assert 'ingestion_last_success_timestamp{connector="gcp"' in text  # of the run before the service


def test_either_header(served: Served) -> None:
    served.ask("/api/jobs", key="", headers={"X-API-Key": served.key})
    served.ask("/api/jobs", headers={"X-API-Key": "wrong"})  # Authorization is looked at first


class TestWebTokens:
    def test_claims(self, served: Served) -> None:
        assert served.ask("/api/emissions", key=token(org_id="default"))["total"] > 0
        assert served.ask("/api/emissions", key=token(tenant_id="other"))["total"] == 0
        sync = "/api/connectors/test?name=gcp"
        assert problem(served, sync, 403, "POST", key=token(org_id="default", scope="read"))
        assert served.ask(sync, "POST", key=token(org_id="default", scope="read run"))["status"] == "ok"
        assert served.ask(sync, "POST", key=token(org_id="default", scopes=["admin"]))["status"] == "ok"

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            (token(), "missing_org"),
            (token(org_id="default", exp=1), "token_expired"),
            (jwt.encode({"org_id": "default"}, JWT_SECRET, "HS256"), "unauthorized"),
            (jwt.encode({"org_id": "default", "exp": 9999999999}, JWT_SECRET[::-1], "HS256"), "unauthorized"),
            (jwt.encode({"org_id": "default", "exp": 9999999999}, JWT_SECRET, "HS512"), "unauthorized"),
            (jwt.encode({"org_id": "default", "exp": 9999999999}, None, "none"), "unauthorized"),
            ("a.b.c", "unauthorized"),
        ],
        ids=["without org", "expired", "without exp", "other secret", "other algorithm", "unsigned", "no token"],
    )  # fmt: skip
    def test_refused(self, served: Served, given: str, code: str) -> None:
        assert problem(served, "/api/jobs", 401, key=given)["code"] == code


class TestKeys:
    def test_a_key_is_shown_once_and_kept_as_its_hash(self, served: Served) -> None:
        key = served.token("run", expires="90d")
        assert re.fullmatch(r"ogf_dev_[0-9a-f]{64}", key)
        served.ask("/api/jobs", key=key)
        listed = served("token", "list", "--json").stdout
        assert key not in listed
        kept = str(served.sql("FROM api_keys"))
        assert key not in kept
        assert key.removeprefix("ogf_dev_") not in kept
        assert "tests" in served("token", "list").stdout

    def test_revoked_with_its_sessions(self, served: Served) -> None:
        made = json.loads(served("token", "create", "--name", "short", "--json").stdout)
        with served.client("") as client:
            client.post("/session", json={"key": made["key"]})
            assert client.get("/api/jobs").status_code == 200
            served("token", "revoke", made["key_id"])
            said = served.until(lambda: _refused(served, made["key"]), "the refusal")
            assert "revoked" in said["message"]
            assert client.get("/api/jobs").status_code == 401
        assert "no key" in served("token", "revoke", "nope", code=2).stderr

    def test_expired(self, served: Served) -> None:
        key = served.token("read", expires="500ms")
        said = served.until(lambda: _refused(served, key), "the refusal")
        assert "expired" in said["message"]
        assert "--expires" in served("token", "create", "--name", "x", "--expires", "soon", code=2).stderr


def _refused(served: Served, key: str) -> dict | None:
    with served.client(key) as client:
        answer = client.get("/api/jobs")
    return answer.json()["error"] if answer.status_code == 401 else None


def test_nothing_that_was_sent_comes_back_or_into_the_log(served: Served) -> None:
    planted = "ogf_live_" + "5ec2e7" * 11
    for path in ("/api/jobs", f"/api/jobs/{served.key}", f"/api/reports/{served.key}"):
        for headers in (
            {"Authorization": f"Bearer {planted}"},
            {"X-API-Key": planted},
            {"Cookie": f"ogf_session={planted}"},
        ):
            with served.client("") as client:
                answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert planted not in answer.text + str(answer.headers)
    log = served.ask("/metrics").text + "".join(served.log)
    assert planted not in log
    assert served.key not in log
    assert JWT_SECRET not in log


class TestSessions:
    def test_from_key_to_cookie_and_back(self, served: Served) -> None:
        with served.client("") as client:
            assert client.get("/session").status_code == 401
            begun = client.post("/session", json={"key": served.key})
            assert {**begun.json(), "name": ""} == {
                "name": "", "org": "default", "scopes": ["admin"], "keyless": False
            }  # fmt: skip
            assert {"HttpOnly", "SameSite=strict"} <= set(begun.headers["set-cookie"].split("; "))
            assert served.key not in begun.text + str(begun.headers)
            assert client.get("/api/jobs").status_code == 200
            assert client.delete("/session").status_code == 204
            assert client.get("/api/jobs").status_code == 401

    def test_another_site_cannot_use_it(self, served: Served) -> None:
        with served.client("") as client:
            client.post("/session", json={"key": served.key})
            for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
                answer = client.post("/api/connectors/sync/gcp", headers=headers)
                assert answer.json()["error"]["code"] == "foreign_origin"
            own = client.post("/api/connectors/test?name=gcp", headers={"Origin": served.address})
            assert own.status_code == 200


def test_too_many_wrong_keys_have_to_wait(served: Served) -> None:
    with served.client("") as client:
        answers = [client.get("/api/jobs", headers={"X-API-Key": f"wrong{n}"}) for n in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
        assert answers[-1].json()["error"]["code"] == "too_many_failures"
        guessed = client.get("/api/jobs", headers={"X-API-Key": "ogf_dev_" + "0" * 64})
        assert guessed.status_code == 429
        assert client.get("/api/jobs", headers={"X-API-Key": served.key}).status_code == 200
        assert client.get("/healthz").status_code == 200
    served.ask("/api/jobs")
