from __future__ import annotations

import pytest
from azure.azure_fake import subscription

from ogf.errors import ErrorClass, SourceError
from ogf_azure import arm
from ogf_azure.doctor import check
from ogf_azure.subscriptions import subscriptions

CARBON = "/providers/Microsoft.Carbon/"


def test_configured_subscriptions_are_taken_without_asking(azure, azure_ctx):
    ctx = azure_ctx(subscription_ids=[subscription(2), subscription(1)])
    assert subscriptions(ctx) == (subscription(1), subscription(2))
    assert azure.calls == []


@pytest.mark.parametrize("count", [0, 1, 101, 268])
def test_all_that_azure_lists_are_read_page_by_page(azure, azure_ctx, count):
    azure.has(*(subscription(number + 1).upper() for number in range(count)))
    ctx = azure_ctx()
    assert subscriptions(ctx) == tuple(subscription(number + 1) for number in range(count))
    assert azure.count("GET /subscriptions") == len(ctx.calls) == max(1, -(-count // 100))
    assert {call.query["api-version"] for call in azure.asked("GET /subscriptions")} == {"2022-12-01"}


def test_a_disabled_subscription_still_has_its_past(azure, azure_ctx):
    azure.has(subscription(1), state="Disabled")
    assert subscriptions(azure_ctx()) == (subscription(1),)


def test_an_empty_page_with_a_link_does_not_end_the_list(azure, azure_ctx):
    link = f"{azure.url}/subscriptions?api-version=2022-12-01&page=2"
    azure.answer("GET /subscriptions", {"value": [], "nextLink": link})
    assert subscriptions(azure_ctx()) == (subscription(1),)


def test_b94_a_link_that_repeats_ends_in_an_error(azure, azure_ctx):
    link = f"{azure.url}/subscriptions?api-version=2022-12-01&page=2"
    azure.answer("GET /subscriptions", {"value": [], "nextLink": link}, times=9)
    with pytest.raises(SourceError, match="circle"):
        subscriptions(azure_ctx())
    assert azure.count("GET /subscriptions") == 2


def test_b95_the_cap_on_pages_is_named_with_its_setting(azure, azure_ctx):
    azure.page_size = 1
    azure.has(*map(subscription, range(1, 5)))
    with pytest.raises(SourceError) as caught:
        subscriptions(azure_ctx(max_pages=2))
    assert "max_pages" in str(caught.value)
    assert azure.count("GET /subscriptions") == 2
    assert len(subscriptions(azure_ctx(max_pages=4))) == 4


@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        ("https://management.azure.com:443/subscriptions?page=2", True),
        ("https://MANAGEMENT.azure.com/subscriptions?page=2", True),
        ("https://management.azure.com:8443/subscriptions?page=2", False),
        ("http://management.azure.com/subscriptions?page=2", False),
    ],
)
def test_a_link_with_its_port_written_out_is_the_same_server(theirs, same):
    server = arm.Server("https://management.azure.com/", "scope")
    if same:
        assert arm._address(server, theirs, None) == theirs
    else:
        with pytest.raises(SourceError, match="another server"):
            arm._address(server, theirs, None)


def test_a_link_to_another_server_gets_no_token(azure, azure_ctx):
    link = azure.url.replace("127.0.0.1", "localhost") + "/subscriptions?page=2"
    azure.answer("GET /subscriptions", {"value": [], "nextLink": link})
    with pytest.raises(SourceError) as caught:
        subscriptions(azure_ctx())
    assert "another server" in caught.value.message
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    assert azure.count("GET /subscriptions") == 1


@pytest.mark.parametrize(
    "body", [[], "<html>", {}, {"value": [{"id": "x"}]}, {"value": ["x"]}, {"value": None}]
)
def test_an_answer_of_another_shape_is_an_error_and_not_an_empty_list(azure, azure_ctx, body):
    azure.answer("GET /subscriptions", body)
    with pytest.raises(SourceError):
        subscriptions(azure_ctx())


def carbon(azure, *denied: str) -> None:
    def report(request):
        return {"value": [], "subscriptionAccessDecisionList": [
            {"subscriptionId": one, "decision": "Denied" if one in denied else "Allowed"}
            for one in request.get_json()["subscriptionList"]
        ]}  # fmt: skip

    span = {"startDate": "2025-10-01", "endDate": "2026-09-01"}
    azure.route("POST", f"{CARBON}queryCarbonEmissionDataAvailableDateRange", lambda _: span)
    azure.route("POST", f"{CARBON}carbonEmissionReports", report)


def test_doctor_tries_all_that_carbon_needs(azure, azure_ctx):
    carbon(azure)
    azure.has(*map(subscription, range(1, 151)))
    checks = list(check(azure_ctx(), "carbon"))
    assert [(one.name, one.ok) for one in checks] == [
        ("credentials", True),
        ("subscriptions", True),
        ("carbon", True),
    ]
    assert "150 subscriptions may be read" in checks[-1].detail
    assert "2026-09-01" in checks[-1].detail
    assert [len(body["subscriptionList"]) for body in azure.bodies("carbonEmissionReports")] == [100, 50]
    assert "planted" not in str(checks)


def test_doctor_names_denied_subscriptions_and_the_role(azure, azure_ctx):
    azure.has(subscription(1), subscription(2))
    carbon(azure, subscription(2))
    *_, last = check(azure_ctx(), "carbon")
    assert not last.ok
    assert subscription(2) in last.detail
    assert subscription(1) not in last.detail
    assert "Carbon Optimization Reader" in last.hint


def test_doctor_stops_at_credentials_that_do_not_work(azure, azure_ctx):
    azure.refuse_tokens(7000222)
    (only,) = check(azure_ctx(), "carbon")
    assert (only.name, only.ok) == ("credentials", False)
    assert "expired" in only.hint


def test_doctor_says_what_is_not_set(azure_ctx):
    (only,) = check(azure_ctx(), "mcfs")
    assert not only.ok
    assert "OFFGRIDFLOW_AZURE_MCFS_INSTANCE_ID" in only.hint


def test_doctor_names_the_cost_role_and_its_scope(azure, azure_ctx):
    scope = f"/subscriptions/{subscription(1)}"
    azure.fail("CostManagement/query", 403, "RBACAccessDenied")
    *_, last = check(azure_ctx(cost_query={"scopes": scope}), "cost_query")
    assert not last.ok
    assert "Cost Management Reader" in last.hint
    assert scope in last.hint
    azure.route("POST", f"{scope}/providers/Microsoft.CostManagement/query", lambda _: None)
    assert all(one.ok for one in check(azure_ctx(cost_query={"scopes": scope}), "cost_query"))


def test_doctor_looks_at_a_local_folder(azure_ctx, tmp_path):
    folder = tmp_path / "exports"
    settings = {"focus": {"location": str(folder)}}
    assert "no folder" in next(check(azure_ctx(**settings), "focus")).detail
    folder.mkdir()
    assert "nothing lies" in list(check(azure_ctx(**settings), "focus"))[-1].detail
    (folder / "manifest.json").write_text("{}")
    assert next(check(azure_ctx(**settings), "focus")).ok
