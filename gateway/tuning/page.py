"""Page: statistics and their pictures to a page of HTML that needs nothing else. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from gateway.tuning.curve import Point
from gateway.tuning.sighting import Known
from gateway.tuning.statistics import RuleStatistics, Statistics
from gateway.tuning.thresholds import Measure
from gateway.tuning.words import percent, thresholds_at

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #22262b; --faint: #d9dde2; --mark: #7a1f5c }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --ink: #e4e7eb; --faint: #363c44; --mark: #e59bd0 } }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1.25rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 2.5rem; font-size: 1.2rem }
figure { margin: 1.5rem 0 }
figure svg { width: 100%; height: auto }
figure svg text { font-family: system-ui, sans-serif }
.dark { display: none }
@media (prefers-color-scheme: dark) { .dark { display: block } .light { display: none } }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem }
.beside section { min-width: 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left }
tr.in-force td { color: var(--mark); font-weight: 600 }
"""

DRAWN = "How the scores of each kind of message are distributed, and what thresholds hit; the tables say the same"

Cells = Sequence[str]


def page(title: str, said: Iterable[str], found: Statistics, pictures: Mapping[str, Iterable[str]]) -> str:
    """`said` are lines of text; `pictures` are SVG by the class of the colours that they are for: "light" or "dark"."""
    figures = "".join(
        f'<figure class="{scheme}" role="img" aria-label="{DRAWN}">{_inline(picture)}</figure>'
        for scheme, drawn in pictures.items()
        for picture in drawn
    )
    curves = "".join(_curve_table(measure, found) for measure, points in found.curves.items() if points)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<h1>{escape(title)}</h1>\n<p>{'<br>'.join(map(escape, said))}</p>\n{figures}\n"
        f'<div class="beside">\n{curves}</div>\n{_rule_table(found)}</html>\n'
    )


def _inline(picture: str) -> str:
    """Without what stands before the element: the page is no XML."""
    return picture[picture.index("<svg") :]


def _curve_table(measure: Measure, found: Statistics) -> str:
    rows = "".join(_curve_row(point, found, measure) for point in found.curves[measure])
    heading = ("threshold", "all mail", "spam caught", "ham hit", "precision", "in force")
    return f"<section><h2>Thresholds of {escape(measure)}</h2>\n{_table(heading, rows)}</section>\n"


def _curve_row(point: Point, found: Statistics, measure: Measure) -> str:
    names = thresholds_at(found.thresholds, measure, point.threshold)
    shares = (point.share, point.spam_share, point.ham_share, point.precision)
    cells = (f"{point.threshold:g}", *map(percent, shares), names)
    return _row(cells, ' class="in-force"' if names else "")


def _rule_table(found: Statistics) -> str:
    heading = ("rule", "hits", "share", "spam", "ham", "precision", "recall", "asks for")
    return f"<h2>Rules</h2>\n{_table(heading, ''.join(map(_rule_row, found.rules)))}"


def _rule_row(rule: RuleStatistics) -> str:
    hits = rule.counted.hits
    precision, recall = (rule.quality.precision, rule.quality.recall) if rule.quality else (None, None)
    numbers = (f"{rule.hits:,}", percent(rule.share), f"{hits[Known.SPAM]:,}", f"{hits[Known.HAM]:,}")
    return _row((rule.id, *numbers, percent(precision), percent(recall), f"{rule.asks_for} ({rule.mode})"))


def _table(heading: Cells, rows: str) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    return f'<div class="wide"><table>\n<tr>{cells}</tr>\n{rows}</table></div>\n'


def _row(cells: Cells, attributes: str = "") -> str:
    return f"<tr{attributes}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
