"""Tally: sightings to counts: of verdicts, of each rule, of rules that match together, of scores. Pure, and as large as
there are rules, however many messages there are."""

from collections import Counter
from itertools import combinations

from msgspec import Struct, field

from gateway.tuning.scores import Scores
from gateway.tuning.sighting import Known, Sighting
from gateway.tuning.thresholds import Measure

MAX_NAMES = 100  # messages of a kind that are named for a rule

UNDECIDABLE = "undecidable"  # in place of an action


class RuleTally(Struct):
    """What was counted of one rule."""

    hits: Counter[Known] = field(default_factory=Counter)
    undecided: int = 0  # messages of which nobody knows whether it matches
    unknown: set[str] = field(default_factory=set)  # the facts that were not known then
    first: str = ""  # the name of the first such message
    verdicts: Counter[str] = field(default_factory=Counter)  # of the messages that it hit
    decided: int = 0  # how often it was the rule that decided
    alone: int = 0  # messages that no other rule hit
    names: dict[Known, list[str]] = field(default_factory=dict)  # the first of the known messages that it hit


class Tally:
    """Counts sightings."""

    def __init__(self) -> None:
        self.known: Counter[Known] = Counter()
        self.verdicts: Counter[tuple[Known, str]] = Counter()
        self.rules: dict[str, RuleTally] = {}
        self.together: Counter[tuple[str, str]] = Counter()  # pairs of rules that hit one message, in alphabetic order
        self.scores = {measure: Scores() for measure in Measure}
        self.required: Counter[float] = Counter()

    @property
    def messages(self) -> int:
        return self.known.total()

    def add(self, sighting: Sighting) -> None:
        verdict = sighting.action.value if sighting.action else UNDECIDABLE
        self.known[sighting.known] += 1
        self.verdicts[sighting.known, verdict] += 1
        self.together.update(combinations(sorted(sighting.hits), 2))
        for rule in sighting.hits:
            self._add_hit(self._of(rule), sighting, verdict)
        for rule, facts in sighting.undecided.items():
            tally = self._of(rule)
            tally.undecided += 1
            tally.unknown.update(facts)
            tally.first = tally.first or sighting.name
        if sighting.decisive:
            self._of(sighting.decisive).decided += 1
        self._add_scores(sighting)

    def both(self, one: str, other: str) -> int:
        """How many messages both rules hit."""
        return self.together[min(one, other), max(one, other)]

    def _add_hit(self, tally: RuleTally, sighting: Sighting, verdict: str) -> None:
        tally.hits[sighting.known] += 1
        tally.verdicts[verdict] += 1
        tally.alone += len(sighting.hits) == 1
        if sighting.known is not Known.UNKNOWN:
            names = tally.names.setdefault(sighting.known, [])
            if len(names) < MAX_NAMES:
                names.append(sighting.name)

    def _add_scores(self, sighting: Sighting) -> None:
        for measure, score in ((Measure.TOTAL, sighting.total), (Measure.SCORE, sighting.score)):
            if score is not None:
                self.scores[measure].add(sighting.known, score)
        if sighting.required is not None:
            self.required[sighting.required] += 1

    def _of(self, rule: str) -> RuleTally:
        return self.rules.setdefault(rule, RuleTally())
