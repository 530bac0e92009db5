"""From a row of the Carbon Footprint export to activities: scopes, methods, months, places and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
from gcp.export_files import (
    BILLING_ACCOUNT,
    CARBON_SCHEMA,
    Exports,
    carbon_row,
    write_lines,
    write_parquet,
)

FIGURES = "carbon_footprint_kgCO2e"
SCOPES = "provider_scope, accounting, emissions_kgco2e"


@pytest.fixture(params=["jsonl", "parquet"])
def load(request, tmp_path):
    """Load one file of rows, in each format that exports have: `load(rows)`."""

    def loading(*rows, **settings):
        folder = tmp_path / "exports"
        if request.param == "jsonl":
            write_lines(folder / "carbon.jsonl", rows)
        else:
            dated = [row | {"usage_month": dt.date.fromisoformat(row["usage_month"])} for row in rows]
            write_parquet(folder / "carbon.parquet", dated, CARBON_SCHEMA)
        warehouse = Exports(tmp_path / "ogf.duckdb", carbon=folder)
        return warehouse, warehouse.run(**settings)

    return loading


@pytest.fixture
def lines(tmp_path):
    """Load files of JSON lines: `lines({"a.jsonl": rows})`."""

    def loading(files, **settings):
        for name, rows in files.items():
            write_lines(tmp_path / "exports" / name, rows)
        warehouse = Exports(tmp_path / "ogf.duckdb", carbon=tmp_path / "exports")
        return warehouse, warehouse.run(**settings)

    return loading


def sums(warehouse) -> dict[str, float]:
    asked = "SELECT fsum(emissions_kgco2e) FROM activities WHERE coalesce(accounting, '{0}') = '{0}'"
    return {method: warehouse.query(asked.format(method))[0][0] for method in ("location", "market")}


@pytest.mark.parametrize(("market", "total"), [(900.0, 1500.0), (300.0, 900.0), (0.0, 600.0)])
def test_b52_only_scopes_are_rows_and_each_method_sums_to_its_total(load, market, total):
    row = carbon_row(100.0, 900.0, market, 500.0)
    row["carbon_footprint_total_kgCO2e.market_based"] = 600.0 + market
    warehouse, result = load(row)
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert row["carbon_footprint_total_kgCO2e.location_based"] == 1500.0
    assert sums(warehouse) == {"location": 1500.0, "market": total}
    assert warehouse.query(f"SELECT {SCOPES} FROM activities ORDER BY ALL") == [
        (1, None, 100.0),
        (2, "location", 900.0),
        (2, "market", market),
        (3, None, 500.0),
    ]


def test_a_row_has_its_months_facts(load):
    warehouse, _ = load(carbon_row())
    columns = (
        "provider, stream, billing_account_id, account_id, service, category, charge_category, region, location, "
        "model_version, data_quality, cost, quantity"
    )
    assert set(warehouse.query(f"SELECT {columns} FROM activities")) == {
        ("gcp", "carbon", BILLING_ACCOUNT, "shop-prod", "Compute Engine", "cloud_compute", "Usage", "us-central1",
         "US-CENTRAL", "14", "measured", None, None)
    }  # fmt: skip
    assert len(warehouse.column("DISTINCT activity_id")) == 4


def test_market_based_that_was_never_reported_is_no_row(load):
    warehouse, result = load(carbon_row(market=None, usage_month="2022-11-01"))
    assert result.rejected == 0
    assert warehouse.query(f"SELECT {SCOPES} FROM activities ORDER BY ALL") == [
        (1, None, 1.0),
        (2, "location", 2.0),
        (3, None, 3.0),
    ]


def test_b37_b63_b65_zero_stays_zero(load):
    """Three rows are kept, one of them all noughts: a reported nought is not a missing figure."""
    warehouse, result = load(
        carbon_row(1.0, 1.0, 1.0, 1.0, service__description="Cloud Run"),
        carbon_row(0.0, 0.0, 0.0, 0.0, service__description="BigQuery"),
        carbon_row(2.0, 2.0, 2.0, 2.0, service__description="Cloud Storage"),
    )
    assert result.rejected == 0
    by_service = "SELECT service, count(*), sum(emissions_kgco2e) FROM activities GROUP BY ALL ORDER BY ALL"
    assert warehouse.query(by_service) == [
        ("BigQuery", 4, 0.0),
        ("Cloud Run", 4, 4.0),
        ("Cloud Storage", 4, 8.0),
    ]


def test_b63_b65_ten_fifteen_and_five_are_thirty_over_three_rows(load):
    warehouse, _ = load(carbon_row(10.0, 15.0, None, 5.0))
    found = warehouse.query("SELECT provider_scope, emissions_kgco2e FROM activities ORDER BY ALL")
    assert found == [(1, 10.0), (2, 15.0), (3, 5.0)]
    assert sum(kg for _, kg in found) == 30.0


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-01-01", "2024-01-01", "2024-02-01"),
        ("2024-01", "2024-01-01", "2024-02-01"),
        ("202401", "2024-01-01", "2024-02-01"),
        (202401, "2024-01-01", "2024-02-01"),
        ("2024-12-01", "2024-12-01", "2025-01-01"),
        ("202412", "2024-12-01", "2025-01-01"),
        ("2024-12", "2024-12-01", "2025-01-01"),
        ("2024-02-01", "2024-02-01", "2024-03-01"),
    ],
)
def test_b56_a_month_is_its_days_in_utc(lines, text, start, end):
    warehouse, result = lines({"a.jsonl": [carbon_row(usage_month=text)]})
    assert [item.key for item in result.partitions] == [f"files/{BILLING_ACCOUNT}/{start[:7]}"]
    found = warehouse.query(
        "SELECT DISTINCT CAST(period_start AS VARCHAR), CAST(period_end AS VARCHAR) FROM activities"
    )
    assert found == [(f"{start} 00:00:00+00", f"{end} 00:00:00+00")]


@pytest.mark.parametrize("month", ["2024-13", "202413", "January", ""])
def test_b56_a_month_that_is_none_is_refused(lines, month):
    good = [carbon_row(project__number=str(n)) for n in range(4)]
    warehouse, result = lines({"a.jsonl": [*good, carbon_row(usage_month=month)]}, runner__max_reject_share=1)
    assert len(warehouse.column("DISTINCT activity_id")) == 16
    assert result.rejected == 4
    assert warehouse.column("DISTINCT reason", table="quarantine") == [
        "the usage month is missing or not a date"
    ]


def test_b76_five_records_end_to_end(load):
    services = ["Compute Engine", "Cloud Storage", "BigQuery", "Cloud Run", "Something New"]
    regions = ["us-central1", "europe-west1", "europe-north1", "asia-east1", "us-east1"]
    records = [
        carbon_row(n, n + 0.5, n + 0.25, n * 2.0, service__description=service, service__id=f"id-{n}",
                   location__location=f"{region}-b", location__region=region)
        for n, (service, region) in enumerate(zip(services, regions, strict=True), start=1)
    ]  # fmt: skip
    warehouse, result = load(*records)
    assert (result.status, result.rejected) == ("succeeded", 0)
    assert warehouse.query("SELECT count(*), min(emissions_kgco2e) > 0 FROM activities") == [(20, True)]
    found = warehouse.query(
        "SELECT service, category, location, sum(emissions_kgco2e) FROM activities "
        "WHERE accounting IS DISTINCT FROM 'market' GROUP BY ALL ORDER BY 4"
    )
    assert found == [
        ("Compute Engine", "cloud_compute", "US-CENTRAL", 4.5),
        ("Cloud Storage", "cloud_storage", "EU-WEST", 8.5),
        ("BigQuery", "data_warehouse", "EU-NORTH", 12.5),
        ("Cloud Run", "cloud_compute_serverless", "ASIA-PACIFIC", 16.5),
        ("Something New", "cloud_other", "US-EAST", 20.5),
    ]
    assert warehouse.run().count("unchanged") == 1


@pytest.mark.parametrize(
    ("place", "region", "found"),
    [
        ("us-central1-a", "us-central1", ("us-central1", "US-CENTRAL")),
        ("us-central1-a", None, ("us-central1-a", "US-CENTRAL")),
        ("europe-central2-b", None, ("europe-central2-b", "EU-CENTRAL")),
        ("europe-west1", None, ("europe-west1", "EU-WEST")),
        ("EUROPE-WEST1", None, ("EUROPE-WEST1", "EU-WEST")),
        ("us", None, ("us", "US")),
        ("eu", None, ("eu", "EU")),
        ("asia", None, ("asia", "ASIA-PACIFIC")),
        ("nam4", None, ("nam4", "US")),
        ("de", None, ("de", "EU-CENTRAL")),
        ("global", None, ("global", "GLOBAL")),
        (None, None, (None, "GLOBAL")),
    ],
)
def test_b53_a_zone_maps_like_its_region(load, place, region, found):
    warehouse, result = load(carbon_row(location__location=place, location__region=region))
    assert result.status == "succeeded"
    assert warehouse.query("SELECT DISTINCT region, location FROM activities") == [found]


def test_b53_b74_b75_an_unknown_region_is_global_and_told(load):
    warehouse, result = load(carbon_row(location__location="mars-north1-a", location__region="mars-north1"))
    assert result.status == "partial"
    assert warehouse.query("SELECT DISTINCT region, location FROM activities") == [("mars-north1", "GLOBAL")]
    assert any(
        "unmapped region" in notice and "mars-north1" in notice for notice in result.partitions[0].notices
    )


@pytest.mark.parametrize(
    ("description", "identifier", "category"),
    [
        ("Cloud Storage", "whatever", "cloud_storage"),
        ("cloud storage", None, "cloud_storage"),
        ("Renamed since", "95FF-2EF5-5EA1", "cloud_storage"),
        ("Renamed since", "152E-C115-5142", "cloud_compute_serverless"),
        ("Renamed since", "29E7-DA93-CA13", "cloud_compute_serverless"),
        ("Renamed since", "24E6-581D-38E5", "data_warehouse"),
        ("BigQuery", "95FF-2EF5-5EA1", "data_warehouse"),
        ("Nobody knows", "0000-0000-0000", "cloud_other"),
    ],
)
def test_b54_the_description_counts_before_the_id(load, description, identifier, category):
    warehouse, _ = load(carbon_row(service__description=description, service__id=identifier))
    assert warehouse.column("DISTINCT category") == [category]


def test_rows_without_a_project_are_kept(load):
    warehouse, result = load(
        carbon_row(),
        carbon_row(10.0, project__id=None, project__number=""),
        carbon_row(100.0, project__id=None, project__number="1234567890"),  # deleted: only its number is left
    )
    assert result.rejected == 0
    found = warehouse.query(
        "SELECT account_id, emissions_kgco2e FROM activities WHERE provider_scope = 1 ORDER BY 2"
    )
    assert found == [("shop-prod", 1.0), (None, 10.0), ("1234567890", 100.0)]


@pytest.mark.parametrize(
    "names", [("a.jsonl", "a.jsonl"), ("a.jsonl", "b.jsonl")], ids=["one file", "two files"]
)
def test_equal_rows_collapse(lines, names):
    """As the backfills of autumn 2022 left them, and as two exports of one month do."""
    row, other = carbon_row(), carbon_row(7.0, service__description="BigQuery", service__id="24E6-581D-38E5")
    files = {name: [] for name in names}
    files[names[0]] += [row]
    files[names[1]] += [row, other]
    warehouse, result = lines(files)
    assert [(item.outcome, item.message) for item in result.partitions] == [("loaded", "")]
    assert result.rejected == 0
    assert warehouse.query("SELECT count(*), fsum(emissions_kgco2e) FROM activities") == [(8, 7.5 + 13.5)]


def test_differing_rows_of_one_key_go_to_quarantine(lines):
    one, another = carbon_row(1.0, 1.0, 1.0, 1.0), carbon_row(2.0, 2.0, 2.0, 2.0)
    good = carbon_row(service__description="BigQuery", service__id="24E6-581D-38E5")
    warehouse, result = lines({"a.jsonl": [one, another, good]}, runner__max_reject_share=1)
    assert result.status == "partial"
    assert result.rejected == 8
    assert warehouse.column("DISTINCT service") == ["BigQuery"]
    assert warehouse.query("SELECT reason, count(*) FROM quarantine GROUP BY ALL") == [
        ("several different rows have this activity_id", 8)
    ]


def test_a_row_without_any_figure_is_refused_not_dropped(load):
    rows = [carbon_row(), carbon_row(None, None, None, None, service__description="BigQuery")]
    warehouse, result = load(*rows, runner__max_reject_share=1)
    assert result.rejected == 1
    ((reason, raw),) = warehouse.query("SELECT reason, CAST(raw AS VARCHAR) FROM quarantine")
    assert reason.startswith("no scope has a figure")
    assert "BigQuery" in raw


def test_one_files_months_are_partitions_of_their_own(load):
    warehouse, result = load(
        carbon_row(1.0), carbon_row(2.0, usage_month="2026-02-01"), carbon_row(4.0, usage_month="2026-03-01")
    )
    assert sorted(item.key[-7:] for item in result.partitions) == ["2026-01", "2026-02", "2026-03"]
    assert warehouse.column("emissions_kgco2e", table="activities WHERE provider_scope = 1", order="1") == [
        1.0,
        2.0,
        4.0,
    ]


def test_dotted_columns_of_csv_are_read(tmp_path):
    row = carbon_row()
    folder = tmp_path / "exports"
    folder.mkdir()
    values = ["" if value is None else str(value) for value in row.values()]
    (folder / "carbon.csv").write_text(f"{','.join(row)}\n{','.join(values)}\n")
    warehouse = Exports(tmp_path / "ogf.duckdb", carbon=folder)
    assert warehouse.run().status == "succeeded"
    assert warehouse.query("SELECT count(*), fsum(emissions_kgco2e) FROM activities") == [(4, 7.5)]


class TestOldTable:
    """Before July 2022 the export had one figure for each row."""

    ADVICE = ("no scopes", "July 2022", "backfill")

    def outcome(self, tmp_path):
        warehouse = Exports(tmp_path / "ogf.duckdb", carbon=tmp_path / "exports")
        (found,) = warehouse.run().partitions
        assert warehouse.facts()[0] == 0
        return found

    def row(self):
        row = {name: value for name, value in carbon_row().items() if "kgCO2e" not in name}
        return row | {FIGURES: 12.5}

    def test_in_parquet_is_refused_with_advice(self, tmp_path):
        row = self.row() | {"usage_month": dt.date(2021, 11, 1)}
        write_parquet(tmp_path / "exports" / "old.parquet", [row], CARBON_SCHEMA | {FIGURES: "f"})
        found = self.outcome(tmp_path)
        assert (found.outcome, found.error_class) == ("failed", "bad_request")
        assert all(word in f"{found.message} {found.hint}" for word in self.ADVICE)

    def test_in_csv_is_refused_with_advice(self, tmp_path):
        row = self.row()
        (tmp_path / "exports").mkdir()
        (tmp_path / "exports" / "old.csv").write_text(
            f"{','.join(row)}\n{','.join(str(value) for value in row.values())}\n"
        )
        found = self.outcome(tmp_path)
        assert (found.outcome, found.error_class) == ("failed", "bad_request")
        assert all(word in f"{found.message} {found.hint}" for word in self.ADVICE)

    def test_in_json_is_not_loaded(self, tmp_path):
        write_lines(tmp_path / "exports" / "old.jsonl", [self.row()])
        found = self.outcome(tmp_path)
        assert (found.outcome, found.error_class) == ("failed", "bad_request")


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ("usage_month", "usage_month"),
        ("billing_account_id", "billing_account_id"),
        ("service.description", "service.description"),
        (f"{FIGURES}.scope1", "scope1"),
        (f"{FIGURES}.scope2.location_based", "scope2.location_based"),
        (f"{FIGURES}.scope3", "scope3"),
    ],
)
def test_a_missing_column_is_named(tmp_path, column, named):
    row = carbon_row() | {"usage_month": "2026-01-01"}
    del row[column]
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "carbon.csv").write_text(
        f"{','.join(row)}\n{','.join('' if value is None else str(value) for value in row.values())}\n"
    )
    (found,) = Exports(tmp_path / "ogf.duckdb", carbon=tmp_path / "exports").run().partitions
    assert (found.outcome, found.error_class) == ("failed", "bad_request")
    assert "required columns are missing" in found.message
    assert named in found.message


def test_columns_that_came_or_went_later_are_not_needed(load):
    """The totals and offsets left the schema in 2025; market-based figures came in 2024."""
    gone = ("carbon_footprint_total_kgCO2e", "carbon_offsets", "scope2.market_based", "model_version")
    row = {name: value for name, value in carbon_row().items() if not any(word in name for word in gone)}
    warehouse, result = load(row)
    assert result.status == "succeeded"
    assert warehouse.query(f"SELECT {SCOPES} FROM activities ORDER BY ALL") == [
        (1, None, 1.0),
        (2, "location", 2.0),
        (3, None, 3.0),
    ]
