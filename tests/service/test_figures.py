"""What is answered is what SQL says: pages with true totals, one unit, the same rows in every format. B86, B123."""

from __future__ import annotations

import math
from urllib.parse import quote

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service.conftest import Served, read

HOSTILE = [
    "' OR 1=1 --",
    "'; DROP TABLE activity_log; --",
    "%",
    "\\",
    "\x00",
    "🐘",
    ":asked",
    "$1",
    "?",
    "a" * 1000,
]


@pytest.fixture(scope="module")
def truth(demo):
    """The warehouse that was served, before it was served."""
    return lambda question: read(demo / "ogf.duckdb", question)


@pytest.mark.parametrize("accounting", ["location", "market"])
@pytest.mark.parametrize("path", ["/emissions", "/api/emissions"])
def test_b86_b123_pages_have_true_totals_in_one_unit(
    served: Served, truth, path: str, accounting: str
) -> None:
    pages = []
    while not pages or len(pages) < pages[0]["total_pages"]:
        query = f"?accounting={accounting}&per_page=100&page={len(pages) + 1}"
        pages.append(served.ask(path + query, headers={"Accept": "application/json"}))
    ((many, total),) = truth(
        f"SELECT count(*), fsum(emissions_kgco2e) FROM footprint WHERE accounting = '{accounting}'"
    )
    rows = [row for page in pages for row in page["data"]]
    assert {page["total"] for page in pages} == {len(rows)} == {many}
    assert math.fsum(row["emissions_kgco2e"] for row in rows) == pytest.approx(total)
    assert pages[0]["total_kgco2e"] == pytest.approx(total)
    assert {page["unit"] for page in pages} == {"kg CO2e"}
    assert {row["accounting"] for row in rows} == {accounting}
    assert {page["accounting"] for page in pages} == {accounting}
    assert served.ask(f"{path}?page={many + 1}", headers={"Accept": "application/json"})["data"] == []


def test_groups_add_up_to_the_same_total(served: Served) -> None:
    whole = served.ask("/api/emissions")["total_kgco2e"]
    for groups in ("provider", "month,service", "account,region,scope"):
        page = served.ask(f"/api/emissions?group_by={groups}&per_page=100")
        assert math.fsum(row["emissions_kgco2e"] for row in page["data"]) == pytest.approx(whole)


def test_says_how_much_is_estimated(served: Served, truth) -> None:
    summary = served.ask("/api/emissions/summary")
    ((usage, estimated),) = truth("SELECT sum(usage_rows), sum(estimated_rows) FROM coverage")
    assert summary["coverage"] == {
        "usage_rows": usage, "estimated_rows": estimated, "share": pytest.approx(estimated / usage)
    }  # fmt: skip
    assert {row["accounting"] for row in summary["totals"]} == {"location", "market"}
    assert summary["unit"] == "kg CO2e"
    assert summary["basis"]["method"] == "ogf-2026.1"


def test_html_for_browsers(served: Served) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = served.ask("/emissions", key="", headers=browser)
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" in answer.text


def test_report_tables(served: Served, truth) -> None:
    assert served.ask("/api/footprint?by=month")["rows"]
    assert served.ask("/api/reconciliation?by=month")["rows"]
    rows = served.ask("/api/reports/coverage")["rows"]
    assert [(sum(row["usage_rows"] for row in rows),)] == truth("SELECT sum(usage_rows) FROM coverage")
    assert served.ask("/api/reports/nope", status=404)["error"]["code"] == "no_such_table"
    assert "svg" in served.ask("/dashboard/report").text


class TestActivities:
    def test_every_format_has_every_row(self, served: Served, truth) -> None:
        ((many, cost),) = truth("SELECT count(*), sum(cost) FROM activities WHERE stream = 'billing'")
        for form, media in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet")):
            path = served.folder / f"answer.{form}"
            path.write_bytes(served.ask("/api/activities?stream=billing", headers={"Accept": media}).content)
            ((rows, total),) = duckdb.sql(f"SELECT count(*), sum(cost) FROM '{path}'").fetchall()
            assert (rows, float(total)) == (many, pytest.approx(float(cost)))

    @settings(max_examples=2, deadline=None)
    @given(limit=st.integers(300, 1000))
    def test_pages_of_any_size_give_every_row_once(self, served: Served, limit: int) -> None:
        ids, after = [], ""
        while after is not None:
            page = served.ask(f"/api/activities?provider=gcp&limit={limit}&after={after}" if after else
                              f"/api/activities?provider=gcp&limit={limit}")  # fmt: skip
            ids += [row["activity_id"] for row in page["data"]]
            after = page["next"]
        everything = served.ask("/api/activities?provider=gcp&format=csv").text
        assert sorted(ids) == sorted(line.split(",")[0] for line in everything.splitlines()[1:])

    def test_months(self, served: Served, truth) -> None:
        answer = served.ask("/api/activities?start_date=2026-08&end_date=2026-09-01&format=csv").text
        ((many,),) = truth(
            "SELECT count(*) FROM activities WHERE period_start >= '2026-08-01' AND period_start < '2026-09-01'"
        )
        assert len(answer.splitlines()) == many + 1

    @pytest.mark.parametrize("value", HOSTILE)
    @pytest.mark.parametrize("name", ["provider", "service", "resource_id"])
    def test_hostile_values_are_values(self, served: Served, name: str, value: str) -> None:
        path = f"/api/activities?{name}={quote(value)}"
        with served.client() as client:
            answer = client.get(path)
        assert answer.status_code in (200, 422), answer.text
        assert answer.status_code == 422 or answer.json() == {"data": [], "next": None}
        assert served.ask("/api/activities?limit=1")["data"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/emissions?per_page=101", "query.per_page"),
        ("/api/emissions?page=0", "query.page"),
        ("/api/emissions?group_by=nope", "query.group_by"),
        ("/api/emissions?accounting=both", "query.accounting"),
        ("/api/emissions?start_date=yesterday", "query.start_date"),
        ("/api/emissions?start_date=2026-08-15", "query.start_date"),
        ("/api/emissions?start_date=2026-08&end_date=2026-08", "query.end_date"),
        ("/api/activities?limit=1001", "query.limit"),
        ("/api/activities?after=nonsense", "query.after"),
        ("/api/activities?format=xlsx", "query.format"),
        ("/api/jobs?limit=0", "query.limit"),
    ],
)
def test_parameters_that_cannot_be(served: Served, path: str, field: str) -> None:
    error = served.ask(path, status=422)["error"]
    assert error["code"] == "validation_failed"
    assert list(error["fields"]) == [field]


def test_formats_that_are_not_offered(served: Served) -> None:
    error = served.ask("/api/activities", status=406, headers={"Accept": "application/xml"})["error"]
    assert "text/csv" in error["detail"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/emissions?since=2026-08", "query.since"),
        ("/api/emissions?provider=aws&provider=gcp", "query.provider"),
        ("/api/activities?start-date=2026-08", "query.start-date"),
        ("/api/jobs?status=failed", "query.status"),
    ],
)
def test_parameters_that_would_be_passed_over(served: Served, path: str, field: str) -> None:
    assert list(served.ask(path, status=422)["error"]["fields"]) == [field]
