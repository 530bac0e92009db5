"""The list `accounts`: what entries share, what they say themselves, and how their mistakes are told."""

from __future__ import annotations

import pickle

import pytest

from ogf.errors import ConfigError

YAML = """
    ingestion:
      cloud:
        enabled: yes
        rate_limit_per_sec: 2
        role_arn: shared
        cur: {location: s3://shared}
        accounts:
          - name: group
            bucket: one
          - name: us
            s3_bucket: two
            role_arn: own
            client_id: id
            client_secret: env:US_SECRET
    """
ENVIRON = {"US_SECRET": "planted"}


def entries(config):
    return config.accounts_of("cloud")


def test_an_entry_starts_from_the_section_and_says_what_is_different(configure):
    config = configure(YAML, environ=ENVIRON)
    group, us = entries(config)
    assert (group.name, us.name) == ("group", "us")
    assert (group.settings.bucket, us.settings.bucket) == ("one", "two")
    assert (group.settings.role_arn, us.settings.role_arn) == ("shared", "own")
    assert {item.settings.cur.location for item in entries(config)} == {"s3://shared"}
    assert {item.settings.rate_limit_per_sec for item in entries(config)} == {2}
    assert us.settings.client_secret.get_secret_value() == "planted"
    assert config.providers["cloud"] == group.settings


def test_an_entry_wins_over_the_section_wherever_that_was_set(configure):
    environ = ENVIRON | {"OFFGRIDFLOW_CLOUD_ROLE_ARN": "named", "OFFGRIDFLOW_CLOUD_ACCOUNT_ID": "7"}
    group, us = entries(configure(YAML, environ=environ))
    assert (group.settings.role_arn, us.settings.role_arn) == ("named", "own")
    assert {group.settings.account_id, us.settings.account_id} == {"7"}


def test_an_empty_value_takes_back_what_the_section_says(configure):
    (only,) = entries(
        configure("ingestion: {cloud: {role_arn: shared, accounts: [{name: a, role_arn: ''}]}}")
    )
    assert only.settings.role_arn is None


def test_without_a_list_the_section_is_the_one_account(configure):
    (only,) = entries(configure("ingestion: {cloud: {bucket: b}}"))
    assert (only.name, only.settings.bucket) == ("", "b")


def test_a_rule_between_settings_is_judged_for_each_entry(configure):
    yaml = """
        ingestion:
          cloud:
            client_secret: env:US_SECRET
            accounts:
              - name: a
                client_id: id
        """
    assert entries(configure(yaml, environ=ENVIRON))[0].settings.client_id == "id"


def test_rows_show_each_account_with_sources_and_no_secrets(configure):
    rows = {row.key: row for row in configure(YAML, environ=ENVIRON).describe()}
    assert rows["ingestion.cloud.accounts.1.name"] == ("ingestion.cloud.accounts.1.name", "us", "ogf.yaml:11")
    assert rows["ingestion.cloud.accounts.1.bucket"] == (
        "ingestion.cloud.accounts.1.bucket",
        "two",
        "ogf.yaml:12",
    )
    assert rows["ingestion.cloud.accounts.0.role_arn"].source == "ogf.yaml:6"
    assert rows["ingestion.cloud.accounts.1.client_secret"].value == "set"
    assert rows["ingestion.cloud.rate_limit_per_sec"].value == "2.0"
    assert "ingestion.cloud.bucket" not in rows
    assert not any("planted" in str(row) for row in rows.values())


def test_secrets_of_every_account_are_redacted_and_do_not_travel(configure):
    config = configure(YAML, environ=ENVIRON)
    assert config.secrets() == {"planted"}
    assert b"planted" not in pickle.dumps(config)
    assert "planted" not in repr(config)


@pytest.mark.parametrize(
    ("accounts", "line", "told"),
    [
        ("[]", 4, "ingestion.cloud.accounts is a list"),
        ("yes", 4, "ingestion.cloud.accounts is a list"),
        ("\n    - bucket: b", 5, "ingestion.cloud.accounts.0.name is missing"),
        ("\n    - name: a\n    - name: a", 6, "names must differ"),
        ("\n    - b", 5, "ingestion.cloud.accounts.0 is a section"),
        ("\n    - name: a\n      max_retries: 2", 6, "set ingestion.cloud.max_retries"),
        ("\n    - name: a\n      org_id: b", 6, "is the same for all accounts"),
        ("\n    - name: a\n      buckt: b", 6, "ingestion.cloud.accounts.0.buckt is not a setting"),
        ("\n    - name: a\n      cur: {locaton: b}", 6, "nearest valid one is location"),
        ("\n    - name: a\n      pause: soon", 6, "ingestion.cloud.accounts.0.pause is 'soon'"),
        ("\n    - name: a\n      client_secret: planted", 5, "client_id is not set; it is needed"),
    ],
)
def test_b107_each_mistake_names_its_line(configure, accounts, line, told):
    with pytest.raises(ConfigError) as error:
        configure(f"ingestion:\n cloud:\n  bucket: b\n  accounts: {accounts}\n")
    lines = [text.strip() for text in str(error.value).splitlines()]
    assert any(text.startswith(f"ogf.yaml:{line}: ") and told in text for text in lines), lines
    assert "planted" not in str(error.value)


def test_what_the_section_says_wrong_is_told_once_where_it_was_written(configure):
    yaml = "ingestion:\n cloud:\n  pause: soon\n  accounts: [{name: a}, {name: b}]\n"
    with pytest.raises(ConfigError) as error:
        configure(yaml)
    assert str(error.value).count("'soon'") == 1
    assert "ogf.yaml:3: ingestion.cloud.pause (OFFGRIDFLOW_CLOUD_PAUSE) is 'soon'" in str(error.value)


def test_a_misspelt_list_names_the_right_one(configure):
    with pytest.raises(ConfigError, match="the nearest valid one is accounts"):
        configure("ingestion: {cloud: {acounts: [{name: a}]}}")
