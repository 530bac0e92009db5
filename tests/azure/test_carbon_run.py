"""`ogf run --provider azure` for carbon: real processes, and the runner in this process, against the fake."""

from __future__ import annotations

import json

import pytest
from azure.azure_fake import TENANT, subscription
from azure.azure_runs import REPORTS, Carbon, Cloud, Process, item

BY_SCOPE = "SELECT provider_scope, count(*), fsum(emissions_kgco2e) FROM activities GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def carbon(azure) -> Carbon:
    return Carbon(azure, first="2026-09-01")


@pytest.fixture
def cloud(azure, tmp_path):
    """A warehouse over the fake: `cloud(page_size=2)`."""

    def made(name: str = "ogf", **settings) -> Cloud:
        return Cloud(tmp_path / f"{name}.duckdb", azure, **settings)

    return made


def expected(carbon: Carbon, subscriptions) -> list[tuple]:
    """What the warehouse should say of the fake's usual figures: exact sums, for all are eighths."""
    found = []
    for scope in (1, 2, 3):
        figures = [
            row["latestMonthEmissions"]
            for month in carbon.months
            for row in carbon.usual(month, scope, subscriptions)
        ]
        found.append((scope, len(figures), sum(figures)))
    return found


class TestAYearOf150Subscriptions:
    IDS = tuple(subscription(number) for number in range(1, 151))

    def test_b45_a_process_loads_it_and_a_second_changes_no_row(self, azure, tmp_path):
        carbon = Carbon(azure)
        azure.has(*(one.upper() for one in self.IDS))
        ogf = Process(tmp_path, azure, rate_limit_per_sec="1000", rate_limit_capacity="1000", page_size="80")
        (result,) = json.loads(ogf("run", "--provider", "azure", "--json").stdout)
        assert (result["status"], result["loaded"], result["rows"], result["rejected"]) == (
            "succeeded",
            36,
            5400,
            0,
        )
        assert carbon.problems == []
        assert azure.count(REPORTS) == 36 * 3  # two batches, of which the first has two pages
        warehouse = Cloud(tmp_path / "ogf.duckdb", azure)
        assert warehouse.query(BY_SCOPE) == expected(carbon, self.IDS)
        assert warehouse.column("count(DISTINCT activity_id)") == [5400]
        before = warehouse.table(without=("provider",))

        (result,) = json.loads(ogf("run", "--provider", "azure", "--json").stdout)
        assert (result["status"], result["loaded"], result["unchanged"]) == ("succeeded", 0, 36)
        assert azure.count(REPORTS) == 2 * 36 * 3  # there is no version: all is read again, and is the same
        assert azure.token_calls == 2  # one for each process
        assert warehouse.table(without=("provider",)) == before

    def test_the_request_rate_is_kept(self, azure, cloud):
        """Three requests a second after the first sixty, whatever the number of threads."""
        Carbon(azure)
        azure.has(*self.IDS)
        warehouse = cloud(rate_limit_per_sec=3, rate_limit_capacity=60)
        warehouse.settings["runner.workers"] = 4
        started = warehouse.clock.monotonic()
        assert warehouse.run().status == "succeeded"
        calls = len([call for call in azure.calls if "oauth2" not in call.path and "openid" not in call.path])
        assert calls == 36 * 2 + 3  # two batches each, two pages of subscriptions, one range of months
        assert warehouse.clock.monotonic() - started >= (calls - 60) / 3 - 0.1


def test_b131_a_denied_subscription_is_exit_3_and_its_old_rows_stay(azure, tmp_path):
    carbon = Carbon(azure, first="2026-10-01")
    azure.has(*(subscription(number) for number in (1, 2, 3)))
    ogf = Process(tmp_path, azure, rate_limit_per_sec="1000", rate_limit_capacity="1000")
    ogf("run", "--provider", "azure")
    warehouse = Cloud(tmp_path / "ogf.duckdb", azure)
    rows = "SELECT account_id, provider_scope, emissions_kgco2e FROM activities ORDER BY ALL"
    before = warehouse.query(rows)
    assert len(before) == 9

    carbon.denied = {subscription(2)}
    carbon.items["2026-10", 1] = [item(subscription(1), "new", 7.0), item(subscription(3), "new", 8.0)]
    answer = ogf("run", "--provider", "azure", "--json", code=3)
    (result,) = json.loads(answer.stdout)
    assert (result["status"], result["loaded"], result["failed"]) == ("partial", 3, 0)
    said = " ".join(notice for part in result["partitions"] for notice in part["notices"])
    assert subscription(2) in said
    assert "Carbon Optimization Reader" in said
    after = {(account, scope): kg for account, scope, kg in before}
    after |= {(subscription(1), 1): 7.0, (subscription(3), 1): 8.0}
    assert warehouse.query(rows) == sorted((*key, kg) for key, kg in after.items())

    # Nobody grants the role: nothing is loaded again, nothing is lost.
    (result,) = json.loads(ogf("run", "--provider", "azure", "--json").stdout)
    assert (result["loaded"], result["unchanged"]) == (0, 3)
    assert all(subscription(2) in " ".join(part["standing"]) for part in result["partitions"])
    ogf("run", "--provider", "azure", "--strict", code=3)
    assert len(warehouse.query(rows)) == 9

    carbon.denied = set()
    (result,) = json.loads(ogf("run", "--provider", "azure", "--json").stdout)
    assert (result["status"], result["loaded"]) == ("succeeded", 3)
    assert len(warehouse.query(rows)) == 8  # what it emitted in scope 1 is nothing now, and that was reported


