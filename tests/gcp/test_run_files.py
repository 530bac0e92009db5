"""The same streams from files that an export left: in a local folder, and in Cloud Storage."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from gcp.bigquery_runs import Process, outcomes
from gcp.export_files import (
    CARBON_SCHEMA,
    Exports,
    billing_row,
    carbon_row,
    credit,
    nested,
    write_lines,
    write_parquet,
)
from gcp.google_fake import google, google_server

from ogf.errors import ErrorClass
from ogf.files.decode import sniff

__all__ = ["google", "google_server"]

SUMS = "SELECT provider_scope, accounting, count(*), fsum(emissions_kgco2e) FROM activities GROUP BY 1, 2 ORDER BY 1, 2"


def months() -> list[dict]:
    return [
        carbon_row(usage_month=f"2026-0{month}-01", project__number=str(project))
        for month in (1, 2)
        for project in range(3)
    ]


def dated(rows: list[dict]) -> list[dict]:
    return [row | {"usage_month": dt.date.fromisoformat(row["usage_month"])} for row in rows]


EXPECTED = [(1, None, 6, 6.0), (2, "location", 6, 12.0), (2, "market", 6, 9.0), (3, None, 6, 18.0)]


def by_pyarrow(folder: Path) -> None:
    write_parquet(folder / "carbon-000000000000.parquet", dated(months()), CARBON_SCHEMA)


def by_duckdb(folder: Path) -> None:
    """Nested columns as another writer makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = write_lines(folder.with_suffix(".lines"), months())
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE (CAST(usage_month AS DATE) AS usage_month) FROM read_json('{lines}')) "
            f"TO '{folder / 'carbon.parquet'}' (FORMAT parquet)"
        )


def by_lines(folder: Path) -> None:
    write_lines(folder / "carbon.json", months())


