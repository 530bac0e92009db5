"""Charts: functions from labels and series to one SVG text, for a page that is read light or dark, wide or narrow.

Drawn by matplotlib without its global state. Words stay words (a screen reader finds them, a browser scales them), no
colour is fixed (`--series-1` and so on are the page's, with a default each), no id can meet another chart's.
"""

from __future__ import annotations

import logging
import math
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ogf.errors import ConfigError
from ogf.report import numbers, svg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 380.0  # user units; a phone shows them at nearly their size, a desktop a little larger
_UNIT = 72.0  # user units per inch: matplotlib's SVG has one per point
_SMALL = 11.0
_SERIES, _INK, _GRID = list(svg.COLOURS)[:6], "#010101", "#010102"
_SETTINGS: Any = {  # matplotlib names every setting in a type
    "svg.fonttype": "none",
    "text.parse_math": False,  # a service may be called $x$
    "font.size": _SMALL,
    "axes.unicode_minus": True,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "path.simplify": False,
}
# Of level bars, in user units: the line with a name, the bar under it with its value as tall as the letters, the space
# before the next name; below them the axis, above them the legend. Less, and words stand in each other.
_NAME, _BAR, _GAP, _AXIS, _LEGEND = 17, 13, 4, 40, 24
_LEAST, _MOST = 1e-100, 1e100
_drawing = threading.Lock()  # matplotlib's settings are the process's


@dataclass(frozen=True)
class Series:
    """One series: a value or None for each label, and bounds where it is an estimate.

    Attributes:
        colour: 1 to 6; the same thing has the same colour in every chart of a page.
    """

    name: str
    values: Sequence[float | None]
    colour: int = 1
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


def stacked(labels: Sequence[str], series: Sequence[Series], *, title: str, text: str, unit: str) -> str:
    """Upright bars, one a label, the series on top of each other; below zero what is negative.

    Args:
        title, text: what a screen reader says: the name of the chart, and what it shows in a sentence.
        unit: of the values, written at the axis.

    Returns:
        an `<svg>` element with a viewBox, as wide as what it is put into.
    """
    with _figure(210) as (figure, axes):
        places = range(len(labels))
        above, below = [0.0] * len(labels), [0.0] * len(labels)
        for one in series:
            values = [_drawable(value) for value in one.values]
            base = [above[i] if values[i] >= 0 else below[i] for i in places]
            axes.bar(
                list(places),
                values,
                _thickness(len(labels)),
                base,
                color=_SERIES[one.colour - 1],
                label=svg.label(one.name, 40),
            )
            for i in places:
                (above if values[i] >= 0 else below)[i] += values[i]
        _upright(axes, labels, unit)
        _legend(figure, axes, series)
        return svg.finished(figure, title, text)


def grouped(labels: Sequence[str], series: Sequence[Series], *, title: str, text: str, unit: str) -> str:
    """Upright bars beside each other, with whiskers from low to high. Arguments as `stacked`."""
    with _figure(210) as (figure, axes):
        each = _thickness(len(labels)) / max(1, len(series))
        for number, one in enumerate(series):
            shift = (number - (len(series) - 1) / 2) * each
            places = [i + shift for i in range(len(labels))]
            values = [_drawable(value) for value in one.values]
            axes.bar(places, values, each, color=_SERIES[one.colour - 1], label=svg.label(one.name, 40))
            _whiskers(axes, places, one)
        _upright(axes, labels, unit)
        _legend(figure, axes, series)
        return svg.finished(figure, title, text)


