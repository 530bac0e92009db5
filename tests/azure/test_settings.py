from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from ogf.config import load
from ogf.errors import ConfigError, ExitCode
from ogf_azure.clouds import blob_address, cloud_of
from ogf_azure.settings import AzureSettings

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
ONE, TWO = "0000000A-0000-0000-0000-00000000000B", "0000000c-0000-0000-0000-00000000000d"
SECRET = "planted-client-secret"
CREDENTIALS = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET}


def azure(**environ: str) -> AzureSettings:
    return load(environ=environ, providers={"azure": AzureSettings}).providers["azure"]


def made(**values) -> AzureSettings:
    return AzureSettings.model_validate(values)


def mistakes(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        made(**values)
    return str(caught.value)


def test_b30_defaults_are_the_documented_ones():
    settings = AzureSettings()
    assert (settings.rate_limit_capacity, settings.rate_limit_per_sec) == (60, 3.0)
    assert (settings.max_retries, settings.request_timeout) == (3, 45.0)
    assert (settings.max_pages, settings.page_size) == (1000, 5000)
    assert settings.cloud == "public"
    assert not settings.enabled
    assert not settings.queries_cost


def test_b31_bad_limits_are_told_together_each_with_its_variable():
    with pytest.raises(ConfigError) as caught:
        azure(
            OFFGRIDFLOW_AZURE_RATE_LIMIT_CAPACITY="-1",
            OFFGRIDFLOW_AZURE_RATE_LIMIT_PER_SEC="0",
            OFFGRIDFLOW_AZURE_MAX_RETRIES="0",
            OFFGRIDFLOW_AZURE_REQUEST_TIMEOUT="500ms",
            OFFGRIDFLOW_AZURE_PAGE_SIZE="5001",
        )
    text = str(caught.value)
    for name in ("rate_limit_capacity", "rate_limit_per_sec", "max_retries", "request_timeout", "page_size"):
        assert f"ingestion.azure.{name} (OFFGRIDFLOW_AZURE_{name.upper()})" in text
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "given", [{"client_secret"}, {"tenant_id"}, {"client_id"}, {"tenant_id", "client_id"},
              {"tenant_id", "client_secret"}, {"client_id", "client_secret"}],
)  # fmt: skip
def test_b32_b49_what_is_missing_of_the_three_is_named_all_of_it(given):
    with pytest.raises(ConfigError) as caught:
        azure(**{f"OFFGRIDFLOW_AZURE_{name.upper()}": CREDENTIALS[name] for name in given})
    text = str(caught.value)
    for name in CREDENTIALS.keys() - given:
        assert f"ingestion.azure.{name} (OFFGRIDFLOW_AZURE_{name.upper()}) is not set" in text
    assert SECRET not in text


def test_all_three_or_none_are_accepted():
    assert made(**CREDENTIALS).tenant_id == TENANT
    assert made().tenant_id is None
    assert made(**dict.fromkeys(CREDENTIALS, "")).client_secret is None


def test_b49_the_organisation_is_the_general_one_unless_set_and_never_empty():
    assert AzureSettings().org_id is None
    assert azure(OFFGRIDFLOW_AZURE_ORG_ID="org-1").org_id == "org-1"
    with pytest.raises(ConfigError, match="OFFGRIDFLOW_AZURE_ORG_ID"):
        azure(OFFGRIDFLOW_AZURE_ORG_ID="")


def test_every_setting_of_the_original_has_its_variable():
    settings = azure(
        OFFGRIDFLOW_AZURE_INGEST_ENABLED="yes",
        OFFGRIDFLOW_AZURE_TENANT_ID=TENANT,
        OFFGRIDFLOW_AZURE_CLIENT_ID=CLIENT,
        OFFGRIDFLOW_AZURE_CLIENT_SECRET=SECRET,
        OFFGRIDFLOW_AZURE_SUBSCRIPTION_ID=ONE,
        OFFGRIDFLOW_AZURE_FOCUS_LOCATION="exports/focus",
        OFFGRIDFLOW_AZURE_MCFS_ENROLLMENTS="1,2",
    )
    assert settings.enabled
    assert settings.client_secret.get_secret_value() == SECRET
    assert settings.subscription_ids == (ONE.lower(),)
    assert settings.focus.location == "exports/focus"
    assert settings.mcfs.enrollments == ("1", "2")


def test_file_and_environment_give_equal_settings(tmp_path):
    def written(text: str) -> AzureSettings:
        path = tmp_path / "ogf.yaml"
        path.write_text(f"ingestion:\n  azure:\n    {text}\n")
        return load(path=path, environ={}, providers={"azure": AzureSettings}).providers["azure"]

    wanted = azure(OFFGRIDFLOW_AZURE_SUBSCRIPTION_ID=f"{ONE}, {TWO}")
    assert wanted.subscription_ids == (ONE.lower(), TWO.lower())
    assert azure(OFFGRIDFLOW_AZURE_SUBSCRIPTION_IDS=f"{ONE},{TWO}") == wanted
    assert written(f'subscription_id: "{ONE},{TWO}"') == wanted
    assert written(f"subscription_ids: [{ONE}, {TWO}]") == wanted


