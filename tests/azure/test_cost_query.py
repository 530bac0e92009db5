"""Cost Management's Query API: its small budget, its pages, and rows whose columns have no fixed place."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
from azure.azure_fake import TENANT, subscription
from azure.azure_runs import Cloud, mapped, plugin

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Request
from ogf.testing.clock import FakeClock
from ogf.window import Month, Window
from ogf_azure.cost_query import budget
from ogf_azure.cost_query.budget import Budget

ONE = subscription(1)
PATH = f"/subscriptions/{ONE}/providers/Microsoft.CostManagement/query"
EVERYTHING = Window()
COLUMNS = ("Cost", "UsageDate", "ServiceName", "ResourceLocation", "Currency")
ROW = (1.5, 20260115, "Virtual Machines", "eastus", "USD")
FACTS = "service, region, cost, currency, CAST(period_start AS VARCHAR)"


@pytest.fixture(autouse=True)
def fresh_budget():
    budget.reset()
    yield
    budget.reset()


def answer(*rows, columns=COLUMNS, link=None) -> dict:
    named = [{"name": name, "type": "Number" if name == "Cost" else "String"} for name in columns]
    return {"properties": {"nextLink": link, "columns": named, "rows": [list(row) for row in rows]}}


def params(**more) -> dict:
    return {
        "stream": "cost_query", "scope": f"subscriptions/{ONE}", "month": "2026-01", "cost": "ActualCost",
        "groupings": ["ServiceName", "ResourceLocation"],
    } | more  # fmt: skip


@pytest.fixture
def ask(azure, azure_ctx):
    """Fetch one page: `ask(answer)`."""

    def asking(given, **more):
        azure.route("POST", PATH, lambda _: given)
        ctx, request = azure_ctx(), Request("page", params(**more))
        page = plugin().fetch(ctx, request)
        return page, plugin().paginate(ctx, request, page)

    return asking


@pytest.fixture
def rows(ask, tmp_path):
    def mapping(given, columns, **more):
        return mapped(ask(given, **more)[0], params(**more), columns, tmp_path)

    return mapping


class TestBudget:
    """12 query units in 10 seconds, 60 in a minute, 600 in an hour. Nobody waits in here."""

    def spend(self, purse: Budget, clock: FakeClock) -> float:
        """Spend a unit as the runner does, by waiting as long as it is told; returns the wait."""
        waited = 0.0
        while True:
            try:
                purse.spend("here")
            except SourceError as error:
                clock.advance(error.retry_after)
                waited += error.retry_after
            else:
                return waited

    @pytest.fixture
    def clock(self):
        return FakeClock()

    @pytest.fixture
    def purse(self, clock):
        return Budget(clock=clock.monotonic)

    def test_twelve_at_once_and_the_thirteenth_is_told_to_wait_ten_seconds(self, purse):
        for _ in range(12):
            purse.spend()
        with pytest.raises(SourceError, match="query units of Cost Management are spent") as caught:
            purse.spend("there")
        assert caught.value.retry_after == pytest.approx(10, abs=0.02)
        assert (caught.value.error_class, caught.value.where) == (ErrorClass.TRANSIENT, "there")

    def test_who_is_refused_spends_nothing(self, purse, clock):
        for _ in range(12):
            purse.spend()
        for _ in range(100):
            with pytest.raises(SourceError):
                purse.spend()
        clock.advance(10.01)
        for _ in range(12):
            purse.spend()

    def test_only_what_is_out_of_the_window_is_free_again(self, purse, clock):
        purse.spend()
        clock.advance(6)
        for _ in range(11):
            purse.spend()
        clock.advance(4.01)
        purse.spend()
        with pytest.raises(SourceError) as caught:
            purse.spend()
        assert caught.value.retry_after == pytest.approx(6, abs=0.02)

    def test_no_window_ever_sees_more_than_its_units(self, purse, clock):
        spent = []
        for _ in range(700):
            self.spend(purse, clock)
            spent.append(clock.monotonic())
        for units, seconds in ((12, 10), (60, 60), (600, 3600)):
            assert all(
                later - earlier >= seconds for earlier, later in zip(spent, spent[units:], strict=False)
            )
        assert spent[-1] - spent[0] < 3600 + 3600  # and no more is waited than is needed
        assert spent[59] - spent[0] < 60
        assert spent[599] - spent[0] < 600

    def test_many_threads_share_it(self, purse):
        granted, lock = [], threading.Lock()

        def one():
            try:
                purse.spend()
            except SourceError:
                return
            with lock:
                granted.append(1)

        threads = [threading.Thread(target=one) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(granted) == 12

    def test_every_tenant_has_its_own(self):
        assert budget.budget_of("a") is budget.budget_of("a")
        assert budget.budget_of("a") is not budget.budget_of("b")


class TestWhatIsAsked:
    def listed(self, ctx, window=EVERYTHING):
        return plugin().partitions(ctx, "cost_query", window)

    def test_thirteen_months_of_every_subscription_where_no_scope_is_named(self, azure, azure_ctx):
        azure.has(subscription(1), subscription(2))
        found = self.listed(azure_ctx(cost_query={"enabled": True}))
        now = Month.of(dt.datetime.now(dt.UTC).date())
        assert len(found) == 2 * 13
        assert {item.month for item in found} == {now.plus(-number) for number in range(13)}
        assert found[-1].key == f"subscriptions/{subscription(2)}/{now}"

    def test_a_scope_is_asked_once_however_it_is_written(self, azure_ctx):
        scopes = [
            "/providers/Microsoft.Billing/billingAccounts/12:34",
            "providers/microsoft.billing/billingaccounts/12:34/",
        ]
        found = self.listed(azure_ctx(cost_query={"scopes": scopes}), Window(Month(2026, 1), Month(2026, 2)))
        assert [item.key for item in found] == ["providers/microsoft.billing/billingaccounts/12:34/2026-01"]

    def test_since_may_go_back_further_and_no_month_is_to_come(self, azure_ctx):
        ctx = azure_ctx(cost_query={"scopes": [ONE]})
        months = [item.month for item in self.listed(ctx, Window(Month(2023, 1), None))]
        assert months[0] == Month(2023, 1)
        assert months[-1] == Month.of(dt.datetime.now(dt.UTC).date())
        assert self.listed(ctx, Window(Month(2999, 1), None)) == []

    def test_the_body(self, azure, ask):
        ask(answer(), month="2026-02", groupings=["ServiceName", "tag:env"], cost="AmortizedCost")
        (call,) = azure.asked("query")
        assert call.query == {"api-version": "2025-03-01"}
        assert call.json == {
            "type": "AmortizedCost",
            "timeframe": "Custom",
            "timePeriod": {"from": "2026-02-01T00:00:00Z", "to": "2026-02-28T23:59:59Z"},
            "dataset": {
                "granularity": "Daily",
                "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
                "grouping": [{"type": "Dimension", "name": "ServiceName"}, {"type": "TagKey", "name": "env"}],
            },
        }


class TestPages:
    def test_b50_the_next_link_is_posted_again_with_the_same_body(self, azure, azure_ctx, tmp_path):
        link = f"{azure.url}{PATH}?api-version=2025-03-01&$skiptoken=P2"
        azure.route(
            "POST", PATH,
            lambda request: answer(ROW) if "skiptoken" in request.full_path else answer((2, *ROW[1:]), link=link),
        )  # fmt: skip
        ctx, request, found = azure_ctx(), Request("chain", params()), []
        while request is not None:
            page = plugin().fetch(ctx, request)
            found += mapped(page, request.params, "cost", tmp_path)
            request = plugin().paginate(ctx, request, page)
        assert found == [(Decimal(2),), (Decimal("1.5"),)]
        first, second = azure.asked("query")
        assert first.method == second.method == "POST"
        assert first.body == second.body
        assert second.query == {"api-version": "2025-03-01", "$skiptoken": "P2"}

    def test_b100_no_content_is_no_row(self, ask, tmp_path):
        page, following = ask(None)
        assert following is None
        assert mapped(page, params(), "*", tmp_path) == []

    def test_a_link_to_another_server_gets_no_token(self, azure, azure_ctx):
        ctx = azure_ctx()
        with pytest.raises(SourceError, match="another server"):
            plugin().fetch(ctx, Request("page", params(next="https://elsewhere.example/query?$skiptoken=1")))
        assert azure.calls == []

    @pytest.mark.parametrize(
        "given",
        [{}, {"properties": None}, {"properties": {"columns": []}}, {"properties": {"rows": []}},
         {"properties": {"rows": [], "columns": [{}]}}, {"properties": {"rows": [], "columns": [], "nextLink": 5}}],
    )  # fmt: skip
    def test_an_answer_of_another_shape_is_loud(self, ask, given):
        with pytest.raises(SourceError, match="not as Azure documents it"):
            ask(given)

    def test_the_thirteenth_request_is_answered_with_a_wait_and_never_sent(self, azure, ask):
        for _ in range(12):
            ask(answer())
        with pytest.raises(SourceError) as caught:
            ask(answer())
        verdict = plugin().classify_error(None, caught.value)
        assert (caught.value.error_class, verdict is None or verdict.retry_after > 0) == (
            ErrorClass.TRANSIENT,
            True,
        )
        assert azure.count("query") == 12


class TestRows:
    def test_a_row_has_cost_and_no_emissions(self, rows):
        columns = (
            "account_id, service, category, region, location, CAST(period_start AS VARCHAR), CAST(period_end AS VARCHAR), "
            "cost, currency, source, _reject"
        )
        assert rows(answer(ROW), columns) == [
            (ONE, "Virtual Machines", "cloud_compute", "eastus", "US-EAST", "2026-01-15 00:00:00+00",
             "2026-01-16 00:00:00+00", Decimal("1.5"), "USD", f"azure-cost://subscriptions/{ONE}/2026-01", None)
        ]  # fmt: skip

    def test_columns_are_found_by_name_wherever_they_stand(self, rows):
        base = dict(zip(COLUMNS, ROW, strict=True))
        (one,) = rows(answer(ROW), f"activity_id, {FACTS}")
        for order in (COLUMNS[::-1], sorted(COLUMNS), (*COLUMNS[2:], *COLUMNS[:2])):
            given = answer([base[name] for name in order], columns=[name.upper() for name in order])
            assert rows(given, f"activity_id, {FACTS}") == [one]

    @pytest.mark.parametrize(
        ("columns", "row"),
        [
            (("PreTaxCost", "Date", "MeterCategory", "Location", "BillingCurrency"), ROW),
            (("totalCost", "UsageDate", "ServiceName", "ResourceLocation", "Currency"), ROW),
            (COLUMNS, ("1.5", "20260115", *ROW[2:])),
            (COLUMNS, (1.5, "2026-01-15T00:00:00", *ROW[2:])),
        ],
    )
    def test_other_spellings_and_numbers_as_texts(self, rows, columns, row):
        (found,) = rows(answer(row, columns=columns), FACTS)
        assert found == ("Virtual Machines", "eastus", Decimal("1.5"), "USD", "2026-01-15 00:00:00+00")

    @pytest.mark.parametrize("cost", ["0.1", "1e-7", "-12.34", "0", "123456789.123456789"])
    def test_cost_is_exact(self, azure, azure_ctx, tmp_path, cost):
        text = str(answer(ROW)).replace("'", '"').replace("None", "null").replace("1.5", cost)
        azure.answer("query", text)
        azure.route("POST", PATH, lambda _: answer())
        page = plugin().fetch(azure_ctx(), Request("page", params()))
        assert mapped(page, params(), "cost, _reject", tmp_path) == [(Decimal(cost), None)]

    @pytest.mark.parametrize(
        ("place", "value", "why"),
        [
            (0, None, "the cost is missing"), (0, "much", "the cost is not a number"),
            (1, None, "the day is missing or not a date"), (1, 20261345, "the day is missing or not a date"),
            (4, "", "the currency is missing"),
        ],
    )  # fmt: skip
    def test_what_is_refused_and_why(self, rows, place, value, why):
        row = [*ROW[:place], value, *ROW[place + 1 :]]
        assert rows(answer(row), "_reject") == [(why,)]

    def test_a_row_that_is_too_short_is_refused(self, rows):
        assert rows(answer(ROW[:3]), "_reject") == [("the row has not as many values as there are columns",)]

    @pytest.mark.parametrize("absent", [0, 1, 4])
    def test_a_required_column_that_is_not_there_is_named(self, rows, absent):
        columns = [name for number, name in enumerate(COLUMNS) if number != absent]
        with pytest.raises(SourceError, match=f"lacks the columns {COLUMNS[absent]}") as caught:
            rows(answer(columns=columns), "*")
        assert caught.value.error_class is ErrorClass.BAD_REQUEST

    def test_other_groupings(self, rows):
        columns = ("Cost", "UsageDate", "SubscriptionId", "ChargeType", "Currency")
        given = answer((1, 20260115, subscription(0xAB).upper(), "Refund", "EUR"), columns=columns)
        assert rows(given, "account_id, charge_category, service, location, currency") == [
            (subscription(0xAB), "Credit", None, "GLOBAL", "EUR")
        ]

    def test_a_tag_is_a_tag(self, rows):
        columns = ("Cost", "UsageDate", "TagKey", "TagValue", "Currency")
        given = answer((1, 20260115, "env", "prod", "EUR"), (2, 20260115, "env", "", "EUR"), columns=columns)
        assert rows(given, "cost, tags") == [(Decimal(1), {"env": "prod"}), (Decimal(2), None)]

    def test_every_group_of_a_day_has_an_id_of_its_own(self, rows):
        given = answer(ROW, (1.5, 20260116, *ROW[2:]), (1.5, 20260115, "Storage", *ROW[3:]), (2.5, *ROW[1:]))
        found = rows(given, "activity_id, cost")
        assert len({identity for identity, _ in found}) == 3  # the cost is no part of it


@pytest.fixture
def cloud(azure, tmp_path):
    return Cloud(tmp_path / "ogf.duckdb", azure, cost_query__scopes=ONE)


def test_b38_b46_four_rows_of_cost_end_to_end(azure, cloud):
    """Cost is cost: nothing is invented from it."""
    names = ("Virtual Machines", "Storage", "SQL Database", "Bandwidth")
    costs = [(0.1 * number, 20260115, name, "westeurope", "EUR") for number, name in enumerate(names, 1)]
    azure.route(
        "POST", PATH, lambda request: answer(*costs) if "2026-01-01" in str(request.get_json()) else None
    )
    result = cloud.run(since="2026-01", until="2026-03", carbon__enabled=False)
    assert (result.status, result.rows) == ("succeeded", 4)
    found = cloud.query(
        "SELECT service, cost, currency, emissions_kgco2e, provider_scope, data_quality FROM activities ORDER BY cost"
    )
    assert found == [
        (name, Decimal(repr(0.1 * number)), "EUR", None, None, None) for number, name in enumerate(names, 1)
    ]  # fmt: skip
    before = cloud.table(without=("provider",))
    again = cloud.run(since="2026-01", until="2026-03", carbon__enabled=False)
    assert (again.status, again.count("unchanged")) == ("succeeded", 2)
    assert cloud.table(without=("provider",)) == before


def test_a_corrected_month_replaces_itself(azure, cloud):
    cost = iter((1.0, 2.0))
    azure.route("POST", PATH, lambda _: answer((next(cost), *ROW[1:])))
    for expected in (Decimal(1), Decimal(2)):
        cloud.run(since="2026-01", until="2026-02", carbon__enabled=False)
        assert cloud.column("cost") == [expected]


def test_a_spent_budget_is_waited_for_by_the_runner_and_costs_no_attempt(azure, cloud, monkeypatch):
    monkeypatch.setitem(budget._budgets, TENANT, Budget(clock=cloud.clock.monotonic))
    azure.route("POST", PATH, lambda _: answer(ROW))
    started = cloud.clock.monotonic()
    result = cloud.run(since="2024-01", until="2025-06", carbon__enabled=False, max_retries=1)
    assert (result.status, result.count("loaded")) == ("succeeded", 17)
    assert azure.count("query") == 17
    assert cloud.clock.monotonic() - started >= 10
    assert cloud.clock.skipped > 0


def test_throttling_headers_of_the_query_api_are_heeded(azure, cloud):
    headers = {"Retry-After": "1", "x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after": "45"}
    azure.answer(
        "CostManagement",
        {"error": {"code": "429", "message": "Too many requests. Please retry."}},
        429,
        headers,
    )
    azure.route("POST", PATH, lambda _: answer(ROW))
    assert cloud.run(since="2026-01", until="2026-02", carbon__enabled=False).status == "succeeded"
    assert cloud.clock.skipped >= 45


def test_it_is_off_without_scopes(azure, tmp_path):
    assert not azure.settings().queries_cost
    assert azure.settings().missing("cost_query")
