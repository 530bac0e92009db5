"""Microsoft Cloud for Sustainability, a preview: months, pages, and metric tons that become kilograms."""

from __future__ import annotations

import pytest
from azure.azure_fake import subscription
from azure.azure_runs import Cloud, mapped, plugin

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Request
from ogf.window import Month, Window

SCOPE = "c3163bf1-092f-436b-b260-7ade5973e5b9/.default"
PATH = "/api/v1.0/instances/demo-instance/enrollments/12345/emissions"
KEY = "planted-subscription-key"


def emission(tons=0.0123, **changes) -> dict:
    """An EnrollmentEmission, as Microsoft documents it."""
    return {
        "dateKey": 20260101, "enrollmentId": "12345", "orgName": "demo", "subscriptionId": subscription(10).upper(),
        "subscriptionName": "demo subscription", "azureServiceName": "Virtual Machines", "subService": "Dv5",
        "azureRegionName": "West Europe", "scope": "Scope 2", "scopeId": 2, "totalEmissions": tons,
    } | changes  # fmt: skip


class Service:
    """Enrolment 12345: emissions by month, two on a page."""

    def __init__(self, azure) -> None:
        self.azure = azure
        self.emissions: list[dict] = [emission()]
        self.size = 2
        azure.route("GET", PATH, self.answer, scopes=frozenset({SCOPE}))

    def answer(self, request):
        rows = self.emissions
        if "$apply" in request.args:
            rows = [{"dateKey": key} for key in sorted({row["dateKey"] for row in rows})]
        else:
            month = int(request.args["$filter"].removeprefix("dateKey eq "))
            rows = [row for row in rows if row["dateKey"] == month]
        start = int(request.args.get("$skip", 0))
        end = start + self.size
        asked = "&".join(f"{name}={value}" for name, value in request.args.items() if name != "$skip")
        more = {"@odata.nextLink": f"{self.azure.url}{PATH}?{asked}&$skip={end}"} if end < len(rows) else {}
        return {"@odata.context": "$metadata#emissions", "value": rows[start:end], **more}


@pytest.fixture
def service(azure) -> Service:
    return Service(azure)


@pytest.fixture
def given(azure):
    return {
        "instance_id": "demo-instance",
        "enrollments": ["12345"],
        "subscription_key": KEY,
        "endpoint_url": azure.url,
    }


@pytest.fixture
def rows(service, azure_ctx, given, tmp_path):
    def mapping(items, columns):
        service.azure.route("GET", PATH, lambda _: {"value": items}, scopes=frozenset({SCOPE}))
        request = Request("page", {"stream": "mcfs", "enrollment": "12345", "month": "2026-01"})
        return mapped(plugin().fetch(azure_ctx(mcfs=given), request), request.params, columns, tmp_path)

    return mapping


def test_it_is_off_by_default(azure):
    settings = azure.settings()
    assert len(settings.missing("mcfs")) == 2
    assert "preview" in plugin().provider.stream("mcfs").description


def test_months_come_from_the_source(service, azure_ctx, given):
    service.emissions = [emission(dateKey=key) for key in (20240301, 20260101, 20251201, 20260101, 20250501)]
    service.size = 1
    found = plugin().partitions(azure_ctx(mcfs=given), "mcfs", Window(Month(2025, 1), None))
    assert [item.key for item in found] == ["12345/2025-05", "12345/2025-12", "12345/2026-01"]


def test_the_key_and_a_token_of_its_own_go_along(service, azure_ctx, given):
    plugin().partitions(azure_ctx(mcfs=given), "mcfs", Window())
    (call,) = service.azure.asked(PATH)
    assert call.headers["ocp-apim-subscription-key"] == KEY
    assert call.query == {"$apply": "groupby((dateKey))"}
    (token,) = service.azure.asked("oauth2/v2.0/token")
    assert SCOPE in token.form["scope"]


def test_a_list_of_months_that_goes_in_circles_is_loud(service, azure_ctx, given):
    link = f"{service.azure.url}{PATH}?$skip=0"
    service.azure.route(
        "GET", PATH, lambda _: {"value": [], "@odata.nextLink": link}, scopes=frozenset({SCOPE})
    )
    with pytest.raises(SourceError, match="same next page twice"):
        plugin().partitions(azure_ctx(mcfs=given), "mcfs", Window())


