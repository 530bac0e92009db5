"""A whole run of AWS: carbon, cost reports and FOCUS of one bucket, and what may go wrong with keys and buckets."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal

import pytest
from aws.carbon_files import FIGURES, TOTALS, packed, places, put_carbon, row
from aws.cur_files import Warehouse, csv_file, gz, lines, put_export, s3_settings
from aws.test_focus import packed as focus_packed
from aws.test_focus import put_focus
from aws.test_focus import rows as focus_rows
from processes import ogf

from ogf.window import Month

ROLE = "arn:aws:iam::123456789012:role/reader"
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>planted-{number}</SecretAccessKey>
<SessionToken>planted-token</SessionToken><Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
<AssumedRoleUser><AssumedRoleId>A:ogf</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/reader/ogf</Arn>
</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""
BY_FIGURE = (
    "SELECT provider_scope, accounting, sum(CAST(quantity AS DECIMAL(38,9))) FROM activities "
    "WHERE stream = 'carbon' GROUP BY ALL ORDER BY ALL NULLS FIRST"
)
CARBON = [row(product_code=product) for product in ("EC2", "S3", "CloudFront", "Other")]


def warehouse(bucket, tmp_path, **settings) -> Warehouse:
    location = f"s3://{bucket.name}/carbon"
    return Warehouse(tmp_path / "ogf.duckdb", "", **places(location), **s3_settings(bucket, **settings))


def carbon_months(bucket, count: int) -> None:
    for number in range(1, count + 1):
        month = f"2026-{number:02}"
        put_carbon(bucket.put, packed(row(month)), month=month, export="carbon/daily/")


def downloads(bucket) -> list[str]:
    return [call for call in bucket.aws.faults.calls if call.startswith("GET") and ".csv.gz" in call]


def test_b77_a_process_loads_carbon_cost_and_focus_and_the_next_one_only_lists(bucket, tmp_path):
    put_carbon(bucket.put, packed(*CARBON), export="carbon/daily/")
    put_export(bucket.put, [gz(csv_file(lines(100), legacy=False))], bucket=bucket.name, prefix="cur/")
    put_focus(bucket.put, [focus_packed(*focus_rows(50))], bucket=bucket.name, prefix="focus/")
    env = {
        "OFFGRIDFLOW_AWS_CARBON_LOCATION": f"s3://{bucket.name}/carbon",
        "OFFGRIDFLOW_AWS_CUR_LOCATION": f"s3://{bucket.name}/cur",
        "OFFGRIDFLOW_AWS_FOCUS_LOCATION": f"s3://{bucket.name}/focus",
        "OFFGRIDFLOW_AWS_ENDPOINT_URL": bucket.aws.endpoint_url,
        "OFFGRIDFLOW_AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "OFFGRIDFLOW_AWS_SECRET_ACCESS_KEY": "planted-secret",
    }

    def run(*words):
        done = ogf(*words, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert "planted" not in done.stdout + done.stderr
        return done

    planned = json.loads(run("plan", "--provider", "aws", "--json").stdout)
    assert (
        {item["reason"] for item in planned["partitions"]} == {"new"} if "partitions" in planned else planned
    )
    (first,) = json.loads(run("run", "--provider", "aws", "--json").stdout)
    assert (first["status"], first["loaded"], first["rejected"]) == ("succeeded", 3, 0)
    loaded = Warehouse(tmp_path / "ogf.duckdb", "")
    assert loaded.query("SELECT stream, count(*), sum(cost) FROM activities GROUP BY ALL ORDER BY ALL") == [
        ("carbon", 20, None),
        ("cur", 100, sum(item_cost(number) for number in range(100))),
        ("focus", 50, sum(item_cost(number) for number in range(50))),
    ]
    tonnes = {name: math.fsum(float(item[f"{name}_value"]) for item in CARBON) for name in FIGURES}
    assert [(scope, method, float(total)) for scope, method, total in loaded.query(BY_FIGURE)] == [
        (1, None, tonnes["total_scope_1_emissions"]),
        (2, "location", tonnes["total_scope_2_lbm_emissions"]),
        (2, "market", tonnes["total_scope_2_mbm_emissions"]),
        (3, "location", tonnes["total_scope_3_lbm_emissions"]),
        (3, "market", tonnes["total_scope_3_mbm_emissions"]),
    ]
    bucket.aws.faults.clear()
    before = loaded.table(without=("source",))
    (second,) = json.loads(run("run", "--provider", "aws", "--json").stdout)
    assert (second["status"], second["unchanged"]) == ("succeeded", 3)
    assert downloads(bucket) == []
    assert loaded.table(without=("source",)) == before
    put_carbon(bucket.put, packed(row(version="v4.0.0", **TOTALS)), version="v4.0.0", export="carbon/daily/")
    (third,) = json.loads(run("run", "--provider", "aws", "--json").stdout)
    assert (third["loaded"], third["unchanged"]) == (1, 3)
    versions = "SELECT DISTINCT model_version, load_status FROM activities_history WHERE stream = 'carbon' ORDER BY ALL"
    assert loaded.query(versions) == [("v3.0.0", "superseded"), ("v4.0.0", "current")]
    last = Month.of(dt.datetime.now(dt.UTC).date()).plus(-1)
    assert f"{last} is not" in run("plan", "--provider", "aws").stderr  # published yet, or there, by the day


def item_cost(number: int) -> Decimal:
    return Decimal(f"{number}.01")


class TestKeysThatExpire:
    def test_a_role_that_expires_in_mid_run_is_assumed_again_and_the_run_goes_on(self, bucket, tmp_path):
        carbon_months(bucket, 6)
        faults, now = bucket.aws.faults, dt.datetime.now(dt.UTC)
        faults.answer("AssumeRole", ASSUMED.format(number=1, expiration=now + dt.timedelta(seconds=30)))
        for number in (2, 3):
            later = now + dt.timedelta(seconds=45)
            faults.answer("AssumeRole", ASSUMED.format(number=number, expiration=later))
        faults.answer("AssumeRole", ASSUMED.format(number=4, expiration=now + dt.timedelta(hours=1)))
        one = warehouse(bucket, tmp_path, ingestion__aws__role_arn=ROLE)
        result = one.run()
        assert (result.status, result.message) == ("succeeded", "")
        assert result.count("loaded") == 6
        assert sum("AssumeRole" in call for call in faults.calls) == 4
        assert faults.queue == []

    def test_keys_of_the_configuration_that_expire_stop_the_rest_and_the_next_run_goes_on(
        self, bucket, tmp_path
    ):
        carbon_months(bucket, 4)
        faults = bucket.aws.faults
        for number in (3, 4):
            faults.inject(
                f"usage_period=2026-0{number}/daily-00001", "400 Bad Request", "ExpiredToken", times=9
            )
        one = warehouse(bucket, tmp_path)
        result = one.run()
        assert result.status == "partial"
        failed = [item for item in result.partitions if item.outcome == "failed"]
        assert {item.error_class for item in failed} == {"auth"}
        assert "use role_arn" in failed[0].hint
        assert one.column("count(DISTINCT period_start)") == [2]
        faults.clear()
        assert one.run().status == "succeeded"
        assert len(downloads(bucket)) == 2
        assert one.column("count(DISTINCT period_start)") == [4]

    def test_a_token_that_expires_while_a_listing_goes_on(self, bucket, tmp_path):
        carbon_months(bucket, 2)
        bucket.aws.faults.inject("list-type=2", "400 Bad Request", "ExpiredToken", times=9)
        one = warehouse(bucket, tmp_path)
        result = one.run()
        assert (result.status, result.partitions[0].error_class) == ("failed", "auth")
        assert one.column("count(*)") == [0]


class TestBuckets:
    @pytest.mark.parametrize(
        ("status", "code", "error_class", "hint"),
        [
            ("403 Forbidden", "AccessDenied", "auth", "kms:Decrypt"),
            ("404 Not Found", "NoSuchKey", "not_found", "wait for the delivery"),
            ("403 Forbidden", "InvalidObjectState", "bad_request", "restore it"),
        ],
    )
    def test_an_object_that_cannot_be_read_fails_its_month_alone(
        self, bucket, tmp_path, status, code, error_class, hint
    ):
        carbon_months(bucket, 2)
        bucket.aws.faults.inject("usage_period=2026-02/daily-00001", status, code, times=9)
        one = warehouse(bucket, tmp_path)
        result = one.run()
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert (result.status, failed.error_class) == ("partial", error_class)
        assert hint in failed.hint
        assert failed.key.endswith("carbon/daily/2026-02@v3.0.0")
        assert one.column("count(DISTINCT period_start)") == [1]

    @pytest.mark.parametrize(
        ("status", "code", "error_class", "hint"),
        [
            ("403 Forbidden", "AccessDenied", "auth", "s3:ListBucket"),
            ("301 Moved Permanently", "PermanentRedirect", "bad_request", "`region`"),
            ("400 Bad Request", "AuthorizationHeaderMalformed", "bad_request", "`region`"),
            ("404 Not Found", "NoSuchBucket", "not_found", "location"),
        ],
    )
    def test_a_bucket_that_cannot_be_listed_says_what_to_do(
        self, bucket, tmp_path, status, code, error_class, hint
    ):
        carbon_months(bucket, 1)
        bucket.aws.faults.inject("list-type=2", status, code, times=9)
        result = warehouse(bucket, tmp_path).run()
        assert (result.status, result.partitions[0].error_class) == ("failed", error_class)
        assert hint in result.hint

    def test_throttling_is_waited_out(self, bucket, tmp_path):
        carbon_months(bucket, 1)
        bucket.aws.faults.inject("list-type=2", "503 Slow Down", "SlowDown", times=2)
        assert warehouse(bucket, tmp_path).run().status == "succeeded"

    def test_a_download_that_is_cut_short_is_made_again(self, bucket, tmp_path):
        carbon_months(bucket, 1)
        bucket.aws.faults.truncate("usage_period=2026-01/daily-00001", keep=20)
        assert warehouse(bucket, tmp_path).run().status == "succeeded"

    @pytest.mark.parametrize("pays", [False, True])
    def test_a_bucket_whose_requester_pays(self, bucket, tmp_path, pays):
        """S3 refuses requests that do not say so; moto does not."""
        from ogf_aws.session import client

        carbon_months(bucket, 1)
        one = warehouse(bucket, tmp_path, ingestion__aws__requester_pays=pays)
        seen = []
        s3 = client(one.provider_run().settings, "s3")
        s3.meta.events.register(
            "before-send.s3", lambda request, **_: seen.append(request.headers.get("x-amz-request-payer"))
        )
        assert one.run().status == "succeeded"
        assert {name and name.decode() if isinstance(name, bytes) else name for name in seen} == {
            "requester" if pays else None
        }

    def test_a_refusal_speaks_of_it(self, bucket, tmp_path):
        carbon_months(bucket, 1)
        bucket.aws.faults.inject("list-type=2", "403 Forbidden", "AccessDenied")
        assert "set requester_pays" in warehouse(bucket, tmp_path).run().hint
