"""Charts as functions: whatever the labels and values, an SVG that fits into a page."""

from __future__ import annotations

import itertools
import re
import threading
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogf.report import charts
from ogf.report.charts import Series

SVG = "{http://www.w3.org/2000/svg}"
value = st.none() | st.floats() | st.floats(-1e6, 1e6)
label = st.text(max_size=90) | st.sampled_from(
    ["$x$", "<script>alert(1)</script>", "\x0b\x00", "]]>", 'id="a"', "日本 🎉"]
)
DRAW = {"stacked": charts.stacked, "grouped": charts.grouped, "level": charts.level}


def words(svg: str) -> list[str]:
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", DRAW)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_data_becomes_a_clean_svg(kind, data):
    labels = data.draw(st.lists(label, max_size=4))
    column = st.lists(value, min_size=len(labels), max_size=len(labels))
    series = [
        Series(data.draw(label) or "-", data.draw(column), colour, data.draw(column), data.draw(column))
        for colour in range(1, data.draw(st.integers(1, 3)) + 1)
    ]
    svg = DRAW[kind](labels, series, title=data.draw(label), text="what it shows", unit="kg CO2e")
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "g", "path", "text", "title", "desc", "tspan"}
        assert not {"id", "href", "clip-path"} & set(element.attrib)
        assert not any(name.startswith("on") for name in element.attrib)
        assert "url(" not in element.get("style", "")
        assert "#0100" not in element.get("style", "")
    assert "nan" not in " ".join(element.get("d", "") for element in root.iter())


def test_a_bar_has_the_height_of_its_value():
    svg = charts.stacked(
        ["a", "b"],
        [Series("scope 1", [1.0, 2.0], 1), Series("scope 2", [3.0, -1.0], 2)],
        title="t",
        text="d",
        unit="kg",
    )
    heights = {}
    for element in ET.fromstring(svg).iter(f"{SVG}path"):
        style = element.get("style", "")
        for colour in ("--series-1", "--series-2"):
            if colour in style:
                ys = [float(y) for _, y in re.findall(r"[ML] (\S+) (\S+)", element.get("d"))]
                heights.setdefault(colour, []).append(max(ys) - min(ys))
    one = heights["--series-1"][0]
    legend = 2  # the squares of the legend come last
    assert heights["--series-1"][:legend] == pytest.approx([one, 2 * one], rel=1e-3)
    assert heights["--series-2"][:legend] == pytest.approx([3 * one, one], rel=1e-3)


def test_colours_are_the_pages_and_words_stay_words():
    svg = charts.level(
        ["aws · $EC2$ <b>"], [Series("reported", [5.0], 3)], title="By service", text="d", unit="kg CO2e"
    )
    assert "var(--series-3, #009e73)" in svg
    assert "currentColor" in svg
    assert {"aws · $EC2$ <b>", "kg CO2e", "5.0"} <= set(words(svg))
    assert 'role="img"' in svg
    assert "<title>By service</title>" in svg


def test_no_word_of_level_bars_stands_in_another():
    """Names may be as long as the chart: a value at the end of a bar has a line of its own."""
    labels = ["aws · " + "Database Migration Service " * 3] * 3
    svg = charts.level(
        labels,
        [Series("of rows", [50.0, 100.0, 0.0], 5), Series("of cost", [51.0, 99.0, None], 3)],
        title="t",
        text="d",
        unit="%",
        say=lambda value: f"{value:g} %",
        most=100,
    )
    lines = []
    for element in ET.fromstring(svg).iter(f"{SVG}text"):
        if element.text.startswith("aws") or element.text.endswith(" %"):
            place = re.search(r"translate\(\S+ (\S+?)\)", element.get("transform", ""))
            lines.append(float(place[1] if place else element.get("y")))
    lines.sort()
    assert len(lines) == 8
    assert min(after - before for before, after in itertools.pairwise(lines)) >= 11


def test_sixty_months_leave_room_for_their_labels():
    labels = [f"{2021 + i // 12}-{i % 12 + 1:02d}" for i in range(60)]
    found = [
        word
        for word in words(charts.stacked(labels, [Series("s", [1.0] * 60)], title="t", text="d", unit="kg"))
        if word in labels
    ]
    assert found == labels[::10]


def test_the_same_rows_give_the_same_svg_and_no_setting_is_left_behind():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawn = set()

    def draw():
        drawn.add(charts.level(["a"], [Series("s", [1.0])], title="t", text="d", unit="kg"))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 1
    assert dict(mpl.rcParams) == before
