"""The stream `carbon_api`: the Sustainability API, against a server made from botocore's own model of it."""

from __future__ import annotations

import datetime as dt
import os
import time

import pytest
from aws.carbon_files import ACCOUNT, FIGURES, figures, packed, places, put_carbon, row
from aws.cur_files import Warehouse, folder_put
from aws.service_fake import Refusal, problems
from aws.sustainability import Sustainability
from pydantic import ValidationError

from ogf.errors import ConfigError
from ogf.window import Month
from ogf_aws.carbon_api.source import EMISSIONS, GROUPING
from ogf_aws.session import client
from ogf_aws.settings import AwsSettings

CALLER = "123456789012"  # moto's
LAST = Month.of(dt.datetime.now(dt.UTC).date()).plus(-1)
ROWS = [
    row(month, product_code=product, usage_account_id=account)
    for month in ("2026-01", "2026-02")
    for product in ("EC2", "S3", "Other")
    for account in (ACCOUNT, "000000000007")
]
BY_SCOPE = (
    "SELECT strftime(timezone('UTC', period_start), '%Y-%m'), account_id, service, region, provider_scope, accounting, "
    "sum(CAST(emissions_kgco2e AS DECIMAL(38,9))) FROM activities GROUP BY ALL ORDER BY ALL"
)


@pytest.fixture
def cloud(monkeypatch):
    """The service with ROWS; what its model does not allow fails the test."""
    with Sustainability(*ROWS, page=4) as fake:
        monkeypatch.setenv(*fake.environment)
        yield fake
        assert fake.mistakes == []


@pytest.fixture
def warehouse(aws, cloud, tmp_path):
    def made(name="ogf", **settings) -> Warehouse:
        return Warehouse(
            tmp_path / f"{name}.duckdb",
            "",
            **{
                "ingestion__aws__cur__location": None,
                "ingestion__aws__carbon_api__enabled": True,
                "ingestion__aws__endpoint_url": aws.endpoint_url,
                "ingestion__aws__access_key_id": "AKIAEXAMPLE",
                "ingestion__aws__secret_access_key": "planted-secret",
                "ingestion__aws__rate_limit_per_sec": 10_000,
                "ingestion__aws__rate_limit_capacity": 10_000,
                **settings,
            },
        )

    return made


def test_b22_pages_of_the_api_give_the_same_figures_as_the_export(warehouse, cloud, tmp_path):
    asked = warehouse()
    result = asked.run()
    assert (result.status, result.message) == ("succeeded", "")
    assert cloud.pages("2026-01") == cloud.pages("2026-02") == 2
    for month in ("2026-01", "2026-02"):
        put_carbon(
            folder_put(tmp_path),
            packed(*(item for item in ROWS if item["usage_period_start"][:7] == month)),
            month=month,
        )
    exported = Warehouse(tmp_path / "export.duckdb", "", **places(tmp_path / "exports"))
    exported.run()
    assert asked.query(BY_SCOPE) == exported.query(BY_SCOPE)
    assert asked.column("DISTINCT partition_key") == [f"{CALLER}/2026-01", f"{CALLER}/2026-02"]
    assert asked.column("DISTINCT source") == [
        f"aws-sustainability://{CALLER}/{month}" for month in ("2026-01", "2026-02")
    ]
    assert asked.column("DISTINCT model_version") == ["v3.0.0"]


def test_all_types_are_asked_for_by_account_region_and_service(warehouse, cloud):
    warehouse().run()
    asked = [call for _, call in cloud.calls if "GroupBy" in call]
    call = min(asked, key=lambda call: call["TimePeriod"]["Start"])  # several workers ask, in any order
    assert set(call["GroupBy"]) == set(GROUPING) == set(cloud.model.shape_for("Dimension").enum)
    assert set(call["EmissionsTypes"]) == set(EMISSIONS) == set(cloud.model.shape_for("EmissionsType").enum)
    assert call["TimePeriod"] == {"Start": "2026-01-01T00:00:00Z", "End": "2026-02-01T00:00:00Z"}
    assert (call["Granularity"], call["MaxResults"], len(FIGURES)) == ("MONTHLY", 1000, 7)


def test_the_fake_refuses_what_the_model_does_not_allow(cloud):
    shape = cloud.model.operation_model("GetEstimatedCarbonEmissions").input_shape
    period = {"Start": "2026-01-01T00:00:00Z", "End": "2026-02-01T00:00:00Z"}
    assert problems({"TimePeriod": period, "GroupBy": ["SERVICE"]}, shape) == ""
    assert "DAILY" in problems({"TimePeriod": period, "Granularity": "DAILY"}, shape)
    assert problems({"TimePeriod": period, "PageSize": 3}, shape)
    assert problems({}, shape)