def test_b131_a_subscription_that_is_not_listed_any_more_keeps_its_rows_and_is_named(azure, carbon, cloud):
    azure.has(*(subscription(number) for number in range(1, 4)))
    warehouse = cloud()
    assert warehouse.run().status == "succeeded"
    rows = "SELECT account_id, period_start, provider_scope, emissions_kgco2e FROM activities ORDER BY ALL"
    before = warehouse.query(rows)
    azure.subscriptions = [one for one in azure.subscriptions if one["subscriptionId"] != subscription(3)]
    result = warehouse.run()
    assert (result.status, result.exit_code()) == ("partial", 3)
    assert all(subscription(3) in " ".join(part.notices) for part in result.partitions)
    assert warehouse.query(rows) == before


def test_b131_denied_from_the_start_is_no_row_and_no_zero(azure, carbon, cloud):
    azure.has(*(subscription(number) for number in range(1, 4)))
    carbon.denied = {subscription(3)}
    warehouse = cloud()
    result = warehouse.run()
    assert (result.status, result.exit_code()) == ("partial", 3)
    assert warehouse.column("DISTINCT account_id") == [subscription(1), subscription(2)]


def test_denied_in_the_second_batch_keeps_the_first(azure, carbon, cloud):
    ids = [subscription(number) for number in range(101)]
    azure.has(*ids)
    carbon.denied = {ids[100]}
    warehouse = cloud()
    assert warehouse.run().status == "partial"
    assert warehouse.column("DISTINCT account_id") == ids[:100]


def test_b96_b42_an_empty_page_with_a_token_goes_on(azure, carbon, cloud):
    pages = {None: ([], "a"), "a": ([item(subscription(1), "x", 1.0)], "b"), "b": ([], "c"), "c": ([], None)}

    def report(request):
        rows, token = pages[request.get_json()["skipToken"]]
        return {"value": rows, "skipToken": token}

    azure.route("POST", REPORTS, report)
    warehouse = cloud()
    assert warehouse.run(since="2026-10").status == "succeeded"
    assert warehouse.query(BY_SCOPE) == [(1, 1, 1.0), (2, 1, 1.0), (3, 1, 1.0)]
    assert azure.count(REPORTS) == 3 * 4


@pytest.mark.parametrize("tokens", [["T1"], ["T1", "T2"]])
def test_b94_a_token_that_repeats_is_loud_and_loads_nothing(azure, carbon, cloud, tokens):
    def report(request):
        came = request.get_json()["skipToken"]
        number = (tokens.index(came) + 1) % len(tokens) if came else 0
        return {"value": [item(subscription(1), "x", 1.0)], "skipToken": tokens[number]}

    azure.route("POST", REPORTS, report)
    warehouse = cloud()
    result = warehouse.run(since="2026-10")
    assert result.status == "failed"
    assert all("a request that was already made" in part.message for part in result.partitions)
    assert azure.count(REPORTS) == 3 * (len(tokens) + 1)
    assert warehouse.column("count(*)") == [0]


def test_a_resource_that_is_on_two_pages_is_one_row(azure, carbon, cloud):
    """As in the published pages, whose items repeat each other."""
    twice = [item(subscription(1), "x", 1.0), item(subscription(1), "x", 1.0)]
    carbon.items = {("2026-10", scope): twice for scope in (1, 2, 3)}
    warehouse = cloud(page_size=1)
    warehouse.run(since="2026-10")
    assert warehouse.query(BY_SCOPE) == [(1, 1, 1.0), (2, 1, 1.0), (3, 1, 1.0)]


def test_b78_a_month_that_azure_offers_no_more_stays_in_the_warehouse(azure, carbon, cloud):
    warehouse = cloud()
    warehouse.run()
    before = warehouse.table(without=("provider",))
    carbon.first = "2026-10-01"
    result = warehouse.run()
    assert result.status in ("succeeded", "partial")
    assert warehouse.table(without=("provider",)) == before
    assert any("2026-09" in notice and "kept" in notice for notice in result.notices)
    # It is not asked for, either.
    assert carbon.problems == []


def test_b78_no_month_overwrites_another(azure, carbon, cloud):
    warehouse = cloud()
    warehouse.run(since="2026-09", until="2026-10")
    warehouse.run(since="2026-10")
    assert warehouse.column("DISTINCT strftime(period_start, '%Y-%m')") == ["2026-09", "2026-10"]
    assert warehouse.query(BY_SCOPE) == expected(carbon, [subscription(1)])


