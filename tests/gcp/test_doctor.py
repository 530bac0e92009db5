from __future__ import annotations

import pyarrow as pa
import pytest
from gcp.bigquery_emulator import BILLING_ACCOUNT
from gcp.conftest import Ctx
from gcp.google_fake import google, google_server

from ogf_gcp.doctor import check
from ogf_gcp.settings import GcpSettings

__all__ = ["google", "google_server"]

CARBON = [
    {"name": "usage_month", "type": "DATE"},
    {"name": "carbon_footprint_kgCO2e", "type": "RECORD", "fields": [{"name": "scope1", "type": "FLOAT"}]},
]


@pytest.fixture(autouse=True)
def carbon_table(bigquery):
    bigquery.tables["carbon.carbon_footprint"] = CARBON


def found(ctx, stream: str = "carbon"):
    return list(check(ctx, stream))


def outcome(ctx, stream: str = "carbon") -> dict[str, bool]:
    return {item.name: item.ok for item in found(ctx, stream)}


def last(ctx, stream: str = "carbon"):
    return found(ctx, stream)[-1]


def reading(folder) -> Ctx:
    return Ctx(GcpSettings.model_validate({"carbon": {"location": str(folder)}}))


@pytest.mark.parametrize(
    ("stream", "names"), [("carbon", ["PROJECT_ID"]), ("billing", ["BILLING_DATASET", "BILLING_ACCOUNT_ID"])]
)
def test_without_a_place_the_settings_to_make_are_named(stream, names):
    (item,) = found(Ctx(GcpSettings()), stream)
    assert not item.ok
    for name in names:
        assert f"OFFGRIDFLOW_GCP_{name}" in item.hint


class TestTable:
    def test_passes_every_step(self, gcp_ctx, storage_api):
        storage_api.table = pa.table({"x": [1]})
        ctx = gcp_ctx()
        items = found(ctx)
        assert [(item.name, item.ok) for item in items] == [
            ("credentials", True), ("identity", True), ("table", True), ("query", True), ("storage api", True),
        ]  # fmt: skip
        assert "demo.carbon.carbon_footprint in EU" in items[2].detail
        assert items[-1].detail == "may be used"
        assert len(ctx.calls) == 5

    def test_runs_no_query(self, gcp_ctx, bigquery):
        found(gcp_ctx())
        assert bigquery.inserted() == []

    def test_names_the_role_to_read_the_table(self, gcp_ctx, bigquery):
        bigquery.fail("/tables/", "accessDenied")
        item = last(gcp_ctx())
        assert (item.name, item.ok) == ("table", False)
        assert "roles/bigquery.dataViewer on the dataset demo.carbon" in item.hint

    def test_names_the_role_to_run_queries(self, gcp_ctx, bigquery):
        bigquery.fail("dry-run", "accessDenied")
        item = last(gcp_ctx())
        assert (item.name, item.ok) == ("query", False)
        assert "roles/bigquery.jobUser on the project demo" in item.hint

    def test_only_remarks_that_the_storage_api_may_not_be_used(self, gcp_ctx, storage_api):
        storage_api.refuse = "PERMISSION_DENIED"
        item = last(gcp_ctx())
        assert (item.name, item.ok) == ("storage api", True)
        assert "roles/bigquery.readSessionUser on the project demo" in item.detail

    def test_only_remarks_that_the_server_has_no_storage_api(self, gcp_ctx):
        assert "not Google" in last(gcp_ctx()).detail

    def test_does_not_try_a_storage_api_that_is_switched_off(self, gcp_ctx, storage_api):
        assert "switched off" in last(gcp_ctx(storage_api=False)).detail
        assert storage_api.sessions == []

    def test_says_which_table_is_missing(self, gcp_ctx, bigquery):
        bigquery.tables.clear()
        item = last(gcp_ctx())
        assert (item.name, item.ok) == ("table", False)
        assert "demo.carbon.carbon_footprint" in item.detail
        assert item.hint

    def test_says_which_columns_are_missing(self, gcp_ctx, bigquery):
        bigquery.tables["carbon.carbon_footprint"] = CARBON[:1]
        item = last(gcp_ctx())
        assert (item.name, item.ok) == ("table", False)
        assert "carbon_footprint_kgCO2e" in item.detail

    def test_stops_at_missing_credentials(self, monkeypatch, tmp_path):
        # Google itself: no key, no sign-in, no metadata server. Nothing is asked over the network.
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
        item = last(Ctx(GcpSettings(project_id="demo")))
        assert (item.name, item.ok) == ("credentials", False)
        assert "service_account_key" in item.hint

    @pytest.mark.parametrize("stream", ["carbon", "billing", "focus"])
    def test_passes_against_the_emulator(self, emulator, stream):
        made = {
            "carbon": emulator.carbon_table,
            "billing": emulator.billing_table,
            "focus": emulator.focus_table,
        }
        made[stream]()
        settings = GcpSettings.model_validate(
            {
                "project_id": "demo",
                "endpoint_url": emulator.url,
                "bigquery_dataset": "carbon",
                "billing_account_id": BILLING_ACCOUNT,
                "billing": {"dataset": "billing"},
                "focus": {"dataset": "focus"},
            }
        )
        items = found(Ctx(settings), stream)
        assert [item.name for item in items if not item.ok] == []
        assert items[-1].name == "storage api"


class TestFolder:
    def test_that_is_absent(self, tmp_path):
        item = last(reading(tmp_path / "absent"))
        assert (item.name, item.ok) == ("folder", False)
        assert "`location`" in item.hint

    def test_that_is_empty(self, tmp_path):
        assert outcome(reading(tmp_path)) == {"folder": True, "exports": False}

    def test_with_a_numbered_file_that_has_no_ending(self, tmp_path):
        (tmp_path / "carbon-000000000000").touch()
        assert outcome(reading(tmp_path)) == {"folder": True, "exports": True}

    def test_with_data_files(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "January.Parquet").write_bytes(b"")
        item = last(reading(tmp_path))
        assert item.ok
        assert "January.Parquet" in item.detail


class TestBucket:
    @pytest.fixture
    def ctx(self, google) -> Ctx:
        return Ctx(google.settings(carbon={"location": "gs://exports/carbon"}))

    def test_passes_every_step(self, google, ctx):
        google.put("exports", "carbon/2026-01.parquet", b"x")
        assert outcome(ctx) == {"credentials": True, "identity": True, "exports": True}
        assert "1 objects" in last(ctx).detail

    def test_says_when_nothing_lies_there(self, google, ctx):
        google.put("exports", "other/2026-01.parquet", b"x")
        item = last(ctx)
        assert (item.name, item.ok) == ("exports", False)
        assert "`location`" in item.hint

    def test_names_the_role_to_list(self, google, ctx):
        google.fail("/b/exports", 403, "forbidden")
        item = last(ctx)
        assert (item.name, item.ok) == ("exports", False)
        assert "roles/storage.objectViewer" in item.hint