def by_gzip(folder: Path) -> None:
    plain = write_lines(folder / "carbon.json", months())
    plain.with_suffix(".json.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def by_several(folder: Path) -> None:
    """A file for each month, in folders and formats of their own."""
    write_parquet(folder / "january" / "a.parquet", dated(months()[:3]), CARBON_SCHEMA)
    write_lines(folder / "february" / "b.jsonl", months()[3:])


WRITERS = [by_pyarrow, by_duckdb, by_lines, by_gzip, by_several]


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def local(tmp_path, folder):
    """A warehouse that is filled from the folder: `local("carbon")`."""
    return lambda stream, **settings: Exports(tmp_path / "ogf.duckdb", settings=settings, **{stream: folder})


@pytest.fixture
def bucket(tmp_path, google):
    """A warehouse that is filled from gs://carbon-exports/2026: `bucket("carbon")`."""

    def made(stream: str) -> Exports:
        place = "gs://carbon-exports/2026"
        return Exports(
            tmp_path / "ogf.duckdb", settings={f"ingestion.gcp.{stream}.location": place, **_quick()}
        )

    return made


def _quick() -> dict:
    return {"ingestion.gcp.rate_limit_per_sec": 10_000, "ingestion.gcp.request_timeout": 5}


def upload(google, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            google.put("carbon-exports", f"2026/{path.relative_to(folder)}", path.read_bytes())


class TestLocal:
    @pytest.mark.parametrize("write", WRITERS)
    def test_carbon_of_every_format_gives_the_same(self, folder, local, write):
        write(folder)
        warehouse = local("carbon")
        result = warehouse.run()
        assert (result.status, result.count("loaded"), result.rejected) == ("succeeded", 2, 0)
        assert warehouse.query(SUMS) == EXPECTED
        before = warehouse.table(without=("provider",))
        again = warehouse.run()
        assert set(outcomes(again).values()) == {("unchanged", "same version")}
        assert warehouse.table(without=("provider",)) == before

    def test_a_file_that_is_restated_replaces_its_month_and_keeps_history(self, folder, local):
        by_several(folder)
        warehouse = local("carbon")
        warehouse.run()
        write_lines(folder / "february" / "b.jsonl", [carbon_row(10.0, usage_month="2026-02-01")])
        assert outcomes(warehouse.run()) == {
            "2026-01": ("unchanged", "same version"), "2026-02": ("loaded", "version changed"),
        }  # fmt: skip
        assert warehouse.query(SUMS)[0] == (1, None, 4, 13.0)
        assert warehouse.query("SELECT count(*) FROM loads WHERE status = 'superseded'") == [(1,)]

    def test_billing_lines_are_net(self, folder, local):
        lines = [
            billing_row(cost="1.25", credits=[credit("-0.25"), credit("-0.5", name="Promotion", kind="PROMOTION")]),
            billing_row(cost="2", sku__id="CF4E-A0C7-0002"),
            billing_row(cost="4", invoice__month="202602", usage_start_time="2026-02-01 10:00:00 UTC",
                        usage_end_time="2026-02-01 11:00:00 UTC"),
        ]  # fmt: skip
        write_lines(folder / "billing.json", lines)
        warehouse = local("billing")
        assert set(outcomes(warehouse.run())) == {"2026-01", "2026-02"}
        assert warehouse.facts() == (5, Decimal("6.5"))

    @pytest.mark.parametrize("form", ["{}", "file://{}"], ids=["path", "uri"])
    def test_a_process_reads_a_folder_and_asks_no_cloud(self, folder, tmp_path, local, form):
        by_pyarrow(folder)
        env = {
            "OFFGRIDFLOW_GCP_INGEST_ENABLED": "true",
            "OFFGRIDFLOW_GCP_CARBON_LOCATION": form.format(folder),
            "OFFGRIDFLOW_GCP_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens there
        }
        run = Process(tmp_path, env)
        (result,) = json.loads(run("run", "--provider", "gcp", "--json").stdout)
        assert (result["loaded"], result["rows"], result["notices"]) == (2, 24, [])
        (result,) = json.loads(run("run", "--provider", "gcp", "--json").stdout)
        assert (result["loaded"], result["unchanged"]) == (0, 2)
        assert local("carbon").query(SUMS) == EXPECTED

    def test_an_empty_folder_says_what_should_be_there(self, folder, local):
        folder.mkdir()
        result = local("carbon").run()
        assert result.exit_code() == 1
        assert "there is no data file here" in result.message
        assert "ingestion.gcp.carbon.location" in result.hint

    def test_what_holds_nothing_is_named(self, folder, local):
        by_several(folder)
        (folder / "empty.csv").touch()
        header = "usage_month,billing_account_id,project.number,service.id,service.description,location.location,carbon_model_version"
        figures = ("scope1", "scope2.location_based", "scope2.market_based", "scope3")
        columns = [header, *(f"carbon_footprint_kgCO2e.{name}" for name in figures)]
        (folder / "march.csv").write_text(",".join(columns) + "\n")
        result = local("carbon").run()
        assert (result.status, result.count("loaded")) == ("succeeded", 2)
        said = "\n".join(result.notices)
        assert "files of 0 bytes were passed over: empty.csv" in said
        assert "there is not one row in march.csv" in said

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_fields_that_no_comma_separates_are_told_so(self, folder, local, separator):
        folder.mkdir()
        lines = [
            separator.join(("usage_month", "billing_account_id", "scope1")),
            separator.join(("2026-01", "A", "1")),
        ]
        (folder / "a.csv").write_text("\n".join(lines))
        result = local("carbon").run()
        assert result.status == "failed"
        assert "separated by commas" in result.hint

    def test_files_that_are_passed_over_are_named(self, folder, local):
        by_several(folder)
        for name in ("table.tsv", "_SUCCESS", "notes.md", ".hidden", "january/manifest.json.txt"):
            (folder / name).write_text("x")
        result = local("carbon").run()
        assert (result.status, result.count("loaded")) == ("succeeded", 2)
        (said,) = (text for text in result.notices if "passed over" in text)
        assert said.endswith(": table.tsv")

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_numbered_export_needs_no_ending(self, folder, local, packed):
        text = "".join(json.dumps(row) + "\n" for row in nested(months())).encode()
        folder.mkdir()
        (folder / "carbon-000000000000").write_bytes(gzip.compress(text) if packed else text)
        assert local("carbon").run().status == "succeeded"
        assert local("carbon").query(SUMS) == EXPECTED

    def test_exports_that_are_named_by_time_are_not_the_parts_of_one(self, folder, local):
        for name in (
            "billing-202601310600.jsonl",
            "billing-202602280600.jsonl",
            "billing-1770000000000.jsonl",
        ):
            write_lines(folder / name, [billing_row()])
        result = local("billing").run()
        assert (result.status, result.rows) == ("succeeded", 1)
        write_lines(folder / "billing-000000000000.jsonl", [billing_row(cost="7")] * 2)
        write_lines(folder / "billing-000000000001.jsonl", [billing_row(cost="7")])
        assert local("billing").run().rows == 4

    def test_rows_that_two_exports_tell_in_other_words_are_noticed(self, folder, local):
        write_lines(folder / "a.jsonl", [billing_row(), billing_row(cost="3")])
        write_lines(folder / "b.jsonl", [billing_row(project__name="Renamed"), billing_row(cost="0")])
        result = local("billing").run()
        assert (result.status, result.rows) == ("succeeded", 4)
        (said,) = (text for text in result.notices if "look like" in text)
        assert "of its rows 1 look like rows of another of its files" in said

    def test_two_exports_of_one_month_with_other_figures_are_named(self, folder, local):
        names = [f"service {number}" for number in range(12)]
        for file, changed in (("2026-02-15.jsonl", 0), ("2026-03-15.jsonl", 1)):
            rows = [
                carbon_row(1.0 + changed * (name == names[0]), service__description=name) for name in names
            ]
            write_lines(folder / file, rows)
        result = local("carbon").run()
        assert (result.status, result.rejected) == ("partial", 2)
        (notice,) = result.partitions[0].notices
        assert "/2026-02-15.jsonl, file://" in notice
        assert "keep the newest only" in notice
        write_lines(
            folder / "2026-03-15.jsonl",
            [carbon_row(9.0, 9.0, 9.0, 9.0, service__description=name) for name in names],
        )
        failed = local("carbon").run()
        assert failed.status == "failed"
        assert "/2026-03-15.jsonl" in failed.message
        assert "keep the newer export only" in failed.hint

    def test_a_file_that_may_not_be_read_fails_alone(self, folder, local, monkeypatch):
        by_several(folder)
        shut = folder / "january" / "a.parquet"

        def refuse(path):
            if path.samefile(shut):  # root may read everything, so the refusal is played
                raise PermissionError(13, "Permission denied", str(path))
            return sniff(path)

        monkeypatch.setattr("ogf.files.table.sniff", refuse)
        result = local("carbon").run()
        assert (result.status, result.count("loaded"), result.count("failed")) == ("partial", 1, 1)
        (failed,) = [item for item in result.partitions if item.outcome == "failed"]
        assert failed.error_class is ErrorClass.AUTH
        assert "let this user read it" in failed.hint

    def test_a_location_that_is_a_file_is_told_so(self, tmp_path, folder):
        by_several(folder)
        result = Exports(tmp_path / "ogf.duckdb", settings={}, carbon=folder / "january" / "a.parquet").run()
        assert "a.parquet is a file" in result.message
        assert "the folder that it lies in" in result.hint

    def test_a_file_that_is_cut_is_a_partition_of_its_own(self, folder, local):
        by_several(folder)
        whole = (folder / "january" / "a.parquet").read_bytes()
        (folder / "january" / "a.parquet").write_bytes(whole[: len(whole) // 2])
        warehouse = local("carbon")
        result = warehouse.run()
        assert (result.status, result.count("loaded"), result.count("failed")) == ("partial", 1, 1)
        assert warehouse.column("DISTINCT strftime(period_start, '%Y-%m')") == ["2026-02"]


class TestBucket:
    @pytest.mark.parametrize("write", WRITERS)
    def test_a_bucket_gives_what_a_folder_gives_and_a_second_run_downloads_nothing(
        self, google, folder, bucket, write
    ):
        write(folder)
        upload(google, folder)
        warehouse = bucket("carbon")
        result = warehouse.run()
        assert (result.status, result.count("loaded"), result.rejected) == ("succeeded", 2, 0)
        assert warehouse.query(SUMS) == EXPECTED
        assert {source[:25] for source in warehouse.column("DISTINCT source")} == {
            "gs://carbon-exports/2026/"
        }
        google.calls.clear()
        assert set(outcomes(warehouse.run()).values()) == {("unchanged", "same version")}
        assert google.count("/download/") == 0
        assert google.count("/o?") >= 1

    def test_a_new_generation_is_loaded_and_nothing_else(self, google, folder, bucket):
        by_several(folder)
        upload(google, folder)
        warehouse = bucket("carbon")
        warehouse.run()
        google.calls.clear()
        google.put(
            "carbon-exports", "2026/february/b.jsonl", _lines([carbon_row(10.0, usage_month="2026-02-01")])
        )
        assert outcomes(warehouse.run()) == {
            "2026-01": ("unchanged", "same version"), "2026-02": ("loaded", "version changed"),
        }  # fmt: skip
        assert google.count("/download/") == google.count("b.jsonl")
        assert warehouse.query(SUMS)[0] == (1, None, 4, 13.0)

    def test_an_object_that_is_overwritten_while_it_is_read_is_read_anew(self, google, folder, bucket):
        by_several(folder)
        upload(google, folder)
        warehouse = bucket("carbon")
        newer = _lines([carbon_row(10.0, usage_month="2026-02-01")])
        result = warehouse.run(between=lambda: google.put("carbon-exports", "2026/february/b.jsonl", newer))
        assert result.count("failed") == 0
        assert warehouse.query(SUMS)[0] == (1, None, 4, 13.0)
        assert set(outcomes(warehouse.run()).values()) == {("unchanged", "same version")}

    @pytest.mark.parametrize("fault", ["503", "break", "damage"])
    def test_a_download_that_breaks_is_made_again(self, google, folder, bucket, fault):
        by_pyarrow(folder)
        upload(google, folder)
        match fault:
            case "503":
                google.fail("/download/", 503, "backendError")
            case "break":
                google.break_off("/download/", keep=100)
            case _:
                google.damage("/download/")
        warehouse = bucket("carbon")
        assert warehouse.run().count("loaded") == 2
        assert warehouse.query(SUMS) == EXPECTED

    def test_a_bucket_that_may_not_be_listed_says_which_role(self, google, bucket):
        google.fail("/o?", 403, "accessDenied", times=9)
        result = bucket("carbon").run()
        assert result.exit_code() == 1
        assert "roles/storage.objectViewer" in result.hint


def _lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in nested(rows)).encode()