def test_b112_a_silent_restatement_replaces_its_month_and_keeps_the_history(azure, carbon, cloud):
    warehouse = cloud()
    warehouse.run()
    carbon.items["2026-09", 3] = [item(subscription(1), "other", 42.0)]
    result = warehouse.run()
    reasons = {part.key: (part.outcome, part.reason) for part in result.partitions}
    key = f"{TENANT}/2026-09/scope3"
    assert reasons.pop(key) == ("loaded", "content changed")
    assert set(reasons.values()) == {("unchanged", "same content")}
    assert warehouse.column("emissions_kgco2e", table=f"activities WHERE partition_key = '{key}'") == [42.0]
    assert warehouse.column("status", table=f"loads WHERE partition_key = '{key}'") == [
        "current",
        "superseded",
    ]


def test_b135_page_size_and_workers_do_not_change_the_table(azure, carbon, cloud):
    azure.has(*(subscription(number) for number in range(1, 131)))
    tables = []
    for number, (size, workers) in enumerate(((5000, 1), (7, 4))):
        warehouse = cloud(f"ogf{number}", page_size=size)
        warehouse.settings["runner.workers"] = workers
        assert warehouse.run(since="2026-10").status == "succeeded"
        tables.append(warehouse.table(without=("load_id", "provider")))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 390


def test_b39_b41_throttling_is_waited_out_and_the_longest_header_counts(azure, carbon, cloud):
    headers = {"Retry-After": "5", "x-ms-ratelimit-microsoft.consumption-retry-after": "90"}
    azure.answer(REPORTS, {"error": {"code": "TooManyRequests", "message": "slow"}}, 429, headers)
    warehouse = cloud()
    assert warehouse.run().status == "succeeded"
    assert warehouse.clock.skipped >= 90
    assert azure.count(REPORTS) == 7


def test_b35_tokens_that_end_in_mid_chain_are_renewed(azure, carbon, cloud):
    azure.has(*(subscription(number) for number in range(1, 5)))
    served = iter(range(1000))

    def report(request):
        if next(served) % 5 == 4:
            azure.expire_tokens()
        return carbon.report(request)

    azure.route("POST", REPORTS, report)
    warehouse = cloud(page_size=1)
    warehouse.settings["runner.workers"] = 1
    assert warehouse.run().status == "succeeded"
    assert warehouse.query(BY_SCOPE) == expected(carbon, [subscription(number) for number in range(1, 5)])
    assert azure.token_calls > 2


def test_a_role_that_nobody_has_stops_the_stream_with_its_hint(azure, carbon, cloud):
    azure.fail(REPORTS, 403, "AuthorizationFailed", times=100)
    warehouse = cloud()
    result = warehouse.run()
    assert result.status == "failed"
    assert {str(part.error_class) for part in result.partitions} == {"auth"}
    assert azure.count(REPORTS) <= 6  # no refusal is asked again


def test_one_month_that_cannot_be_read_leaves_the_others(azure, carbon, cloud):
    def report(request):
        body = request.get_json()
        if body["dateRange"]["start"] == "2026-09-01" and body["carbonScopeList"] == ["Scope2"]:
            return {"value": "?"}
        return carbon.report(request)

    azure.route("POST", REPORTS, report)
    warehouse = cloud()
    result = warehouse.run()
    assert (result.status, result.count("loaded"), result.count("failed")) == ("partial", 5, 1)


def test_a_few_bad_items_are_in_quarantine_and_many_fail_their_month(azure, carbon, cloud):
    good = [item(subscription(1), f"r{number}", 1.0) for number in range(199)]
    bad = [item(subscription(1), f"bad{number}", "much") for number in range(10)]
    carbon.items = {("2026-10", 1): good + bad[:1], ("2026-10", 2): good + bad, ("2026-10", 3): []}
    warehouse = cloud()
    result = warehouse.run(since="2026-10")
    outcome = {part.key[-1]: (part.outcome, part.rows, part.rejected) for part in result.partitions}
    assert outcome == {"1": ("loaded", 199, 1), "2": ("failed", 0, 0), "3": ("loaded", 0, 0)}
    reasons = warehouse.query("SELECT reason FROM quarantine")
    assert reasons == [("the emissions are not a number",)]


def test_an_unknown_region_and_type_are_counted_and_kept(azure, carbon, cloud):
    rows = [item(subscription(1), "x", 1.0, location="nowhere west", resourceType="contoso.things/boxes")]
    carbon.items = {("2026-10", scope): rows for scope in (1, 2, 3)}
    warehouse = cloud()
    result = warehouse.run(since="2026-10")
    assert set(warehouse.query("SELECT category, location FROM activities")) == {("cloud_other", "GLOBAL")}
    unmapped = result.partitions[0].unmapped
    assert unmapped["region"] == {"nowhere west": 1}
    assert unmapped["service"] == {"contoso.things/boxes": 1}
