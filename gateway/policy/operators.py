"""Operators: which types may be compared, and what to write instead where they may not."""

import ast
from collections.abc import Mapping

from gateway.policy.functions import Kind

Pair = tuple[Kind, Kind]

_EQUAL = frozenset((kind, kind) for kind in (Kind.STRING, Kind.NUMBER, Kind.BOOLEAN))
_ORDER = frozenset({(Kind.NUMBER, Kind.NUMBER)})
_MEMBER = frozenset(
    {
        (Kind.STRING, Kind.STRING),
        (Kind.STRING, Kind.STRINGS),
        (Kind.STRING, Kind.LIST),
        (Kind.NUMBER, Kind.NUMBERS),
        (Kind.ADDRESS, Kind.NETWORKS),
    }
)

COMPARISONS: Mapping[type[ast.cmpop], tuple[str, frozenset[Pair]]] = {
    ast.Eq: ("==", _EQUAL),
    ast.NotEq: ("!=", _EQUAL),
    ast.Lt: ("<", _ORDER),
    ast.LtE: ("<=", _ORDER),
    ast.Gt: (">", _ORDER),
    ast.GtE: (">=", _ORDER),
    ast.In: ("in", _MEMBER),
    ast.NotIn: ("not in", _MEMBER),
}

_ADVICE: Mapping[Pair, str] = {
    (Kind.ADDRESS, Kind.STRING): 'write in net("192.0.2.1")',
    (Kind.ADDRESS, Kind.STRINGS): 'write in net("192.0.2.0/24", "198.51.100.1")',
    (Kind.ADDRESS, Kind.LIST): 'write in net("192.0.2.0/24")',
    (Kind.STRINGS, Kind.STRING): 'write "text" in the name of the fact',
    (Kind.STRING, Kind.STRINGS): "write in",
    (Kind.STRING, Kind.LIST): "write in",
    (Kind.NUMBER, Kind.STRING): "write the number without quotes",
}


def refusal(operator: ast.cmpop, left: Kind, right: Kind) -> tuple[str, str] | None:
    """Why two types cannot be compared so, and advice; None where they can."""
    if type(operator) not in COMPARISONS:
        return '"is" compares no values', "write =="
    sign, allowed = COMPARISONS[type(operator)]
    if (left, right) in allowed or Kind.UNKNOWN in (left, right):
        return None
    return f'"{left}" {sign} "{right}": these types cannot be compared so', _ADVICE.get((left, right), "")


TUPLES: Mapping[frozenset[Kind], Kind] = {
    frozenset({Kind.STRING}): Kind.STRINGS,
    frozenset({Kind.NUMBER}): Kind.NUMBERS,
}
"""The type of a tuple by the types of its elements."""
