"""The stream `cost_explorer`: pages, exact money, what a run costs, months that are final, refusals."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from decimal import Decimal

import duckdb
import pytest
from aws.cost_explorer_runs import ACCOUNT, Costs, cost_run, group, provider_run
from aws.service_fake import ServiceFake

from ogf.errors import ErrorClass
from ogf.runner.report import Silent
from ogf.runner.run import Options
from ogf.testing.clock import FakeClock
from ogf.window import Month, Window

NOW = Month.of(dt.datetime.now(dt.UTC).date())
OLD, NEW = str(NOW.plus(-6)), str(NOW)


@pytest.fixture
def costs():
    return Costs()


@pytest.fixture
def service(costs, monkeypatch, aws):
    with ServiceFake("ce", {"GetCostAndUsage": costs.answer}) as fake:
        monkeypatch.setenv(*fake.environment)
        yield fake
    assert fake.mistakes == []


@pytest.fixture
def run(tmp_path, aws, service):
    def run(month=OLD, until=None, **options):
        window = {"since": month, "until": until or str(Month.parse(month).plus(1))} if month else {}
        return cost_run(tmp_path, aws.endpoint_url, **window, **options)

    return run


@pytest.fixture
def ask(tmp_path):
    def ask(columns, table="activities"):
        with duckdb.connect(str(tmp_path / "ogf.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()

    return ask


class Told(Silent):
    def __init__(self):
        self.costs = []

    def planned(self, provider, *, partitions, chains, costs=()):
        self.costs += costs


def asked(service):
    return [given["TimePeriod"]["Start"][:7] for _, given in service.calls]


class TestRows:
    def test_b27_exact_cost_usage_and_open_months_over_two_pages(self, run, costs, ask):
        costs.estimated = {NEW}
        costs.months[NEW] = [
            [group("BoxUsage:m6i.large", "AmazonEC2", cost="100.50", used="24")],
            [group("EUC1-DataTransfer-Out-Bytes", "AmazonEC2", cost="7.5E-7", used="0.25", unit="GB")],
        ]
        result = run(NEW)
        assert (result.status, result.rows) == ("succeeded", 2)
        columns = (
            "usage_type, region, location, category, quantity, unit, cost, currency, tags, billing_account_id"
        )
        first, second = ask(columns)
        estimated = {"ce:estimated": "true"}
        assert first == (
            "BoxUsage:m6i.large", "us-east-1", "US-EAST", "cloud_compute", 24.0, "hours",
            Decimal("100.500000000000000000"), "USD", estimated, ACCOUNT,
        )  # fmt: skip
        assert second == (
            "EUC1-DataTransfer-Out-Bytes", "eu-central-1", "EU-CENTRAL", "data_transfer", 0.25, "GB",
            Decimal("0.000000750000000000"), "USD", estimated, ACCOUNT,
        )  # fmt: skip

    def test_b27_two_pages_of_a_real_server(self, tmp_path, aws, ask):
        def page(cost):
            period = {"Start": f"{OLD}-01", "End": str(Month.parse(OLD).plus(1).first_day)}
            return {
                "ResultsByTime": [
                    {
                        "TimePeriod": period,
                        "Total": {},
                        "Estimated": False,
                        "Groups": [group(cost, "X", cost=cost)],
                    }
                ],
                "DimensionValueAttributes": [],
            }

        queue = json.dumps({"results": [page("0.1") | {"NextPageToken": "t1"}, page("0.2")]}).encode()
        address = f"{aws.endpoint_url}/moto-api/static/ce/cost-and-usage-results"
        urllib.request.urlopen(urllib.request.Request(address, queue, {"content-type": "application/json"}))
        result = cost_run(tmp_path, aws.endpoint_url, since=OLD, until=str(Month.parse(OLD).plus(1)))
        assert (result.status, result.partitions[0].pages) == ("succeeded", 2)
        assert ask("sum(cost)") == [(Decimal("0.3"),)]

    def test_a_final_month_has_no_tag_and_its_period_is_the_month(self, run, ask):
        run()
        following = Month.parse(OLD).plus(1)
        (row,) = ask("tags, CAST(period_start AS DATE), CAST(period_end AS DATE), service")
        assert row == (
            None, Month.parse(OLD).first_day, following.first_day, "Amazon Elastic Compute Cloud - Compute"
        )  # fmt: skip

    def test_mixed_units_are_no_quantity(self, run, costs, ask):
        costs.usual = (group("Tax", "Tax", unit="N/A", used="12"),)
        run()
        assert ask("quantity, unit, region, location") == [(None, None, None, "GLOBAL")]

    def test_accounts_are_named_where_they_are_the_grouping(self, run, costs, ask):
        costs.usual = (group("USE2-BoxUsage:t3.micro", "000000000007"), group("NoUsageType", "000000000008"))
        costs.attributes = {"000000000007": {"description": "shop"}}
        run(group_by="linked_account")
        assert ask("account_id, account_name, usage_type, region") == [
            ("000000000007", "shop", "USE2-BoxUsage:t3.micro", "us-east-2"),
            ("000000000008", None, None, None),
        ]

    def test_a_tag_as_grouping_becomes_a_tag(self, run, costs, service, ask):
        costs.usual = (group("BoxUsage", "team$shop"), group("BoxUsage", "team$"))
        run(group_by="TAG:team")
        assert service.calls[0][1]["GroupBy"][1] == {"Type": "TAG", "Key": "team"}
        assert ask("tags") == [({"team": "shop"},), (None,)]

    def test_daily_rows(self, run, service, ask):
        run(granularity="daily")
        assert service.calls[0][1]["Granularity"] == "DAILY"
        assert service.calls[0][1]["GroupBy"] == [
            {"Type": "DIMENSION", "Key": "USAGE_TYPE"}, {"Type": "DIMENSION", "Key": "SERVICE"}
        ]  # fmt: skip

    def test_a_cost_that_is_no_number_goes_to_quarantine(self, run, costs, ask):
        costs.usual = (
            *(group(f"u{n}", "AmazonEC2") for n in range(200)),
            group("bad", "AmazonEC2", cost="much"),
        )
        result = run()
        assert (result.status, result.rejected) == ("partial", 1)
        assert ask("count(*)") == [(200,)]

    def test_another_grouping_replaces_the_month(self, run, costs, ask):
        run()
        costs.usual = (group("BoxUsage:m6i.large", "eu-west-1"),)
        result = run(group_by="REGION")
        assert [item.outcome for item in result.partitions] == ["loaded"]
        assert ask("service, region") == [(None, "eu-west-1")]


class TestMoney:
    def test_is_said_before_and_counted_after(self, run, costs):
        costs.months[OLD] = [[group("a", "X")], [group("b", "X")], [group("c", "X")]]
        told = Told()
        result = run(reporter=told)
        assert told.costs == [
            (
                "cost_explorer: at least 1 request, $0.01, never more than $1.00 "
                "(ingestion.aws.cost_explorer.max_cost_usd (OFFGRIDFLOW_AWS_COST_EXPLORER_MAX_COST_USD))"
            )
        ]
        assert "cost_explorer: 3 requests, $0.03" in result.notices

    def test_a_plan_says_it_too_and_asks_nothing(self, tmp_path, aws, service):
        planned = provider_run(tmp_path, aws.endpoint_url)
        listed = planned.plan(Options(streams=("cost_explorer",)))
        assert len(listed) == 13
        assert any(note.startswith("cost_explorer: at least 13 requests, $0.13") for note in planned.notes)
        assert service.calls == []

    def test_is_capped_and_what_was_not_read_keeps_its_rows(self, run, costs, service, ask):
        before = str(Month.parse(OLD).plus(-1))
        run(before, until=str(Month.parse(OLD).plus(1)))
        rows = ask("*")
        costs.months[OLD] = [[group("a", "X")], [group("b", "X")]]
        service.calls.clear()
        result = run(before, until=str(Month.parse(OLD).plus(1)), full=True, max_cost_usd=0.02)
        assert result.status == "partial"
        outcomes = {item.key: item.outcome for item in result.partitions}
        assert outcomes == {f"{ACCOUNT}/{OLD}": "loaded", f"{ACCOUNT}/{before}": "failed"}
        (failed,) = (item for item in result.partitions if item.outcome == "failed")
        assert "$0.02" in failed.message
        assert "max_cost_usd" in failed.hint
        assert len(service.calls) == 2
        old = f"WHERE partition_key LIKE '%{before}'"
        assert ask("cost", f"activities {old}") == [(rows[0][-1] and Decimal(1),)]

    def test_refused_attempts_count(self, run, service):
        service.fail("LimitExceededException", times=2)
        assert "cost_explorer: 3 requests, $0.03" in run().notices

    def test_a_second_is_left_between_requests(self, run):
        clock = FakeClock()
        run(str(Month.parse(OLD).plus(-3)), until=OLD, clock=clock)
        assert clock.waits == pytest.approx([1.0, 1.0])


class TestMonths:
    def test_thirteen_by_default_newest_first(self, run, service):
        run(None)
        assert asked(service) == [str(NOW.plus(-number)) for number in range(13)]

    def test_what_is_final_is_not_asked_again(self, run, service):
        run(None)
        service.calls.clear()
        result = run(None, refresh="0s")
        assert asked(service) == [str(NOW.plus(-number)) for number in range(3)]
        assert {item.outcome for item in result.partitions} == {"unchanged"}
        assert {item.reason for item in result.partitions} == {"checked lately", "same content"}

    def test_open_months_are_asked_once_in_refresh(self, run, service):
        run(None)
        service.calls.clear()
        assert run(None).status == "succeeded"
        assert service.calls == []

    def test_an_unasked_month_does_not_stay_fresh_for_ever(self, run, service, ask):
        run(NEW)
        before = ask("checked_at", "partitions")
        run(NEW)
        assert ask("checked_at", "partitions") == before

    def test_full_asks_all_the_same(self, run, service):
        run()
        service.calls.clear()
        run(full=True)
        assert asked(service) == [OLD]

    def test_a_late_estimate_is_told_and_asked_again(self, run, costs, service):
        costs.estimated = {OLD}
        result = run()
        assert result.status == "partial"
        assert "estimated" in result.partitions[0].notices[0]
        costs.estimated = set()
        assert run().status == "succeeded"
        assert asked(service) == [OLD, OLD]

    def test_a_restated_open_month_is_replaced(self, run, costs, ask):
        run(NEW)
        costs.usual = (group("BoxUsage:m6i.large", "AmazonEC2", cost="2"),)
        result = run(NEW, refresh=0)
        assert [(item.outcome, item.reason) for item in result.partitions] == [("loaded", "content changed")]
        assert ask("cost") == [(Decimal(2),)]


class TestRefusals:
    def test_b100_a_throttle_with_status_400_is_transient(self, run, service):
        service.fail("LimitExceededException", 400, times=2)
        assert run().status == "succeeded"
        assert len(service.calls) == 3

    def test_an_expired_token_starts_the_month_again(self, run, costs, service, ask):
        costs.months[OLD] = [[group("a", "X")], [group("b", "X")]]
        real = costs.answer

        def answer(given):
            if "NextPageToken" in given and not failed:
                failed.append(True)
                service.fail("InvalidNextTokenException")
                raise service._faults.pop(0)
            return real(given)

        failed: list[bool] = []
        service.answers["GetCostAndUsage"] = answer
        assert run().status == "succeeded"
        assert ["NextPageToken" in given for _, given in service.calls] == [False, True, False, True]
        assert ask("usage_type") == [("a",), ("b",)]

    @pytest.mark.parametrize(
        ("code", "error_class", "hint"),
        [
            ("DataUnavailableException", ErrorClass.NOT_FOUND, "not published"),
            ("BillExpirationException", ErrorClass.NOT_FOUND, "--since"),
            ("BillingViewHealthStatusException", ErrorClass.BAD_REQUEST, ""),
            ("AccessDeniedException", ErrorClass.AUTH, "ce:GetCostAndUsage"),
        ],
    )
    def test_is_classed(self, run, service, code, error_class, hint):
        service.fail(code, 400)
        (outcome,) = run().partitions
        assert (outcome.outcome, outcome.error_class) == ("failed", error_class)
        assert hint in outcome.hint
        assert len(service.calls) == 1

    def test_another_account_than_expected_moves_no_data(self, tmp_path, aws, service):
        planned = provider_run(tmp_path, aws.endpoint_url)
        settings = planned.settings.model_copy(update={"account_id": "999999999999"})
        planned.accounts = (type(planned.accounts[0])("", settings),)
        result = planned.run(Options(streams=("cost_explorer",), window=Window(NOW, None)))
        assert result.status == "failed"
        assert "999999999999" in result.message
        assert service.calls == []
