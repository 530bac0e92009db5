"""Runs on tables of a real BigQuery dialect, with Google's faults on the way: the same table at the end, or nothing."""

from __future__ import annotations

import pytest
from gcp.bigquery_emulator import billing_row, carbon_row

from ogf.errors import ErrorClass

LOADS = "SELECT status, row_count FROM loads ORDER BY ALL"


def rows(month: str, count: int, **values) -> list[dict]:
    return [
        carbon_row(f"{month}-01", project={"id": f"shop-{number}", "number": str(number)}, **values)
        for number in range(count)
    ]


@pytest.fixture
def carbon(emulator) -> str:
    """January has five rows: three pages of two."""
    table = emulator.carbon_table()
    emulator.insert(table, rows("2026-01", 5) + rows("2026-02", 1))
    return table


@pytest.fixture
def expected(carbon, proxy, cloud) -> list[str]:
    """The activities of a run without faults."""
    warehouse = cloud(name="clean")
    assert warehouse.run().count("loaded") == 2
    proxy.forget()
    return warehouse.table()


@pytest.fixture
def by_pages(cloud):
    """A warehouse that is filled by pages of two rows, by one worker: faults come in their order."""

    def made(**settings):
        warehouse = cloud(page_size=2, **({"max_retries": 10} | settings))
        warehouse.settings["runner.workers"] = 1
        return warehouse

    return made


class TestTransient:
    @pytest.mark.parametrize(
        "turns",
        [
            pytest.param([*[""] * 5, "rateLimitExceeded 403"], id="403"),
            pytest.param([*[""] * 6, "rateLimitExceeded 429"], id="429"),
            pytest.param([*[""] * 5, "backendError 503"], id="503"),
            pytest.param([*[""] * 5, "internalError 500", *[""] * 7, "rateLimitExceeded 403", "backendError 503"],
                         id="mixed"),
            pytest.param([*[""] * 5, "lost"], id="answers-lost"),
        ],
    )  # fmt: skip
    def test_faults_in_some_calls_end_with_the_same_table(self, expected, proxy, by_pages, turns):
        proxy.turns = turns
        warehouse = by_pages()
        result = warehouse.run()
        assert (result.status, result.count("loaded"), result.rejected) == ("succeeded", 2, 0)
        assert warehouse.table() == expected
        assert {name[-2:] for name in proxy.downloads()} == {"_0"}  # no query was paid for twice
        assert len(proxy.calls) > 12

    @pytest.mark.parametrize("first", [True, False], ids=["listing", "reading"])
    def test_b73_the_first_calls_fail_and_the_last_attempt_succeeds(self, expected, proxy, by_pages, first):
        part = "/tables/" if first else "GET /projects/demo/queries/ogf_carbon_202601"
        proxy.fail(part, "backendError", times=2)
        warehouse = by_pages(max_retries=3)
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected

    def test_b73_one_more_failure_than_attempts_fails_the_partition_alone(self, expected, proxy, by_pages):
        proxy.fail("GET /projects/demo/queries/ogf_carbon_202601", "backendError", times=3)
        warehouse = by_pages(max_retries=3)
        result = warehouse.run()
        assert (result.status, result.count("loaded"), result.count("failed")) == ("partial", 1, 1)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert (failed.error_class, failed.key[-7:]) == (ErrorClass.TRANSIENT, "2026-01")
        assert "3 attempts" in failed.message
        assert warehouse.column("DISTINCT strftime(period_start, '%Y-%m')") == ["2026-02"]
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected

    @pytest.mark.parametrize(
        ("reason", "status"),
        [("notFound", 404), ("invalid", 400), ("invalid", 410)],
        ids=["404", "400", "410"],
    )
    @pytest.mark.parametrize("times", [1, 2])
    def test_a_page_token_that_expired_restarts_and_ends_right(
        self, expected, proxy, by_pages, reason, status, times
    ):
        proxy.fail_later_page(reason, status, times=times, message="the page token is not valid any more")
        warehouse = by_pages()
        result = warehouse.run()
        assert (result.status, result.rejected) == ("succeeded", 0)
        assert warehouse.table() == expected

    def test_a_page_token_that_always_expires_fails_with_advice(self, expected, proxy, by_pages):
        proxy.fail_later_page("notFound", times=200)
        warehouse = by_pages()
        result = warehouse.run()
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert "page_size" in failed.hint
        assert warehouse.query("SELECT count(*) FROM activities WHERE partition_key LIKE '%2026-01'") == [
            (0,)
        ]

    def test_an_answer_that_is_no_json_is_asked_for_again(self, expected, proxy, by_pages):
        proxy.fail("GET /projects/demo/queries/ogf_", "backendError", 502, body=b"<html>bad gateway</html>")
        warehouse = by_pages()
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected


