"""The pictures: they are drawn, have what they have to have, and hold nothing that a reader of the page must fetch."""

import re
import struct
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from gateway.policy.rules import load
from gateway.policy.verdict import Action
from gateway.tuning.page import page
from gateway.tuning.picture import DARK, LIGHT, Format, Palette, draw, panels
from gateway.tuning.sighting import Known, Sighting
from gateway.tuning.statistics import Statistics, statistics
from gateway.tuning.tally import Tally
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written

RULES = """
[[rule]]
id = "high"
why = "x"
when = "total >= 12.5"
then = "reject"

[[rule]]
id = "low"
why = "x"
when = "spam.score >= 3 and dkim.partial"
then = "tag"
"""


def found(directory: Path, **scores: list[float]) -> Statistics:
    tally = Tally()
    for known, values in scores.items():
        for score in values:
            tally.add(
                Sighting(
                    name="<m1>",
                    known=Known(known),
                    hits=("high",) if score > 12 else (),
                    undecided={},
                    action=Action.ACCEPT,
                    decisive="",
                    score=score,
                    total=score + 1,
                    required=5.0,
                )
            )
    return statistics(tally, [load([written(directory, RULES)], FACTS)])


SCORES = {"ham": [-1.0, 0.0, 0.5, 2.0], "spam": [9.0, 14.0, 25.0], "unknown": [1.0] * 20}


def texts(svg: bytes) -> list[str]:
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_distributions_thresholds_and_curves_are_named(tmp_path: Path, palette: Palette) -> None:
    total, score = panels(found(tmp_path, **SCORES))
    shown = texts(draw([total], palette, Format.SVG))
    assert {"ham: 4 messages", "spam: 3 messages", "unknown: 20 messages", "high 12.5"} <= set(shown)
    assert {"spam that is caught", "ham that is hit", "all mail that is hit"} <= set(shown)
    assert "low 3" not in shown
    assert {"low 3", "spamd 5"} <= set(texts(draw([score], palette, Format.SVG)))


def test_thresholds_at_the_same_number_share_a_name(tmp_path: Path) -> None:
    written(tmp_path, '[[rule]]\nid = "other"\nwhy = "x"\nwhen = "total >= 12.5"\nthen = "tag"\n', "20-other.toml")
    total, _ = panels(found(tmp_path, **SCORES))
    assert "high, other 12.5" in texts(draw([total], LIGHT, Format.SVG))


def test_a_png_shows_both_scores_side_by_side(tmp_path: Path) -> None:
    drawn = draw(panels(found(tmp_path, **SCORES)), LIGHT, Format.PNG)
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", drawn[16:24])
    assert width > 2.5 * height


@pytest.mark.parametrize("scores", [{"ham": [1.0]}, {"spam": [1000.0, -1000.0]}, {"unknown": [0.0] * 3}])
def test_anything_can_be_drawn(tmp_path: Path, scores: dict[str, list[float]]) -> None:
    assert draw(panels(found(tmp_path, **scores)), LIGHT, Format.PNG)


def test_the_same_picture_is_the_same_file(tmp_path: Path) -> None:
    one, other = (draw(panels(found(tmp_path, **SCORES)), LIGHT, Format.SVG) for _ in range(2))
    assert one == other


def test_a_page_is_whole_in_light_and_in_dark(tmp_path: Path) -> None:
    statistics = found(tmp_path, **SCORES)
    drawn = {
        scheme: [draw(panels(statistics), palette, Format.SVG).decode()]
        for scheme, palette in (("light", LIGHT), ("dark", DARK))
    }
    text = page("Scores & <thresholds>", ["judged by 1 & 2", "not counted: 3"], statistics, drawn)
    assert "<h1>Scores &amp; &lt;thresholds&gt;</h1>" in text
    assert "<p>judged by 1 &amp; 2<br>not counted: 3</p>" in text
    assert text.count("<svg") == 2
    assert "<?xml" not in text
    assert not re.search(r"(?:src|href)=\"(?!#)|url\((?!#)|@import|<script", text), "everything is in the page"
    referred = {*re.findall(r"url\(#([^)]+)\)", text), *re.findall(r'href="#([^"]+)"', text)}
    ids = Counter(re.findall(r' id="([^"]+)"', text))
    assert referred
    assert {ids[name] for name in referred} == {1}, "what one picture refers to is not that of the other"
    assert '<tr class="in-force"><td>12.5</td>' in text
