"""Carbon Optimization: what is asked for, what a page says, and what becomes of an item."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from azure.azure_fake import CLIENT, TENANT, subscription
from azure.azure_runs import RANGE, REPORTS, Carbon, item, mapped, plugin

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Request
from ogf.window import Month, Window

SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/azure/carbon-api/2025-04-01"
EXAMPLE = "queryCarbonEmissionsResourceItemDetailsReport"
EVERYTHING = Window()
ONE = (subscription(1),)


def sample(name: str) -> dict:
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the published examples are not here")
    return json.loads(path.read_text())


def params(month: str = "2026-01", scope: int = 1, subscriptions=ONE, page_size: int = 5000, **more):
    return {
        "stream": "carbon", "month": month, "scope": scope, "subscriptions": list(subscriptions), "page_size": page_size,
    } | more  # fmt: skip


@pytest.fixture
def ask(azure, azure_ctx):
    """Fetch one page: `ask(answer, scope=2)`; without an answer, what the server has."""

    def asking(answer=None, **given):
        if answer is not None:
            azure.route("POST", REPORTS, lambda _: answer)
        ctx = azure_ctx()
        request = Request("page", params(**given))
        page = plugin().fetch(ctx, request)
        return page, plugin().paginate(ctx, request, page)

    return asking


@pytest.fixture
def rows(ask, tmp_path):
    """Map items: `rows([item], "emissions_kgco2e", scope=2)`."""

    def mapping(items, columns, **given):
        page, _ = ask({"value": items}, **given)
        return mapped(page, params(**given), columns, tmp_path)

    return mapping


@pytest.fixture
def listed(azure, azure_ctx):
    """List the partitions: `listed(window, subscription_ids=[…])`."""

    def listing(window=EVERYTHING, **settings):
        ctx = azure_ctx(**settings)
        return ctx, plugin().partitions(ctx, "carbon", window)

    return listing


class TestWhatIsAsked:
    def test_every_month_that_azure_offers_in_three_scopes(self, azure, listed):
        Carbon(azure)
        _, partitions = listed()
        assert len(partitions) == 36
        assert {(str(item.month), item.requests[0].params["scope"]) for item in partitions} == {
            (month, scope)
            for month in ["2025-11", "2025-12"] + [f"2026-{number:02d}" for number in range(1, 11)]
            for scope in (1, 2, 3)
        }
        assert partitions[0].key == f"{TENANT}/2025-11/scope1"
        assert {item.version for item in partitions} == {None}  # the content decides

    def test_the_published_range_is_read_as_it_is(self, azure, listed):
        example = sample("carbonEmissionsDataAvailableDateRange")
        azure.route("POST", RANGE, lambda _: example["responses"]["200"]["body"])
        _, partitions = listed()
        assert [str(item.month) for item in partitions[::3]] == [
            f"2023-{number:02d}" for number in range(1, 6)
        ]
        assert azure.asked(RANGE)[0].query == {"api-version": "2025-04-01"}
        assert azure.asked(RANGE)[0].body == b""

    @pytest.mark.parametrize(
        ("count", "batches"), [(1, [1]), (100, [100]), (101, [100, 1]), (268, [100, 100, 68])]
    )
    def test_at_most_a_hundred_subscriptions_in_one_request(self, azure, listed, count, batches):
        Carbon(azure, first="2026-10-01")
        azure.has(*(subscription(number) for number in range(count)))
        for part in listed()[1]:
            chains = [request.params["subscriptions"] for request in part.requests]
            assert [len(chain) for chain in chains] == batches
            assert [one for chain in chains for one in chain] == [
                subscription(number) for number in range(count)
            ]

    def test_ids_are_asked_for_in_lower_case_and_once(self, azure, listed):
        Carbon(azure, first="2026-10-01")
        azure.has(subscription(0xAB).upper(), subscription(0xAB), subscription(3))
        _, (first, *_) = listed()
        assert first.requests[0].params["subscriptions"] == [subscription(3), subscription(0xAB)]
        _, (first, *_) = listed(subscription_ids=[subscription(0xCD).upper()])
        assert first.requests[0].params["subscriptions"] == [subscription(0xCD)]

    def test_another_page_size_does_not_go_on_where_the_first_one_stopped(self, azure, listed):
        Carbon(azure, first="2026-10-01")
        assert listed(page_size=7)[1][0].requests[0].params["page_size"] == 7
        assert listed()[1][0].requests[0].params["page_size"] == 5000

    def test_only_the_months_of_the_window(self, azure, listed):
        Carbon(azure)
        _, partitions = listed(Window(Month(2026, 3), Month(2026, 5)))
        assert sorted({str(item.month) for item in partitions}) == ["2026-03", "2026-04"]

    def test_a_month_outside_the_range_is_not_asked_for_but_said(self, azure, listed):
        Carbon(azure)
        ctx, partitions = listed(Window(Month(2024, 1), Month(2025, 12)))
        assert {str(item.month) for item in partitions} == {"2025-11"}
        assert ctx.notes == [
            "Azure offers the months 2025-11 to 2026-10; earlier ones are not to be had any more"
        ]
        assert listed(Window(Month(2023, 1), Month(2024, 1)))[1] == []

    def test_last_month_that_is_missing_is_said(self, azure, listed):
        Carbon(azure, first="2020-01-01", last="2020-12-01")
        ctx, _ = listed()
        before = Month.of(dt.datetime.now(dt.UTC).date()).plus(-1)
        (note,) = ctx.notes
        assert note.startswith(f"{before} is not published")

    @pytest.mark.parametrize(
        "answer",
        [{}, {"startDate": "2026-01-01"}, {"startDate": "soon", "endDate": "later"}, {"startDate": None, "endDate": None},
         {"startDate": "2026-05-01", "endDate": "2026-01-01"}],
    )  # fmt: skip
    def test_a_range_that_is_none_is_loud(self, azure, listed, answer):
        azure.route("POST", RANGE, lambda _: answer)
        with pytest.raises(SourceError, match="not as Azure documents it") as caught:
            listed()
        assert caught.value.error_class is ErrorClass.UNKNOWN

    def test_no_subscription_at_all_is_no_empty_success(self, azure, listed):
        Carbon(azure)
        azure.has()
        with pytest.raises(SourceError) as caught:
            listed()
        assert caught.value.error_class in (ErrorClass.NOT_FOUND, ErrorClass.AUTH)
        assert caught.value.hint

    def test_the_body_is_the_published_one(self, azure, ask):
        asked = [subscription(1), subscription(2)]
        decisions = [{"subscriptionId": name, "decision": "Allowed"} for name in asked]
        answer = {"value": [], "subscriptionAccessDecisionList": decisions}
        ask(answer, month="2026-09", scope=2, subscriptions=asked)
        (call,) = azure.asked(REPORTS)
        assert call.query == {"api-version": "2025-04-01"}
        assert call.json == {
            "reportType": "ItemDetailsReport",
            "subscriptionList": [subscription(1), subscription(2)],
            "carbonScopeList": ["Scope2"],
            "dateRange": {"start": "2026-09-01", "end": "2026-09-01"},
            "categoryType": "Resource",
            "orderBy": "ItemName",
            "sortDirection": "Asc",
            "pageSize": 5000,
            "skipToken": None,
        }
        published = sample(EXAMPLE)["parameters"]["queryParameters"]
        assert published.keys() | {"skipToken"} == call.json.keys()


class TestPages:
    def test_b42_the_token_goes_into_the_body_and_a_third_request_is_never_made(
        self, azure, azure_ctx, tmp_path
    ):
        azure.route(
            "POST", REPORTS,
            lambda request: {"value": [item(subscription(1), "c")]} if request.get_json()["skipToken"] == "T1"
            else {"value": [item(subscription(1), name) for name in "ab"], "skipToken": "T1"},
        )  # fmt: skip
        ctx, request, names = azure_ctx(), Request("chain", params()), []
        while request is not None:
            page = plugin().fetch(ctx, request)
            names += mapped(page, request.params, "resource_id[-1:]", tmp_path)
            request = plugin().paginate(ctx, request, page)
        assert names == [("a",), ("b",), ("c",)]
        assert [body["skipToken"] for body in azure.bodies(REPORTS)] == [None, "T1"]

    @pytest.mark.parametrize("last", [{}, {"skipToken": None}, {"skipToken": ""}])
    def test_a_page_without_a_token_is_the_last(self, ask, last):
        allowed = [{"subscriptionId": subscription(1), "decision": "Allowed"}]
        assert ask({"value": [], "subscriptionAccessDecisionList": allowed, **last})[1] is None

    def test_no_rows_and_no_word_on_who_may_read_is_no_answer(self, ask):
        with pytest.raises(SourceError, match="no word on which subscriptions may be read"):
            ask({"value": []})

    def test_b96_an_empty_page_with_a_token_goes_on(self, ask):
        _, following = ask({"value": [], "skipToken": "T1"})
        assert following.params["skipToken"] == "T1"

    def test_the_published_pages(self, azure, azure_ctx, tmp_path):
        """Their items repeat each other: ten items, five resources."""
        first, last = sample(EXAMPLE), sample(f"{EXAMPLE}WithPaginationToken")
        bodies = [example["responses"]["200"]["body"] for example in (first, last)]
        token = last["parameters"]["queryParameters"]["skipToken"]
        azure.route("POST", REPORTS, lambda request: bodies[request.get_json()["skipToken"] == token])
        asked = [one.strip(",") for one in first["parameters"]["queryParameters"]["subscriptionList"]]
        ctx, request, found = azure_ctx(), Request("chain", params("2024-05", 3, asked)), []
        while request is not None:
            page = plugin().fetch(ctx, request)
            assert page.withheld == tuple(subscription(number) for number in (6, 7, 8))
            found += mapped(
                page, request.params, "activity_id, account_id, emissions_kgco2e, _reject", tmp_path
            )
            request = plugin().paginate(ctx, request, page)
        assert len(found) == 10
        assert len({row[0] for row in found}) == 5
        assert {row[1:] for row in found} == {(subscription(0), 0.1, None), (subscription(2), 0.1, None)}

    @pytest.mark.parametrize("answer", [{}, {"value": None}, {"value": {}}, {"value": [], "skipToken": 7}])
    def test_an_answer_of_another_shape_is_no_empty_page(self, ask, answer):
        with pytest.raises(SourceError, match="not as Azure documents it"):
            ask(answer)

    @pytest.mark.parametrize("text", ["", "[]", "null", "<html>", '{"value": ['])
    def test_an_answer_that_is_no_json_is_asked_for_again(self, azure, ask, text):
        azure.answer(REPORTS, text)
        with pytest.raises(SourceError, match="not a JSON object") as caught:
            ask({"value": []})
        assert caught.value.error_class is ErrorClass.TRANSIENT

    def test_the_body_is_kept_as_it_came(self, ask):
        page, _ = ask({"value": [item(subscription(1), "ä", 0.1)]})
        assert page.data.owned
        assert json.loads(page.data.path.read_bytes())["value"][0]["itemName"] == "ä"

    def test_b35_a_401_in_mid_chain_renews_the_token_once(self, azure, ask):
        Carbon(azure)
        ask(page_size=1, subscriptions=[subscription(1), subscription(2)])
        azure.expire_tokens()
        page, _ = ask(page_size=1, subscriptions=[subscription(1), subscription(2)], skipToken="t1")
        assert page.data.next is None
        assert azure.token_calls == 2
        azure.fail(REPORTS, 401, "InvalidAuthenticationToken", times=2)
        with pytest.raises(Exception) as caught:
            ask()
        assert plugin().classify_error(None, caught.value).error_class is ErrorClass.AUTH


class TestDenied:
    def decisions(self, *denied: int, count: int = 3) -> dict:
        return {
            "value": [],
            "subscriptionAccessDecisionList": [
                {
                    "subscriptionId": subscription(n).upper(),
                    "decision": "Denied" if n in denied else "Allowed",
                }
                for n in range(count)
            ],
        }

    def test_b131_they_are_named_with_the_role_to_grant(self, ask):
        asked = [subscription(n) for n in range(3)]
        page, _ = ask(self.decisions(1, 2), subscriptions=asked)
        assert page.withheld == (subscription(1), subscription(2))
        (notice,) = page.notices
        assert (notice.code, notice.message) == (
            "denied",
            (
                f"the emissions of the subscriptions {subscription(1)}, {subscription(2)} may not be read; "
                "grant the role Carbon Optimization Reader on each of them"
            ),
        )
        page, _ = ask(self.decisions(), subscriptions=asked)
        assert (page.withheld, page.notices) == ((), ())

    def test_one_of_whom_nothing_is_said_does_not_pass_for_zero(self, ask):
        page, _ = ask(self.decisions(count=2), subscriptions=[subscription(n) for n in range(3)])
        assert page.withheld == (subscription(2),)

    def test_one_that_nobody_asked_for_is_no_matter(self, ask):
        page, _ = ask(self.decisions(2), subscriptions=[subscription(0)])
        assert page.withheld == ()

    def test_access_that_changes_in_mid_chain_begins_the_month_again(self, azure, azure_ctx):
        asked = [subscription(n) for n in range(3)]
        azure.route("POST", REPORTS, lambda _: self.decisions() | {"skipToken": "T1"})
        ctx, request = azure_ctx(), Request("chain", params(subscriptions=asked))
        page = plugin().fetch(ctx, request)
        following = plugin().paginate(ctx, request, page)
        azure.route("POST", REPORTS, lambda _: self.decisions(1))
        with pytest.raises(SourceError, match="access to subscriptions changed") as caught:
            plugin().fetch(ctx, following)
        assert caught.value.restart


class TestItems:
    def test_an_items_facts(self, rows):
        columns = (
            "account_id, resource_id, service, category, charge_category, region, location, CAST(period_start AS VARCHAR), "
            "CAST(period_end AS VARCHAR), emissions_kgco2e, provider_scope, accounting, data_quality, source, _reject"
        )
        (row,) = rows([item(subscription(10).upper(), "Demo", 100.5)], columns, month="2025-12", scope=2)
        group = f"/subscriptions/{subscription(10)}/resourcegroups/demogroup"
        assert row == (
            subscription(10), f"{group}/providers/microsoft.storage/storageaccounts/demo",
            "microsoft.storage/storageaccounts", "cloud_storage", "Usage", "east us", "US-EAST",
            "2025-12-01 00:00:00+00", "2026-01-01 00:00:00+00", 100.5, 2, "market", "measured",
            f"azure-carbon://{TENANT}/2025-12/scope2", None,
        )  # fmt: skip

    def test_b36_three_records_in_each_scope_that_was_asked_in_kg(self, rows):
        items = [item(subscription(1), name, kg) for name, kg in (("a", 1.5), ("b", 2.25), ("c", 1000.0))]
        for scope, accounting in ((1, None), (2, "market"), (3, None)):
            found = rows(
                items, "emissions_kgco2e, provider_scope, accounting, month(period_start)", scope=scope
            )
            assert found == [(kg, scope, accounting, 1) for kg in (1.5, 2.25, 1000.0)]

    def test_b47_kg_stay_kg_and_zero_stays_zero(self, rows):
        for scope, kg in ((1, 0), (2, 100.5), (3, 20.3)):
            columns = "provider_scope, emissions_kgco2e, _reject"
            assert rows([item(subscription(1), "a", kg)], columns, scope=scope) == [(scope, kg, None)]

    def test_b37_a_reported_nought_is_kept(self, rows):
        items = [item(subscription(1), name, kg) for name, kg in (("a", 0), ("b", 0.0), ("c", 1.0))]
        assert rows(items, "emissions_kgco2e, _reject", scope=2) == [(0.0, None), (0.0, None), (1.0, None)]

    @pytest.mark.parametrize(
        ("kg", "read"),
        [("0.1", 0.1), ("1e-3", 0.001), (1e-7, 1e-7), (12345678.123456789, 12345678.123456789), (-0.5, -0.5)],
    )
    def test_a_number_may_be_written_as_a_text(self, rows, kg, read):
        assert rows([item(subscription(1), "a", kg)], "emissions_kgco2e, _reject") == [(read, None)]

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"latestMonthEmissions": None}, "the emissions are missing"),
            ({"latestMonthEmissions": ""}, "the emissions are missing"),
            ({"latestMonthEmissions": "much"}, "the emissions are not a number"),
            ({"latestMonthEmissions": {}}, "the emissions are not a number"),
            ({"subscriptionId": "", "resourceId": None}, "the subscription is missing"),
            ({"resourceId": None, "itemName": None}, "the resource is missing"),
        ],
    )
    def test_what_is_refused_and_why(self, rows, change, why):
        ((reason, raw),) = rows([item(subscription(1), "a") | change], "_reject, _raw")
        assert reason == why
        assert json.loads(raw)["resourceType"] == "microsoft.storage/storageaccounts"

    def test_the_subscription_may_stand_in_the_resource_id_alone(self, rows):
        assert rows([item(subscription(1), "a", subscriptionId=None)], "account_id, _reject") == [
            (subscription(1), None)
        ]

    @pytest.mark.parametrize(
        ("region", "location"),
        [("east us", "US-EAST"), ("East US", "US-EAST"), ("eastus", "US-EAST"), ("west europe", "EU-WEST"),
         ("japan east", "ASIA-PACIFIC"), ("brazil south", "LATAM"), ("brasil south", "LATAM"), ("global", "GLOBAL"),
         (None, "GLOBAL"), ("", "GLOBAL"), ("nowhere west", None)],
    )  # fmt: skip
    def test_b44_regions_are_display_names_in_any_form(self, rows, region, location):
        assert rows([item(subscription(1), "a", location=region)], "region, location") == [
            (region or None, location)
        ]

    @pytest.mark.parametrize(
        ("kind", "category"),
        [("microsoft.compute/virtualmachines", "cloud_compute"), ("Microsoft.Compute/disks", "cloud_storage"),
         ("microsoft.sql/servers/databases", "cloud_database"), ("microsoft.web/sites", "cloud_compute_serverless"),
         ("microsoft.storage/storageaccounts", "cloud_storage"), ("contoso.things/boxes", None), (None, None)],
    )  # fmt: skip
    def test_b43_the_longest_known_part_of_a_resource_type_decides(self, rows, kind, category):
        found = rows([item(subscription(1), "a", resourceType=kind)], "service, category")
        assert found == [(kind and kind.lower(), category)]

    def test_the_same_item_has_the_same_id_and_every_fact_of_its_key_another(self, rows):
        ids = "activity_id"
        base = item(subscription(1), "a", 1.0)
        again = item(subscription(1).upper(), "A", 2.0, resourceId=base["resourceId"].upper())
        (one,) = rows([base], ids)
        assert rows([again], ids) == [one]
        others = [
            rows([base], ids, scope=2), rows([base], ids, month="2026-02"), rows([item(subscription(1), "b")], ids),
            rows([item(subscription(2), "a", resourceId=base["resourceId"])], ids),
            rows([base | {"categoryType": "ResourceGroup"}], ids),
        ]  # fmt: skip
        assert len({one, *(row for (row,) in others)}) == 6

    def test_quotes_in_a_name_are_only_text(self, rows):
        assert rows([item(subscription(1), "o'neil\"; --")], "count(*)") == [(1,)]


def test_an_id_of_the_application_is_in_no_source(rows):
    ((source,),) = rows([item(subscription(1), "a")], "source")
    assert CLIENT not in source