def level(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    title: str,
    text: str,
    unit: str,
    say: Callable[[float], str] = numbers.two_digits,
    most: float | None = None,
) -> str:
    """Level bars under their labels, the first on top; of several series, each has a bar of its own.

    Args:
        say: how the value at a bar's end is written; nothing is written where whiskers are.
        most: end of the axis, where the values have one.
    """
    rows = len(labels)
    row = _NAME + _BAR * len(series) + _GAP
    height = rows * row + _AXIS + (_LEGEND if len(series) > 1 else 0)
    with _figure(height) as (figure, axes):
        for number, one in enumerate(series):
            # close under its label: what has no value takes no place
            before = [sum(other.values[i] is not None for other in series[:number]) for i in range(rows)]
            places = [i + (_NAME + _BAR * (before[i] + 0.5)) / row for i in range(rows)]
            values = [_drawable(value) for value in one.values]
            axes.barh(
                places, values, 0.6 * _BAR / row, color=_SERIES[one.colour - 1], label=svg.label(one.name, 40)
            )
            _whiskers(axes, places, one, level=True)
            if any(other.high for other in series):
                continue
            for place, value, given in zip(places, values, one.values, strict=True):
                if given is not None and math.isfinite(given):
                    end = (max(0.0, value), place)
                    axes.annotate(
                        say(value), end, (4, 0), textcoords="offset points", va="center", fontsize=_SMALL - 1
                    )
        lowest, highest = axes.get_xlim()
        room = 1.02 if any(one.high for one in series) else 1.16
        axes.set_xlim(min(0.0, lowest), (most or highest) * room if highest > 0 else 1)
        for i, label in enumerate(labels):
            axes.annotate(
                svg.label(label, 58),
                (0, i + _NAME / 2 / row),
                (2, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
            )
        axes.set_ylim(rows, 0)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(_locator(4))
        axes.xaxis.set_major_formatter(lambda value, _place: _tick(value))
        axes.set_xlabel(svg.label(unit, 60))
        axes.grid(visible=True, axis="x", color=_GRID, linewidth=0.7)
        axes.axvline(0, color=_INK, linewidth=0.8)
        if len(series) > 1:
            _legend(figure, axes, series)
        return svg.finished(figure, title, text)


def require() -> None:
    """Raise ConfigError, with what to install, where the libraries of the page are missing."""
    from importlib.util import find_spec

    missing = [name for name in ("matplotlib", "jinja2") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the HTML page needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint="pip install 'ogf[report]'",
        )


@contextmanager
def _figure(height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of this height in user units, drawn with our settings and nobody else's."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # the first use ever says that it looks for fonts
    with _drawing, mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that its own font lacks: the reader's browser has it
        figure = Figure(figsize=(_WIDTH / _UNIT, height / _UNIT), layout="constrained")
        axes = figure.add_subplot()
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_linewidth(0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelsize=_SMALL)
        axes.tick_params(axis="x", pad=6)
        yield figure, axes


def _thickness(bars: int) -> float:
    """Of a bar, in steps of the axis: one alone is not as wide as the chart."""
    return 0.75 if bars > 4 else 0.16 * bars + 0.1


def _drawable(value: float | None) -> float:
    """What can be drawn of a value: beyond these bounds the arithmetic of axes breaks down."""
    if value is None or not math.isfinite(value) or abs(value) < _LEAST:
        return 0.0
    return max(-_MOST, min(_MOST, value))


def _whiskers(axes: Axes, places: Sequence[float], one: Series, *, level: bool = False) -> None:
    if one.low is None or one.high is None:
        return
    found = [
        (place, low, high)
        for place, low, high in zip(places, one.low, one.high, strict=True)
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    ]
    draw = axes.hlines if level else axes.vlines
    for place, low, high in found:
        draw(place, _drawable(low), _drawable(high), color=_INK, linewidth=1)


def _upright(axes: Axes, labels: Sequence[str], unit: str) -> None:
    step = max(1, math.ceil(len(labels) / 6))
    axes.set_xticks(range(0, len(labels), step), [svg.label(label, 20) for label in labels[::step]])
    axes.set_xlim(-0.6, max(len(labels), 1) - 0.4)
    axes.yaxis.set_major_locator(_locator(5))
    axes.yaxis.set_major_formatter(lambda value, _place: _tick(value))
    axes.set_ylabel(svg.label(unit, 60))
    axes.grid(visible=True, axis="y", color=_GRID, linewidth=0.7)
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)


def _locator(most: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])


def _tick(value: float) -> str:
    return numbers.fixed(value, 0) if value == round(value) else f"{value:,.6g}".replace("-", "−")


def _legend(figure: Figure, axes: Axes, series: Sequence[Series]) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper left", ncols=min(3, len(series)), frameon=False, fontsize=_SMALL,
        handlelength=1, handleheight=1, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
