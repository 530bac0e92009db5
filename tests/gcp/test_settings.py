from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest
from gcp.google_fake import key_of, private_key
from pydantic import ValidationError

from ogf.config import load
from ogf.errors import ConfigError, ExitCode
from ogf_gcp.names import TableName
from ogf_gcp.settings import (
    GcpSettings,
    billing_table,
    carbon_table,
    focus_table,
    query_project,
)

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "012345-6789AB-CDEF01"
UNDERSCORED = "012345_6789AB_CDEF01"


def gcp(path: Path | None = None, **environ: str) -> GcpSettings:
    return load(path=path, environ=environ, providers={"gcp": GcpSettings}).providers["gcp"]


def made(**values) -> GcpSettings:
    return GcpSettings.model_validate(values)


def mistakes(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        made(**values)
    return str(caught.value)


def test_b57_defaults_are_the_documented_ones():
    settings = GcpSettings()
    assert (settings.rate_limit_capacity, settings.rate_limit_per_sec) == (200, 20.0)
    assert (settings.max_retries, settings.request_timeout) == (3, 60.0)
    assert (settings.max_pages, settings.page_size) == (1000, 1000)
    assert (settings.bigquery_dataset, settings.bigquery_table) == ("carbon_footprint", "carbon_footprint")
    assert settings.maximum_bytes_billed == 10 * 1024**3
    assert settings.storage_api
    assert not settings.enabled


def test_b55_a_project_is_needed_unless_the_key_or_a_location_gives_one():
    (missing,) = GcpSettings().missing("carbon")
    assert "ingestion.gcp.project_id (OFFGRIDFLOW_GCP_PROJECT_ID)" in missing
    assert "ingestion.gcp.carbon.location (OFFGRIDFLOW_GCP_CARBON_LOCATION)" in missing
    for given in (
        {"project_id": "a-project"},
        {"bigquery_project_id": "a-project"},
        {"service_account_key": json.dumps(key_of())},
        {"carbon": {"location": "exports"}},
    ):
        assert made(**given).missing("carbon") == []


def test_b55_the_organisation_is_the_general_one_unless_set_and_never_empty():
    assert GcpSettings().org_id is None
    assert load(environ={}, providers={"gcp": GcpSettings}).settings.ingestion.org_id == "default"
    assert gcp(OFFGRIDFLOW_GCP_ORG_ID="org-1").org_id == "org-1"
    with pytest.raises(ConfigError) as caught:
        gcp(OFFGRIDFLOW_GCP_ORG_ID="")
    assert "ingestion.gcp.org_id (OFFGRIDFLOW_GCP_ORG_ID)" in str(caught.value)


def test_b58_59_all_mistakes_are_told_together_each_with_its_variable():
    with pytest.raises(ConfigError) as caught:
        gcp(
            OFFGRIDFLOW_GCP_RATE_LIMIT_CAPACITY="-1",
            OFFGRIDFLOW_GCP_RATE_LIMIT_PER_SEC="-0.5",
            OFFGRIDFLOW_GCP_MAX_RETRIES="0",
            OFFGRIDFLOW_GCP_REQUEST_TIMEOUT="500ms",
            OFFGRIDFLOW_GCP_BILLING_ACCOUNT_ID="12",
        )
    text = str(caught.value)
    for name in (
        "rate_limit_capacity",
        "rate_limit_per_sec",
        "max_retries",
        "request_timeout",
        "billing_account_id",
    ):
        assert f"ingestion.gcp.{name} (OFFGRIDFLOW_GCP_{name.upper()})" in text
    assert caught.value.exit_code == ExitCode.USAGE


def test_b58_59_what_a_stream_needs_is_named_together():
    dataset, project, account = GcpSettings().missing("billing")
    assert dataset.startswith("ingestion.gcp.billing.location (OFFGRIDFLOW_GCP_BILLING_LOCATION), or else ")
    assert "ingestion.gcp.billing.dataset (OFFGRIDFLOW_GCP_BILLING_DATASET)" in dataset
    assert "project_id" in project
    assert "billing_account_id" in account
    assert len(GcpSettings().missing("focus")) == 3
    complete = {"dataset": "costs", "table": "export"}
    for stream in ("billing", "focus"):
        assert made(project_id="a-project", **{stream: complete}).missing(stream) == []
        assert made(**{stream: {"location": "gs://exports/costs"}}).missing(stream) == []
    assert made(project_id="p-1", billing_account_id=ACCOUNT, focus={"dataset": "d"}).missing("focus") == []


@pytest.mark.parametrize(("value", "allowed"), [(0, False), (1, True), (100_000, True), (100_001, False)])
def test_the_page_size_has_the_services_bounds(value, allowed):
    if allowed:
        assert made(page_size=value).page_size == value
    else:
        assert "page_size" in mistakes(page_size=value)


def test_every_setting_of_the_original_has_its_variable():
    settings = gcp(
        OFFGRIDFLOW_GCP_INGEST_ENABLED="yes",
        OFFGRIDFLOW_GCP_PROJECT_ID="a-project",
        OFFGRIDFLOW_GCP_BILLING_ACCOUNT_ID=ACCOUNT.lower(),
        OFFGRIDFLOW_GCP_BIGQUERY_DATASET="footprint",
        OFFGRIDFLOW_GCP_BIGQUERY_TABLE="by_project",
        OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY=json.dumps(key_of()),
        OFFGRIDFLOW_GCP_ORG_ID="org",
        OFFGRIDFLOW_GCP_BILLING_DETAILED="on",
        OFFGRIDFLOW_GCP_STORAGE_API="off",
    )
    assert settings.enabled
    assert settings.billing_account_id == ACCOUNT
    assert carbon_table(settings) == ("a-project", "footprint", "by_project")
    assert (settings.billing.detailed, settings.storage_api) == (True, False)


def test_a_file_with_an_inline_key_is_read_and_a_key_by_path_too(tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(key_of(), indent=2))
    path = tmp_path / "ogf.yaml"
    path.write_text(f"ingestion:\n  gcp:\n    service_account_key: |\n      {json.dumps(key_of())}\n")
    assert query_project(gcp(path)) == "key-project"
    path.write_text("ingestion:\n  gcp:\n    service_account_key: file:key.json\n")
    assert query_project(gcp(path)) == "key-project"


def test_b60_the_project_is_read_from_the_key_but_a_configured_one_wins():
    key = json.dumps(key_of())
    assert query_project(made(service_account_key=key)) == "key-project"
    assert query_project(made(service_account_key=key, project_id="mine")) == "mine"
    both = {"project_id": "mine", "bigquery_project_id": "queries"}
    assert query_project(made(service_account_key=key, **both)) == "queries"
    with pytest.raises(ConfigError, match="project") as caught:
        query_project(GcpSettings())
    assert "OFFGRIDFLOW_GCP_PROJECT_ID" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "planted",
        '{"type": "service_account", "private_key": "planted',
        '["planted"]',
        '"planted"',
        "12",
        "{" + '"planted":{' * 5000,
        "/home/planted/key.json",
    ],
)
def test_b61_bad_key_json_is_not_echoed(text):
    assert "planted" not in mistakes(service_account_key=text)
    with pytest.raises(ConfigError) as caught:
        gcp(OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY=text)
    said = str(caught.value)
    assert "ingestion.gcp.service_account_key (OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY)" in said
    assert "JSON key" in said
    assert "planted" not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("field", ["type", "project_id", "private_key", "client_email"])
