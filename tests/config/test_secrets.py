"""B103 and B105: a secret can be used, but neither a dump nor a copy nor an error shows it."""

from __future__ import annotations

import copy
import json
import os
import pickle
import traceback

import pytest

from ogf.config import Secret
from ogf.errors import ConfigError

PLANTED = "hunter2-planted-value"


def test_b105_no_form_of_a_secret_shows_its_value(cloud):
    settings = cloud(client_id="id", client_secret=PLANTED)
    forms = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    forms += [json.dumps(settings.model_dump(mode="json")), pickle.dumps(settings).decode("latin-1")]
    forms += [f"{settings.client_secret}", str(settings.model_dump(mode="json"))]
    assert all(PLANTED not in form for form in forms)
    assert settings.client_secret.get_secret_value() == PLANTED


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_b105_settings_round_trip_through_pickle_without_the_secret(cloud, protocol):
    settings = cloud(client_id="id", client_secret=PLANTED, bucket="exports")
    data = pickle.dumps(settings, protocol=protocol)
    assert PLANTED.encode() not in data
    copied = pickle.loads(data)
    assert copied.model_dump(exclude={"client_secret"}) == settings.model_dump(exclude={"client_secret"})
    with pytest.raises(ConfigError, match="not sent to other processes") as error:
        copied.client_secret.get_secret_value()
    assert PLANTED not in str(error.value)


def test_b105_settings_round_trip_through_json_without_the_secret(cloud):
    settings = cloud(client_id="id", client_secret=PLANTED, pause="2.5s")
    copied = cloud.model_validate_json(settings.model_dump_json())
    assert copied.model_dump(exclude={"client_secret"}) == settings.model_dump(exclude={"client_secret"})
    with pytest.raises(ConfigError):
        copied.client_secret.get_secret_value()


def test_b105_a_secret_by_reference_is_read_again_where_it_arrives(cloud, monkeypatch, tmp_path):
    monkeypatch.setenv("READER_SECRET", PLANTED)
    path = tmp_path / "secret.txt"
    path.write_text(f"{PLANTED}\n")
    for reference in ("env:READER_SECRET", f"file:{path}"):
        settings = cloud(client_id="id", client_secret=reference)
        for copied in (
            pickle.loads(pickle.dumps(settings)),
            cloud.model_validate_json(settings.model_dump_json()),
        ):
            assert copied.client_secret.get_secret_value() == PLANTED
            assert copied == settings


def test_b105_a_travelled_secret_that_cannot_be_read_is_a_configuration_error(cloud, monkeypatch):
    monkeypatch.setenv("READER_SECRET", PLANTED)
    data = pickle.dumps(cloud(client_id="id", client_secret="env:READER_SECRET"))
    monkeypatch.delenv("READER_SECRET")
    copied = pickle.loads(data)
    assert "**********" in repr(copied)
    assert copied.client_secret == copied.client_secret
    assert hash(copied.client_secret) == hash(copied.client_secret)
    with pytest.raises(ConfigError, match="READER_SECRET"):
        copied.client_secret.get_secret_value()


def test_copies_in_the_same_process_keep_the_secret(cloud):
    settings = cloud(client_id="id", client_secret=PLANTED)
    for copied in (copy.deepcopy(settings), copy.copy(settings), settings.model_copy(update={"bucket": "b"})):
        assert copied.client_secret.get_secret_value() == PLANTED
    assert Secret(PLANTED) == Secret(PLANTED)
    assert Secret(PLANTED) != Secret("other")
    assert hash(Secret(PLANTED)) == hash(Secret(PLANTED))


