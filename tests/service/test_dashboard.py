"""The dashboard in a real browser, on a real service: signing in, a sync, figures, tables, files; keyboard, phone, dark."""

from __future__ import annotations

import csv
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import yaml
from playwright.sync_api import expect
from service.browser import CHROMIUM, Visit, chromium, visit
from service.conftest import JWT_SECRET, in_folder

from ogf import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page
    from service.conftest import Served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
VIEWS = ("overview", "report?accounting=market", "breakdown", "activities")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Served]:
    """A service with exports of one cloud, and nothing loaded yet."""
    folder = tmp_path_factory.mktemp("dashboard")
    exports = plugins.load("gcp").provider.demo(folder / "exports")
    told = {
        "warehouse": {"path": str(folder / "ogf.duckdb")},
        "ingestion": {"gcp": {"enabled": True, **exports}},
    }
    with in_folder(folder, yaml.safe_dump(json.loads(json.dumps(told, default=str)))) as place:
        place.key = place.token("run")
        yield place.start()


@dataclass
class First:
    """What the first visit saw. `session`: its cookies."""

    states: list[str]
    card: str
    jobs: str
    live: str
    session: Any


@pytest.fixture(scope="module")
def first(browser, service) -> First:
    """The first visit: signs in, and syncs what was never synced."""
    with visit(browser, service.address) as here:
        page = here.go()
        here.enter(service.key)
        expect(page.get_by_role("heading", name="Nothing is loaded yet")).to_be_visible()
        card = card_of(page, "gcp")
        states = [card.locator(".state").inner_text()]
        card.get_by_role("button", name="Sync gcp").click()
        expect(card.get_by_role("progressbar")).to_be_visible()
        states.append(card.locator(".state").inner_text())
        expect(card.locator(".success")).to_contain_text("rows loaded")
        expect(card.get_by_role("progressbar")).to_be_hidden()
        expect(page.locator("#months-drawn svg").first).to_be_visible()
        expect(page.get_by_role("heading", name="Nothing is loaded yet")).to_be_hidden()
        states.append(card.locator(".state").inner_text())
        texts = (card.inner_text(), page.locator("#jobs").inner_text(), page.locator("#live").inner_text())
        return First(states, *texts, here.context.storage_state())


@pytest.fixture
def here(browser, service, first) -> Iterator[Visit]:
    """Signed in, with something loaded."""
    with visit(browser, service.address, storage_state=first.session) as found:
        yield found


def card_of(page: Page, name: str):
    return page.locator(".card").filter(has=page.get_by_role("heading", name=name, exact=True))


def rows(page: Page) -> int:
    return page.locator("#activities-body tbody tr").count()


def test_a_wrong_key_is_refused_and_a_right_one_lets_in(browser, service):
    with visit(browser, service.address) as here:
        page = here.go()
        here.enter("ogf_live_" + "0" * 64)
        expect(page.get_by_role("alert").filter(has_text="This key is not known")).to_be_visible()
        expect(page.locator("#views")).to_be_hidden()
        here.enter(service.key)
        expect(page.locator("#who")).to_contain_text("tests")
        expect(page.get_by_role("heading", name="Overview")).to_be_focused()
        (cookie,) = here.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert service.key not in page.content()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_focused()
        assert here.context.cookies() == []


def test_a_sync_is_started_watched_and_seen_to_end(first, service):
    before, during, after = first.states
    loaded = len(service.ask("/api/activities?format=csv").text.splitlines()) - 1
    assert before == "never synced"
    assert during in ("queued", "running")
    assert after == "connected"
    assert f"{loaded:,}" in first.card
    assert "UTC" in first.card
    assert "succeeded" in first.jobs
    assert "6 of 6 partitions" in first.jobs
    assert first.live == f"gcp: sync succeeded, {loaded:,} rows"


