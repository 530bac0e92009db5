"""Debian's Chromium for tests of the dashboard, watched: what it asks other hosts for, and what its console says."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_REFUSED = "Failed to load resource"  # the browser's own words for any answer that is no success


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A browser with cookies of its own, at the address of a service."""

    context: BrowserContext
    address: str
    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def go(self, place: str = "") -> Page:
        """Open a view: `activities?provider=aws`."""
        self.page.goto(f"{self.address}/#/{place}" if place else self.address)
        return self.page

    def enter(self, key: str) -> Page:
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        return self.page

    def foreign(self) -> list[str]:
        """What was asked of another host than the service's."""
        return [url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))]


@contextmanager
def visit(browser: Browser, address: str, *, width: int = 1280, **options: Any) -> Iterator[Visit]:
    """A visit that ends with nothing asked of others, and no error in the console but for answers that say no."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    found = Visit(context, address, context.new_page())
    context.on("request", lambda request: found.asked.append(request.url))
    context.on("weberror", lambda error: found.errors.append(str(error.error)))
    context.on(
        "console",
        lambda said: (
            found.errors.append(said.text)
            if said.type in ("error", "warning") and not said.text.startswith(_REFUSED)
            else None
        ),
    )
    try:
        yield found
    finally:
        context.close()
    assert found.foreign() == []
    assert found.errors == []
