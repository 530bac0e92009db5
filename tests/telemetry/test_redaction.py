"""B104 and B103: what is masked, by part of the key and wherever it appears in text."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.redaction import MASK, SENSITIVE, Redactor, is_sensitive, redact

PLANTED = "hunter2-planted"


@pytest.mark.parametrize("word", SENSITIVE)
def test_b104_a_key_is_sensitive_when_it_contains_a_word_in_any_case(word):
    key = word.rstrip("=")
    assert is_sensitive(key)
    assert is_sensitive(f"aws_{key}".upper())
    assert Redactor().mapping({f"my_{key}": PLANTED}) == {f"my_{key}": MASK}


@pytest.mark.parametrize(
    "key",
    ["access_key_id", "client_secret", "service_account_key", "X-Api-Key", "Set-Cookie", "sig", "next_token"],
)
def test_b104_keys_the_original_let_through(key):
    assert is_sensitive(key)


@pytest.mark.parametrize(
    "key", ["provider", "stream", "partition", "rows", "region", "signal", "key", "next_link"]
)
def test_ordinary_keys_stay_readable(key):
    assert not is_sensitive(key)


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4&X-Amz-Signature={PLANTED}&x=1 failed",
        f"GET https://b.s3.amazonaws.com/k?X-Amz-Credential={PLANTED}%2F2026%2Fus-east-1",
        f"https://b/k?X-Amz-Security-Token={PLANTED}&y=2",
        f"https://b/k?x-amz-signature={PLANTED}",
        f"https://login/?redirect=https%3A%2F%2Fb%3FX-Amz-Signature%3D{PLANTED}%26z%3D1",
        f"https://a.blob.core.windows.net/c/b?sv=2024&sig={PLANTED}%3D&se=2026",
        f"https://storage.googleapis.com/b/o?X-Goog-Signature={PLANTED}",
        f"Authorization: Bearer {PLANTED}",
        f"authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature={PLANTED}",
        f"Proxy-Authorization: Basic {PLANTED}",
        f"{{'Authorization': 'Bearer {PLANTED}', 'Accept': '*/*'}}",
        f'{{"Authorization": "Bearer {PLANTED}", "Accept": "*/*"}}',
        f'{{\\"client_secret\\": \\"{PLANTED}\\"}}',
        f'{{"client_secret": "{PLANTED}"}}',
        f"sent with bearer {PLANTED}",
        f"grant_type=client_credentials&client_secret={PLANTED}",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={PLANTED};",
        f"https://user:{PLANTED}@proxy:8080/",
        f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\\n{PLANTED}\\n",
    ],
)
def test_b104_text_loses_signatures_headers_and_credentials(text):
    assert PLANTED not in redact(text)
    assert MASK in redact(text)
    assert redact(redact(text)) == redact(text)


def test_b104_what_surrounds_a_signature_stays():
    url = f"https://b/k?part=3&X-Amz-Signature={PLANTED}&versionId=7"
    assert redact(url) == f"https://b/k?part=3&X-Amz-Signature={MASK}&versionId=7"
    assert redact("Authorization: Bearer abcdefgh\nHost: b") == f"Authorization: {MASK}\nHost: b"


@pytest.mark.parametrize(
    "text",
    ["12 rows of cur/2026-01 loaded", "region=us-east-1 rows=3", "a signed URL", "token bucket is empty"],
)
def test_ordinary_text_stays_as_it_is(text):
    assert redact(text) == text


def test_b103_configured_secrets_are_masked_in_every_spelling():
    secret = 'p@ss "word"\nsecond/line é'
    from urllib.parse import quote

    for spelling in (
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(secret),
        quote(secret, safe=""),
    ):
        assert redact(f"it was {spelling}!", [secret]) == f"it was {MASK}!"


def test_a_secret_inside_another_leaves_nothing_behind():
    assert redact("abcdefgh", ["abcd", "abcdefgh"]) == MASK


def test_values_too_short_to_hide_are_left_alone():
    assert redact("a b c", ["a", ""]) == "a b c"


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4 and text.strip() not in MASK))
def test_b103_no_text_keeps_a_secret(secret):
    assert secret.strip() not in redact(f"before {secret} after", [secret]).replace(MASK, "")


def test_nested_values_are_masked_and_become_plain():
    class Client:
        def __str__(self) -> str:
            return f"Client(password={PLANTED})"

    event = {
        "headers": [{"Authorization": f"Bearer {PLANTED}"}, (f"sig={PLANTED}",)],
        "client": Client(),
        "path": Path("a"),
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "number": 12345678,
        "share": 0.5,
        "token": None,
        "done": True,
        "set": {"x"},
    }
    masked = Redactor(["12345678"]).mapping(event)
    assert masked == {
        "headers": [{"Authorization": MASK}, [f"sig={MASK}"]],
        "client": f"Client(password={MASK}",
        "path": "a",
        "at": "2026-01-01T00:00:00+00:00",
        "number": MASK,
        "share": 0.5,
        "token": None,
        "done": True,
        "set": ["x"],
    }
    assert PLANTED not in repr(Redactor([PLANTED]))