def test_filters_pages_and_files_agree_with_the_warehouse(here, service, tmp_path):
    page = here.go("activities")
    page.get_by_label("Service").fill("Compute Engine")
    page.get_by_label("Stream").fill("billing")
    page.get_by_label("First month").fill("2026-08")
    page.get_by_label("Last month").fill("2026-08")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"service=Compute\+Engine"))
    where = (
        "service = 'Compute Engine' AND stream = 'billing' "
        "AND period_start >= TIMESTAMPTZ '2026-08-01 00:00:00Z' AND period_start < TIMESTAMPTZ '2026-09-01 00:00:00Z'"
    )
    ((wanted,),) = service.sql(f"SELECT count(*) AS n FROM activities WHERE {where}")
    assert wanted > 100, "several pages"

    expect(page.locator(".pager")).to_contain_text("Rows 1 to ")
    assert {
        text.split()[0] for text in page.locator("#activities-body td:first-child").all_inner_texts()
    } <= {f"2026-08-{day:02}" for day in range(1, 32)}
    seen = rows(page)
    while page.get_by_role("button", name="Next").count():
        page.get_by_role("button", name="Next").click()
        expect(page.locator(".pager")).to_contain_text(f"Rows {seen + 1:,} to ")
        seen += rows(page)
    assert seen == wanted
    expect(page.locator(".pager")).to_contain_text("the last ones")
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("button", name="Next")).to_be_visible()

    for form, magic in (("CSV", b""), ("Parquet", b"PAR1")):
        with page.expect_download() as coming:
            page.get_by_role("button", name=f"Download {form}").click()
        file = tmp_path / coming.value.suggested_filename
        coming.value.save_as(file)
        assert file.name == f"activities.{form.lower()}"
        assert file.read_bytes().startswith(magic)
    with (tmp_path / "activities.csv").open(newline="") as lines:
        assert sum(1 for _ in csv.DictReader(lines)) == wanted


def test_the_breakdown_says_unit_accounting_coverage_and_share_estimated(here, service):
    page = here.go("breakdown")
    page.get_by_label("service").check()
    page.get_by_label("month", exact=True).uncheck()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("columnheader", name="Service")).to_be_visible()
    answer = service.ask("/api/emissions?group_by=provider,service&per_page=100")
    assert page.locator("#breakdown-body tbody tr").count() == answer["total"]
    said = page.locator("#breakdown-said").inner_text()
    for words in (
        "location-based",
        "kg CO₂e",
        "All of it is reported",
        "of usage rows have an estimate",
        "ogf-2026.1",
    ):
        assert words in said
    page.get_by_label("Accounting").select_option("market")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#breakdown-body caption")).to_have_text("Footprint, market-based, in kg CO2e")


def test_the_report_is_the_reports_own_and_follows_the_filters(here):
    page = here.go("report?accounting=location")
    body = page.locator("#report-body")
    expect(body.locator("svg").first).to_be_visible()
    for title in ("By month and scope", "Coverage", "Restatements", "Reported beside estimated"):
        expect(body.get_by_role("heading", name=title)).to_be_visible()
    expect(body).not_to_contain_text("By month, market-based")
    page.get_by_role("button", name="Coverage").click()
    expect(body.get_by_role("heading", name="Coverage")).to_be_focused()
    expect(body.get_by_role("heading", name="Coverage")).to_be_in_viewport()
    page.get_by_label("First month").fill("2030-01")
    page.get_by_role("button", name="Apply").click()
    expect(body).to_contain_text("Nothing is loaded for these months")


def test_the_keyboard_is_enough(browser, service, first):
    del first
    with visit(browser, service.address) as here:
        page = here.go()
        expect(page.get_by_label("API key")).to_be_focused()
        page.keyboard.type(service.key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Overview")).to_be_focused()
        sync = page.get_by_role("button", name="Sync gcp")
        expect(sync).to_be_visible()
        tab_to(page, sync)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(card_of(page, "gcp").locator(".success")).to_contain_text("nothing was new")
        expect(sync).to_be_focused()
        tab_to(page, page.get_by_role("link", name="Activities"), key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Activities")).to_be_focused()
        tab_to(page, page.get_by_label("Stream"))
        page.keyboard.type("carbon")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("stream=carbon"))
        table = page.get_by_role("region", name=re.compile("Activities, rows"))
        expect(table).to_be_visible()
        tab_to(page, table)


def test_the_first_tab_skips_to_the_content(here):
    page = here.go("breakdown")
    expect(page.locator("#breakdown-body table")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("provider", exact=True)).to_be_focused()


def tab_to(page: Page, wanted, key: str = "Tab") -> None:
    for _ in range(60):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"no Tab leads to {wanted}")


