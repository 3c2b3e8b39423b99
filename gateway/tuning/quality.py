"""Quality: the counts of a rule to how right it is, by the messages of which it is known what they are. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.policy.rule import Rule
from gateway.policy.verdict import Action
from gateway.tuning.sighting import Known


class Quality(Struct, frozen=True, kw_only=True):
    """How right a rule is. A share of none is None."""

    precision: float | None  # of the known messages that it hits, the share of what it is after
    recall: float | None  # of what it is after, the share that it hits
    false_positives: int  # known messages that it hits and is not after


def aim(rule: Rule) -> Known | None:
    """What a rule is after: ham where it accepts or takes points away, and spam where it does the contrary."""
    if rule.action:
        return Known.HAM if rule.action is Action.ACCEPT else Known.SPAM
    if rule.hit.score:
        return Known.HAM if rule.hit.score < 0 else Known.SPAM
    return None  # it adds a field, say


def contrary(known: Known) -> Known:
    return Known.SPAM if known is Known.HAM else Known.HAM


def quality(aim: Known, hits: Mapping[Known, int], known: Mapping[Known, int]) -> Quality:
    """`hits` are those of the rule, `known` all messages."""
    right, wrong = hits[aim], hits[contrary(aim)]
    return Quality(precision=share(right, right + wrong), recall=share(right, known[aim]), false_positives=wrong)


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
