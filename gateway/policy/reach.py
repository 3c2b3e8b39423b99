"""Reach: whether facts are conceivable with which conditions come out as wanted. Pure.

A part that compares one fact with constants is tried with a few values that stand for all: each constant, what lies
between them, and another. Every other part is taken to be true or false at will, the same wherever it is written the
same. So what is called impossible is so; what is called possible may not be.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import prod

from gateway.facts import Fact, FactType, FactValue
from gateway.policy.language import Operator, Part

MAX_WORLDS = 4096  # combinations that are tried; beyond, everything is called possible

Wanted = Sequence[tuple[Part, bool]]
World = Mapping[str, FactValue]


def is_possible(wanted: Wanted, declared: Mapping[str, Fact]) -> bool:
    """Whether each part can have the value that is wanted of it, at the same time."""
    leaves = [leaf for part, _ in wanted for leaf in part.leaves() if leaf.facts]
    axes = _axes(leaves, declared)
    if prod(map(len, axes.values())) > MAX_WORLDS:
        return True
    worlds = (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))
    return any(all(_value(part, world) is value for part, value in wanted) for world in worlds)


def implies(one: Part, other: Part, declared: Mapping[str, Fact]) -> bool:
    """Whether the second part certainly holds wherever the first one does."""
    return not is_possible([(one, True), (other, False)], declared)


def impossible_parts(part: Part, declared: Mapping[str, Fact]) -> Iterator[Part]:
    """The outermost parts, the whole or what stands between "or", that cannot hold."""
    if not is_possible([(part, True)], declared):
        yield part
        return
    if part.operator is Operator.OR:
        for inner in part.parts:
            yield from impossible_parts(inner, declared)


def _axes(leaves: Sequence[Part], declared: Mapping[str, Fact]) -> dict[str, tuple[FactValue, ...]]:
    """What is tried, and with which values: facts by their names, other parts by the way they are written."""
    constants: dict[str, set[FactValue]] = {}
    axes: dict[str, tuple[FactValue, ...]] = {}
    for leaf in leaves:
        if _is_pointed(leaf):
            constants.setdefault(leaf.facts[0], set()).update(leaf.constants or ())
        else:
            axes[leaf.form] = (False, True)
    return axes | {name: _values(declared[name], found) for name, found in constants.items()}


def _is_pointed(leaf: Part) -> bool:
    return leaf.constants is not None and len(leaf.facts) == 1


def _values(fact: Fact, constants: set[FactValue]) -> tuple[FactValue, ...]:
    """Values of a fact, one of each kind that comparisons with the constants tell apart."""
    if fact.type is FactType.BOOLEAN:
        return False, True
    if fact.type is FactType.NUMBER:
        return tuple(_numbers(sorted(value for value in constants if isinstance(value, int | float))))
    if fact.values:
        return tuple(dict.fromkeys((*fact.values, fact.absent)))
    words = sorted(value for value in constants if isinstance(value, str))
    return *words, f"{''.join(words)}x"


def _numbers(constants: list[float]) -> Iterator[float]:
    if not constants:
        yield 0.0
        return
    yield constants[0] - 1
    for one, next_one in pairwise(constants):
        yield one
        yield (one + next_one) / 2
    yield constants[-1]
    yield constants[-1] + 1


def _value(part: Part, world: World) -> bool:
    if part.operator is Operator.NONE:
        return part.holds(world) if _is_pointed(part) or not part.facts else world[part.form] is True
    values = (_value(inner, world) for inner in part.parts)
    if part.operator is Operator.NOT:
        return not next(values)
    return all(values) if part.operator is Operator.AND else any(values)
