"""The report of the demo in a real browser: at a desk, on a phone, by night, in print."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from processes import ogf

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
DARK = "--blink-settings=preferredColorScheme=0"
# Says how wide it is, in the DOM that is dumped: in a frame, for a window is never narrower than 500. The report
# itself has no script.
MEASURE = """<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter(
    (e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll > *, svg > *"));
  parent.document.documentElement.dataset.measured = [innerWidth, root.scrollWidth, wide.length, document.querySelectorAll("svg").length,
    Math.min(...[...document.querySelectorAll("svg text")].map((e) => e.getBoundingClientRect().height))].join(" ");
});
</script>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """What `ogf demo` wrote."""
    folder = tmp_path_factory.mktemp("demo")
    answer = ogf("demo", cwd=folder, timeout=240)
    assert answer.returncode == 0, answer.stderr
    return folder / "demo" / "report.html"


def chromium(page: Path, size: str, *flags: str, cwd: Path) -> str:
    answer = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={cwd / 'profile'}",
         f"--window-size={size}", *flags, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True, cwd=cwd,
    )  # fmt: skip
    return answer.stdout


def picture(page: Path, size: str, *flags: str, cwd: Path) -> Image.Image:
    chromium(page, size, f"--screenshot={cwd / 'page.png'}", *flags, cwd=cwd)
    with Image.open(cwd / "page.png") as image:
        return image.convert("RGB")


def share(image: Image.Image, colour: tuple[int, int, int]) -> float:
    """Of the pixels, how many have this very colour."""
    found = sum(count for count, pixel in image.getcolors(maxcolors=1 << 24) if pixel == colour)
    return found / (image.width * image.height)


@pytest.mark.parametrize(("width", "height"), [(1280, 1600), (390, 2400)])
def test_by_day(report, tmp_path, width, height):
    image = picture(report, f"{width},{height}", cwd=tmp_path)
    assert image.size == (width, height)
    assert share(image, (255, 255, 255)) > 0.5
    assert share(image, (0x1B, 0x1F, 0x23)) > 0.002, "there is text"
    assert max(share(image, (0, 0x72, 0xB2)), share(image, (0xD9, 0x8C, 0))) > 0.005, "there are bars"
    edge = image.crop((width - 8, 0, width, height))
    assert share(edge, (255, 255, 255)) == 1.0, "nothing sticks out at the right"


def test_by_night(report, tmp_path):
    image = picture(report, "1280,1600", DARK, cwd=tmp_path)
    assert share(image, (0x14, 0x18, 0x1D)) > 0.5
    assert share(image, (255, 255, 255)) < 0.01
    assert share(image, (0xE6, 0xED, 0xF3)) > 0.002, "text is light"


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(report, tmp_path, width):
    page = tmp_path / "measured.html"
    framed = html.escape(report.read_text(encoding="utf-8").replace("</body>", f"{MEASURE}</body>"))
    style = f"border: 0; width: {width}px; height: 900px"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><iframe style="{style}" srcdoc="{framed}"></iframe>',
        encoding="utf-8",
    )
    dom = chromium(page, "1400,1000", "--dump-dom", cwd=tmp_path)
    inner, scrolled, wide, charts, smallest = re.search(r'data-measured="([^"]*)"', dom)[1].split()
    assert int(inner) == width
    assert int(scrolled) <= width
    assert int(wide) == 0
    assert int(charts) >= 4
    assert float(smallest) > 9, "words in charts can be read"


def test_in_print(report, tmp_path):
    pdf = tmp_path / "report.pdf"
    chromium(report, "1280,900", f"--print-to-pdf={pdf}", "--no-pdf-header-footer", cwd=tmp_path)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_size > 20_000
