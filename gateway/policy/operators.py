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

# With the two sides as they are written, and the word that goes with the sign.
_ADVICE: Mapping[Pair, str] = {
    (Kind.ADDRESS, Kind.STRING): "write {left} {within} net({right})",
    (Kind.ADDRESS, Kind.STRINGS): 'write {left} {within} net("192.0.2.0/24", "198.51.100.1")',
    (Kind.ADDRESS, Kind.LIST): 'write {left} {within} net("192.0.2.0/24")',
    (Kind.STRINGS, Kind.STRING): "write {right} {within} {left}",
    (Kind.STRINGS, Kind.STRINGS): 'write "..." in {left}, for each text',
    (Kind.STRINGS, Kind.LIST): "write under({left}, {right}), for domains",
    (Kind.STRING, Kind.STRINGS): "write {left} {within} {right}",
    (Kind.STRING, Kind.LIST): "write {left} {within} {right}",
    (Kind.STRING, Kind.NUMBER): "write the text in quotes",
    (Kind.NUMBER, Kind.STRING): "write the number without quotes",
    (Kind.BOOLEAN, Kind.STRING): "write {left}, or not {left}",
    (Kind.BOOLEAN, Kind.NUMBER): "write {left}, or not {left}",
}
_NEGATIVE = (ast.NotEq, ast.NotIn)


def refusal(operator: ast.cmpop, left: Kind, right: Kind, *written: str) -> tuple[str, str] | None:
    """Why two types cannot be compared so, and advice, with the sides as they are `written`; None where they can."""
    if type(operator) not in COMPARISONS:
        return '"is" compares no values', "write =="
    sign, allowed = COMPARISONS[type(operator)]
    if (left, right) in allowed or Kind.UNKNOWN in (left, right):
        return None
    sides = dict(zip(("left", "right"), written, strict=True))
    advice = _ADVICE.get((left, right), "").format(
        within="not in" if isinstance(operator, _NEGATIVE) else "in", **sides
    )
    return f'"{left}" {sign} "{right}": these types cannot be compared so', advice


TUPLES: Mapping[frozenset[Kind], Kind] = {
    frozenset({Kind.STRING}): Kind.STRINGS,
    frozenset({Kind.NUMBER}): Kind.NUMBERS,
}
"""The type of a tuple by the types of its elements."""