def test_nothing_sticks_out_on_a_phone(browser, service, first):
    phone = {"width": 390, "has_touch": True, "is_mobile": True}
    with visit(browser, service.address, storage_state=first.session, **phone) as here:
        page = here.page
        for view in VIEWS:
            here.go(view)
            shown = page.locator(f"#{view.partition('?')[0]}")
            expect(shown.locator("table, svg").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, view


def test_dark_and_light(here):
    page = here.go("breakdown")
    expect(page.locator("#breakdown-body table")).to_be_visible()
    colours = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        style = "getComputedStyle(document.querySelector('{}')).{}"
        colours[scheme] = [
            sum(map(int, re.findall(r"\d+", page.evaluate(style.format(*what)))[:3]))
            for what in (
                ("body", "backgroundColor"),
                ("#breakdown-body td", "color"),
                (".top .brand", "color"),
            )
        ]
    ground, *inks = zip(colours["light"], colours["dark"], strict=True)
    assert ground[0] > 700
    assert ground[1] < 100
    assert all(by_day < 150 and by_night > 600 for by_day, by_night in inks)


def test_what_goes_wrong_is_said_where_it_was_asked_for(here):
    page = here.go("activities?from=2026-99")
    expect(page.get_by_role("alert").filter(has_text="start_date")).to_be_visible()
    here.go("breakdown")
    page.get_by_label("First month").fill("2026-09")
    page.get_by_label("Last month").fill("2026-08")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The first month is after the last one.")).to_be_visible()

    here.go("overview")
    aws = card_of(page, "aws")
    expect(aws).to_contain_text("Not configured")
    aws.get_by_role("button", name="Test").click()
    expect(aws.get_by_role("alert")).to_contain_text("OFFGRIDFLOW_AWS_")

    here.context.set_offline(True)
    page.get_by_role("button", name="Test gcp").click()
    expect(card_of(page, "gcp").get_by_role("alert")).to_contain_text("The server cannot be reached")
    expect(page.locator("#banner")).to_be_visible()
    here.context.set_offline(False)
    page.get_by_role("button", name="Test gcp").click()
    expect(card_of(page, "gcp")).to_contain_text("Reached")
    expect(page.locator("#banner")).to_be_hidden()


def test_data_and_addresses_are_text_never_markup(here):
    page = here.go("activities?service=<img src=x onerror=document.title='run'>&region=<b>")
    expect(page.locator("#activities-body")).to_have_text(
        "No activities for these filters. Clear them to see all."
    )
    expect(page.get_by_label("Service")).to_have_value("<img src=x onerror=document.title='run'>")
    assert page.locator("main img, main b").count() == 0
    assert page.title() == "Activities · OffGridFlow"


def test_a_session_that_ended_asks_for_the_key_and_goes_on(here, service):
    page = here.go("activities?stream=carbon")
    expect(page.locator("#activities-body table")).to_be_visible()
    here.context.clear_cookies()
    page.get_by_role("button", name="Download CSV").click()
    expect(page.locator("#door")).to_contain_text("You are signed out")
    expect(page.locator("#activities")).to_be_hidden()
    here.enter(service.key)
    expect(page.locator("#activities-body table")).to_be_visible()
    expect(page.get_by_label("Stream")).to_have_value("carbon")


def test_a_key_that_may_only_read_gets_no_buttons_and_the_reason(browser, service):
    claims = {"exp": time.time() + 600, "org_id": "default", "sub": "auditor", "scope": "read"}
    key = jwt.encode(claims, JWT_SECRET, "HS256")
    with visit(browser, service.address) as here:
        here.go()
        page = here.enter(key)
        expect(page.locator("#who")).to_contain_text("auditor")
        expect(page.get_by_text("This key may only read.")).to_be_visible()
        assert page.get_by_role("button", name=re.compile("Sync|Test")).count() == 0
