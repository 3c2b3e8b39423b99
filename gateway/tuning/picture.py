"""Picture: scores and thresholds to an image: above, how the scores of each kind of message are distributed; below,
what each threshold would hit; in both, the thresholds in force. Needs matplotlib, an extra of the package. Pure.
"""

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from io import BytesIO
from math import ceil, floor
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from msgspec import Struct

from gateway.tuning.curve import curve, extent, grid
from gateway.tuning.scores import Scores
from gateway.tuning.sighting import Known
from gateway.tuning.statistics import Statistics
from gateway.tuning.thresholds import Measure, Threshold

WIDTH, HEIGHT = 9.0, 6.2  # inches of a panel
DOTS = 150  # an inch of a PNG
BARS = (0.25, 0.5, 1.0, 2.0, 4.0)  # widths in points, of which the first is taken that makes no more than MAX_BARS
MAX_BARS = 80
CURVE_STEP = 0.125  # points

TITLES = {Measure.TOTAL: "Total: spamd's score and the rules' scores", Measure.SCORE: "spamd's score alone"}


class Format(StrEnum):
    PNG = "png"
    SVG = "svg"


class Palette(Struct, frozen=True, kw_only=True):
    """Colours; ham and spam are told apart by those who see no red or green, too."""

    ground: str
    ink: str
    faint: str
    threshold: str
    kinds: dict[Known, str]


LIGHT = Palette(
    ground="#ffffff",
    ink="#22262b",
    faint="#d9dde2",
    threshold="#7a1f5c",
    kinds={Known.HAM: "#1f6fb2", Known.SPAM: "#d9622b", Known.UNKNOWN: "#7d858e"},
)
DARK = Palette(
    ground="#15181c",
    ink="#e4e7eb",
    faint="#363c44",
    threshold="#e59bd0",
    kinds={Known.HAM: "#5aaef0", Known.SPAM: "#f58f5c", Known.UNKNOWN: "#9aa3ad"},
)


class Panel(Struct, frozen=True):
    """What is drawn side by side; there is no panel without scores."""

    measure: Measure
    scores: Scores
    thresholds: Sequence[Threshold]

    @property
    def kinds(self) -> list[Known]:
        """Those of which there are messages; what is seen best is drawn last."""
        return [known for known in (Known.UNKNOWN, Known.SPAM, Known.HAM) if self.scores.number(known)]

    @property
    def ends(self) -> tuple[float, float]:
        """From which score to which it reaches: some room around what there is."""
        low, high = extent(self.scores, [threshold.value for threshold in self.thresholds]) or (0.0, 0.0)
        room = max((high - low) * 0.03, 0.5)
        return floor(low - room), ceil(high + room)


def panels(found: Statistics) -> list[Panel]:
    """Of the scores that there are; of neither where no message has one."""
    return [
        Panel(measure, scores, [threshold for threshold in found.thresholds if threshold.measure is measure])
        for measure, scores in found.tally.scores.items()
        if any(map(scores.number, Known))
    ]


def draw(panels: Sequence[Panel], palette: Palette, form: Format) -> bytes:
    """The image as a file has it. There is at least one panel."""
    drawn = BytesIO()
    with rc_context(_style(palette)):
        figure = Figure(figsize=(WIDTH * len(panels), HEIGHT), layout="constrained")
        axes = figure.subplots(2, len(panels), squeeze=False, height_ratios=(3, 2), sharex="col")
        for column, panel in enumerate(panels):
            _draw_distribution(axes[0, column], panel, palette)
            _draw_curve(axes[1, column], panel, palette)
        metadata = {"Date": None} if form is Format.SVG else {}
        figure.savefig(drawn, format=form.value, dpi=DOTS, metadata=metadata)
    return drawn.getvalue()


def _style(palette: Palette) -> dict[Any, Any]:
    ink = dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), palette.ink)
    return {
        **ink,
        "figure.facecolor": palette.ground,
        "axes.facecolor": palette.ground,
        "axes.edgecolor": palette.faint,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": palette.faint,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "font.size": 11.0,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": palette.ground,  # the same picture is the same file; two in one page share no ids
        "text.parse_math": False,
    }


def _draw_distribution(axes: Axes, panel: Panel, palette: Palette) -> None:
    low, high = panel.ends
    for known in panel.kinds:
        edges, shares = _bars(panel.scores, known, low, high)
        colour, label = palette.kinds[known], f"{known}: {panel.scores.number(known):,} messages"
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.3)
        axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
    axes.set_xlim(low, high)
    axes.margins(y=0.08)
    axes.set_ylabel("share of the messages of a kind")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title(TITLES[panel.measure], loc="left", fontweight="bold", pad=32)
    _explain(axes)
    _draw_thresholds(axes, panel, palette)
    _name_thresholds(axes, panel, palette)


def _draw_curve(axes: Axes, panel: Panel, palette: Palette) -> None:
    low, high = panel.ends
    points = curve(panel.scores, grid(low, high, CURVE_STEP))
    thresholds = [point.threshold for point in points]
    lines = {
        Known.UNKNOWN: ("all mail that is hit", [point.share for point in points]),
        Known.SPAM: ("spam that is caught", [point.spam_share for point in points]),
        Known.HAM: ("ham that is hit", [point.ham_share for point in points]),
    }
    for known in panel.kinds:
        label, shares = lines[known]
        axes.plot(
            thresholds, [share or 0.0 for share in shares], color=palette.kinds[known], linewidth=1.8, label=label
        )
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("share at or above")
    axes.set_xlabel("points (the outermost bars have all that lies beyond them)")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _explain(axes)
    _draw_thresholds(axes, panel, palette)


def _explain(axes: Axes) -> None:
    """What the colours mean, above, where nothing else is drawn."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(Known), borderaxespad=0.3, borderpad=0.2)


def _bars(scores: Scores, known: Known, low: float, high: float) -> tuple[list[float], list[float]]:
    """The edges of the bars, and the share of each; the outermost ones have what lies beyond."""
    width = next((width for width in BARS if (high - low) / width <= MAX_BARS), BARS[-1])
    edges = grid(low, high, width)
    counts = [0] * (len(edges) - 1)
    for score, count in scores.counted(known):
        counts[min(max(floor((score - edges[0]) / width), 0), len(counts) - 1)] += count
    number = scores.number(known)
    return edges, [count / number for count in counts]


def _draw_thresholds(axes: Axes, panel: Panel, palette: Palette) -> None:
    for value in {threshold.value for threshold in panel.thresholds}:
        axes.axvline(value, color=palette.threshold, linewidth=1.2, linestyle=(0, (4, 3)))


def _name_thresholds(axes: Axes, panel: Panel, palette: Palette) -> None:
    """Along each line, those that have the same number together."""
    names: dict[float, list[str]] = defaultdict(list)
    for threshold in panel.thresholds:
        names[threshold.value].append(threshold.name)
    for value, sharing in names.items():
        axes.annotate(
            f"{', '.join(sharing)} {value:g}",
            xy=(value, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4, -4),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=9.5,
            color=palette.threshold,
            bbox={"facecolor": palette.ground, "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )
