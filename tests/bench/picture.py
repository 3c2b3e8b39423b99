"""Points of several systems to a drawing of throughput and of the slowest letters against connections.

It has a white ground of its own, so that it can be read on a dark page too. Needs matplotlib.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from tests.bench.series import Point

DIRECT = "no gateway"  # has no place in the drawing: it is the machine's end, ten times as high
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "mailward", "font.family": "sans-serif", "font.size": 10}
INK, RULE = "#1f2933", "#d9dee5"
LINES = (("#0b63ce", "o"), ("#c2410c", "s"), ("#4b5563", "D"), ("#15803d", "^"), ("#9333ea", "v"), ("#b8860b", "P"))
PANELS = (("rate", "letters a second"), ("p99", "slowest of a hundred, ms"))


def draw(points: Sequence[Point], target: Path) -> None:
    """What is drawn are small letters, each on a connection of its own."""
    shown = [point for point in points if point.kind == "small" and point.each == 1 and point.system != DIRECT]
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.6), facecolor="white", layout="constrained")
        for axes, (value, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _panel(axes, shown, value, title)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK)
        figure.savefig(target, metadata={"Date": None, "Title": "Throughput and latency beside other mail systems"})


def _panel(axes: Axes, points: Sequence[Point], value: str, title: str) -> None:
    for name, (colour, marker) in zip(dict.fromkeys(point.system for point in points), LINES, strict=False):
        own = sorted((point for point in points if point.system == name), key=lambda point: point.connections)
        counts = [point.connections for point in own]
        low, middle, high = ([pick(getattr(point, value)) for point in own] for pick in (min, statistics.median, max))
        axes.fill_between(counts, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(counts, middle, color=colour, marker=marker, markersize=5, linewidth=1.8, label=name)
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.set_xlabel("connections at once", color=INK)
    axes.set_xscale("log")
    axes.set_xticks(sorted({point.connections for point in points}))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    if value == "p99":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.tick_params(colors=INK)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_color(RULE)
        spine.set_visible(side in ("left", "bottom"))