@pytest.mark.parametrize("key", [None, "soon", 20261301, ""])
def test_a_month_that_is_none_is_loud(service, azure_ctx, given, key):
    service.azure.route("GET", PATH, lambda _: {"value": [{"dateKey": key}]}, scopes=frozenset({SCOPE}))
    with pytest.raises(SourceError, match="not as Azure documents it") as caught:
        plugin().partitions(azure_ctx(mcfs=given), "mcfs", Window())
    assert caught.value.error_class is ErrorClass.UNKNOWN


def test_an_emissions_facts(rows):
    columns = (
        "billing_account_id, account_id, account_name, service, category, usage_type, region, location, "
        "CAST(period_start AS VARCHAR), CAST(period_end AS VARCHAR), emissions_kgco2e, provider_scope, accounting, "
        "data_quality, source, _reject"
    )
    assert rows([emission()], columns) == [
        ("12345", subscription(10), "demo subscription", "Virtual Machines", "cloud_compute", "Dv5", "West Europe",
         "EU-WEST", "2026-01-01 00:00:00+00", "2026-02-01 00:00:00+00", 12.3, 2, "market", "measured",
         "azure-mcfs://12345/2026-01", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tons", "kg"),
    [
        (0.0123, 12.3),
        (1.1, 1100.0),
        (0, 0.0),
        (2, 2000.0),
        ("0.5", 500.0),
        (1e-7, 1e-4),
        (-0.001, -1.0),
        (4.35, 4350.0),
    ],
)
def test_metric_tons_become_kg_without_noise(rows, tons, kg):
    assert rows([emission(tons)], "emissions_kgco2e, _reject") == [(kg, None)]


@pytest.mark.parametrize(
    ("scope", "read"), [({"scopeId": 1}, 1), ({"scopeId": "3"}, 3), ({"scopeId": None, "scope": "Scope 1"}, 1),
                        ({"scopeId": None, "scope": "scope3"}, 3)]
)  # fmt: skip
def test_scopes(rows, scope, read):
    accounting = "market" if read == 2 else None
    assert rows([emission(**scope)], "provider_scope, accounting, _reject") == [(read, accounting, None)]


@pytest.mark.parametrize(
    "scope", [{"scopeId": 4}, {"scopeId": 0}, {"scopeId": None, "scope": "Total"}, {"scopeId": "all"}]
)
def test_an_unknown_scope_is_refused_and_not_three(rows, scope):
    assert rows([emission(**scope)], "_reject") == [("the scope is none of 1, 2 and 3",)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"totalEmissions": None}, "the emissions are missing"),
        ({"totalEmissions": "much"}, "the emissions are not a number"),
        ({"dateKey": "soon"}, "the month is missing or not a date"),
        ({"dateKey": 20261301}, "the month is missing or not a date"),
    ],
)
def test_what_is_refused_and_why(rows, change, why):
    assert rows([emission() | change], "_reject") == [(why,)]


def test_a_run_pages_by_the_next_link_and_a_second_changes_nothing(service, given, tmp_path):
    tons = [0.001 * number for number in range(1, 8)]
    service.emissions = [
        emission(t, subscriptionId=subscription(n), dateKey=20260101) for n, t in enumerate(tons)
    ]
    service.emissions += [emission(1.0, dateKey=20260201)]
    cloud = Cloud(
        tmp_path / "ogf.duckdb", service.azure, carbon__enabled=False,
        **{f"mcfs__{name}": value for name, value in given.items()},
    )  # fmt: skip
    result = cloud.run()
    assert (result.status, result.rows) == ("succeeded", 8)
    assert service.azure.count(PATH) == 1 + 4 + 1
    by_month = "SELECT month(period_start), count(*), round(sum(emissions_kgco2e), 9) FROM activities GROUP BY ALL ORDER BY ALL"
    assert cloud.query(by_month) == [(1, 7, 28.0), (2, 1, 1000.0)]
    before = cloud.table(without=("provider",))
    assert cloud.run().count("unchanged") == 2
    assert cloud.table(without=("provider",)) == before


def test_a_next_link_that_repeats_is_loud(service, given, tmp_path):
    def circle(request):
        link = f"{service.azure.url}{PATH}?$filter=dateKey eq 20260101&$skip=1"
        more = {} if "$apply" in request.args else {"@odata.nextLink": link}
        return {"value": [emission()], **more}

    service.azure.route("GET", PATH, circle, scopes=frozenset({SCOPE}))
    cloud = Cloud(
        tmp_path / "ogf.duckdb", service.azure, carbon__enabled=False,
        **{f"mcfs__{name}": value for name, value in given.items()},
    )  # fmt: skip
    result = cloud.run()
    assert result.status == "failed"
    assert "a request that was already made" in result.partitions[0].message
    assert cloud.column("count(*)") == [0]
