"""Verdict: what the rules make of the facts. A value; carrying it out is the journey's work."""

from enum import StrEnum

from msgspec import Struct

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
        return self in _REFUSING

    @property
    def is_severe(self) -> bool:
        """It is more than a tag: the mail is kept from its recipients, or sent back."""
        return self in _SEVERE


_SEVERITY = {action: rank for rank, action in enumerate(Action)}
_REFUSING = frozenset({Action.DEFER, Action.REJECT})
_SEVERE = _REFUSING | {Action.QUARANTINE}


class Mode(StrEnum):
    ENFORCE = "enforce"
    SHADOW = "shadow"  # evaluated and recorded, never acted on


class Hit(Struct, frozen=True):
    """A rule that matched: what it asked for, an action or a score."""

    rule: str  # the rule's id
    why: str
    mode: Mode
    action: Action | None
    score: float
    final: bool = False

    @property
    def ends_the_reading(self) -> bool:
        """No rule is read after it."""
        return self.final and self.mode is Mode.ENFORCE


class Edits(Struct, frozen=True):
    """What rules change in the header of a message that goes on."""

    added: tuple[tuple[str, str], ...] = ()  # names and values
    removed: frozenset[str] = frozenset()  # names in lower case
    prefix: str = ""  # of the subject

    def __or__(self, other: "Edits") -> "Edits":
        """These, and those of rules that were read later; there is one prefix, the first."""
        return Edits(
            added=tuple(dict.fromkeys(self.added + other.added)),
            removed=self.removed | other.removed,
            prefix=self.prefix or other.prefix,
        )


NO_EDITS = Edits()


class Verdict(Struct, frozen=True):
    """What was decided, by which rules. `reply` is set where the action refuses."""

    action: Action
    reply: Reply | None = None
    hits: tuple[Hit, ...] = ()
    score: float = 0.0  # the sum of the scores of matching rules that are enforced
    total: float = 0.0  # that, and spamd's score
    edits: Edits = NO_EDITS
    unscanned_by: str = ""  # the id of the rule that has it not scored by spamd
    route: str = ""  # the name of the one that a rule chose, where one did

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple([hit.rule for hit in self.hits])

    @property
    def ends_the_reading(self) -> bool:
        return any([hit.ends_the_reading for hit in self.hits])  # noqa: C419  there are few, and a list is the faster

    @property
    def enforced(self) -> tuple[str, ...]:
        """Those that are no shadows."""
        return tuple([hit.rule for hit in self.hits if hit.mode is Mode.ENFORCE])

    @property
    def decisive(self) -> Hit | None:
        """What decided: of the rules that are enforced the first one with the most severe action."""
        asking = (hit for hit in self.hits if hit.mode is Mode.ENFORCE and hit.action)
        return max(asking, key=lambda hit: hit.action.severity if hit.action else -1, default=None)


UNDECIDED = Verdict(action=Action.ACCEPT)
