"""B107 and B11: every mistake is told at once, one line each, with place, key, value and remedy; exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from ogf.config import ProviderSettings, load, peek_enabled
from ogf.errors import ConfigError


@pytest.fixture
def mistakes(configure):
    """Give the lines of the ConfigError, one per mistake."""

    def mistakes(yaml=None, **given):
        with pytest.raises(ConfigError) as error:
            configure(yaml, **given)
        assert error.value.exit_code == 2
        assert error.value.hint
        return [line.strip() for line in error.value.message.splitlines()[1:]]

    return mistakes


@pytest.mark.parametrize("capacity", ["-1", "0"])
def test_b11_a_capacity_that_is_not_positive_names_the_setting_and_its_variable(mistakes, capacity):
    (line,) = mistakes(environ={"OFFGRIDFLOW_CLOUD_RATE_LIMIT_CAPACITY": capacity})
    assert "ingestion.cloud.rate_limit_capacity" in line
    assert "OFFGRIDFLOW_CLOUD_RATE_LIMIT_CAPACITY" in line
    assert repr(capacity) in line
    assert "it must be greater than or equal to 1" in line


def test_b107_five_mistakes_give_five_lines(mistakes):
    lines = mistakes(
        """
        ingestion:
          lookback_days: many
          cloud:
            rate_limit_capcity: 5
            max_retries: 0
            cur:
              locaton: here
        """,
        environ={"OFFGRIDFLOW_CLOUD_REQUEST_TIMEOUT": "500ms"},
    )
    timeout, days, capacity, retries, location = sorted(lines)
    assert timeout == (
        "environment OFFGRIDFLOW_CLOUD_REQUEST_TIMEOUT: ingestion.cloud.request_timeout"
        " (OFFGRIDFLOW_CLOUD_REQUEST_TIMEOUT) is '500ms'; it must be greater than or equal to 1."
    )
    assert days == (
        "ogf.yaml:3: ingestion.lookback_days (OFFGRIDFLOW_INGEST_LOOKBACK_DAYS) is 'many';"
        " it must be a whole number."
    )
    unknown = "ogf.yaml:5: ingestion.cloud.rate_limit_capcity is not a setting;"
    assert capacity == f"{unknown} the nearest valid one is rate_limit_capacity."
    assert retries == (
        "ogf.yaml:6: ingestion.cloud.max_retries (OFFGRIDFLOW_CLOUD_MAX_RETRIES) is '0';"
        " it must be greater than or equal to 1."
    )
    assert (
        location
        == "ogf.yaml:8: ingestion.cloud.cur.locaton is not a setting; the nearest valid one is location."
    )


@pytest.mark.parametrize(
    ("yaml", "line", "told"),
    [
        ("ingestion: {lookbak_days: 3}", 1, "the nearest valid one is lookback_days"),
        ("runer:\n  workers: 3", 1, "the nearest valid one is runner"),
        ("runner:\n  worker: 3", 2, "the nearest valid one is workers"),
        (
            "ingestion:\n  cloud:\n    places:\n    - buckt: b\n      bucket: c",
            4,
            "places.0.buckt is not a setting",
        ),
        ("ingestion:\n  cloud:\n    places:\n    - role_arn: r", 4, "places.0.bucket"),
        ("ingestion:\n  cloud:\n    bucket: a\n    s3_bucket: b", 4, "says the same as bucket"),
        ("ingestion:\n  cloud: yes", 2, "ingestion.cloud is a section"),
        ("ingestion: 3", 1, "ingestion is a section"),
        ("- a\n- b", 1, "the file is a section"),
        ("server:\n  port: 1\n  port: 2", 3, "given twice, first on line 2"),
        ("server:\n  port: 99999", 2, "it must be less than or equal to 65535"),
        ("server:\n  env: prodution", 2, "it must be 'development'"),
        ("ingestion:\n  cloud:\n    org_id: ''", 3, "ingestion.cloud.org_id"),
        ("ingestion:\n  cloud:\n    verbose: !!python/object/apply:os.system [id]", 3, "tags (!…)"),
        ("server: &a\n  port: 1\nauth:\n  <<: *a", 4, "write merged values (<<) out"),
        ("server: &a\n  port: *a", 1, "contains itself"),
        ("runner:\n  retry_limit: 3", 2, "resumed"),
        ("ingestion:\n  cloud:\n    client_secret: planted", 2, "it is needed with a client secret"),
    ],
)
def test_b107_each_mistake_names_its_line(mistakes, yaml, line, told):
    lines = mistakes(yaml)
    assert any(text.startswith(f"ogf.yaml:{line}: ") and told in text for text in lines), lines


@pytest.mark.parametrize("yaml", ["server: [", "a: b: c", "server:\n\tport: 1", "a: 'b", "--- a\n--- b"])
def test_a_file_that_is_no_yaml_is_told_with_its_line(configure, yaml):
    with pytest.raises(ConfigError, match="not YAML") as error:
        configure(yaml)
    assert error.value.where.startswith("ogf.yaml:")
    assert error.value.hint


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path, told in [
        (tmp_path / "nowhere.yaml", "does not exist"),
        (tmp_path, "cannot be read"),
        (tmp_path / "binary.yaml", "not UTF-8"),
    ]:
        with pytest.raises(ConfigError, match=told) as error:
            load(path=path, environ={})
        assert error.value.where == str(path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("\ufeffserver: {port: 1}", encoding="utf-8")
    config = load(path=Path(path), environ={})
    assert config.settings.server.port == 1
    assert config.sources["server.port"] == f"{path}:1"


def test_b107_an_unknown_variable_of_a_provider_names_the_nearest(mistakes):
    (line,) = mistakes(
        environ={"OFFGRIDFLOW_CLOUD_S3_BUCKT": "x", "OFFGRIDFLOW_AWS_ANYTHING": "1", "HOME": "/"}
    )
    assert line == (
        "environment OFFGRIDFLOW_CLOUD_S3_BUCKT: OFFGRIDFLOW_CLOUD_S3_BUCKT is not a setting of cloud;"
        " the nearest valid one is OFFGRIDFLOW_CLOUD_S3_BUCKET."
    )


def test_the_longest_provider_name_owns_a_variable(configure, cloud):
    environ = {"OFFGRIDFLOW_CLOUD_GOV_PAGE_SIZE": "7"}
    assert configure(environ=environ, installed=("cloud", "cloud-gov")).providers["cloud"].page_size is None
    both = configure(environ=environ, providers={"cloud": cloud, "cloud-gov": ProviderSettings})
    assert both.providers["cloud-gov"].page_size == 7


def test_an_unknown_flag_names_the_nearest_setting(mistakes):
    (line,) = mistakes(overrides={"runner.worker": 3, "ingestion.aws.enabled": True})
    assert line == "flag: runner.worker is not a setting; the nearest valid one is runner.workers."


def test_an_installed_provider_that_does_not_take_part_is_not_judged(configure):
    configure("ingestion: {aws: {whatever: 1}}")


def test_a_section_without_a_plugin_is_told_and_no_package_is_made_up(mistakes):
    (line,) = mistakes("ingestion:\n  oracle:\n    enabled: true\n")
    assert line.startswith("ogf.yaml:2: ingestion.oracle ")
    assert "install its plugin" in line
    assert "pip install" not in line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("OFFGRIDFLOW_DB_DSN", "OGF_DB"),
        ("OFFGRIDFLOW_WORKER_RETRY_LIMIT", "resumed"),
        ("OFFGRIDFLOW_WORKER_JITTER", ""),
    ],
)
def test_names_of_the_past_are_refused_with_a_hint_and_without_their_value(mistakes, name, told):
    (line,) = mistakes(environ={name: "postgres://user:planted@host/db"})
    assert name in line
    assert told in line
    assert "planted" not in line


def test_sources_nobody_serves_are_collected_not_refused(configure):
    environ = {
        "OFFGRIDFLOW_SAP_ORG_ID": "x",
        "OFFGRIDFLOW_UTILITY_INGEST_ENABLED": "true",
        "OFFGRIDFLOW_ORACLE_INGEST_ENABLED": "true",
        "OFFGRIDFLOW_AWS_INGEST_ENABLED": "true",
    }
    config = configure("ingestion: {sap: {enabled: true}}", environ=environ)
    assert config.unserved == (
        "ingestion.sap",
        "OFFGRIDFLOW_ORACLE_INGEST_ENABLED",
        "OFFGRIDFLOW_SAP_ORG_ID",
        "OFFGRIDFLOW_UTILITY_INGEST_ENABLED",
    )


def test_production_needs_a_long_jwt_secret(mistakes, configure):
    (line,) = mistakes("server: {env: production}\nauth:\n  jwt_secret: short-one\n")
    assert line == (
        "ogf.yaml:3: auth.jwt_secret (OFFGRIDFLOW_JWT_SECRET) is a hidden value;"
        " it must have at least 32 characters when server.env is production."
    )
    configure(f"server: {{env: production}}\nauth: {{jwt_secret: {'x' * 32}}}")
    configure("auth: {jwt_secret: short-one}")


def test_settings_at_odds_are_told_where_the_missing_one_belongs(mistakes):
    (line,) = mistakes(environ={"OFFGRIDFLOW_CLOUD_CLIENT_SECRET": "planted-value"})
    assert line == (
        "configuration: ingestion.cloud.client_id (OFFGRIDFLOW_CLOUD_CLIENT_ID) is not set;"
        " it is needed with a client secret."
    )


def test_peek_names_who_is_switched_on_without_judging_anything_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ogf.yaml").write_text(
        "ingestion:\n  a: {enabled: yes, x: 1}\n  b: {enabled: no}\n  c: {enabled: yes}"
    )
    environ = {"OFFGRIDFLOW_C_INGEST_ENABLED": "off", "OFFGRIDFLOW_D_INGEST_ENABLED": "maybe"}
    assert peek_enabled(environ=environ, installed=["d", "c", "b", "a", "e"]) == ("a", "d")
    overrides = {"ingestion.e.enabled": True}
    assert peek_enabled(environ={}, overrides=overrides, installed=["a", "e"]) == ("a", "e")


def test_settings_are_frozen_and_strict(cloud):
    with pytest.raises(ValueError, match="frozen"):
        cloud().bucket = "other"
    with pytest.raises(ValueError, match="Extra inputs"):
        cloud(buckt="x")


def test_configuration_imports_nothing_heavy():
    import subprocess
    import sys

    code = "import ogf.config, sys; print(*{'duckdb', 'pyarrow', 'sqlmodel', 'boto3', 'structlog'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
