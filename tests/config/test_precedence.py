"""B106: flag > environment > file > default, the same for every setting, with its source remembered."""

from __future__ import annotations

import pytest

from ogf.config import env_name
from ogf.window import Month

YAML = """
    ingestion:
      org_id: org-from-file
      lookback_days: 90
      cloud:
        enabled: yes
        client_id: id
        client_secret: planted
        s3_bucket: exports
        account_id: 012345678901
        subscription_ids: [a, b]
        rate_limit_per_sec: 2.5
        request_timeout: 1m30s
        role_arn: ""
        cur:
          location: s3://exports/cur
    server: {port: 9000, env: staging}
    auth: {require: off}
    telemetry: {tracing: true, log_format: json}
    warehouse: {path: carbon.duckdb}
    runner: {workers: 4, wait: 5m, memory_limit: 1GiB}
    """
ENVIRON = {
    "OFFGRIDFLOW_ORG_ID": "org-from-file",
    "OFFGRIDFLOW_INGEST_LOOKBACK_DAYS": "90",
    "OFFGRIDFLOW_CLOUD_INGEST_ENABLED": "yes",
    "OFFGRIDFLOW_CLOUD_CLIENT_ID": "id",
    "OFFGRIDFLOW_CLOUD_CLIENT_SECRET": "planted",
    "OFFGRIDFLOW_CLOUD_S3_BUCKET": "exports",
    "OFFGRIDFLOW_CLOUD_ACCOUNT_ID": "012345678901",
    "OFFGRIDFLOW_CLOUD_SUBSCRIPTION_IDS": "a,b",
    "OFFGRIDFLOW_CLOUD_RATE_LIMIT_PER_SEC": "2.5",
    "OFFGRIDFLOW_CLOUD_REQUEST_TIMEOUT": "1m30s",
    "OFFGRIDFLOW_CLOUD_ROLE_ARN": "",
    "OFFGRIDFLOW_CLOUD_CUR_LOCATION": "s3://exports/cur",
    "OFFGRIDFLOW_HTTP_PORT": "9000",
    "OFFGRIDFLOW_APP_ENV": "staging",
    "OFFGRIDFLOW_REQUIRE_AUTH": "off",
    "OFFGRIDFLOW_TRACING_ENABLED": "true",
    "OFFGRIDFLOW_LOG_FORMAT": "json",
    "OGF_DB": "carbon.duckdb",
    "OFFGRIDFLOW_RUNNER_WORKERS": "4",
    "OFFGRIDFLOW_RUNNER_WAIT": "5m",
    "OFFGRIDFLOW_RUNNER_MEMORY_LIMIT": "1GiB",
}


def test_b106_yaml_and_environment_give_equal_configuration(configure):
    named = configure(environ=ENVIRON)
    written = configure(YAML)
    assert written.settings == named.settings
    assert written.providers == named.providers
    assert written.settings.warehouse.path.name == "carbon.duckdb"
    assert written.providers["cloud"].account_id == "012345678901"
    assert written.providers["cloud"].request_timeout == 90


def test_b106_flag_beats_environment_beats_file_beats_default(configure):
    yaml = "ingestion: {cloud: {page_size: 10}}\nrunner: {workers: 2}"
    environ = {"OFFGRIDFLOW_CLOUD_PAGE_SIZE": "20", "OFFGRIDFLOW_RUNNER_WORKERS": "3"}
    flags = {"ingestion.cloud.page_size": 30, "runner.workers": "4"}
    key = "ingestion.cloud.page_size"

    def seen(config):
        return config.providers["cloud"].page_size, config.settings.runner.workers, config.sources[key]

    assert seen(configure()) == (None, None, "default")
    assert seen(configure(yaml)) == (10, 2, "ogf.yaml:1")
    assert seen(configure(environ=environ)) == (20, 3, "environment OFFGRIDFLOW_CLOUD_PAGE_SIZE")
    assert seen(configure(environ=environ, overrides=flags)) == (30, 4, "flag")
    assert seen(configure(environ=environ, overrides={key: None})) == (
        20,
        3,
        "environment OFFGRIDFLOW_CLOUD_PAGE_SIZE",
    )


def test_b106_a_value_that_is_overruled_is_not_judged(configure):
    yaml = "ingestion: {cloud: {page_size: nonsense}}"
    assert configure(yaml, environ={"OFFGRIDFLOW_CLOUD_PAGE_SIZE": "20"}).providers["cloud"].page_size == 20