@pytest.mark.parametrize("value", [None, "", " ", 12])
def test_b62_a_missing_field_of_the_key_is_named(field, value):
    text = mistakes(service_account_key=json.dumps(key_of(**{field: value})))
    assert f"lacks {field}" in text
    assert private_key()[30:60] not in text
    assert "planted" not in text


def test_b62_all_missing_fields_are_named_together():
    text = mistakes(service_account_key=json.dumps(key_of(private_key=None, client_email=None)))
    assert "lacks private_key and client_email" in text
    assert "lacks type, project_id, private_key and client_email" in mistakes(service_account_key="{}")


def test_keys_of_another_kind_are_refused_with_advice():
    text = mistakes(service_account_key=json.dumps(key_of(type="external_account")))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in text
    assert "project_id" in mistakes(service_account_key=json.dumps(key_of(project_id="it's no project")))


def test_an_empty_key_is_none():
    assert made(service_account_key="").service_account_key is None


def test_b66_67_the_default_table_is_the_one_that_google_makes():
    name = carbon_table(made(project_id="a-project"))
    assert name.quoted == "`a-project.carbon_footprint.carbon_footprint`"
    assert name.dataset_quoted == "`a-project.carbon_footprint`"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("bigquery_dataset", "carbon'footprint"),
        ("bigquery_dataset", "carbon`footprint"),
        ("bigquery_dataset", "a-project.b.c`d"),
        ("bigquery_dataset", "Upper.carbon"),
        ("bigquery_dataset", ".carbon"),
        ("bigquery_dataset", "car-bon"),
        ("bigquery_table", "x` WHERE true; --"),
        ("bigquery_table", "x;y"),
        ("bigquery_table", "a.b"),
        ("bigquery_table", "x$202601"),
        ("project_id", "a`b"),
        ("project_id", 'a"b'),
        ("project_id", "A-Project"),
        ("bigquery_project_id", "example.com:a:b"),
        ("billing_account_id", "012345-6789AB-CDEF0G"),
        ("billing_account_id", "012345_6789AB_CDEF01"),
        ("impersonate", "reader"),
        ("endpoint_url", "127.0.0.1:9050"),
        ("endpoint_url", "http://user:planted@127.0.0.1"),
        ("maximum_bytes_billed", 0),
        ("maximum_bytes_billed", "plenty"),
        ("carbon", {"location": "s3://bucket/prefix"}),
        ("billing", {"dataset": "it's"}),
        ("focus", {"table": "x`y"}),
    ],
)
def test_b66_67_values_that_cannot_be_meant_are_refused(setting, value):
    text = mistakes(**{setting: value})
    assert setting in text
    assert "planted" not in text