class TestAgain:
    def test_unchanged_months_are_read_and_kept(self, warehouse, cloud):
        one = warehouse()
        one.run()
        before = one.table(without=("source",))
        result = one.run()
        assert {(item.outcome, item.reason) for item in result.partitions} == {("unchanged", "same content")}
        assert one.table(without=("source",)) == before

    def test_a_new_model_version_replaces_the_month_and_the_old_figures_are_history(self, warehouse, cloud):
        one = warehouse()
        one.run()
        cloud.rows = [
            item | {"model_version": "v4.0.0"} if item["usage_period_start"] < "2026-02" else item
            for item in ROWS
        ]
        result = one.run()
        assert {item.key[-7:]: item.outcome for item in result.partitions} == {
            "2026-01": "loaded",
            "2026-02": "unchanged",
        }
        assert one.query("SELECT DISTINCT partition_key, model_version FROM activities ORDER BY ALL") == [
            (f"{CALLER}/2026-01", "v4.0.0"),
            (f"{CALLER}/2026-02", "v3.0.0"),
        ]
        assert one.column("DISTINCT model_version", table="activities_history") == ["v3.0.0", "v4.0.0"]

    def test_one_restated_figure_is_enough(self, warehouse, cloud):
        one = warehouse()
        one.run()
        cloud.rows[0] = row(
            "2026-01", **figures("0.0066", "0.0036", "0.0006", "0.004", "0", "0.002", "0.003")
        )
        assert warehouse().run().count("loaded") == 1

    @pytest.mark.parametrize("page", [1, 3, 1000])
    def test_page_size_does_not_change_the_table(self, warehouse, cloud, page):
        tables = []
        for size in (4, page):
            cloud.page = size
            one = warehouse(f"by-{size}")
            one.run()
            tables.append(one.table())
        assert tables[0] == tables[1]


class TestMonths:
    def test_a_window_asks_for_its_months_only(self, warehouse, cloud):
        result = warehouse().run(since="2026-02", until="2026-03")
        assert [item.key for item in result.partitions] == [f"{CALLER}/2026-02"]
        assert {call["TimePeriod"]["Start"] for _, call in cloud.calls} == {"2026-02-01T00:00:00Z"}

    def test_the_first_month_is_january_2022(self, warehouse, cloud):
        warehouse().run(since="2020-01")
        assert cloud.calls[0][1]["TimePeriod"]["Start"] == "2022-01-01T00:00:00Z"

    def test_a_window_before_that_is_empty(self, warehouse, cloud):
        result = warehouse().run(since="2020-01", until="2021-01")
        assert (result.status, cloud.calls) == ("succeeded", [])

    def test_last_month_is_a_note_while_it_is_not_published(self, warehouse, cloud, monkeypatch):
        monkeypatch.setattr("ogf_aws.published.PUBLISHED_BY", 32)
        one = warehouse()
        result = one.run()
        assert any(note.startswith(f"{LAST} is not published yet") for note in result.notices)
        cloud.rows.append(row(str(LAST)))
        assert one.run().notices == []

    @pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
    def test_months_are_those_of_utc_wherever_the_machine_is(self, warehouse, cloud, monkeypatch, zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            one = warehouse()
            assert one.run().status == "succeeded"
            assert one.column("DISTINCT period_start") == [
                dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in (1, 2)
            ]
        finally:
            monkeypatch.delenv("TZ")
            time.tzset()


class TestFaults:
    def test_throttling_and_server_errors_are_retried(self, warehouse, cloud):
        one = warehouse(ingestion__aws__max_retries=4)
        cloud.fail("ThrottlingException", 429)
        cloud.fail("InternalServerException", 500)
        cloud.fail("LimitExceededException", 400)
        assert one.run(since="2026-01", until="2026-02").status == "succeeded"
        assert one.column("count(*)") == [30]

    def test_a_token_that_is_not_taken_any_more_begins_the_month_anew(self, warehouse, cloud):
        one = warehouse()
        whole = cloud.answers["GetEstimatedCarbonEmissions"]
        spoilt = []

        def once(given):
            if "NextToken" in given and not spoilt:
                spoilt.append(given)
                raise Refusal("InvalidNextTokenException")
            return whole(given)

        cloud.answers["GetEstimatedCarbonEmissions"] = once
        result = one.run()
        assert (result.status, len(spoilt)) == ("succeeded", 1)
        assert one.column("count(*)") == [60]

    def test_a_refusal_names_the_permission(self, warehouse, cloud):
        cloud.fail("AccessDeniedException", 403)
        result = warehouse().run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "auth")
        assert "grant sustainability:GetEstimatedCarbonEmissions" in result.hint

    def test_data_that_is_not_there_is_not_found(self, warehouse, cloud):
        cloud.fail("DataUnavailableException", 400)
        result = warehouse().run()
        assert result.partitions[0].error_class == "not_found"
        assert "not published yet" in result.hint

    def test_an_unknown_unit_is_refused(self, warehouse, cloud):
        whole = cloud.answers["GetEstimatedCarbonEmissions"]

        def odd(given):
            answer = whole(given)
            for result in answer["Results"][:1]:
                for value in result["EmissionsValues"].values():
                    value["Unit"] = "lb"
            return answer

        cloud.answers["GetEstimatedCarbonEmissions"] = odd
        cloud.checks_answers = False  # the model of today has tonnes only
        one = warehouse(runner__max_reject_share=0.9)
        one.run()
        assert set(one.column("reason", table="quarantine")) == {"the unit of a figure is not known: lb"}

    def test_another_account_than_expected_is_an_error_before_anything_is_asked(self, warehouse, cloud):
        result = warehouse(ingestion__aws__account_id="999999999999").run()
        assert result.status == "failed"
        assert f"of account {CALLER}, the configuration expects 999999999999" in result.message
        assert cloud.calls == []

    def test_a_month_without_a_region(self, warehouse, cloud):
        cloud.rows = [row(region_code=""), row(region_code="Global", product_code="CloudFront")]
        one = warehouse()
        assert one.run().status == "succeeded"
        assert one.query("SELECT DISTINCT region, location FROM activities ORDER BY ALL") == [
            ("Global", "GLOBAL"),
            (None, "GLOBAL"),
        ]


