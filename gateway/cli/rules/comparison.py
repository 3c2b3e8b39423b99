"""Comparison: entries of the journal, and rules, to the verdicts that would be others. Pure, and as large as what is
found, however many entries there are."""

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from gateway.journal.entry import Entry
from gateway.policy.replay import JUDGED, Outcome, Recorded, Replay
from gateway.policy.verdict import Action
from gateway.record import Event


class Change(Struct, frozen=True, kw_only=True):
    """A verdict that would be another one."""

    sender: str
    id: str
    began: float  # Unix time
    recipients: tuple[str, ...]
    then: str
    now: str
    rules_then: tuple[str, ...]
    rules_now: tuple[str, ...]
    decisive: str  # the rule that would decide; "" where none asks for more than to accept

    @property
    def place(self) -> tuple[str, float, str]:
        """By sender, then by time."""
        return self.sender.lower(), self.began, self.id


class Unread(Struct):
    """What is to be said of a rule that cannot always be decided."""

    first: str  # the id of a message
    messages: int = 0
    facts: set[str] = field(default_factory=set)


class Comparison:
    """Replays entries, and counts."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self.verdicts = 0
        self.undecidable = 0  # verdicts
        self.unjudged = 0  # entries without a verdict of rules
        self.changes: Counter[tuple[str, str]] = Counter()
        self.unread: dict[str, Unread] = {}  # by the id of the rule

    def changed(self, entries: Iterable[Entry]) -> Iterator[Change]:
        """Those that would certainly be others; everything is counted on the way."""
        for entry in entries:
            if not is_judged(entry):
                self.unjudged += 1
                continue
            self.verdicts += 1
            outcome = self._replay.outcome(recorded(entry))
            self._note_unread(entry, outcome)
            if not outcome.is_certain:
                self.undecidable += 1
            elif outcome.verdict.action != entry.action:
                change = _change(entry, outcome)
                self.changes[change.then, change.now] += 1
                yield change

    def _note_unread(self, entry: Entry, outcome: Outcome) -> None:
        for rule, facts in outcome.undecidable:
            unread = self.unread.setdefault(rule.id, Unread(entry.id))
            unread.messages += 1
            unread.facts.update(facts)


def is_judged(entry: Entry) -> bool:
    """Whether it has a verdict of rules: a message that was read, or a recipient that a rule refused."""
    if entry.event == Event.MESSAGE:
        return JUDGED in entry.facts or JUDGED in entry.unrecorded
    return entry.event == Event.REFUSED and entry.action in (Action.DEFER, Action.REJECT)


def recorded(entry: Entry) -> Recorded:
    return Recorded(facts=entry.facts, panic=entry.panic)


def _change(entry: Entry, outcome: Outcome) -> Change:
    decisive = outcome.verdict.decisive
    return Change(
        sender=entry.sender,
        id=entry.id,
        began=entry.began,
        recipients=entry.recipients,
        then=entry.action,
        now=outcome.verdict.action.value,
        rules_then=entry.rules,
        rules_now=outcome.verdict.enforced,
        decisive=decisive.rule if decisive else "",
    )