class TestFinal:
    @pytest.mark.parametrize("part", ["dry-run", "/tables/"], ids=["reading", "listing"])
    def test_b100_a_used_up_quota_is_final_at_once(self, expected, proxy, by_pages, part):
        proxy.fail(part, "quotaExceeded", 403, times=50, message="Quota exceeded: bytes scanned per day")
        warehouse = by_pages()
        result = warehouse.run(since="2026-01", until="2026-02")
        assert (result.status, result.exit_code()) == ("failed", 1)
        (failed,) = result.partitions
        assert failed.error_class == ErrorClass.FATAL
        assert "Quota exceeded: bytes scanned per day" in failed.message
        assert "run again tomorrow" in failed.hint
        assert sum(part in call for call in proxy.calls) == 1
        assert proxy.downloads() == []

    def test_b100_access_denied_is_final_at_once_and_no_quota(self, expected, proxy, by_pages):
        proxy.fail(
            "dry-run", "accessDenied", times=50, message="Access Denied: User lacks bigquery.jobs.create"
        )
        result = by_pages().run(since="2026-02")
        (failed,) = result.partitions
        assert failed.error_class == ErrorClass.AUTH
        assert "bigquery.jobs.create" in failed.message
        assert failed.hint
        assert sum("dry-run" in call for call in proxy.calls) == 1


class TestMidIteration:
    def test_b71_pages_give_all_rows(self, expected, proxy, by_pages):
        warehouse = by_pages()
        result = warehouse.run()
        assert sorted((item.key[-7:], item.rows, item.pages) for item in result.partitions) == [
            ("2026-01", 20, 3), ("2026-02", 4, 1),
        ]  # fmt: skip
        assert warehouse.table() == expected
        assert sum("/queries/ogf_" in call and "pageToken" in call for call in proxy.calls) == 2

    def test_b72_an_error_in_mid_iteration_fails_the_partition_and_commits_nothing_of_it(
        self, expected, proxy, by_pages
    ):
        proxy.fail_later_page("backendError", times=3)
        warehouse = by_pages(max_retries=3)
        result = warehouse.run()
        assert (result.status, result.exit_code()) == ("partial", 3)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert (failed.key[-7:], failed.rows, failed.error_class) == ("2026-01", 0, ErrorClass.TRANSIENT)
        for table in ("activities", "activity_log"):
            assert warehouse.column("DISTINCT strftime(period_start, '%Y-%m')", table=table) == ["2026-02"]
        assert ("current", 4) in warehouse.query(LOADS)
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected

    def test_b72_a_right_that_is_withdrawn_in_mid_iteration_stops_the_run(self, expected, proxy, by_pages):
        proxy.fail_later_page("accessDenied")
        warehouse = by_pages()
        result = warehouse.run()
        assert (result.status, result.rows) == ("failed", 0)
        assert {item.error_class for item in result.partitions} == {ErrorClass.AUTH}
        assert warehouse.query("SELECT count(*) FROM activity_log") == [(0,)]
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected

    def test_b72_the_month_that_stood_before_stays_when_its_replacement_fails(
        self, carbon, emulator, proxy, by_pages
    ):
        warehouse = by_pages()
        warehouse.run()
        old = warehouse.table(without=("provider",))
        emulator.sql(f"DELETE FROM `{carbon}` WHERE usage_month = '2026-01-01'")
        emulator.insert(carbon, rows("2026-01", 7, carbon_model_version=15))
        proxy.fail_later_page("accessDenied")
        result = warehouse.run()
        assert result.count("failed") == 1
        assert warehouse.table(without=("provider",)) == old
        assert warehouse.run().count("loaded") == 1
        counts = "SELECT model_version, count(*) FROM activities GROUP BY 1 ORDER BY 1"
        assert warehouse.query(counts) == [("14", 4), ("15", 28)]

    def test_b72_the_last_page_counts_as_much_as_the_first(self, expected, proxy, by_pages):
        """Pages one and two are there: the third fails."""
        warehouse = by_pages(max_retries=1)
        proxy.fail(_third_page(proxy, warehouse), "backendError")
        result = warehouse.run(full=True)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert failed.error_class == ErrorClass.TRANSIENT
        assert warehouse.table() == expected


