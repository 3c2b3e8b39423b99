"""Verdict: what the rules make of the facts. A value; carrying it out is the journey's work."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.reply import Reply


class Action(StrEnum):
    """What a rule may ask for, from the mildest to the most severe."""

    ACCEPT = "accept"
    TAG = "tag"
    QUARANTINE = "quarantine"
    DEFER = "defer"
    REJECT = "reject"

    @property
    def severity(self) -> int:
        return _SEVERITY[self]

    @property
    def refuses(self) -> bool:
        """The client is answered 4yz or 5yz."""
        return self in (Action.DEFER, Action.REJECT)


_SEVERITY = {action: rank for rank, action in enumerate(Action)}


class Mode(StrEnum):
    ENFORCE = "enforce"
    SHADOW = "shadow"  # evaluated and recorded, never acted on


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that matched: what it asked for, an action or a score."""

    rule: str  # the rule's id
    why: str
    mode: Mode
    action: Action | None
    score: float
    final: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, by which rules. `reply` is set where the action refuses."""

    action: Action
    reply: Reply | None = None
    hits: tuple[Hit, ...] = ()
    score: float = 0.0  # the sum of the scores of matching rules that are enforced
    total: float = 0.0  # that, and spamd's score

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(hit.rule for hit in self.hits)


UNDECIDED = Verdict(action=Action.ACCEPT)