def test_b106_the_port_falls_back_to_the_plain_name(configure):
    assert configure(environ={"PORT": "7000"}).settings.server.port == 7000
    assert configure(environ={"PORT": "7000", "OFFGRIDFLOW_HTTP_PORT": "7001"}).settings.server.port == 7001


def test_defaults_of_the_general_settings(configure):
    settings = configure().settings
    assert settings.ingestion.org_id == "default"
    assert settings.ingestion.lookback_days is None
    assert settings.server.port == 8090
    assert settings.server.env == "development"
    assert settings.auth.require is True
    assert str(settings.warehouse.path) == "ogf.duckdb"
    assert (settings.runner.wait, settings.runner.resume_ttl, settings.runner.time_budget) == (
        60,
        21600,
        21600,
    )
    assert (settings.runner.max_reject_share, settings.runner.memory_limit) == (0.01, 640_000_000)


def test_sources_name_the_line_of_every_setting(configure):
    config = configure(YAML)
    assert config.sources["ingestion.org_id"] == "ogf.yaml:3"
    assert config.sources["ingestion.cloud.bucket"] == "ogf.yaml:9"
    assert config.sources["ingestion.cloud.cur.location"] == "ogf.yaml:16"
    assert config.sources["ingestion.cloud.cur.accounts"] == "default"


def test_doctor_rows_show_values_but_only_set_or_not_set_for_secrets(configure):
    rows = {row.key: row for row in configure(YAML).describe()}
    assert rows["ingestion.cloud.client_secret"].value == "set"
    assert rows["auth.jwt_secret"].value == "not set"
    assert rows["ingestion.cloud.request_timeout"] == (
        "ingestion.cloud.request_timeout",
        "1m30s",
        "ogf.yaml:13",
    )
    assert rows["runner.memory_limit"].value == "1GiB"
    assert rows["ingestion.cloud.enabled"].value == "true"
    assert rows["server.port"].value == "9000"
    assert not any("planted" in row.value for row in rows.values())


def test_doctor_rows_hide_credentials_inside_lists(configure):
    yaml = "ingestion: {cloud: {places: [{bucket: b, client_secret: planted-value}]}}"
    rows = {row.key: row.value for row in configure(yaml).describe()}
    assert rows["ingestion.cloud.places"] == '[{"role_arn": null, "bucket": "b", "client_secret": "set"}]'


def test_null_means_not_written_and_an_alias_is_as_good_as_the_name(configure):
    config = configure(
        """
        ingestion:
          cloud:
            org_id:
            page_size: ~
            places:
              - {s3_bucket: one}
              - {bucket: two, role_arn: null}
        """
    )
    assert config.providers["cloud"].org_id is None
    assert [place.bucket for place in config.providers["cloud"].places] == ["one", "two"]


def test_an_empty_file_and_an_empty_section_are_fine(configure):
    assert configure("").settings == configure("# nothing\n").settings
    assert configure("ingestion:\n  cloud:\nserver:\n").providers["cloud"].enabled is False


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("enabled", "OFFGRIDFLOW_CLOUD_INGEST_ENABLED"),
        ("bucket", "OFFGRIDFLOW_CLOUD_S3_BUCKET"),
        ("org_id", "OFFGRIDFLOW_CLOUD_ORG_ID"),
        ("cur.location", "OFFGRIDFLOW_CLOUD_CUR_LOCATION"),
    ],
)
def test_environment_names_follow_from_the_path_or_from_the_field(cloud, path, name):
    assert env_name("cloud", path, cloud) == name


def test_environment_names_without_a_model_follow_the_rule():
    assert env_name("my-cloud", "cur.location") == "OFFGRIDFLOW_MY_CLOUD_CUR_LOCATION"


def test_missing_settings_are_named_with_key_and_variable(cloud):
    assert cloud().missing("cur") == ["ingestion.cloud.bucket (OFFGRIDFLOW_CLOUD_S3_BUCKET)"]
    assert cloud(bucket="b").missing("cur") == []
    assert super(cloud, cloud()).missing("cur") == []


def test_flags_may_be_values_of_their_own_type(configure):
    config = configure(overrides={"ingestion.cloud.enabled": True, "ingestion.cloud.subscription_ids": ["a"]})
    assert config.providers["cloud"].enabled is True
    assert config.providers["cloud"].subscription_ids == ("a",)
    assert str(Month(2026, 1)) == "2026-01"
