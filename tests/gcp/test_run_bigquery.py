"""`ogf run --provider gcp` on tables of a BigQuery that runs the real SQL."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from gcp.bigquery_emulator import (
    BILLING,
    BILLING_ACCOUNT,
    CARBON,
    FOCUS,
    billing_row,
    carbon_row,
    carbon_schema,
    focus_row,
)
from gcp.bigquery_runs import outcomes

from ogf.runner.run import Options
from ogf.window import Month, Window

SCOPES = (
    "SELECT FORMAT_DATE('%Y-%m', usage_month), SUM(carbon_footprint_kgCO2e.scope1), "
    "SUM(carbon_footprint_kgCO2e.scope2.location_based), SUM(carbon_footprint_kgCO2e.scope2.market_based), "
    "SUM(carbon_footprint_kgCO2e.scope3) FROM `demo.carbon.carbon_footprint` GROUP BY 1 ORDER BY 1"
)
ONE = ("provider",)  # the same in all rows: everything else is compared, the load too
LOADED = (
    "SELECT strftime(period_start, '%Y-%m'), fsum(emissions_kgco2e) FILTER (provider_scope = 1), "
    "fsum(emissions_kgco2e) FILTER (provider_scope = 2 AND accounting = 'location'), "
    "fsum(emissions_kgco2e) FILTER (provider_scope = 2 AND accounting = 'market'), "
    "fsum(emissions_kgco2e) FILTER (provider_scope = 3) FROM activities GROUP BY 1 ORDER BY 1"
)


def figures(scope1=1.0, location=2.0, market=1.5, scope3=3.0) -> dict:
    return {
        "scope1": scope1,
        "scope2": {"location_based": location, "market_based": market},
        "scope3": scope3,
    }


def month_rows(month: str, count: int, **values) -> list[dict]:
    """Rows of several projects, services and regions, with figures that no sum gives by chance."""
    places = (("us-central1-a", "us-central1"), ("europe-west3", "europe-west3"))
    services = (("6F81-5844-456A", "Compute Engine"), ("95FF-2EF5-5EA1", "Cloud Storage"))
    made = []
    for number in range(count):
        (place, region), (service, name) = places[number % 2], services[number // 2 % 2]
        row = {
            "project": {"id": f"shop-{number}", "number": str(100_000 + number)},
            "service": {"id": service, "description": name},
            "location": {"location": place, "region": region},
            "carbon_footprint_kgCO2e": figures(0.001 * number, 1.1 * number, 0.7 * number, 0.31 * number),
        }
        made.append(carbon_row(f"{month}-01", **(row | values)))
    return made


def same_sums(warehouse, emulator) -> bool:
    return warehouse.query(LOADED) == [
        (month, *(None if value is None else pytest.approx(value, rel=1e-12) for value in sums))
        for month, *sums in emulator.sql(SCOPES)
    ]


def replace_month(emulator, table: str, month: str, rows: list[dict]) -> None:
    """What a backfill does."""
    emulator.sql(f"DELETE FROM `{table}` WHERE usage_month = '{month}-01'")
    emulator.insert(table, rows)


class TestCarbon:
    @pytest.fixture
    def carbon(self, emulator) -> str:
        table = emulator.carbon_table()
        emulator.insert(table, month_rows("2026-01", 5) + month_rows("2026-02", 3))
        return table

    def test_b79_a_process_loads_two_months_and_the_second_downloads_nothing(
        self, carbon, emulator, proxy, process, cloud
    ):
        run = process()
        first = run("run", "--provider", "gcp", "--json")
        (result,) = json.loads(first.stdout)
        assert (result["status"], result["loaded"], result["rows"], result["rejected"]) == (
            "succeeded",
            2,
            32,
            0,
        )
        assert sorted(item["key"] for item in result["partitions"]) == [
            f"{carbon}/2026-01", f"{carbon}/2026-02",
        ]  # fmt: skip
        assert sorted(name.split("_")[2] for name in proxy.downloads()) == ["202601", "202602"]
        warehouse = cloud()
        assert same_sums(warehouse, emulator)
        ledger = "SELECT stream, partition_key, status, row_count FROM loads ORDER BY partition_key"
        assert warehouse.query(ledger) == [
            ("carbon", f"{carbon}/2026-01", "current", 20), ("carbon", f"{carbon}/2026-02", "current", 12),
        ]  # fmt: skip
        before = warehouse.table(without=ONE)

        proxy.forget()
        second = run("run", "--provider", "gcp", "--json")
        (result,) = json.loads(second.stdout)
        assert (result["status"], result["loaded"], result["unchanged"], result["rows"]) == (
            "succeeded",
            0,
            2,
            0,
        )
        assert {item["reason"] for item in result["partitions"]} == {"same version"}
        assert proxy.downloads() == []
        assert not any("carbon_footprint` WHERE usage_month" in query["query"] for query in proxy.queries())
        assert cloud().table(without=ONE) == before

    def test_plan_says_why_and_asks_for_no_rows(self, carbon, emulator, proxy, process):
        run = process()
        assert [(row["partition"], row["action"], row["why"]) for row in _planned(run)] == [
            (f"{carbon}/2026-01", "load", "new"), (f"{carbon}/2026-02", "load", "new"),
        ]  # fmt: skip
        run("run", "--provider", "gcp")
        replace_month(emulator, carbon, "2026-01", month_rows("2026-01", 4))
        proxy.forget()
        assert [(row["partition"], row["action"], row["why"]) for row in _planned(run)] == [
            (f"{carbon}/2026-01", "load", "version changed"), (f"{carbon}/2026-02", "skip", "same version"),
        ]  # fmt: skip
        assert proxy.downloads() == []

    def test_a_backfilled_month_replaces_exactly_itself_and_keeps_its_history(
        self, carbon, emulator, proxy, cloud
    ):
        warehouse = cloud()
        warehouse.run()
        old = warehouse.table(without=ONE)
        (february,) = warehouse.query("SELECT load_id FROM loads WHERE partition_key LIKE '%-02'")
        moment = dt.datetime.now(dt.UTC)

        replace_month(emulator, carbon, "2026-01", month_rows("2026-01", 2, carbon_model_version=15))
        proxy.forget()
        result = warehouse.run()
        assert outcomes(result) == {
            "2026-01": ("loaded", "version changed"), "2026-02": ("unchanged", "same version"),
        }  # fmt: skip
        assert [name.split("_")[2] for name in proxy.downloads()] == ["202601"]
        assert same_sums(warehouse, emulator)
        by_month = (
            "SELECT strftime(period_start, '%Y-%m'), count(*), max(model_version) FROM activities GROUP BY 1"
        )
        assert sorted(warehouse.query(by_month)) == [("2026-01", 8, "15"), ("2026-02", 12, "14")]
        assert warehouse.query("SELECT load_id FROM loads WHERE partition_key LIKE '%-02'") == [february]
        then = f"(SELECT * EXCLUDE (provider) FROM activities_as_of('{moment.isoformat()}')) AS a"
        assert warehouse.column("CAST(a AS VARCHAR)", table=then) == old
        states = "SELECT status, row_count FROM loads WHERE partition_key LIKE '%-01' ORDER BY row_count"
        assert warehouse.query(states) == [("current", 8), ("superseded", 20)]

    def test_a_model_version_alone_is_a_change_of_the_month(self, carbon, emulator, cloud):
        warehouse = cloud()
        warehouse.run()
        replace_month(emulator, carbon, "2026-02", month_rows("2026-02", 3, carbon_model_version=15))
        assert outcomes(warehouse.run())["2026-02"] == ("loaded", "version changed")
        assert set(warehouse.column("DISTINCT model_version")) == {"14", "15"}

    def test_only_the_months_of_the_window(self, carbon, proxy, cloud):
        warehouse = cloud()
        warehouse.run(since="2026-02", until="2026-03")
        assert [name.split("_")[2] for name in proxy.downloads()] == ["202602"]
        assert warehouse.column("DISTINCT strftime(period_start, '%Y-%m')") == ["2026-02"]

    def test_a_month_of_before_2023_has_no_market_based_rows_and_zero_stays_zero(self, emulator, cloud):
        table = emulator.carbon_table()
        emulator.insert(
            table, [carbon_row("2022-11-01", carbon_footprint_kgCO2e=figures(0.0, 2.0, None, 3.0))]
        )
        warehouse = cloud()
        warehouse.run()
        rows = "SELECT provider_scope, accounting, emissions_kgco2e FROM activities ORDER BY ALL"
        assert warehouse.query(rows) == [(1, None, 0.0), (2, "location", 2.0), (3, None, 3.0)]
        assert same_sums(warehouse, emulator)

    def test_a_table_without_partitions_is_told_by_its_content(self, emulator, proxy, cloud):
        table = emulator.table("carbon", CARBON, carbon_schema())
        emulator.insert(table, month_rows("2026-01", 3) + month_rows("2026-02", 3))
        warehouse = cloud()
        assert outcomes(warehouse.run()) == {"2026-01": ("loaded", "new"), "2026-02": ("loaded", "new")}
        assert same_sums(warehouse, emulator)
        before = warehouse.table(without=ONE)
        result = warehouse.run()
        assert outcomes(result) == {
            "2026-01": ("unchanged", "same content"), "2026-02": ("unchanged", "same content"),
        }  # fmt: skip
        assert warehouse.table(without=ONE) == before
        replace_month(emulator, table, "2026-02", month_rows("2026-02", 4))
        assert outcomes(warehouse.run()) == {
            "2026-01": ("unchanged", "same content"), "2026-02": ("loaded", "content changed"),
        }  # fmt: skip
        assert same_sums(warehouse, emulator)

    def test_a_full_run_reads_the_rows_again_and_publishes_nothing(self, carbon, proxy, cloud):
        warehouse = cloud()
        warehouse.run()
        before = warehouse.table(without=("load_id",))
        proxy.forget()
        result = warehouse.run(full=True)
        assert {reason for _, reason in outcomes(result).values()} <= {"forced", "same content"}
        assert len(proxy.downloads()) == 2
        assert warehouse.table(without=("load_id",)) == before

    @pytest.mark.parametrize(
        ("published_on", "text"),
        [
            pytest.param(
                32, "{month} is not published yet: Google writes it on the 32th of this month", id="before"
            ),
            pytest.param(
                1, "{month} is not in the table, though Google writes it on the 1th: look at", id="after"
            ),
        ],
    )
    def test_a_month_that_is_not_published_is_a_note_and_no_error(
        self, emulator, cloud, monkeypatch, published_on, text
    ):
        monkeypatch.setattr("ogf_gcp.carbon.table.PUBLISHED_ON", published_on)  # today is as it is
        last, before = _month(1), _month(2)
        table = emulator.carbon_table()
        emulator.insert(table, month_rows(before, 2))
        warehouse = cloud()
        result = warehouse.run()
        assert (result.status, result.exit_code(strict=True)) == ("succeeded", 0)
        assert [note for note in result.notices if text.format(month=last) in note] != []
        assert warehouse.run(until=last).notices == []  # not asked for
        emulator.insert(table, month_rows(last, 2))
        assert outcomes(result := warehouse.run()) == {
            before: ("unchanged", "same version"), last: ("loaded", "new"),
        }  # fmt: skip
        assert result.notices == []

    def test_plan_and_run_of_a_process_say_what_is_not_published(self, carbon, process):
        run, last = process(), _month(1)
        day = dt.datetime.now(dt.UTC).day
        expected = f"{last} is not published yet" if day < 15 else f"{last} is not in the table"
        for word in ("plan", "run"):
            assert expected in run(word, "--provider", "gcp").stderr

    def test_the_job_runs_where_the_dataset_lies(self, emulator, proxy, cloud):
        emulator.dataset("carbon", location="asia-northeast1")
        emulator.insert(emulator.carbon_table(), month_rows("2026-01", 1))
        assert cloud().run().count("loaded") == 1
        assert {body["jobReference"].get("location") for body in proxy.bodies} == {"asia-northeast1"}

    def test_values_are_parameters_and_each_query_has_a_limit(self, carbon, proxy, cloud):
        cloud().run()
        (rows, _) = [query for query in proxy.queries() if query["query"].startswith("SELECT * FROM")]
        assert "@usage_month" in rows["query"]
        assert "2026" not in rows["query"]
        assert {query.get("maximumBytesBilled") for query in proxy.queries()} == {str(10 * 1024**3)}

    def test_b76_five_records_end_to_end(self, emulator, cloud):
        emulator.insert(emulator.carbon_table(), month_rows("2026-01", 6)[1:])
        warehouse = cloud()
        warehouse.run()
        assert same_sums(warehouse, emulator)
        assert warehouse.query("SELECT count(*), min(emissions_kgco2e) > 0 FROM activities") == [(20, True)]
        assert warehouse.column("DISTINCT data_quality") == ["measured"]


class TestBilling:
    @pytest.fixture
    def billing(self, emulator) -> str:
        table = emulator.billing_table()
        emulator.insert(table, [billing_row(), billing_row(cost=4.25, credits=[])], day="2026-01-02")
        late = {"usage_start_time": "2026-01-02T00:00:00Z", "usage_end_time": "2026-01-02T01:00:00Z"}
        emulator.insert(
            table, [billing_row(export_time="2026-01-03T03:00:00Z", cost=1.5, **late)], day="2026-01-03"
        )
        return table

    def test_the_sum_of_cost_is_net_and_no_credit_is_counted_twice(self, billing, emulator, cloud):
        warehouse = cloud(billing="billing")
        result = warehouse.stream("billing")
        assert outcomes(result) == {"2026-01-02": ("loaded", "new"), "2026-01-03": ("loaded", "new")}
        ((net,),) = emulator.sql(
            f"SELECT SUM(cost) + SUM(IFNULL((SELECT SUM(c.amount) FROM UNNEST(credits) c), 0)) FROM `{billing}`"
        )
        assert net == pytest.approx(10.75)
        assert warehouse.facts() == (7, Decimal("10.75"))
        by_kind = "SELECT charge_category, count(*), sum(cost) FROM activities GROUP BY 1 ORDER BY 1"
        assert warehouse.query(by_kind) == [("Credit", 4, Decimal(-5)), ("Usage", 3, Decimal("15.75"))]
        quantities = "SELECT count(quantity), sum(quantity) FROM activities"
        assert warehouse.query(quantities) == [(3, 3 * 14400.0)]

    def test_a_late_row_in_an_old_day_loads_that_day_alone(self, billing, emulator, proxy, cloud):
        warehouse = cloud(billing="billing")
        warehouse.stream("billing")
        proxy.forget()
        assert {outcome for outcome, _ in outcomes(warehouse.stream("billing")).values()} == {"unchanged"}
        assert proxy.downloads() == []
        late = billing_row(export_time="2026-01-09T00:00:00Z", cost=100.0, credits=[])
        emulator.insert(billing, [late], day="2026-01-02")
        assert outcomes(warehouse.stream("billing")) == {
            "2026-01-02": ("loaded", "version changed"), "2026-01-03": ("unchanged", "same version"),
        }  # fmt: skip
        (job,) = proxy.downloads()
        assert job.startswith("ogf_billing_20260102")
        assert warehouse.facts() == (8, Decimal("110.75"))

    def test_a_new_day_is_loaded_and_no_other(self, billing, emulator, cloud):
        warehouse = cloud(billing="billing")
        warehouse.stream("billing")
        more = billing_row(export_time="2026-02-01T03:00:00Z", cost=2.0, credits=[])
        emulator.insert(billing, [more], day="2026-02-01")
        assert outcomes(warehouse.stream("billing")) == {
            "2026-01-02": ("unchanged", "same version"), "2026-01-03": ("unchanged", "same version"),
            "2026-02-01": ("loaded", "new"),
        }  # fmt: skip

    def test_a_table_that_is_not_partitioned_is_read_by_the_time_of_export(self, emulator, cloud):
        from gcp.bigquery_emulator import PARTITION, billing_schema

        schema = [field for field in billing_schema() if field.name != PARTITION]
        table = emulator.table("billing", BILLING, schema)
        emulator.insert(table, [billing_row(), billing_row(export_time="2026-01-03T00:00:00Z", credits=[])])
        warehouse = cloud(billing="billing")
        assert set(outcomes(warehouse.stream("billing"))) == {"2026-01-02", "2026-01-03"}
        assert warehouse.facts() == (4, Decimal("17.5"))

    def test_the_detailed_export_names_the_resource(self, emulator, cloud):
        emulator.insert(
            emulator.billing_table(detailed=True),
            [billing_row(resource={"name": "vm-1", "global_name": "//compute/projects/1/instances/vm-1"})],
            day="2026-01-02",
        )
        warehouse = cloud(billing="billing", billing__detailed=True)
        assert warehouse.stream("billing").count("loaded") == 1
        assert warehouse.column("DISTINCT resource_id") == ["//compute/projects/1/instances/vm-1"]
        assert warehouse.facts() == (3, Decimal("7.5"))

    def test_only_the_columns_that_are_used_are_paid_for(self, billing, proxy, cloud):
        cloud(billing="billing").stream("billing")
        (first, _) = [query["query"] for query in proxy.queries() if "@day" in query["query"]]
        assert "WHERE _PARTITIONTIME = TIMESTAMP(@day)" in first  # which prunes: no other day is paid for
        chosen = first.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        assert {"cost", "credits", "labels"} <= set(chosen)
        assert not {"adjustment_info", "transaction_type", "cost_at_list"} & set(chosen)

    def test_all_streams_in_one_process(self, billing, emulator, process, cloud):
        emulator.insert(emulator.carbon_table(), month_rows("2026-01", 2))
        emulator.insert(emulator.focus_table(), [focus_row()])
        run = process(billing="billing", focus="focus")
        (result,) = json.loads(run("run", "--provider", "gcp", "--json").stdout)
        assert (result["loaded"], result["failed"]) == (4, 0)
        streams = cloud().query("SELECT stream, count(*) FROM activities GROUP BY 1 ORDER BY 1")
        assert streams == [("billing", 7), ("carbon", 8), ("focus", 1)]
        (result,) = json.loads(run("run", "--provider", "gcp", "--json").stdout)
        assert (result["loaded"], result["unchanged"]) == (0, 4)


class TestFocus:
    def test_the_billing_period_is_the_partition_and_its_newest_export_the_version(
        self, emulator, proxy, cloud
    ):
        table = emulator.focus_table()
        february = {"BillingPeriodStart": "2026-02-01T00:00:00Z", "BillingPeriodEnd": "2026-03-01T00:00:00Z",
                    "ChargePeriodStart": "2026-02-01T00:00:00Z", "ChargePeriodEnd": "2026-02-01T01:00:00Z"}  # fmt: skip
        emulator.insert(table, [focus_row(), focus_row(BilledCost="0.000000001"), focus_row(**february)])
        warehouse = cloud(focus="focus")
        assert outcomes(warehouse.stream("focus")) == {
            "2026-01": ("loaded", "new"),
            "2026-02": ("loaded", "new"),
        }
        ((billed,),) = emulator.sql(f"SELECT SUM(BilledCost) FROM `{table}`")
        assert warehouse.facts() == (3, billed) == (3, Decimal("20.000000001"))
        proxy.forget()
        assert {outcome for outcome, _ in outcomes(warehouse.stream("focus")).values()} == {"unchanged"}
        assert proxy.downloads() == []
        emulator.insert(table, [focus_row(BilledCost="5", x_ExportTime="2026-02-09T00:00:00Z")])
        assert outcomes(warehouse.stream("focus")) == {
            "2026-01": ("loaded", "version changed"), "2026-02": ("unchanged", "same version"),
        }  # fmt: skip
        assert warehouse.facts() == (4, Decimal("25.000000001"))
        assert set(warehouse.column("billing_account_id")) == {BILLING_ACCOUNT}
        assert FOCUS in warehouse.column("DISTINCT partition_key")[0]


def test_a_window_takes_days_of_its_months(emulator, cloud):
    table = emulator.billing_table()
    emulator.insert(table, [billing_row()], day="2026-01-31")
    emulator.insert(table, [billing_row(export_time="2026-02-01T09:00:00Z")], day="2026-02-01")
    warehouse = cloud(billing="billing")
    run = warehouse.provider_run().run(
        Options(streams=("billing",), window=Window(None, Month.parse("2026-02")))
    )
    assert set(outcomes(run)) == {"2026-01-31"}


def _planned(run) -> list[dict]:
    return json.loads(run("plan", "--provider", "gcp", "--json").stdout)


def _month(back: int) -> str:
    """A month before this one, as YYYY-MM."""
    first = dt.datetime.now(dt.UTC).date().replace(day=1)
    for _ in range(back):
        first = (first - dt.timedelta(days=1)).replace(day=1)
    return f"{first:%Y-%m}"