class TestConfiguration:
    def test_the_export_and_the_api_are_not_both_taken(self):
        with pytest.raises(ValidationError) as caught:
            AwsSettings.model_validate(
                {"carbon": {"location": "s3://b/carbon"}, "carbon_api": {"enabled": True}}
            )
        assert "carbon_api.enabled" in str(caught.value) or "carbon_api" in str(caught.value)
        assert "counts twice" in str(caught.value)

    def test_it_is_off_until_it_is_switched_on(self):
        assert AwsSettings().missing("carbon_api") == [
            "ingestion.aws.carbon_api.enabled (OFFGRIDFLOW_AWS_CARBON_API_ENABLED)"
        ]
        assert AwsSettings(carbon_api={"enabled": True}).missing("carbon_api") == []

    def test_the_service_is_asked_in_its_own_region(self, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
        for region, expected in (("eu-west-1", "us-east-1"), ("us-gov-west-1", "us-gov-west-1")):
            found = client(AwsSettings(region=region), "sustainability")
            assert found.meta.region_name == expected
            assert found.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}

    def test_an_s3_server_does_not_get_the_services_own_calls(self, aws, cloud):
        found = client(aws.settings(), "sustainability")
        assert found.meta.endpoint_url == os.environ["AWS_ENDPOINT_URL_SUSTAINABILITY"]


def test_streams_that_are_asked_for_but_not_configured_name_what_is_missing(warehouse):
    one = warehouse(ingestion__aws__carbon_api__enabled=False)
    with pytest.raises(ConfigError, match=r"carbon needs ingestion\.aws\.carbon\.location"):
        one.run()


class TestDoctor:
    def checks(self, warehouse):
        run = warehouse.provider_run()
        with run.task_context("carbon_api") as ctx:
            return {
                found.name: (found.ok, found.detail, found.hint)
                for found in run.plugin.check(ctx, "carbon_api")
            }

    def test_it_says_which_months_can_be_read(self, warehouse, cloud):
        checks = self.checks(warehouse())
        assert checks["figures"][:2] == (True, "2026-01 to 2026-02 can be read")
        cloud.rows = []
        assert "no figures yet" in self.checks(warehouse())["figures"][1]

    def test_a_missing_permission_is_named(self, warehouse, cloud):
        cloud.fail("AccessDeniedException", 403)
        ok, _, hint = self.checks(warehouse())["figures"]
        assert (ok, hint) == (False, "grant sustainability:GetEstimatedCarbonEmissions")
