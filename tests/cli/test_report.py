"""`ogf report` and `ogf reconcile` as people and scripts use them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import duckdb
import pytest
from cli.conftest import Place
from report.samples import Warehouse, machine, reported, used

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Place:
    """A working directory whose warehouse has both figures of one account, and one of another."""
    folder: Path = tmp_path_factory.mktemp("report")
    warehouse = Warehouse(folder / "ogf.duckdb")
    months = ("2026-01", "2026-02")
    warehouse.load(
        carbon=[reported(month, 2, 20.0) for month in months]
        + [reported(month, 2, 3.0, "market") for month in months],
        bill=[
            used(month, account=account, **machine()) for month in months for account in ("000000000001", "2")
        ],
    )
    return Place(folder)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_on_the_terminal(full: Place) -> None:
    said = full("report").stdout
    for title in ("Reported beside estimated, kg CO2e", "By month, location-based, kg CO2e", "By month, market-based, kg CO2e",
                  "By service, location-based", "By region, market-based", "Usage with an estimate"):  # fmt: skip
        assert title in said
    assert "40.00" in said
    assert "46.00" not in said, "the two accountings are never added"


def test_only_what_is_asked_for(full: Place) -> None:
    said = full("report", "--since", "2026-02", "--accounting", "market", "--table", "months").stdout
    assert "2026-02" in said
    assert "2026-01" not in said
    assert "location" not in said
    nothing = full("report", "--since", "2030-01")
    assert nothing.stdout == ""
    assert "nothing to report" in nothing.stderr


def test_groups_as_csv(full: Place) -> None:
    rows = rows_of(full("report", "--by", "account,month", "--format", "csv").stdout)
    assert list(rows[0])[:4] == ["account_id", "month", "accounting", "basis"]
    sums = {
        (row["account_id"], row["month"], row["accounting"]): float(row["emissions_kgco2e"]) for row in rows
    }
    assert sums["000000000001", "2026-01-01", "location"] == 20.0
    assert sums["000000000001", "2026-02-01", "market"] == 3.0
    assert ("2", "2026-01-01", "location") in sums
    assert ("2", "2026-01-01", "market") not in sums, "there is no market-based estimate"


def test_json_has_every_table_and_how_it_was_made(full: Place) -> None:
    told = json.loads(full("report", "--json").stdout)
    assert told["basis"]["method"] == "ogf-2026.1"
    assert set(told) == {
        "basis", "clouds", "months", "services", "regions", "reconciliation", "coverage", "uncovered", "restatements", "factors",
    }  # fmt: skip
    assert [row["month"] for row in told["reconciliation"]] == ["2026-01-01", "2026-02-01"]


def test_files_of_a_folder_agree_with_each_other(full: Place, tmp_path: Path) -> None:
    answer = full("report", "--format", "parquet", "-o", tmp_path / "p")
    full("report", "--format", "csv", "-o", tmp_path / "c")
    assert answer.stdout == ""
    assert answer.stderr.count("wrote ") == 9
    with duckdb.connect() as connection:
        for path in (tmp_path / "p").iterdir():
            parquet = connection.execute(f"SELECT * FROM '{path}'").fetchall()
            text = rows_of((tmp_path / "c" / f"{path.stem}.csv").read_text())
            assert len(parquet) == len(text)
        assert connection.execute(
            f"SELECT sum(emissions_kgco2e) FROM '{tmp_path}/p/months.parquet' WHERE basis = 'reported' AND accounting = 'location'"
        ).fetchone() == (40.0,)


def test_the_page_goes_to_its_file(full: Place, tmp_path: Path) -> None:
    answer = full("report", "--html", tmp_path / "r.html")
    assert answer.stdout == ""
    assert f"wrote {tmp_path / 'r.html'}" in answer.stderr
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_a_missing_extra_is_named_with_what_to_install(full: Place, tmp_path: Path, missing: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules['{missing}'] = None\n")
    lacking = {"PYTHONPATH": str(tmp_path)}
    said = full("report", "--html", tmp_path / "r.html", code=2, **lacking).stderr
    assert f"needs {missing}, which is not installed" in said
    assert "pip install 'ogf[report]'" in said
    assert not (tmp_path / "r.html").exists()
    assert "40.00" in full("report", **lacking).stdout, "tables need no extra"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "--by", "colour"), "there is no group colour"),
        (("report", "--by", ","), "choose some of"),
        (("report", "--by", "month", "--table", "months"), "leave out --table"),
        (("report", "--format", "csv"), "choose it with --table or --by"),
        (("report", "--format", "parquet"), "name a folder with -o"),
        (("report", "-o", "there"), "name a --format"),
        (("report", "--html", "no/where/r.html"), "there is no folder"),
        (("report", "--format", "csv", "-o", "no/where"), "there is no folder"),
        (("report", "--html", "r.html", "--by", "month"), "--html goes without --by"),
        (("report", "--html", "r.html", "--table", "months"), "--html goes without --table"),
        (("report", "--provider", "awz"), "nothing is loaded of the provider awz\n  → there is aws;"),
        (("reconcile", "--org", "nobody"), "nothing is loaded of the organisation nobody"),
        (("report", "--since", "2026-02", "--until", "2026-01"), "is not before"),
        (("report", "--table", "nothing"), "Invalid value for '--table'"),
        (("reconcile", "--by", "usage_type"), "there is no group usage_type"),
        (("reconcile", "--limit", "0"), "Invalid value for '--limit'"),
    ],
)
def test_what_contradicts_itself_is_a_mistake(full: Place, words: tuple[str, ...], said: str) -> None:
    answer = full(*words, code=2)
    assert said in answer.stderr
    assert answer.stdout == ""


def test_json_is_one_format(full: Place) -> None:
    answer = full("report", "--json", "--format", "csv", "--by", "month", code=2)
    assert json.loads(answer.stdout)["error"]["hint"] == "leave out one of them"
    assert full("report", "--json", "--format", "json").stdout == full("report", "--json").stdout


@pytest.mark.parametrize("command", ["report", "reconcile"])
def test_no_warehouse_yet(empty: Place, command: str) -> None:
    assert "there is no warehouse here yet" in empty(command, code=1).stderr


def test_reconcile(full: Place) -> None:
    answer = full("reconcile", "--limit", "1")
    assert "Largest gaps between estimated and reported, location-based, kg CO2e" in answer.stdout
    assert "Why\n  1: " in answer.stdout
    assert "only the 1 largest of 2 gaps are shown" in answer.stderr
    assert "2 account-months with an estimate alone" in answer.stderr
    told = json.loads(full("reconcile", "--json").stdout)
    assert len(told["gaps"]) == 2
    assert all(gap["explained"] and gap["gap_kgco2e"] for gap in told["gaps"])
    assert told["not_compared"] == [{"provider": "aws", "only_estimated": 2, "only_reported": 0}]


def test_nothing_to_compare_is_no_error(full: Place) -> None:
    answer = full("reconcile", "--since", "2030-01")
    assert answer.stdout == ""
    assert "There is nothing to compare" in answer.stderr