def test_b108_secrets_are_text_or_a_variable_or_a_file(configure, tmp_path):
    (tmp_path / "secret.txt").write_text("from file\n")
    for written, value in [("plain", "plain"), ("env:X", "from variable"), ("file:secret.txt", "from file")]:
        config = configure(
            f"ingestion: {{cloud: {{client_id: id, client_secret: '{written}'}}}}",
            environ={"X": "from variable"},
        )
        assert config.providers["cloud"].client_secret.get_secret_value() == value
        named = configure("", environ={"OFFGRIDFLOW_CLOUD_CLIENT_SECRET": written, "X": "from variable",
                                       "OFFGRIDFLOW_CLOUD_CLIENT_ID": "id"})  # fmt: skip
        assert named.providers == config.providers


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET that it refers to is not set"),
        ("env:", "must be followed by the name"),
        ("env:not a name", "must be followed by the name"),
        ("file:nowhere.txt", "cannot be read: No such file or directory"),
        ("file:.", "cannot be read: Is a directory"),
        ("file:empty.txt", "is empty"),
        ("file:binary", "is not UTF-8 text"),
        ("", "it must be text, env:NAME or file:PATH"),
    ],
)
def test_b108_a_reference_that_leads_nowhere_is_a_configuration_error(configure, tmp_path, written, told):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"ingestion\.cloud\.client_secret") as error:
        configure(f"ingestion: {{cloud: {{client_id: id, client_secret: '{written}'}}}}")
    assert told in str(error.value)
    assert "a hidden value" in str(error.value)


@pytest.mark.parametrize(
    "yaml",
    [
        f"ingestion: {{cloud: {{client_secret: {PLANTED}}}}}",  # client_id is missing
        f"ingestion: {{cloud: {{client_secret: [{PLANTED}]}}}}",
        f"ingestion: {{cloud: {{client_id: id, client_secret: {PLANTED}, max_retries: {PLANTED}}}}}",
        f"server: {{env: production}}\nauth: {{jwt_secret: {PLANTED}}}",
        f"ingestion: {{cloud: {{places: [{{bucket: b, client_secret: [{PLANTED}]}}]}}}}",
        f"ingestion:\n  cloud:\n    client_secret: *{PLANTED}\n",
        f"ingestion:\n  cloud:\n    client_secret: !{PLANTED} x\n",
        f"ingestion:\n  cloud:\n    client_secret: '{PLANTED}\n",
        f"ingestion:\n  cloud:\n    client_secret: %{PLANTED}\n",
    ],
)
def test_b103_no_error_shows_a_planted_secret(configure, yaml):
    with pytest.raises(ConfigError) as error:
        configure(yaml)
    assert PLANTED not in "".join(traceback.format_exception(error.value))


def test_b103_secrets_lists_every_value_for_redaction(configure):
    key_file = json.dumps(
        {"type": "service_account", "private_key": "-----BEGIN\nabc", "token_uri": "https://t"}
    )
    config = configure(
        f"""
        auth: {{api_key: api-key-value, jwt_secret: jwt-secret-value}}
        ingestion:
          cloud:
            client_id: id
            client_secret: '{key_file}'
            places: [{{bucket: b, client_secret: {PLANTED}}}]
        """
    )
    assert config.secrets() == {"api-key-value", "jwt-secret-value", key_file, PLANTED, "-----BEGIN\nabc"}
    assert all(value not in repr(config) for value in config.secrets())


@pytest.mark.skipif(os.name == "nt", reason="file modes")
def test_a_secret_written_into_a_file_that_others_may_read_is_a_warning(configure, tmp_path):
    yaml = f"ingestion: {{cloud: {{client_id: id, client_secret: {PLANTED}}}}}"
    assert configure(yaml).warnings == ()
    (tmp_path / "ogf.yaml").chmod(0o640)
    (warning,) = configure().warnings
    assert "ingestion.cloud.client_secret" in warning
    assert "chmod 600 ogf.yaml" in warning
    assert PLANTED not in warning
    (tmp_path / "ogf.yaml").write_text(yaml.replace(PLANTED, "env:READER"))
    assert configure(environ={"READER": PLANTED}).warnings == ()