def test_upper_case_ids_are_folded_and_counted_once():
    settings = made(subscription_ids=[ONE, ONE.lower(), TWO], **CREDENTIALS | {"client_id": CLIENT.upper()})
    assert settings.subscription_ids == (ONE.lower(), TWO.lower())
    assert made(subscription_ids=f"{ONE},{ONE.upper()}").subscription_ids == (ONE.lower(),)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"subscription_ids": "sub-1"}, "subscription_ids"),
        ({"subscription_ids": [ONE, "x"]}, "subscription_ids"),
        ({**CREDENTIALS, "client_id": "an application"}, "client_id"),
        ({**CREDENTIALS, "tenant_id": "https://example"}, "tenant_id"),
        ({"cloud": "germany"}, "cloud"),
        ({"endpoint_url": "http://127.0.0.1:8080"}, "endpoint_url"),
        ({"authority_url": "login.example"}, "authority_url"),
        ({"blob_endpoint_url": "https://me:pw@example"}, "blob_endpoint_url"),
        ({"mcfs": {"endpoint_url": "http://example"}}, "endpoint_url"),
        ({"focus": {"location": "s3://bucket/x"}}, "location"),
        ({"actual_cost": {"location": "https://a.blob.core.windows.net/c/p?sv=1&sig=x"}}, "location"),
        ({"cost_query": {"groupings": "a,b,c"}}, "groupings"),
        ({"cost_query": {"groupings": "a,A"}}, "groupings"),
        ({"cost_query": {"scopes": "management"}}, "scopes"),
        ({"cost_query": {"cost": "Usage"}}, "cost"),
        ({"page_size": 0}, "page_size"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_name(values, name):
    assert name in mistakes(**values)


@pytest.mark.parametrize("location", [
    "abfss://exports@account.dfs.core.windows.net/focus", "https://account.blob.core.windows.net/exports", "folder",
    "/a/folder", "C:\\exports", "file:///exports",
])  # fmt: skip
def test_places_of_exports(location):
    assert made(focus={"location": location}).missing("focus") == []


def test_actual_and_amortized_cost_together_are_refused():
    both = {"actual_cost": {"location": "exports"}, "cost_query": {"scopes": ONE, "cost": "amortizedcost"}}
    assert "count twice" in mistakes(**both)
    assert made(**both | {"cost_query": {"scopes": ONE}}).queries_cost
    assert not made(**both | {"cost_query": {"enabled": False, "cost": "AmortizedCost"}}).queries_cost


def test_scopes_are_written_as_arms_paths():
    billing = "providers/Microsoft.Billing/billingAccounts/A:b_2019-05-31"
    settings = made(cost_query={"scopes": [ONE, f"/subscriptions/{ONE}/", f"{billing}/"]})
    assert settings.cost_query.scopes == (f"/subscriptions/{ONE.lower()}", f"/{billing}")


def test_a_stream_says_what_it_lacks():
    settings = AzureSettings()
    (carbon,) = settings.missing("carbon")
    assert "ingestion.azure.client_secret (OFFGRIDFLOW_AZURE_CLIENT_SECRET), or else " in carbon
    assert "OFFGRIDFLOW_AZURE_SUBSCRIPTION_ID" in carbon
    assert settings.missing("focus") == ["ingestion.azure.focus.location (OFFGRIDFLOW_AZURE_FOCUS_LOCATION)"]
    assert len(settings.missing("mcfs")) == 2
    assert "cost_query.scopes" in settings.missing("cost_query")[0]


@pytest.mark.parametrize("given", [
    CREDENTIALS, {"subscription_ids": ONE}, {"endpoint_url": "https://127.0.0.1"}, {"carbon": {"enabled": "yes"}},
])  # fmt: skip
def test_carbon_is_on_as_soon_as_it_can_be_read(given):
    assert made(**given).missing("carbon") == []
    assert made(**given | {"carbon": {"enabled": False}}).missing("carbon")


def test_secrets_are_shown_nowhere_and_do_not_travel():
    settings = made(**CREDENTIALS, mcfs={"subscription_key": "planted-key"})
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(pickle.dumps(settings))):
        assert SECRET not in text
        assert "planted-key" not in text


@pytest.mark.parametrize(
    ("name", "arm", "scope", "authority"),
    [
        ("public", "management.azure.com", "management.azure.com", "login.microsoftonline.com"),
        ("AzureUSGovernment", "management.usgovcloudapi.net", "management.core.usgovcloudapi.net",
         "login.microsoftonline.us"),
        ("China", "management.chinacloudapi.cn", "management.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ],
)  # fmt: skip
def test_each_cloud_has_its_own_host_scope_and_authority(name, arm, scope, authority):
    cloud = cloud_of(made(cloud=name))
    assert cloud.arm == f"https://{arm}"
    assert cloud.scope == f"https://{scope}/.default"
    assert cloud.authority == f"https://{authority}"


def test_another_server_takes_the_place_of_a_clouds_own_but_not_of_its_scope():
    settings = made(cloud="usgov", endpoint_url="https://127.0.0.1:1/", authority_url="https://127.0.0.1:2")
    cloud = cloud_of(settings)
    assert (cloud.arm, cloud.authority) == ("https://127.0.0.1:1", "https://127.0.0.1:2")
    assert cloud.scope == "https://management.core.usgovcloudapi.net/.default"
    assert blob_address(settings, "demo") == "https://demo.blob.core.usgovcloudapi.net"
    local = made(blob_endpoint_url="https://127.0.0.1:3")
    assert blob_address(local, "demo") == "https://127.0.0.1:3/demo"
    assert (
        blob_address(made(blob_endpoint_url="https://127.0.0.1:3/demo"), "demo") == "https://127.0.0.1:3/demo"
    )
