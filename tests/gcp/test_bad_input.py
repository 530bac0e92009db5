"""What is wrong with a table, a row or a setting: one clear error, or rows set aside, and never a wrong sum."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from gcp.bigquery_emulator import (
    BILLING,
    CARBON,
    PARTITION,
    billing_row,
    billing_schema,
    carbon_row,
    carbon_schema,
)
from gcp.bigquery_runs import Process, variables
from gcp.google_fake import google, google_server, key_of, private_key

from ogf.errors import ErrorClass

__all__ = ["google", "google_server"]

JANUARY = ("MONTH", "usage_month")


def failure(result, error_class: ErrorClass):
    """The one failure of a run that failed."""
    assert (result.status, result.exit_code()) == ("failed", 1)
    (failed,) = [item for item in result.partitions if item.outcome == "failed"]
    assert failed.error_class == error_class
    assert failed.message
    assert failed.hint
    return failed


def rows_of(count: int, **values) -> list[dict]:
    return [
        carbon_row("2026-01-01", project={"id": f"p-{n}", "number": str(n)}, **values) for n in range(count)
    ]


def without(schema: list, *names: str) -> list:
    return [field for field in schema if field.name not in names]


def stripped(row: dict, *names: str) -> dict:
    return {name: value for name, value in row.items() if name not in names}


class TestPlaces:
    def test_a_missing_table_is_named(self, emulator, cloud):
        emulator.dataset("carbon")
        failed = failure(cloud().run(), ErrorClass.NOT_FOUND)
        assert "demo.carbon.carbon_footprint" in failed.message
        assert "check the names of project, dataset and table" in failed.hint

    def test_a_missing_dataset_is_named(self, cloud):
        failed = failure(cloud(bigquery_dataset="nowhere").run(), ErrorClass.NOT_FOUND)
        assert "nowhere" in failed.message

    def test_a_missing_table_of_a_process(self, emulator, process):
        emulator.dataset("carbon")
        answer = process()("run", "--provider", "gcp", code=1)
        assert "not_found: " in answer.stderr
        assert "          → check the names of project, dataset and table" in answer.stderr

    def test_a_dataset_of_another_project_is_read_and_ours_pays(self, emulator, proxy, cloud):
        emulator.insert(emulator.carbon_table(), rows_of(2))
        warehouse = cloud(bigquery_dataset="demo.carbon", project_id="payer", bigquery_project_id="demo-runs")
        assert warehouse.run().count("loaded") == 1
        jobs = {call.split()[1].partition("?")[0] for call in proxy.calls if call.startswith("POST")}
        assert jobs == {"/projects/demo-runs/jobs"}
        tables = [call for call in proxy.calls if "/tables/" in call]
        assert tables
        assert all("/projects/demo/datasets/carbon/" in call for call in tables)

    def test_a_dataset_of_another_project_that_is_not_there(self, cloud):
        failed = failure(cloud(bigquery_dataset="other-project.carbon").run(), ErrorClass.NOT_FOUND)
        assert "other-project" in failed.message

    def test_a_dataset_of_another_project_that_may_not_be_read(self, proxy, cloud):
        message = "Access Denied: Table other-project:carbon.carbon_footprint: Permission bigquery.tables.get denied"
        proxy.fail("/projects/other-project/", "accessDenied", message=message, times=9)
        failed = failure(cloud(bigquery_dataset="other-project.carbon").run(), ErrorClass.AUTH)
        assert "bigquery.tables.get" in failed.message
        assert "roles/bigquery.dataViewer" in failed.hint
        assert len(proxy.calls) == 1

    def test_a_query_in_the_wrong_location_says_so(self, emulator, proxy, cloud):
        emulator.insert(emulator.carbon_table(), rows_of(1))
        proxy.fail("POST", "notFound", message="Not found: Dataset demo:carbon was not found in location US")
        failed = failure(cloud().run(), ErrorClass.NOT_FOUND)
        assert "was not found in location US" in failed.message
        assert "a query must run where the dataset lies" in failed.hint

    def test_a_dataset_name_with_a_quote_is_refused_before_any_call(self, proxy, process):
        answer = process()(
            "run", "--provider", "gcp", code=2, OFFGRIDFLOW_GCP_BIGQUERY_DATASET="carbon`; DROP"
        )
        assert "OFFGRIDFLOW_GCP_BIGQUERY_DATASET" in answer.stderr
        assert proxy.calls == []

    def test_a_project_that_is_not_set_is_named(self, proxy, tmp_path):
        env = variables(proxy.url, carbon="carbon")
        del env["OFFGRIDFLOW_GCP_PROJECT_ID"]
        answer = Process(tmp_path, env)("run", "--provider", "gcp", code=2)
        assert "OFFGRIDFLOW_GCP_PROJECT_ID" in answer.stderr


class TestKeys:
    def run(self, tmp_path, url: str, key: str, code: int) -> str:
        env = variables(url, carbon="carbon") | {"OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY": key}
        answer = Process(tmp_path, env)("run", "--provider", "gcp", code=code)
        for secret in private_key().splitlines()[1:-1]:
            assert secret not in answer.stdout + answer.stderr
        return answer.stderr

    def test_an_expired_key_is_refused_once_and_says_what_google_said(self, google, proxy, tmp_path):
        refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        for _ in range(5):
            google.answer("/token", refusal, 400)
        text = self.run(tmp_path, proxy.url, google.key(), 1)
        assert "auth: " in text
        assert "invalid_grant: Invalid JWT Signature." in text
        assert "          → " in text
        assert google.count("/token") == 1
        assert proxy.calls == []

    def test_a_key_that_google_takes_reads_the_table(self, google, emulator, proxy, tmp_path):
        emulator.insert(emulator.carbon_table(), rows_of(1))
        assert "1 loaded" in self.run(tmp_path, proxy.url, google.key(), 0)
        assert google.count("/token") == 1

    @pytest.mark.parametrize(
        "absent", [("private_key",), ("client_email",), ("private_key", "client_email", "project_id")]
    )
    def test_each_missing_field_of_a_key_is_named(self, proxy, tmp_path, absent):
        key = json.dumps(key_of(**dict.fromkeys(absent)))
        text = self.run(tmp_path, proxy.url, key, 2)
        assert "OFFGRIDFLOW_GCP_SERVICE_ACCOUNT_KEY" in text
        assert all(field in text for field in absent)
        assert proxy.calls == []

    def test_a_key_that_is_no_json_is_not_echoed(self, proxy, tmp_path):
        text = self.run(tmp_path, proxy.url, '{"private_key": "planted-key-text', 2)
        assert "JSON key" in text
        assert "planted-key-text" not in text


class TestCarbonTables:
    def test_an_empty_table_and_an_empty_month_are_no_errors(self, emulator, cloud):
        table = emulator.carbon_table()
        warehouse = cloud()
        result = warehouse.run()
        assert (result.status, result.partitions) == ("succeeded", [])
        emulator.insert(table, rows_of(2))
        assert warehouse.run(since="2026-02", until="2026-03").partitions == []
        assert warehouse.run().count("loaded") == 1

    def test_a_month_that_was_emptied_stays_until_the_source_has_it_again(self, emulator, cloud):
        table = emulator.carbon_table()
        emulator.insert(table, rows_of(2))
        warehouse = cloud()
        warehouse.run()
        emulator.sql(f"DELETE FROM `{table}` WHERE usage_month = '2026-01-01'")
        result = warehouse.run()
        assert result.count("failed") == 0
        assert warehouse.query("SELECT count(*) FROM activities") == [(8,)]

    def test_the_old_table_with_one_figure_for_each_row_is_refused_with_advice(self, emulator, proxy, cloud):
        columns = without(carbon_schema(), "carbon_footprint_kgCO2e")
        figure = type(columns[0])("carbon_footprint_kgCO2e", "FLOAT")
        emulator.table("carbon", CARBON, [*columns, figure], partitioning=JANUARY)
        failed = failure(cloud().run(), ErrorClass.BAD_REQUEST)
        assert "before July 2022" in failed.message
        assert "backfill" in failed.hint
        assert proxy.downloads() == []

    @pytest.mark.parametrize(
        ("lost", "named"),
        [
            ("service", "service.description"),
            ("carbon_footprint_kgCO2e", "scope"),
            ("billing_account_id", "billing"),
        ],
    )
    def test_a_schema_that_lost_a_column_is_refused_by_name(self, emulator, cloud, lost, named):
        table = emulator.table("carbon", CARBON, without(carbon_schema(), lost), partitioning=JANUARY)
        emulator.insert(table, [stripped(carbon_row("2026-01-01"), lost)])
        warehouse = cloud()
        failed = failure(warehouse.run(), ErrorClass.BAD_REQUEST)
        assert "required columns are missing" in failed.message
        assert named in failed.message
        assert warehouse.query("SELECT count(*) FROM activity_log") == [(0,)]

    def test_a_copy_of_the_table_without_its_month_is_refused_by_name(self, emulator, cloud):
        table = emulator.table("carbon", CARBON, without(carbon_schema(), "usage_month"))
        emulator.insert(table, [stripped(carbon_row("2026-01-01"), "usage_month")])
        failed = failure(cloud().run(), ErrorClass.BAD_REQUEST)
        assert "usage_month" in failed.message
        assert "lack a column" in failed.hint

    def test_columns_that_are_new_or_not_needed_change_nothing(self, emulator, cloud):
        columns = without(carbon_schema(), "carbon_offsets_kgCO2e", "carbon_footprint_total_kgCO2e")
        more = type(columns[0])("added_by_google", "STRING")
        table = emulator.table("carbon", CARBON, [*columns, more], partitioning=JANUARY)
        row = stripped(carbon_row("2026-01-01", added_by_google="x"), "carbon_footprint_total_kgCO2e")
        emulator.insert(table, [row])
        warehouse = cloud()
        assert warehouse.run().status == "succeeded"
        assert warehouse.query("SELECT count(*) FROM activities") == [(4,)]

    def test_a_query_over_the_limit_is_not_run(self, emulator, proxy, cloud):
        emulator.insert(emulator.carbon_table(), rows_of(1))
        proxy.size = 3 * 1024**4
        failed = failure(cloud(maximum_bytes_billed=10**9).run(), ErrorClass.BAD_REQUEST)
        assert f"{3 * 1024**4:,} bytes" in failed.message
        assert "1,000,000,000" in failed.message
        assert f"set ingestion.gcp.maximum_bytes_billed to {3 * 1024**4} or more" in failed.hint
        assert proxy.downloads() == []


class TestCarbonRows:
    def load(self, emulator, warehouse, rows: list[dict]):
        emulator.insert(emulator.carbon_table(), rows)
        return warehouse.run()

    def test_a_null_project_and_one_without_a_name_are_kept(self, emulator, cloud):
        warehouse = cloud()
        projects = [
            {"project": None}, {"project": {"id": None, "number": "77"}}, {"project": {"id": "", "number": "78"}},
        ]  # fmt: skip
        result = self.load(emulator, warehouse, [carbon_row("2026-01-01", **project) for project in projects])
        assert (result.status, result.rejected) == ("succeeded", 0)
        accounts = "SELECT account_id, count(*) FROM activities GROUP BY 1 ORDER BY 1 NULLS FIRST"
        assert warehouse.query(accounts) == [(None, 4), ("77", 4), ("78", 4)]
        assert warehouse.query("SELECT fsum(emissions_kgco2e) FROM activities") == [(3 * 1750.0,)]

    @pytest.mark.parametrize(
        ("location", "region", "expected"),
        [
            ("us", None, "US"),
            ("nam4", None, "US"),
            ("eu", "eu", "EU"),
            ("europe", None, "EU"),
            ("asia", None, "ASIA-PACIFIC"),
            ("europe-west3-b", None, "EU-CENTRAL"),
            ("us-central1-f", "us-central1", "US-CENTRAL"),
            ("global", "global", "GLOBAL"),
            (None, None, "GLOBAL"),
            ("", "", "GLOBAL"),
        ],
    )
    def test_multi_regions_and_zones_have_a_place(self, emulator, cloud, location, region, expected):
        warehouse = cloud()
        row = carbon_row("2026-01-01", location={"location": location, "region": region})
        result = self.load(emulator, warehouse, [row])
        assert (result.status, result.partitions[0].unmapped) == ("succeeded", {})
        assert warehouse.column("DISTINCT location") == [expected]

    def test_an_unknown_region_is_kept_counted_and_global(self, emulator, cloud):
        warehouse = cloud()
        row = carbon_row("2026-01-01", location={"location": "moon-1-a", "region": "moon-1"})
        result = self.load(emulator, warehouse, [row])
        assert result.partitions[0].unmapped == {"region": {"moon-1": 4}}
        assert warehouse.query("SELECT DISTINCT region, location FROM activities") == [("moon-1", "GLOBAL")]

    def test_an_unknown_service_is_other_and_counted(self, emulator, cloud):
        warehouse = cloud()
        row = carbon_row("2026-01-01", service={"id": "FFFF-0000-0001", "description": "Quantum Teapot"})
        result = self.load(emulator, warehouse, [row])
        assert result.partitions[0].unmapped == {"service": {"Quantum Teapot": 4}}
        assert warehouse.query("SELECT DISTINCT service, category FROM activities") == [
            ("Quantum Teapot", "cloud_other")
        ]

    def test_a_known_id_speaks_for_an_unknown_name(self, emulator, cloud):
        warehouse = cloud()
        row = carbon_row("2026-01-01", service={"id": "6F81-5844-456A", "description": "Compute, renamed"})
        assert self.load(emulator, warehouse, [row]).partitions[0].unmapped == {}
        assert warehouse.column("DISTINCT category") == ["cloud_compute"]

    def test_a_row_without_any_figure_goes_to_quarantine(self, emulator, cloud):
        warehouse = cloud()
        warehouse.settings["runner.max_reject_share"] = 0.5
        bad = carbon_row("2026-01-01", project={"id": "bad", "number": "9"}, carbon_footprint_kgCO2e=None)
        result = self.load(emulator, warehouse, [*rows_of(3), bad])
        assert (result.partitions[0].rows, result.rejected) == (12, 1)
        assert warehouse.query("SELECT reason FROM quarantine") == [
            ("no scope has a figure (tables of before July 2022 have none)",)
        ]

    def test_too_many_bad_rows_fail_the_month(self, emulator, cloud):
        warehouse = cloud()
        bad = [carbon_row("2026-01-01", carbon_footprint_kgCO2e=None)]
        failed = failure(self.load(emulator, warehouse, bad), ErrorClass.BAD_REQUEST)
        assert "no scope has a figure" in failed.message
        assert "max_reject_share" in failed.hint
        assert warehouse.query("SELECT count(*) FROM activities") == [(0,)]


class TestBilling:
    def load(self, emulator, warehouse, *rows: dict):
        emulator.insert(emulator.billing_table(), list(rows), day="2026-01-02")
        return warehouse.stream("billing")

    def test_currencies_that_differ_by_row_are_not_mixed(self, emulator, cloud):
        warehouse = cloud(billing="billing")
        rows = [
            billing_row(),
            billing_row(currency="EUR", cost=3.0),
            billing_row(currency="EUR", cost=1.0, credits=[]),
        ]
        assert self.load(emulator, warehouse, *rows).status == "succeeded"
        sums = "SELECT currency, sum(cost) FROM activities GROUP BY 1 ORDER BY 1"
        assert warehouse.query(sums) == [("EUR", Decimal("1.5")), ("USD", Decimal("7.5"))]

    def test_a_charge_without_a_project_is_kept(self, emulator, cloud):
        warehouse = cloud(billing="billing")
        row = billing_row(project=None, sku={"id": "tax", "description": "Tax"}, cost_type="tax", credits=[])
        assert self.load(emulator, warehouse, row).status == "succeeded"
        assert warehouse.query("SELECT account_id, charge_category, cost FROM activities") == [
            (None, "Tax", Decimal(10))
        ]

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"cost": None}, "the cost is missing"),
            ({"billing_account_id": None}, "the billing account is missing"),
            ({"usage_start_time": None}, "the usage start is missing or not a date"),
        ],
    )
    def test_a_bad_row_goes_to_quarantine_with_its_reason(self, emulator, cloud, values, reason):
        warehouse = cloud(billing="billing")
        warehouse.settings["runner.max_reject_share"] = 0.9
        result = self.load(emulator, warehouse, billing_row(), billing_row(credits=[], **values))
        assert result.rejected == 1
        assert warehouse.query("SELECT reason FROM quarantine") == [(reason,)]
        assert warehouse.facts() == (3, Decimal("7.5"))

    @pytest.mark.parametrize(
        ("lost", "text"),
        [
            ("export_time", "export_time"),
            ("cost", "required columns are missing: cost"),
            ("currency", "required columns are missing: currency"),
            # Without them the sum of cost would silently not be net.
            ("credits", "credits"),
        ],
    )
    def test_a_schema_that_lost_a_column_is_refused_by_name(self, emulator, cloud, lost, text):
        table = emulator.table(
            "billing", BILLING, without(billing_schema(), lost), partitioning=("DAY", PARTITION)
        )
        emulator.insert(table, [stripped(billing_row(), lost)], day="2026-01-02")
        warehouse = cloud(billing="billing")
        failed = failure(warehouse.stream("billing"), ErrorClass.BAD_REQUEST)
        assert text in failed.message
        assert warehouse.query("SELECT count(*) FROM activity_log") == [(0,)]

    def test_the_wrong_kind_of_table_is_refused(self, emulator, cloud):
        emulator.carbon_table("billing", BILLING)
        failed = failure(cloud(billing="billing").stream("billing"), ErrorClass.BAD_REQUEST)
        assert "export_time" in failed.message
        assert "Cloud Billing export" in failed.hint

    def test_a_detailed_export_that_is_not_there_names_its_table(self, emulator, cloud):
        emulator.billing_table()
        warehouse = cloud(billing="billing", billing__detailed=True)
        failed = failure(warehouse.stream("billing"), ErrorClass.NOT_FOUND)
        assert "gcp_billing_export_resource_v1_" in failed.message


def test_rows_of_another_provider_in_the_focus_table_are_refused(emulator, cloud):
    from gcp.bigquery_emulator import focus_row

    emulator.insert(emulator.focus_table(), [focus_row(ProviderName="Microsoft"), focus_row()])
    warehouse = cloud(focus="focus")
    warehouse.settings["runner.max_reject_share"] = 0.9
    result = warehouse.stream("focus")
    assert result.rejected == 1
    assert warehouse.facts() == (1, Decimal(10))
