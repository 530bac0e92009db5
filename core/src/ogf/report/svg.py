"""What matplotlib draws, made fit for a page: words for screen readers, the page's colours and letters, no ids."""

from __future__ import annotations

import io
import unicodedata
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
# What matplotlib is told to draw with, and what the page gets in its place. Okabe and Ito's colours: told apart by
# people who see colours differently, and light enough for dark ground.
COLOURS = {
    "#010001": "var(--series-1, #0072b2)",
    "#010002": "var(--series-2, #e69f00)",
    "#010003": "var(--series-3, #009e73)",
    "#010004": "var(--series-4, #cc79a7)",
    "#010005": "var(--series-5, #56b4e9)",
    "#010006": "var(--series-6, #d55e00)",
    "#010101": "currentColor",
    "#010102": "var(--grid, #8884)",
}


def label(text: str, most: int) -> str:
    """Without what XML cannot hold, and not too long; the table beside the chart has it whole."""
    clean = "".join("\ufffd" if _unprintable(letter) else letter for letter in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _unprintable(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs") or letter in "\ufffe\uffff"


def finished(figure: Figure, title: str, text: str) -> str:
    """The SVG as it goes into a page: named for screen readers, coloured by the page, without ids of its own."""
    file = io.StringIO()
    figure.savefig(
        file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    root = ET.fromstring(file.getvalue())  # noqa: S314 - what matplotlib has just written
    for child in root.findall(f"{{{_SVG}}}metadata") + root.findall(f"{{{_SVG}}}defs"):
        root.remove(child)
    for element in root.iter():
        for name in ("id", "clip-path"):
            element.attrib.pop(name, None)
        if "style" in element.attrib:
            element.set("style", _restyled(element.attrib["style"]))
    _prune(root)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": label(f"{title}. {text}", 1000)})
    for tag, words in (("desc", text), ("title", title)):
        told = ET.Element(f"{{{_SVG}}}{tag}")
        told.text = label(words, 1000)
        root.insert(0, told)
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _prune(element: ET.Element) -> None:
    """Take out groups with nothing in them, and the white space that numbered lines."""
    element.tail = None
    for child in list(element):
        _prune(child)
        if child.tag == f"{{{_SVG}}}g" and not len(child):
            element.remove(child)
    if len(element):
        element.text = None


def _restyled(style: str) -> str:
    parts = []
    for part in style.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name == "font":  # "10px 'DejaVu Sans', …"
            name, value = "font-size", value.split()[0]
        if name == "font-family":  # the letters are the page's
            continue
        parts.append(f"{name}: {COLOURS.get(value, value)}" if name else "")
    return "; ".join(filter(None, parts))