class TestStorageApi:
    def test_rows_of_many_pages_come_whole_and_are_the_same(
        self, expected, carbon, emulator, storage_api, proxy, by_pages
    ):
        january = f"SELECT * FROM `{carbon}` WHERE usage_month = '2026-01-01'"
        storage_api.table = emulator.client.query(january).to_arrow(create_bqstorage_client=False)
        warehouse = by_pages()
        result = warehouse.run()
        assert sorted((item.rows, item.pages) for item in result.partitions) == [(4, 1), (20, 1)]
        assert warehouse.table() == expected
        assert len(storage_api.sessions) == 1
        assert not any("/queries/ogf_" in call and "pageToken" in call for call in proxy.calls)

    def test_a_stream_that_breaks_is_read_again_and_no_row_twice(
        self, expected, carbon, emulator, storage_api, by_pages
    ):
        january = f"SELECT * FROM `{carbon}` WHERE usage_month = '2026-01-01'"
        storage_api.table = emulator.client.query(january).to_arrow(create_bqstorage_client=False)
        storage_api.breaks = {1: "UNAVAILABLE"}
        warehouse = by_pages()
        assert warehouse.run().status == "succeeded"
        assert warehouse.table() == expected

    def test_where_the_role_is_missing_pages_are_read_and_a_note_says_so(
        self, expected, storage_api, proxy, by_pages
    ):
        storage_api.refuse = "PERMISSION_DENIED"
        warehouse = by_pages()
        result = warehouse.run()
        assert result.status == "succeeded"
        assert len([note for note in result.notices if "roles/bigquery.readSessionUser" in note]) == 1
        assert warehouse.table() == expected
        assert sum("/queries/ogf_" in call and "pageToken" in call for call in proxy.calls) == 2


class TestBilling:
    def test_faults_in_some_calls_do_not_change_what_is_paid(self, emulator, proxy, by_pages, cloud):
        table = emulator.billing_table()
        for day in (2, 3):
            many = [
                billing_row(cost=number + 0.25, export_time=f"2026-01-0{day}T09:00:00Z")
                for number in range(5)
            ]
            emulator.insert(table, many, day=f"2026-01-0{day}")
        clean = cloud(name="clean", billing="billing")
        clean.stream("billing")
        proxy.turns = [*[""] * 5, "rateLimitExceeded 403", *[""] * 6, "lost"]
        warehouse = by_pages(billing="billing")
        assert warehouse.stream("billing").status == "succeeded"
        assert warehouse.table() == clean.table()
        assert warehouse.facts() == clean.facts()
        assert warehouse.facts()[0] == 30


def _third_page(proxy, warehouse) -> str:
    """Load everything; gives the part of a request's line that asks for January's third page."""
    warehouse.run()
    tokens = [
        call.partition("pageToken=")[2].partition("&")[0] for call in proxy.calls if "/queries/ogf_" in call
    ]
    return f"pageToken={tokens[-1]}"
