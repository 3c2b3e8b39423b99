"""Sightings that are counted, and what is said of each rule."""

from pathlib import Path
from typing import Any

from gateway.policy.rules import load
from gateway.policy.verdict import Action, Mode
from gateway.tuning.sighting import Known, Sighting
from gateway.tuning.statistics import MAX_POINTS, RuleStatistics, Statistics, statistics
from gateway.tuning.tally import MAX_NAMES, Tally
from gateway.tuning.thresholds import Measure
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written

RULES = "".join(
    f"[[rule]]\nid = '{name}'\nwhy = 'x'\nwhen = 'dkim.partial'\n{what}\n"
    for name, what in {
        "refuse": "then = 'reject'",
        "mark": "then = 'tag'",
        "look": "then = 'tag'\nmode = 'shadow'",
        "spare": "then = 'accept'",
        "idle": "score = 1",
    }.items()
)


def sighting(*hits: str, known: Known = Known.UNKNOWN, **values: Any) -> Sighting:
    least: dict[str, Any] = {
        "name": "m1",
        "undecided": {},
        "action": Action.ACCEPT,
        "decisive": "",
        "score": None,
        "total": None,
        "required": None,
    }
    return Sighting(**least | {"known": known, "hits": hits} | values)


def counted(directory: Path, *sightings: Sighting) -> Statistics:
    tally = Tally()
    for each in sightings:
        tally.add(each)
    return statistics(tally, [load([written(directory, RULES)], FACTS)])


def of(found: Statistics, rule: str) -> RuleStatistics:
    return next(each for each in found.rules if each.id == rule)


def test_hits_verdicts_and_overlap_of_each_rule(tmp_path: Path) -> None:
    found = counted(
        tmp_path,
        sighting("refuse", "mark", action=Action.REJECT, decisive="refuse"),
        sighting("mark", action=Action.TAG, decisive="mark"),
        sighting("mark", "look", action=Action.TAG, decisive="mark"),
        sighting("mark", action=None),
        sighting(),
    )
    mark = of(found, "mark")
    assert (mark.hits, mark.share, mark.counted.decided, mark.counted.alone) == (4, 0.8, 2, 2)
    assert mark.counted.verdicts == {"tag": 2, "reject": 1, "undecidable": 1}
    assert [(other.rule, other.messages, other.share) for other in mark.overlaps] == [
        ("look", 1, 0.25),
        ("refuse", 1, 0.25),
    ]
    assert [(other.rule, other.share) for other in of(found, "refuse").overlaps] == [("mark", 1.0)]
    assert [rule.id for rule in found.rules] == ["mark", "look", "refuse", "idle", "spare"]
    assert of(found, "look").mode is Mode.SHADOW
    assert (of(found, "idle").hits, of(found, "idle").quality) == (0, None)


def test_known_messages_say_how_right_a_rule_is(tmp_path: Path) -> None:
    found = counted(
        tmp_path,
        sighting("refuse", known=Known.SPAM),
        sighting("refuse", known=Known.SPAM),
        sighting("refuse", "spare", known=Known.HAM, name="m3"),
        sighting("refuse"),
        sighting("spare", known=Known.SPAM, name="m5"),
        sighting("spare", known=Known.HAM),
    )
    refuse, spare = of(found, "refuse").quality, of(found, "spare").quality
    assert refuse is not None
    assert spare is not None
    assert (refuse.precision, refuse.recall, refuse.false_positives) == (2 / 3, 2 / 3, 1)
    assert (spare.precision, spare.recall, spare.false_positives) == (2 / 3, 1.0, 1)
    assert of(found, "refuse").false_positives == ["m3"]
    assert of(found, "spare").false_positives == ["m5"]


def test_what_cannot_be_decided_is_no_hit_and_no_miss(tmp_path: Path) -> None:
    found = counted(tmp_path, sighting(undecided={"mark": ("subject",)}, name="m7"), sighting("mark"), sighting())
    mark = of(found, "mark")
    assert (mark.hits, mark.counted.undecided, mark.counted.first) == (1, 1, "m7")
    assert mark.counted.unknown == {"subject"}


def test_only_some_messages_are_named(tmp_path: Path) -> None:
    wrong = (sighting("mark", known=Known.HAM, name=f"m{number}") for number in range(MAX_NAMES + 5))
    mark = of(counted(tmp_path, *wrong), "mark")
    assert mark.quality is not None
    assert mark.quality.false_positives == MAX_NAMES + 5
    assert mark.false_positives == [f"m{number}" for number in range(MAX_NAMES)]


def test_both_scores_have_a_curve_at_the_same_thresholds(tmp_path: Path) -> None:
    scored = (sighting(score=float(number), total=number + 2.0, required=6.25) for number in range(-20, 60))
    found = counted(tmp_path, *scored, sighting())
    total, score = found.curves[Measure.TOTAL], found.curves[Measure.SCORE]
    assert [point.threshold for point in total] == [point.threshold for point in score]
    assert 10 < len(total) <= MAX_POINTS + 1
    at_12 = {measure: next(p for p in points if p.threshold == 12) for measure, points in found.curves.items()}
    assert (at_12[Measure.TOTAL].messages, at_12[Measure.SCORE].messages) == (50, 48)
    assert [(threshold.name, threshold.value) for threshold in found.thresholds] == [("spamd", 6.25)]
    assert 6.25 in [point.threshold for point in score]


def test_without_scores_there_is_no_curve(tmp_path: Path) -> None:
    assert counted(tmp_path, sighting("mark")).curves == {Measure.TOTAL: (), Measure.SCORE: ()}