@pytest.mark.parametrize(
    ("project", "dataset", "table"),
    [("p", "it's", "t"), ("p`", "d", "t"), ("p", "d", "t`"), ("", "d", "t"), ("p", "", "t"), ("p", "d", "")],
)
def test_b66_67_a_quote_never_gets_into_a_name(project, dataset, table):
    with pytest.raises(ConfigError):
        TableName.checked(project, dataset, table)
    with pytest.raises(ConfigError):
        _ = TableName(project, dataset, table).quoted
    with pytest.raises(ConfigError):
        _ = TableName(project, dataset, table).dataset_quoted


def test_names_are_read_from_the_right_so_that_a_domains_project_keeps_its_dots():
    name = TableName.parse("example.com:proj.data.table")
    assert name == ("example.com:proj", "data", "table")
    assert name.quoted == "`example.com:proj.data.table`"
    assert TableName.parse(name.quoted) == name
    assert TableName.checked("p", "q.d", "t") == ("q", "d", "t")
    assert TableName.checked("p", "d", "Tabelle-2 ü").quoted == "`p.d.Tabelle-2 ü`"
    with pytest.raises(ConfigError):
        TableName.parse("dataset.table")


def test_the_tables_of_the_billing_exports_are_named_after_the_account():
    settings = made(
        project_id="a-project",
        billing_account_id=ACCOUNT,
        billing={"dataset": "costs"},
        focus={"dataset": "example.com:other.costs"},
    )
    assert billing_table(settings) == ("a-project", "costs", f"gcp_billing_export_v1_{UNDERSCORED}")
    assert focus_table(settings) == ("example.com:other", "costs", f"gcp_billing_export_focus_{UNDERSCORED}")
    detailed = made(
        project_id="p-1", billing_account_id=ACCOUNT, billing={"dataset": "costs", "detailed": "yes"}
    )
    assert billing_table(detailed).table == f"gcp_billing_export_resource_v1_{UNDERSCORED}"
    given = made(project_id="p-1", billing={"dataset": "costs", "table": "view-of_costs"})
    assert billing_table(given) == ("p-1", "costs", "view-of_costs")


@pytest.mark.parametrize("stream", ["billing", "focus"])
def test_a_dataset_without_a_way_to_name_its_table_is_a_mistake(stream):
    with pytest.raises(ValueError, match=f"needed with {stream}.dataset"):
        made(project_id="p-1", **{stream: {"dataset": "costs"}})


@pytest.mark.parametrize("values", [{}, {"billing_account_id": ACCOUNT}])
def test_an_unknown_table_says_what_to_set(values):
    with pytest.raises(ConfigError) as caught:
        billing_table(made(project_id="p-1", **values))
    assert "billing.dataset" in caught.value.hint


def test_the_key_does_not_show(tmp_path):
    settings = made(service_account_key=json.dumps(key_of()))
    part = private_key()[30:60]
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert part not in text
        assert "planted" not in text
    assert part.encode() not in pickle.dumps(settings)
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key_of()))
    copy = pickle.loads(pickle.dumps(gcp(OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY=f"file:{path}")))
    assert query_project(copy) == "key-project"


def test_the_key_does_not_show_in_the_configuration_that_doctor_prints():
    environ = {"OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY": json.dumps(key_of())}
    config = load(environ=environ, providers={"gcp": GcpSettings})
    rows = [row for row in config.describe() if "service_account_key" in str(row)]
    assert rows
    assert private_key()[30:60] not in str(rows)
    assert "planted" not in str(rows)
    assert private_key() in config.secrets()  # so that logs mask it too


def test_a_copy_whose_key_did_not_travel_is_still_readable():
    copy = pickle.loads(pickle.dumps(made(service_account_key=json.dumps(key_of()), project_id="mine")))
    assert query_project(copy) == "mine"
    assert copy.missing("carbon") == []
    again = GcpSettings.model_validate_json(copy.model_dump_json())
    assert again.missing("carbon") == []
