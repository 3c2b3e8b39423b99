"""Words: how numbers of the statistics are written for people, on a page and on a terminal alike. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.tuning.sighting import Known
from gateway.tuning.statistics import Statistics
from gateway.tuning.thresholds import Measure, Threshold

NONE = "-"  # a share of none
REMARKS = {
    "unjudged": "not counted: {:,} without a verdict of rules",
    "refused": "not known: {:,} that were refused, so that nobody can say what they were; recall is of the mail let in",
    "feedback_elsewhere": "not counted: feedback about {:,} messages that are not among these",
    "unreadable": "not counted: {:,} that cannot be read",
}


def percent(share: float | None) -> str:
    return NONE if share is None else f"{share:.1%}"


def counted(found: Statistics) -> str:
    """How much was counted, in a sentence."""
    known = found.tally.known
    with_total, with_score = (sum(map(found.tally.scores[measure].number, Known)) for measure in Measure)
    parts = [_number(found.tally.messages, "verdict")]
    if found.has_known:
        parts.append(f"{known[Known.SPAM]:,} of known spam and {known[Known.HAM]:,} of known ham")
    unsure = f", {with_score - with_total:,} of which have no total that is certain" if with_score > with_total else ""
    return f"{', '.join(parts)}; {with_score:,} with a score of spamd{unsure}"


def judged_by(versions: Mapping[str, str]) -> str:
    """Of the rules in general, "", and of each profile."""
    named = (f"profile {profile} by {version}" if profile else f"by {version}" for profile, version in versions.items())
    return f"judged {', '.join(named)}"


def said(found: Statistics, versions: Mapping[str, str], remarks: Mapping[str, int]) -> Iterator[str]:
    """What was counted, by which rules it was judged, and what was left out, in a line each."""
    yield counted(found)
    yield judged_by(versions)
    yield from (REMARKS[key].format(number) for key, number in remarks.items() if number)


def thresholds_at(thresholds: Iterable[Threshold], measure: Measure, value: float) -> str:
    """The names of those in force."""
    found = (threshold for threshold in thresholds if threshold.measure is measure and threshold.value == value)
    return ", ".join(threshold.name for threshold in found)


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
