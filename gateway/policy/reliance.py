"""Reliance: what the words of a fact, such as the result of a check, mean for a condition. Pure."""

from collections.abc import Mapping

from gateway.facts import FactValue
from gateway.policy.language import Operator, Part
from gateway.policy.partial import value


def rests_on(whole: Part, name: str, word: str, absent: Mapping[str, FactValue]) -> bool:
    """Whether the condition can hold with that word, and the word is what makes a part of it hold."""
    facts = {**absent, name: word}
    return _value(whole, name, facts) is not False and _speaks_for(whole, name, facts, wanted=True)


def is_undone_by(whole: Part, name: str, word: str, absent: Mapping[str, FactValue]) -> bool:
    """Whether the condition cannot hold with that word, whatever else is known."""
    return _value(whole, name, {**absent, name: word}) is False


def _value(part: Part, name: str, facts: Mapping[str, FactValue]) -> bool | None:
    """The value of a part if the fact of that name alone is known; None where that does not settle it."""
    return value(part, facts, frozenset(part.facts) - {name})


def _speaks_for(part: Part, name: str, facts: Mapping[str, FactValue], *, wanted: bool) -> bool:
    """Whether some comparison of the fact comes out as the condition needs it (`wanted`: turned round by each not)."""
    if part.operator is Operator.NONE:
        return part.facts == (name,) and part.holds(facts) is wanted
    inner_wanted = not wanted if part.operator is Operator.NOT else wanted
    return any(_speaks_for(inner, name, facts, wanted=inner_wanted) for inner in part.parts)
