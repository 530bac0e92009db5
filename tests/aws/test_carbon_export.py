"""The stream `carbon` from end to end: layouts, model versions and their history, restatements, what is missing."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from aws.carbon_files import PAYER, TOTALS, figures, packed, places, put_carbon, row
from aws.cur_files import Warehouse, csv_file, folder_put, gz, lines, parquet_file, put_export, s3_settings

from ogf.window import Month

SUM = (
    "SELECT strftime(timezone('UTC', period_start), '%Y-%m'), model_version, "
    "sum(CAST(emissions_kgco2e AS DECIMAL(38,12))) FROM {} WHERE coalesce(accounting, 'location') = 'location' "
    "GROUP BY ALL ORDER BY ALL"
)
EXECUTION = "2026-02-20T13:14:37.728Z-8c5a76cc-57d0-437d-851b-064e27aa8b06"
LATER = "2026-03-20T13:14:37.728Z-00000000-57d0-437d-851b-064e27aa8b06"


@pytest.fixture
def put(tmp_path):
    return folder_put(tmp_path)


@pytest.fixture
def local(tmp_path):
    """A warehouse over a local folder."""

    def made(folder="exports", **settings) -> Warehouse:
        return Warehouse(tmp_path / "ogf.duckdb", "", **places(tmp_path / folder, **settings))

    return made


def by_month(warehouse, table="activities"):
    return [(month, version, float(total)) for month, version, total in warehouse.query(SUM.format(table))]


def outcomes(result) -> dict[str, tuple[str, str]]:
    return {item.key: (item.outcome, item.reason) for item in result.partitions}


class TestLayouts:
    @pytest.mark.parametrize("spelling", ["carbon_model_version", "model_version", "Carbon_Model_Version"])
    def test_both_spellings_of_the_path(self, put, local, spelling):
        put_carbon(put, packed(row()), partition=spelling)
        result = local().run()
        assert outcomes(result) == {"carbon/2026-01@v3.0.0": ("loaded", "new")}

    @pytest.mark.parametrize(
        "folder",
        [
            "exports",
            "exports/carbon",
            "exports/carbon/data",
            "exports/carbon/data/carbon_model_version=v3.0.0",
        ],
    )
    def test_the_location_may_be_anywhere_above(self, put, local, folder):
        put_carbon(put, packed(row()))
        if folder.endswith("v3.0.0"):
            result = local(folder).run()
            assert result.status == "succeeded"  # a folder of files: the rows themselves say the version
            assert sorted(outcomes(result)) == [f"files/{PAYER}/2026-01@v3.0.0"]
            return
        assert local(folder).run().count("loaded") == 1
        assert by_month(local(folder)) == [("2026-01", "v3.0.0", 6.5)]

    def test_a_manifest_says_which_files_count(self, put, local):
        put_carbon(put, packed(row()), manifest="execution-1")
        put("exports/carbon/data/carbon_model_version=v3.0.0/usage_period=2026-01/carbon-00002.csv.gz",
            packed(row(product_code="stale")))  # fmt: skip
        warehouse = local()
        assert warehouse.run().status == "succeeded"
        assert warehouse.column("DISTINCT service") == ["EC2"]
        assert warehouse.run().count("unchanged") == 1

    def test_a_manifest_that_cannot_be_read_fails_its_month_alone(self, put, local):
        put_carbon(put, packed(row()))
        put_carbon(put, packed(row("2026-02")), month="2026-02", manifest="execution-1")
        put(
            "exports/carbon/metadata/carbon_model_version=v3.0.0/usage_period=2026-02/carbon-Manifest.json",
            b"{",
        )
        warehouse = local()
        result = warehouse.run()
        assert result.status == "partial"
        assert "not valid JSON" in result.message
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5)]

    def test_of_deliveries_in_folders_of_their_own_the_newest_counts(self, put, local):
        put_carbon(put, packed(row(**figures(*["0"] * 7))), execution=LATER)
        put_carbon(put, packed(row()), execution=EXECUTION)
        warehouse = local()
        warehouse.run()
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 0.0)]

    def test_files_without_such_folders_are_divided_by_their_rows(self, put, local):
        put("exports/a.csv.gz", packed(row(), row("2026-02"), row("2026-01", "v2.0.0", **TOTALS)))
        put("exports/b.csv.gz", packed(row("2026-02"), row("2026-02", product_code="S3")))
        warehouse = local()
        result = warehouse.run()
        assert result.status == "succeeded"
        assert sorted(outcomes(result)) == [
            f"files/{PAYER}/2026-01@v2.0.0",
            f"files/{PAYER}/2026-01@v3.0.0",
            f"files/{PAYER}/2026-02@v3.0.0",
        ]
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5), ("2026-02", "v3.0.0", 13.0)]
        assert any("2 data files themselves were read" in said for said in result.notices)
        assert warehouse.run().count("unchanged") == 3

    def test_two_exports_below_one_location_are_told(self, put, local):
        for number in (1, 2):
            put_carbon(put, packed(row(payer_account_id=f"{number:012}")), export=f"exports/payer-{number}/")
        result = local().run()
        assert sorted(outcomes(result)) == ["payer-1/2026-01@v3.0.0", "payer-2/2026-01@v3.0.0"]
        assert "2 carbon exports lie below" in result.notices[0]

    def test_parquet_and_csv_give_the_same_rows(self, tmp_path):
        types = {f"{name}_value": "DOUBLE" for name in ("total_lbm_emissions", "total_mbm_emissions")}
        bodies = {"csv.gz": packed(row()), "snappy.parquet": parquet_file([row()], **types)}
        tables = []
        for number, (suffix, body) in enumerate(bodies.items()):
            put_carbon(folder_put(tmp_path / str(number)), body, suffix=suffix)
            warehouse = Warehouse(
                tmp_path / f"{number}.duckdb", "", **places(tmp_path / str(number) / "exports")
            )
            assert warehouse.run().status == "succeeded"
            tables.append(warehouse.table())
        assert tables[0] == tables[1]


class TestEmpty:
    @pytest.mark.parametrize("body", [b"", gz(b""), packed()])
    def test_an_empty_file_is_a_month_without_data(self, put, local, body):
        put_carbon(put, body)
        warehouse = local()
        result = warehouse.run()
        assert (result.status, outcomes(result)) == (
            "succeeded",
            {"carbon/2026-01@v3.0.0": ("loaded", "new")},
        )
        assert warehouse.column("count(*)") == [0]
        assert any("0 bytes" in notice for notice in result.notices) == (not body)
        assert warehouse.run().count("unchanged") == 1

    def test_an_emptied_surplus_file_adds_nothing(self, put, local):
        put_carbon(put, packed(row()), b"")
        warehouse = local()
        assert warehouse.run().status == "succeeded"
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5)]

    def test_a_folder_without_any_carbon_says_what_it_should_be(self, put, local):
        put("exports/readme.txt", b"nothing")
        result = local().run()
        assert result.status == "failed"
        assert "carbon_model_version=" in result.message
        assert "ingestion.aws.carbon.location" in result.hint


class TestModelVersions:
    OLD = packed(row(version="v2.0.0", **TOTALS | {"total_lbm_emissions_value": "0.005"}))

    def test_of_two_that_are_there_the_newest_counts_and_the_other_is_history(self, put, local):
        put_carbon(put, self.OLD, version="v2.0.0")
        put_carbon(put, packed(row()))
        warehouse = local()
        assert warehouse.run().status == "succeeded"
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5)]
        assert by_month(warehouse, "activities_history") == [
            ("2026-01", "v2.0.0", 5.0),
            ("2026-01", "v3.0.0", 6.5),
        ]
        before = warehouse.table(without=("source",))
        assert warehouse.run().count("unchanged") == 2
        assert warehouse.table(without=("source",)) == before

    def test_a_new_version_replaces_the_month_and_the_old_one_answers_for_its_time(self, put, local):
        put_carbon(put, self.OLD, version="v2.0.0")
        put_carbon(put, packed(row("2026-02", "v2.0.0", **TOTALS)), version="v2.0.0", month="2026-02")
        warehouse = local()
        warehouse.run()
        then = dt.datetime.now(dt.UTC).isoformat()
        put_carbon(put, packed(row()))
        result = warehouse.run()
        assert outcomes(result)["carbon/2026-01@v3.0.0"] == ("loaded", "new")
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5), ("2026-02", "v2.0.0", 6.5)]
        assert by_month(warehouse, f"activities_as_of('{then}')") == [
            ("2026-01", "v2.0.0", 5.0),
            ("2026-02", "v2.0.0", 6.5),
        ]

    def test_version_ten_is_newer_than_nine(self, put, local):
        for version, kilograms in (("v9.0.0", "0.009"), ("v10.0.0", "0.010")):
            totals = TOTALS | {"total_lbm_emissions_value": kilograms}
            put_carbon(put, packed(row(version=version, **totals)), version=version)
        warehouse = local()
        warehouse.run()
        assert by_month(warehouse) == [("2026-01", "v10.0.0", 10.0)]

    def test_a_version_that_disappears_counts_on(self, put, local, tmp_path):
        put_carbon(put, self.OLD, version="v2.0.0")
        put_carbon(put, packed(row()))
        warehouse = local()
        warehouse.run()
        gone = tmp_path / "exports/carbon/data/carbon_model_version=v3.0.0/usage_period=2026-01"
        for path in gone.iterdir():
            path.unlink()
        put_carbon(put, packed(row(version="v2.0.0", **TOTALS)), version="v2.0.0")  # restated meanwhile
        result = warehouse.run()
        assert any("carbon/2026-01@v3.0.0: the source does not list it" in note for note in result.notices)
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.5)]

    def test_a_month_restated_inside_a_version_is_replaced_and_kept(self, put, local):
        put_carbon(put, packed(row(), row(product_code="S3")))
        warehouse = local()
        warehouse.run()
        then = dt.datetime.now(dt.UTC).isoformat()
        put_carbon(put, packed(row(**figures("0.0066", "0.0035", "0.0006", "0.004", "0", "0.002", "0.0029"))))
        result = warehouse.run()
        assert outcomes(result) == {"carbon/2026-01@v3.0.0": ("loaded", "version changed")}
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 6.6)]
        assert by_month(warehouse, f"activities_as_of('{then}')") == [("2026-01", "v3.0.0", 13.0)]

    def test_without_history_the_older_version_goes(self, put, local):
        put_carbon(put, self.OLD, version="v2.0.0")
        put_carbon(put, packed(row()))
        warehouse = local(ingestion__aws__carbon__keeps_history=False)
        warehouse.run()
        assert by_month(warehouse, "activities_history") == [("2026-01", "v3.0.0", 6.5)]


class TestPublication:
    LAST = Month.of(dt.datetime.now(dt.UTC).date()).plus(-1)

    @pytest.mark.parametrize(
        ("published_by", "text"),
        [
            (32, "{} is not published yet: AWS does so by the 32st of this month"),
            (0, "{} is not there, though AWS publishes by the 0st"),
        ],
    )
    def test_a_month_that_is_not_there_yet_is_a_note_and_no_error(
        self, put, local, monkeypatch, published_by, text
    ):
        monkeypatch.setattr("ogf_aws.published.PUBLISHED_BY", published_by)  # today is as it is
        put_carbon(put, packed(row()))
        result = local().run()
        assert (result.status, result.exit_code(strict=True)) == ("succeeded", 0)
        assert any(note.startswith(text.format(self.LAST)) for note in result.notices)
        assert local().run(until=str(self.LAST)).notices == []

    def test_nothing_is_said_of_a_month_that_is_there(self, put, local):
        put_carbon(put, packed(row(str(self.LAST))), month=str(self.LAST))
        assert local().run().notices == []

    def test_months_outside_the_window_are_not_read(self, put, local):
        for number in (1, 2, 3):
            month = f"2026-0{number}"
            put_carbon(put, packed(row(month)), month=month)
        result = local().run(since="2026-02", until="2026-03")
        assert sorted(outcomes(result)) == ["carbon/2026-02@v3.0.0"]


class TestS3:
    @pytest.fixture
    def warehouse(self, bucket, tmp_path):
        location = f"s3://{bucket.name}/exports"
        return Warehouse(tmp_path / "ogf.duckdb", "", **places(location), **s3_settings(bucket))

    def test_b22_it_loads_from_s3_and_a_second_run_only_lists(self, bucket, warehouse):
        for manifest in ("", "execution-1"):
            put_carbon(bucket.put, packed(row(), row("2026-01", product_code="S3")), manifest=manifest)
        put_carbon(bucket.put, packed(row("2026-02")), month="2026-02")
        assert warehouse.run().status == "succeeded"
        assert warehouse.query(SUM.format("activities")) == [
            ("2026-01", "v3.0.0", Decimal(13)),
            ("2026-02", "v3.0.0", Decimal("6.5")),
        ]
        assert warehouse.column("DISTINCT partition_key") == [
            f"{bucket.name}/exports/carbon/2026-01@v3.0.0",
            f"{bucket.name}/exports/carbon/2026-02@v3.0.0",
        ]
        bucket.aws.faults.clear()
        assert warehouse.run().count("unchanged") == 2
        assert not [call for call in bucket.aws.faults.calls if "GET" in call and ".csv.gz" in call]

    @pytest.mark.parametrize("manifest", ["", "execution-1"])
    def test_a_second_run_over_years_takes_few_calls(self, bucket, warehouse, manifest):
        """Each listing costs a token of the limiter, and each month and model version has two folders."""
        for number in range(24):
            month = str(Month(2024, 1).plus(number))
            for version in ("v2.0.0", "v3.0.0"):
                rows = packed(row(month, version, **TOTALS))
                put_carbon(bucket.put, rows, month=month, version=version, manifest=manifest)
        assert warehouse.run(until="2024-03").count("loaded") == 4
        bucket.aws.faults.clear()
        assert warehouse.run(until="2024-03").count("unchanged") == 4
        assert len(bucket.aws.faults.calls) <= 10

    def test_the_key_is_the_same_from_wherever_it_is_looked_at(self, bucket, warehouse):
        put_carbon(bucket.put, packed(row()))
        warehouse.run()
        for location in ("", "/exports/carbon", "/exports/carbon/data"):
            again = warehouse.run(ingestion__aws__carbon__location=f"s3://{bucket.name}{location}")
            assert again.count("unchanged") == 1

    def test_a_bucket_without_those_folders_is_not_searched_for_files(self, bucket, warehouse):
        bucket.put("exports/a.csv.gz", packed(row()))
        result = warehouse.run()
        assert result.status == "failed"
        assert "no folder here is of a carbon export" in result.message

    def test_a_file_replaced_while_it_is_read_is_planned_again(self, bucket, warehouse):
        put_carbon(bucket.put, packed(row()))
        result = warehouse.run(between=lambda: put_carbon(bucket.put, packed(row(), row(product_code="S3"))))
        assert (result.status, result.message) == ("succeeded", "")
        assert by_month(warehouse) == [("2026-01", "v3.0.0", 13.0)]

    def test_carbon_beside_another_export_and_a_cost_report_in_one_bucket(self, bucket, warehouse):
        put_carbon(bucket.put, packed(row()), manifest="execution-1")
        put_export(bucket.put, [gz(csv_file(lines(10), legacy=False))])
        result = warehouse.run(ingestion__aws__cur__location=f"s3://{bucket.name}/exports")
        failed = {item.key: item.message for item in result.partitions if item.outcome == "failed"}
        assert failed == {}, json.dumps(failed)
        assert warehouse.query("SELECT stream, count(*) FROM activities GROUP BY ALL ORDER BY ALL") == [
            ("carbon", 5),
            ("cur", 10),
        ]


class TestDoctor:
    def checks(self, warehouse, stream="carbon"):
        run = warehouse.provider_run()
        with run.task_context(stream) as ctx:
            return {
                found.name: (found.ok, found.detail, found.hint) for found in run.plugin.check(ctx, stream)
            }

    def test_it_names_months_and_model_versions(self, put, local):
        put_carbon(put, packed(row()))
        put_carbon(put, packed(row("2025-12", "v2.0.0", **TOTALS)), month="2025-12", version="v2.0.0")
        assert self.checks(local())["months"][:2] == (
            True,
            "2025-12 to 2026-01, model versions v2.0.0, v3.0.0",
        )

    def test_it_tries_to_read_a_file(self, bucket, tmp_path):
        put_carbon(bucket.put, packed(row()))
        location = f"s3://{bucket.name}/exports"
        warehouse = Warehouse(tmp_path / "ogf.duckdb", "", **places(location), **s3_settings(bucket))
        assert [ok for ok, _, _ in self.checks(warehouse).values()] == [True] * 4
        bucket.aws.faults.inject("HEAD /", "403 Forbidden", times=9)
        ok, _, hint = self.checks(warehouse)["months"]
        assert (ok, "kms:Decrypt" in hint) == (False, True)

    def test_a_folder_of_something_else_fails(self, put, local):
        put("exports/readme.txt", b"nothing")
        assert self.checks(local())["months"][0] is False
