from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest
from gcp.bigquery_emulator import CARBON, PARTITION, billing_row, carbon_row, focus_row
from gcp.bigquery_fake import row
from gcp.conftest import Ctx
from gcp.google_fake import key_of

from ogf.errors import ConfigError, ErrorClass, SourceError
from ogf_gcp.errors import classify
from ogf_gcp.names import TableName
from ogf_gcp.query import fetch_page, following
from ogf_gcp.query import request as made_request
from ogf_gcp.session import credentials
from ogf_gcp.settings import GcpSettings, carbon_table
from ogf_gcp.storage_read import read_client

SQL = "SELECT x, name, place FROM `demo.carbon.carbon_footprint` WHERE usage_month = @month"


def asking(
    sql: str = SQL, parameters=(), *, job: str = "ogf_v1", location: str = "EU", project: str = "demo"
):
    return made_request(
        "202601",
        sql,
        parameters,
        project=project,
        location=location,
        job=job,
        source="bigquery://demo.carbon/202601",
    )


def read(path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def chain(ctx, request) -> list[pa.Table]:
    """All pages of a chain, as the runner reads them."""
    tables = []
    while request is not None:
        page = fetch_page(ctx, request)
        tables.append(read(page.data.path))
        request = following(request, page)
        page.data.path.unlink()
    return tables


def failing(ctx, request) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch_page(ctx, request)
    assert list(ctx.scratch.iterdir()) == []
    return caught.value


def numbers(tables) -> list[int]:
    return [number for table in tables for number in table["x"].to_pylist()]


class TestAsking:
    def test_b66_values_are_parameters_never_text(self, bigquery, gcp_ctx):
        hostile = "2026-01-01' OR '1'='1"
        fetch_page(
            gcp_ctx(), asking(parameters=[["month", "STRING", hostile], ["days", "DATE", ["2026-01-01"]]])
        )
        for dry in (True, False):
            (found,) = bigquery.configurations(dry=dry)
            assert found["query"]["query"] == SQL
            first, second = found["query"]["queryParameters"]
            assert first["parameterValue"] == {"value": hostile}
            assert second["parameterValue"] == {"arrayValues": [{"value": "2026-01-01"}]}

    def test_b66_a_quote_in_a_dataset_name_is_refused(self):
        for name in ("carbon`", "carbon'", 'carbon"', "carbon; DROP"):
            with pytest.raises(ConfigError):
                TableName.checked("demo", name, "t")
            with pytest.raises(ValueError, match="dataset"):
                GcpSettings.model_validate({"project_id": "demo", "bigquery_dataset": name})

    def test_b67_the_default_table_is_the_one_that_google_makes(self):
        table = carbon_table(GcpSettings(project_id="demo"))
        assert table.quoted == "`demo.carbon_footprint.carbon_footprint`"

    def test_the_job_is_limited_labelled_and_runs_where_the_dataset_lies(self, bigquery, gcp_ctx):
        fetch_page(gcp_ctx(maximum_bytes_billed=20000), asking())
        dry, job = bigquery.bodies
        assert dry["configuration"]["dryRun"]
        assert dry["configuration"]["query"]["useQueryCache"] is False
        assert job["configuration"]["query"]["maximumBytesBilled"] == "20000"
        assert job["configuration"]["labels"] == {"app": "ogf"}
        assert {body["jobReference"]["location"] for body in bigquery.bodies} == {"EU"}
        assert {body["jobReference"]["projectId"] for body in bigquery.bodies} == {"demo"}

    def test_a_wrong_location_is_not_found_with_a_hint(self, bigquery, gcp_ctx):
        error = failing(gcp_ctx(), asking(location="US"))
        assert error.error_class is ErrorClass.NOT_FOUND
        assert "location" in error.hint
        assert error.where == "bigquery://demo.carbon/202601"
        assert bigquery.inserted() == []


class TestCost:
    def test_a_query_that_would_bill_too_much_is_not_run(self, bigquery, gcp_ctx):
        bigquery.bytes = 5_000_000
        error = failing(gcp_ctx(maximum_bytes_billed=1_000_000), asking())
        assert error.error_class is ErrorClass.BAD_REQUEST
        assert "5,000,000" in error.message
        assert "1,000,000" in error.message
        assert "ingestion.gcp.maximum_bytes_billed" in error.hint
        assert bigquery.inserted() == []

    def test_a_query_of_exactly_the_limit_is_run(self, bigquery, gcp_ctx):
        bigquery.bytes = 1_000_000
        assert numbers(chain(gcp_ctx(maximum_bytes_billed=1_000_000), asking())) == [0, 1, 2]

    def test_the_servers_own_refusal_names_the_setting_too(self, bigquery, gcp_ctx):
        bigquery.outcomes = ["bytesBilledLimitExceeded"]
        error = failing(gcp_ctx(), asking())
        assert error.error_class is ErrorClass.BAD_REQUEST
        assert "maximum_bytes_billed" in error.hint


class TestRestPages:
    def test_are_read_one_by_one_to_the_end(self, bigquery, gcp_ctx):
        bigquery.rows = [row(number) for number in range(5)]
        tables = chain(gcp_ctx(page_size=2), asking())
        assert [table.num_rows for table in tables] == [2, 2, 1]
        assert numbers(tables) == [0, 1, 2, 3, 4]
        assert len(bigquery.inserted()) == 1

    def test_make_one_call_each(self, bigquery, gcp_ctx):
        bigquery.rows = [row(number) for number in range(4)]
        ctx = gcp_ctx(page_size=2)
        first = asking()
        page = fetch_page(ctx, first)
        bigquery.calls.clear()
        fetch_page(ctx, following(first, page))
        (call,) = bigquery.calls
        assert "pageToken=T2" in call
        assert "maxResults=2" in call

    def test_keep_nested_types(self, bigquery, gcp_ctx):
        bigquery.fields = [
            {"name": "x", "type": "INTEGER"},
            {"name": "day", "type": "DATE"},
            {"name": "cost", "type": "NUMERIC"},
            {"name": "labels", "type": "RECORD", "mode": "REPEATED",
             "fields": [{"name": "key", "type": "STRING"}, {"name": "value", "type": "STRING"}]},
        ]  # fmt: skip
        bigquery.rows = [
            [1, "2026-01-01", "0.123456789", [{"key": "k", "value": "v"}]],
            [None, None, None, []],
        ]
        (table,) = chain(gcp_ctx(), asking())
        assert table.schema.field("day").type == pa.date32()
        assert table.schema.field("cost").type == pa.decimal128(38, 9)
        assert table["labels"].to_pylist() == [[{"key": "k", "value": "v"}], []]

    def test_of_no_rows_is_a_file_with_a_schema(self, bigquery, gcp_ctx):
        bigquery.rows = []
        (table,) = chain(gcp_ctx(), asking())
        assert table.num_rows == 0
        assert table.schema.names == ["x", "name", "place"]

    def test_is_an_arrow_file_of_ours_in_scratch(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        file = fetch_page(ctx, asking()).data
        assert file.path.read_bytes()[:6] == b"ARROW1"
        assert file.owned
        assert file.path.parent == ctx.scratch
        assert file.uri == "bigquery://demo.carbon/202601"

    @pytest.mark.parametrize("reason", ["notFound", "invalid"])
    def test_an_expired_page_token_starts_the_partition_again(self, bigquery, gcp_ctx, reason):
        bigquery.rows = [row(number) for number in range(4)]
        ctx = gcp_ctx(page_size=2)
        first = asking()
        page = fetch_page(ctx, first)
        page.data.path.unlink()
        bigquery.fail("pageToken=T2", reason)
        error = failing(ctx, following(first, page))
        assert (error.error_class, error.restart) == (ErrorClass.TRANSIENT, True)
        assert error.where == "bigquery://demo.carbon/202601"

    def test_a_chain_that_starts_again_after_its_rows_are_gone_runs_a_new_job(self, bigquery, gcp_ctx):
        bigquery.rows = [row(number) for number in range(4)]
        ctx = gcp_ctx(page_size=2)
        first = asking()
        page = fetch_page(ctx, first)
        bigquery.expire()
        with pytest.raises(SourceError) as caught:
            fetch_page(ctx, following(first, page))
        assert caught.value.restart
        assert numbers(chain(ctx, first)) == [0, 1, 2, 3]
        assert len(bigquery.inserted()) == 2

    def test_b71_an_error_in_mid_iteration_fails_the_page(self, bigquery, gcp_ctx):
        bigquery.rows = [row(number) for number in range(4)]
        ctx = gcp_ctx(page_size=2)
        first = asking()
        page = fetch_page(ctx, first)
        page.data.path.unlink()
        bigquery.fail("pageToken=T2", "backendError")
        error = failing(ctx, following(first, page))
        assert (error.error_class, error.restart) == (ErrorClass.TRANSIENT, False)
        assert numbers([read(fetch_page(ctx, following(first, page)).data.path)]) == [2, 3]

    def test_b72_rows_that_do_not_come_are_no_end_of_data(self, bigquery, gcp_ctx):
        bigquery.total = 4
        error = failing(gcp_ctx(), asking())
        assert error.error_class is ErrorClass.TRANSIENT
        assert "3 rows of the 4" in error.message

    def test_b73_the_first_calls_failing_fail_until_one_succeeds(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        bigquery.fail("/queries/", "internalError", times=2)
        for _ in range(2):
            assert failing(ctx, asking()).error_class is ErrorClass.TRANSIENT
        assert numbers(chain(ctx, asking())) == [0, 1, 2]
        assert len(bigquery.inserted()) == 1


class TestErrors:
    @pytest.mark.parametrize("call", ["dry-run", "POST /projects/demo/jobs", "/queries/"])
    def test_b68_a_rate_limit_is_raised_to_the_runner_not_retried_inside(self, bigquery, gcp_ctx, call):
        bigquery.fail(call, "rateLimitExceeded")
        started = time.monotonic()
        error = failing(gcp_ctx(), asking())
        assert error.error_class is ErrorClass.TRANSIENT
        assert time.monotonic() - started < 2
        assert sum(call in line for line in bigquery.calls) == 1

    def test_b69_a_server_error_is_asked_for_once(self, bigquery, gcp_ctx):
        bigquery.fail("dry-run", "backendError", times=5)
        assert failing(gcp_ctx(), asking()).error_class is ErrorClass.TRANSIENT
        assert len(bigquery.calls) == 1

    def test_b100_the_same_status_means_different_things(self, bigquery, gcp_ctx):
        found = {}
        for reason in ("rateLimitExceeded", "accessDenied", "quotaExceeded"):
            bigquery.fail("dry-run", reason)
            found[reason] = failing(gcp_ctx(), asking()).error_class
        assert found == {
            "rateLimitExceeded": ErrorClass.TRANSIENT,
            "accessDenied": ErrorClass.AUTH,
            "quotaExceeded": ErrorClass.FATAL,
        }

    def test_b70_a_refusal_is_asked_for_once_and_is_not_transient(self, bigquery, gcp_ctx):
        bigquery.fail("dry-run", "accessDenied", times=5)
        assert failing(gcp_ctx(), asking()).error_class is ErrorClass.AUTH
        assert len(bigquery.calls) == 1

    def test_a_server_that_is_silent_is_given_up_on(self, bigquery, gcp_ctx):
        bigquery.fail("dry-run", "backendError", delay=3)
        started = time.monotonic()
        with pytest.raises(Exception) as caught:
            fetch_page(gcp_ctx(request_timeout=1), asking())
        assert time.monotonic() - started < 2.5
        error = caught.value
        verdict = error if isinstance(error, SourceError) else classify(error)
        assert verdict.error_class is ErrorClass.TRANSIENT


class TestJobs:
    def test_a_duplicate_of_our_own_id_is_attached_to(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        chain(ctx, asking())
        assert numbers(chain(ctx, asking())) == [0, 1, 2]
        assert len(bigquery.inserted()) == 1

    def test_that_still_run_are_attached_to_and_use_up_no_attempt(self, bigquery, gcp_ctx):
        bigquery.polls = 10**6
        ctx = gcp_ctx(request_timeout=1)
        error = failing(ctx, asking())
        assert (error.error_class, error.retry_after) == (ErrorClass.TRANSIENT, 0.0)
        assert "still running" in error.message
        next(iter(bigquery.jobs.values())).polls = 1
        assert numbers(chain(ctx, asking())) == [0, 1, 2]
        assert len(bigquery.inserted()) == 1

    @pytest.mark.parametrize("reason", ["jobBackendError", "jobInternalError", "jobRateLimitExceeded"])
    def test_that_failed_are_run_again_under_a_new_id(self, bigquery, gcp_ctx, reason):
        ctx = gcp_ctx()
        bigquery.outcomes = [reason, reason]
        for _ in range(2):
            assert failing(ctx, asking()).error_class is ErrorClass.TRANSIENT
        assert numbers(chain(ctx, asking())) == [0, 1, 2]
        first, second, third = bigquery.inserted()
        assert [name[-2:] for name in (first, second, third)] == ["_0", "_1", "_2"]

    def test_method_a5_a_cancelled_one_ends_the_wait_as_failed(self, bigquery, gcp_ctx):
        bigquery.outcomes = ["stopped"]  # what BigQuery says of a job that somebody cancelled
        began = time.monotonic()
        assert failing(gcp_ctx(), asking()).error_class is ErrorClass.FATAL
        assert time.monotonic() - began < 20

    def test_whose_rows_are_gone_are_run_again(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        chain(ctx, asking())
        bigquery.expire()
        assert numbers(chain(ctx, asking())) == [0, 1, 2]
        assert len(bigquery.inserted()) == 2

    def test_of_yesterday_are_not_attached_to(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        chain(ctx, asking())
        next(iter(bigquery.jobs.values())).ended -= 25 * 3600
        chain(ctx, asking())
        assert len(bigquery.inserted()) == 2

    def test_of_another_version_or_another_query_have_other_ids(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        chain(ctx, asking())
        chain(ctx, asking(job="ogf_v2"))
        chain(ctx, asking(sql=f"{SQL} AND true"))
        chain(ctx, asking(parameters=[["month", "DATE", "2026-01-01"]]))
        assert len(set(bigquery.inserted())) == 4

    def test_that_failed_very_often_do_not_end_in_a_search_without_end(self, bigquery, gcp_ctx):
        ctx = gcp_ctx()
        bigquery.outcomes = ["jobBackendError"] * 12
        for _ in range(12):
            failing(ctx, asking())
        assert numbers(chain(ctx, asking())) == [0, 1, 2]


class TestStorageApi:
    @pytest.fixture
    def table(self, bigquery, storage_api) -> pa.Table:
        bigquery.rows = [row(number) for number in range(7)]
        storage_api.table = pa.table(
            {
                "x": pa.array(range(7), pa.int64()),
                "name": [f"n{number}" for number in range(7)],
                "place": pa.array([{"region": "us-central1"}] * 7),
            }
        )
        return storage_api.table

    def test_gives_all_rows_as_one_page(self, table, gcp_ctx, storage_api):
        ctx = gcp_ctx(page_size=2)
        (found,) = chain(ctx, asking())
        assert found.equals(table)
        assert storage_api.sessions == [("projects/demo", "projects/demo/datasets/_anon/tables/anon1")]
        assert ctx.notes == []

    def test_is_not_asked_for_a_result_of_one_page(self, table, gcp_ctx, storage_api):
        assert numbers(chain(gcp_ctx(page_size=7), asking())) == list(range(7))
        assert storage_api.sessions == []

    def test_is_not_asked_when_it_is_switched_off(self, table, gcp_ctx, storage_api):
        assert len(chain(gcp_ctx(page_size=2, storage_api=False), asking())) == 4
        assert storage_api.sessions == []

    @pytest.mark.parametrize("status", ["PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND"])
    def test_that_is_refused_falls_back_to_rest_once_with_a_note(self, table, gcp_ctx, storage_api, status):
        storage_api.refuse = status
        ctx = gcp_ctx(page_size=2)
        assert numbers(chain(ctx, asking())) == list(range(7))
        assert len(storage_api.sessions) == 1
        (note,) = ctx.notes
        assert "roles/bigquery.readSessionUser" in note

    def test_a_right_that_ends_in_mid_read_falls_back_to_rest(self, table, gcp_ctx, storage_api):
        storage_api.breaks = {2: "PERMISSION_DENIED"}
        ctx = gcp_ctx(page_size=2)
        assert numbers(chain(ctx, asking())) == list(range(7))

    def test_b71_a_break_in_mid_stream_leaves_nothing(self, table, gcp_ctx, storage_api):
        storage_api.breaks = {2: "UNAVAILABLE"}
        ctx = gcp_ctx(page_size=2)
        assert failing(ctx, asking()).error_class is ErrorClass.TRANSIENT
        assert storage_api.offsets == [0]
        assert numbers(chain(ctx, asking())) == list(range(7))

    def test_a_stream_that_outlasts_its_deadline_is_gone_on_with(self, table, gcp_ctx, storage_api):
        storage_api.breaks = {2: "DEADLINE_EXCEEDED"}
        assert numbers(chain(gcp_ctx(page_size=2), asking())) == list(range(7))
        assert storage_api.offsets == [0, 4]

    def test_a_stream_that_brings_nothing_within_its_deadline_fails(self, table, gcp_ctx, storage_api):
        storage_api.breaks = {0: "DEADLINE_EXCEEDED"}
        assert failing(gcp_ctx(page_size=2), asking()).error_class is ErrorClass.TRANSIENT

    def test_b72_a_stream_that_ends_early_is_no_end_of_data(self, table, gcp_ctx, storage_api):
        storage_api.table = table.slice(0, 5)
        error = failing(gcp_ctx(page_size=2), asking())
        assert error.error_class is ErrorClass.TRANSIENT
        assert "5 rows of the 7" in error.message


class TestEmulator:
    """The same against a server that runs the SQL."""

    @pytest.fixture
    def ctx(self, emulator, tmp_path) -> Ctx:
        settings = GcpSettings(
            project_id="demo", endpoint_url=emulator.url, page_size=100, request_timeout=20
        )
        return Ctx(settings, tmp_path)

    def test_a_nested_select_with_a_date_parameter(self, emulator, ctx):
        table = emulator.carbon_table()
        emulator.insert(table, [carbon_row("2026-01-01"), carbon_row("2026-02-01")])
        sql = f"SELECT usage_month, project, carbon_footprint_kgCO2e AS kg FROM `{table}` WHERE usage_month = @month"
        (found,) = chain(ctx, asking(sql, [["month", "DATE", "2026-02-01"]]))
        assert found.schema.field("usage_month").type == pa.date32()
        (values,) = found.to_pylist()
        assert str(values["usage_month"]) == "2026-02-01"
        assert values["project"] == {"id": "shop", "number": "100001"}
        assert values["kg"]["scope2"] == {"location_based": 1000.0, "market_based": 250.0}

    def test_pages(self, emulator, ctx):
        table = emulator.carbon_table()
        emulator.insert(
            table, [carbon_row("2026-01-01", carbon_model_version=number) for number in range(250)]
        )
        tables = chain(ctx, asking(f"SELECT carbon_model_version AS x FROM `{table}` ORDER BY x"))
        assert [table.num_rows for table in tables] == [100, 100, 50]
        assert numbers(tables) == list(range(250))

    def test_no_rows(self, emulator, ctx):
        table = emulator.carbon_table()
        (found,) = chain(ctx, asking(f"SELECT usage_month, service FROM `{table}`"))
        assert found.num_rows == 0
        assert found.schema.names == ["usage_month", "service"]

    @pytest.mark.parametrize("detailed", [False, True])
    def test_the_billing_table_keeps_its_lists_and_ingestion_days(self, emulator, ctx, detailed):
        table = emulator.billing_table(detailed=detailed)
        emulator.insert(table, [billing_row()], day="2026-01-02")
        emulator.insert(table, [billing_row(), billing_row(credits=[])], day="2026-01-03")
        assert (
            emulator.sql(f"SELECT _PARTITIONDATE AS day, COUNT(*) FROM `{table}` GROUP BY 1 ORDER BY 1") != []
        )
        sql = f"SELECT cost, credits, labels, export_time FROM `{table}` WHERE _PARTITIONTIME = @day ORDER BY cost"
        (found,) = chain(ctx, asking(sql, [["day", "TIMESTAMP", "2026-01-03T00:00:00Z"]]))
        assert found.num_rows == 2
        assert sorted(len(items) for items in found["credits"].to_pylist()) == [0, 2]
        assert found.schema.field("export_time").type == pa.timestamp("us", "UTC")
        days = emulator.sql(
            "SELECT partition_id, total_rows FROM `demo.billing`.INFORMATION_SCHEMA.PARTITIONS ORDER BY 1"
        )
        assert [day for day, _ in days] == ["20260102", "20260103"]
        assert PARTITION in {field.name for field in emulator.client.get_table(table).schema}

    def test_the_focus_table(self, emulator, ctx):
        table = emulator.focus_table()
        emulator.insert(table, [focus_row()])
        (found,) = chain(ctx, asking(f"SELECT BilledCost, Tags, x_ExportTime FROM `{table}`"))
        assert found.schema.field("BilledCost").type == pa.decimal128(38, 9)
        assert found["Tags"].to_pylist()[0][0]["Key"] == "env"

    def test_a_table_that_is_not_there(self, emulator, ctx):
        emulator.dataset("carbon")
        assert (
            failing(ctx, asking(f"SELECT * FROM `demo.carbon.{CARBON}`")).error_class is ErrorClass.NOT_FOUND
        )

    def test_a_column_that_is_not_there(self, emulator, ctx):
        table = emulator.carbon_table()
        assert failing(ctx, asking(f"SELECT nope FROM `{table}`")).error_class is ErrorClass.BAD_REQUEST


def test_at_google_the_storage_api_is_called_with_the_same_credentials():
    settings = GcpSettings(project_id="demo", service_account_key=json.dumps(key_of()))
    client = read_client(settings)
    assert client is read_client(settings)
    assert client.transport._credentials.service_account_email == credentials(settings).service_account_email
    assert client.transport._host == "bigquerystorage.googleapis.com:443"
