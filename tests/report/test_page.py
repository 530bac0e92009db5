"""The HTML page: one file that needs nothing else, whatever the warehouse holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from report.samples import machine, reported, used

from ogf.emissions.choice import choose
from ogf.emissions.install import install
from ogf.emissions.own_spend import SpendFactor, put
from ogf.report import reconcile
from ogf.warehouse.file import WarehouseFile
from ogf.window import Month

JAN = "2026-01"
VOID = {"meta", "br", "hr", "img", "link", "input"}
SECTIONS = ["clouds", "months", "services", "regions", "reconciliation", "coverage", "restatements", "notes"]


class Page(HTMLParser):
    """What a reader gets: elements with their attributes, texts, tables; nesting is checked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        if tag in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "caption" in self.open:
            self._caption += data
        if {"td", "th"} & set(self.open):
            self.tables[self._caption][-1][-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def check(text: str) -> Page:
    """What holds for every page."""
    page = Page(text)
    assert page.count("script") == page.count("link") == page.count("img") == page.count("iframe") == 0
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#"), (tag, attributes)
        assert "src" not in attributes
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert [attributes["id"] for tag, attributes in page.elements if tag == "section"] == SECTIONS
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all("CO2e" in caption for caption in page.tables if caption.startswith(("By ", "Reported")))
    assert "None" not in [text.strip() for text in page.texts]
    assert "nan" not in " ".join(page.texts).lower().split()
    return page


def table(page: Page, start: str) -> list[list[str]]:
    (found,) = [rows for caption, rows in page.tables.items() if caption.startswith(start)]
    return found


def test_an_empty_warehouse_says_what_to_do(warehouse, html):
    warehouse.load(carbon=[])
    page = check(html())
    assert page.count("svg") == 0
    assert "Nothing is loaded for these months" in " ".join(page.texts)


def test_reported_rows_alone(warehouse, html):
    warehouse.load(carbon=[reported(JAN, 2, 12.5), reported(JAN, 2, 1.5, "market"), reported(JAN, 3, 4.0)])
    page = check(html())
    assert table(page, "By month, location-based, kg") == [
        ["month", "scope 2", "scope 3", "reported, all"],
        ["2026-01", "12.50", "4.00", "16.50"],
    ]
    assert table(page, "By month, market-based, kg")[1] == ["2026-01", "1.500", "4.000", "5.500"]
    words = " ".join(page.texts)
    assert "No billing data is loaded" in words
    assert "No account has both figures" in words
    assert "18.0" not in words, "location- and market-based are never added"


def test_estimated_rows_alone_have_their_interval(warehouse, html):
    warehouse.load(bill=[used(JAN, **machine())])
    page = check(html())
    head, row = table(page, "By month, location-based, kg")
    assert head == ["month", "estimated operational", "estimated embodied", "estimated, all", "low–high"]
    assert re.fullmatch(r"[\d.]+–[\d.]+", row[-1])
    assert len(row[-2].replace(".", "").lstrip("0")) <= 2
    assert not any(caption.startswith("By month, market") for caption in page.tables)
    assert "ODbL-1.0" in " ".join(page.texts)


def test_estimates_by_spend_say_whose_factor_it_is_and_stand_beside_reported_totals(warehouse, html, tables):
    bill = used(JAN, cost=20, **machine())
    warehouse.load(carbon=[reported(JAN, 2, 3.0, "location"), reported(JAN, 3, 1.0)], bill=[bill])
    warehouse.close()
    with WarehouseFile(warehouse.db).writing() as connection:
        put(
            connection,
            [SpendFactor("spend:us", "aws", "USD", 2026, 0.05, 0.15, 0.5, "our own study", "ours")],
        )
        choose(connection, method="spend")
        install(connection)
    page = check(html())
    assert table(page, "Reported beside estimated")[1] == [
        "aws",
        "4.00",
        "",
        "3.0",
        "1.0–10",
        "0.75×",
        "100 %",
        "100 %",
    ]
    (used_factor,) = table(page, "Factors used")[1:]
    assert used_factor[2:8] == ["spend:us", "2026", "", "", "", "3.0"]
    words = " ".join(page.texts)
    assert "Own factors: our own study (ours)" in words
    assert "ODbL" not in words
    (gap,) = reconcile.gaps(tables()).rows
    assert (gap["compared"], gap["gap_kgco2e"], gap["ratio_scope2"]) == ("total", -1, None)
    assert "estimated from what was paid" in " | ".join(gap["explained"])
    assert "grid factor" not in " | ".join(gap["explained"])


def test_names_from_data_are_words_and_nothing_else(warehouse, html):
    evil = "<script>alert('x')</script>\"&amp;$x$ \x0b</td><img src=//example.invalid/a onerror=alert(1)>"
    more = {"service": evil, "region": "eu-west-1", "account": evil, "org_id": evil}
    more.pop("org_id")
    warehouse.load(
        org="<b>o&o</b>",
        carbon=[reported(JAN, 2, 5.0, model_version=evil, **more)],
        bill=[used(JAN, usage_type=evil, currency="<i>", **more, **machine())],
    )
    warehouse.load(org="<b>o&o</b>", carbon=[reported(JAN, 2, 6.0, model_version=evil + "2", **more)])
    text = html()
    page = check(text)
    assert any(evil.replace("\x0b", "") in words.replace("\x0b", "") for words in page.texts)
    assert "<script>" not in text
    assert "<b>o&o</b>" in "".join(page.texts)


def test_no_region_no_service_no_account(warehouse, html):
    warehouse.load(
        carbon=[{**reported(JAN, 2, 5.0, region=None), "service": None, "account_id": None}],
        bill=[{**used(JAN, region=None, **machine()), "service": None, "account_id": None}],
    )
    page = check(html())
    assert table(page, "By region, location")[1][:2] == ["aws", "no region"]
    assert table(page, "By service, location")[1][:2] == ["aws", "no service"]
    assert table(page, "Usage with an estimate")[1][-1] == "1", (
        "a region without a factor is counted, not estimated"
    )


def test_a_total_told_by_scope_is_one_line_and_no_bar(warehouse, html):
    warehouse.load(carbon=[reported(JAN, None, 0.3)])
    warehouse.load(
        carbon=[reported(JAN, scope, kg, model_version="2") for scope, kg in ((1, 0.1), (2, 0.1), (3, 0.1))]
    )
    page = check(html())
    (line,) = table(page, "Restatements")[1:]
    assert line[1:] == ["aws", JAN, "total → 1, 2, 3", "location", "0.300", "0.300", "0", "1 → 2"]
    assert "Change since a month was first loaded" not in page.texts


def test_sixty_months(warehouse, html):
    months = [str(Month(2021, 1).plus(i)) for i in range(60)]
    warehouse.load(
        carbon=[reported(month, 2, 100.0 + i) for i, month in enumerate(months)],
        bill=[used(month, **machine()) for month in months],
    )
    text = html()
    page = check(text)
    assert [row[0] for row in table(page, "By month, location")[1:]] == months
    assert len(table(page, "Reported and estimated")) == 61
    assert len(text) < 400_000
    assert "2021-01 to 2025-12" in text


def test_four_hundred_services_are_the_largest_and_the_rest(warehouse, html):
    warehouse.load(
        carbon=[reported(JAN, 2, float(n), service=f"service {n:03d}") for n in range(1, 401)],
        bill=[used(JAN, service=f"service {n:03d}", cost=str(n), **machine(hours=n)) for n in range(1, 401)],
    )
    text = html()
    page = check(text)
    rows = table(page, "By service, location")[1:]
    assert [row[1] for row in rows] == [f"service {n:03d}" for n in range(400, 385, -1)] + ["385 others"]
    shown = sum(float(row[2].replace(",", "")) for row in rows)
    assert shown == pytest.approx(
        400 * 401 / 2 / (1000 if "t CO2e" in text and "By service, location-based, t" in text else 1),
        rel=1e-3,
    )
    assert len(text) < 400_000


def test_zero_negative_huge_and_tiny(warehouse, html):
    warehouse.load(
        carbon=[
            reported(JAN, 2, 0.0, service="zero"),
            reported(JAN, 2, -3.0, service="correction"),
            reported(JAN, 2, "4e18", service="huge"),
            reported(JAN, 2, "1e-200", service="tiny"),
        ],
        bill=[used(JAN, service="correction", **machine(hours=-720))],
    )  # fmt: skip
    page = check(html())
    rows = {row[1]: row[2] for row in table(page, "By service, location-based, t")[1:]}
    assert rows == {"huge": "4.0 × 10¹⁵", "correction": ">−1", "tiny": "<1", "zero": "0"}
    assert page.count("svg") >= 3


def test_several_currencies_and_organisations(warehouse, html):
    for org, currency in (("Ångström AB", "SEK"), ("two", "USD")):
        warehouse.load(
            org=org,
            carbon=[reported(JAN, 2, 5.0)],
            bill=[used(JAN, currency=currency, **machine()), used(JAN, currency="EUR", **machine())],
        )
    page = check(html())
    words = " ".join(page.texts)
    assert "Organisations: two, Ångström AB, added together" in words
    rows = table(page, "Reported beside estimated")
    assert rows[0][0] == "organisation"
    assert [row[0] for row in rows[1:]] == ["two", "Ångström AB"]
    costs = sorted(row[5] for row in table(page, "Usage with an estimate")[1:])
    assert sum(cost.endswith("SEK") for cost in costs) == sum(cost.endswith("USD") for cost in costs) == 1
    assert not any(cost.startswith("400") for cost in costs), "currencies are never added"


def test_one_unit_in_each_table(warehouse, html):
    warehouse.load(carbon=[reported(JAN, 2, 123_456.0), reported("2026-02", 2, 2.0)])
    rows = table(check(html()), "By month, location-based, t")
    assert rows[1:] == [["2026-01", "123.5", "123.5"], ["2026-02", "<0.1", "<0.1"]]


def test_restatements_and_the_notes(warehouse, html):
    warehouse.load(carbon=[reported(JAN, 2, 80.0), reported(JAN, 2, 8.0, "market")])
    warehouse.load(
        carbon=[reported(JAN, 2, 90.0, model_version="2"), reported(JAN, 2, 8.5, "market", model_version="2")]
    )
    page = check(html())
    rows = table(page, "Restatements, kg")
    assert [row[2:] for row in rows[1:]] == [
        ["2026-01", "2", "location", "80.00", "90.00", "10.00", "1 → 2"],
        ["2026-01", "2", "market", "8.00", "8.50", "0.50", "1 → 2"],
    ]
    words = " ".join(page.texts)
    for needed in (
        "ogf-2026.1",
        "electricity-maps",
        "ODbL-1.0",
        "Electricity Maps",
        "CC-BY-4.0",
        "Ember",
        "Cloud Carbon Footprint",
    ):
        assert needed in words
