"""Grammar: a parsed condition, node by node, to a tree of known parts with their types, or to faults.

A node that is not in the table at the end is refused. Every fault is found, not the first alone.
"""

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from gateway.facts import Fact
from gateway.headerfacts import PREFIX
from gateway.policy.foreign import FUNCTIONS as FOREIGN_FUNCTIONS
from gateway.policy.functions import FUNCTIONS, Called, Function, Kind, Lists, Parameter, Prepare, WrongLiteral, any_of
from gateway.policy.operators import TUPLES, refusal
from gateway.policy.source import Fault, Source
from gateway.policy.spelling import objection
from gateway.tomlfile import Unreadable, did_you_mean

FACTS = "facts"  # the name that the mapping of facts has in the compiled tree
_EACH = 'functions and "in" look at each text of a fact'
MAX_SHOWN = 40  # characters of a condition that a message quotes


class Checked(Struct, frozen=True):
    """A checked part: its type, the tree to compile, and what is known of its value."""

    kind: Kind
    node: ast.expr
    fact: Fact | None = None
    words: tuple[tuple[str, ast.expr], ...] = ()  # the quoted texts it consists of, as written


class Grammar:
    """Checks one condition. `namespace` collects the functions and prepared literals that its tree refers to, `named`
    the facts that functions gave."""

    def __init__(self, source: Source, declared: Mapping[str, Fact], lists: Lists) -> None:
        self.faults: list[Fault] = []
        self.namespace: dict[str, Any] = {"__builtins__": {}}
        self.named: dict[str, Fact] = {}
        self._source = source
        self._declared = declared
        self._lists = lists

    def check(self, node: ast.expr) -> Checked:
        rule = _RULES.get(type(node))
        if rule is None:
            name, hint = _NAMES.get(type(node), (type(node).__name__, ""))
            return self._fault(node, f"{name} cannot stand in a condition", hint)
        return rule(self, node)

    def boolean(self, node: ast.expr) -> Checked:
        """Check a part that must be true or false."""
        found = self.check(node)
        if found.kind in (Kind.BOOLEAN, Kind.UNKNOWN):
            return found
        return self._fault(node, f"{self._quoted(node)} is not true or false, it is a {found.kind}", "compare it")

    def _fault(self, node: ast.expr, message: str, hint: str = "") -> Checked:
        self.faults.append(Fault(max(self._source.start(node), 0), message, hint))
        return Checked(Kind.UNKNOWN, ast.Constant(value=False))

    def _constant(self, node: ast.Constant) -> Checked:
        value = node.value
        if isinstance(value, str):
            return Checked(Kind.STRING, ast.Constant(value), words=((value, node),))
        if isinstance(value, bool):
            return Checked(Kind.BOOLEAN, ast.Constant(value))
        if isinstance(value, int | float) and abs(value) <= sys.float_info.max:  # a whole number may be larger
            return Checked(Kind.NUMBER, ast.Constant(value))
        return self._fault(node, f"{self._quoted(node)} cannot stand in a condition")

    def _name(self, node: ast.Name | ast.Attribute) -> Checked:
        name = _dotted(node)
        fact = self._declared.get(name)
        if fact is not None:
            return self._fact(fact)
        if name in FUNCTIONS:
            return self._fault(node, f'"{name}" is a function', f"such as {FUNCTIONS[name].example}")
        if not name:
            return self._fault(node, "only the names of facts have dots")
        hint = did_you_mean(name, (*self._declared, "True", "False"))
        if name.startswith(PREFIX):
            hint = f'write header("{name.removeprefix(PREFIX)}")'
        return self._fault(node, f'unknown fact "{name}"', hint)

    def _fact(self, fact: Fact) -> Checked:
        value = ast.Subscript(ast.Name(FACTS, ast.Load()), ast.Constant(fact.name), ast.Load())
        return Checked(Kind(fact.type.value), value, fact=fact)

    def _tuple(self, node: ast.Tuple) -> Checked:
        elements = [self.check(element) for element in node.elts]
        kinds = frozenset(element.kind for element in elements)
        if Kind.UNKNOWN not in kinds and kinds not in TUPLES:
            is_fraction = Kind.NUMBER in kinds and Kind.BOOLEAN in kinds  # spam.score > 5,5
            hint = "a number has a point, no comma: 5.5" if is_fraction else ""
            return self._fault(node, "a tuple holds texts, or numbers, and at least one", hint)
        words = tuple(word for element in elements for word in element.words)
        tree = ast.Tuple([element.node for element in elements], ast.Load())
        return Checked(TUPLES.get(kinds, Kind.UNKNOWN), tree, words=words)

    def _bool_op(self, node: ast.BoolOp) -> Checked:
        return Checked(Kind.BOOLEAN, ast.BoolOp(node.op, [self.boolean(value).node for value in node.values]))

    def _unary_op(self, node: ast.UnaryOp) -> Checked:
        if isinstance(node.op, ast.Not):
            return Checked(Kind.BOOLEAN, ast.UnaryOp(node.op, self.boolean(node.operand).node))
        operand = self.check(node.operand)
        if isinstance(node.op, ast.USub) and operand.kind is Kind.NUMBER and isinstance(operand.node, ast.Constant):
            return Checked(Kind.NUMBER, ast.UnaryOp(node.op, operand.node))
        return self._fault(node, "the only sign is a minus before a number")

    def _compare(self, node: ast.Compare) -> Checked:
        written = [node.left, *node.comparators]
        operands = [self.check(operand) for operand in written]
        for position, operator in enumerate(node.ops):
            self._check_pair(written[position : position + 2], operator, *operands[position : position + 2])
        left, *others = (operand.node for operand in operands)
        return Checked(Kind.BOOLEAN, ast.Compare(left, node.ops, others))

    def _check_pair(self, written: list[ast.expr], operator: ast.cmpop, left: Checked, right: Checked) -> None:
        node = written[1]
        refused = refusal(operator, left.kind, right.kind, *map(self._quoted, written))
        if refused:
            self._fault(node, *refused)
        elif right.kind is Kind.STRING and isinstance(operator, ast.In | ast.NotIn):
            self._check_substring(node, left, right)
        else:
            self._check_words(left.fact, right.words)
            self._check_words(right.fact, left.words)

    def _check_substring(self, node: ast.expr, left: Checked, right: Checked) -> None:
        """The empty text is in every text, so only a quoted one is looked for; and ("x") is a text, not a tuple."""
        if isinstance(right.node, ast.Constant):
            self._fault(node, "this is a text, not a tuple", f"a tuple of one is written ({self._quoted(node)},)")
        elif not isinstance(left.node, ast.Constant) or not left.node.value:
            self._fault(node, "only a quoted text can be looked for in a text")

    def _check_words(self, fact: Fact | None, words: tuple[tuple[str, ast.expr], ...]) -> None:
        """A fact is never compared with what it never is: that would hide a misspelling."""
        for word, node in words if fact else ():
            if fact and (hint := objection(fact, word)):
                self._fault(node, f"{fact.name} is never {self._quoted(node)}", hint)

    def _call(self, node: ast.Call) -> Checked:
        function = self._function(node.func)
        if function is None:
            return Checked(Kind.UNKNOWN, ast.Constant(value=False))
        if node.keywords or not _fits(len(node.args), function):
            return self._fault(node, f"the arguments are {function.signature}", f"such as {function.example}")
        repeated = function.parameters[-1:] * (len(node.args) - len(function.parameters))
        parameters = (*function.parameters, *repeated)
        return self._applied(
            function, [self._argument(*pair, function) for pair in zip(node.args, parameters, strict=True)]
        )

    def _function(self, node: ast.expr) -> Function | None:
        name = _dotted(node)
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        subject, _, method = name.rpartition(".")
        if method in FUNCTIONS:
            hint = f"write {method}({subject}{', ...' if len(FUNCTIONS[method].parameters) > 1 else ''})"
        else:
            hint = FOREIGN_FUNCTIONS.get(method, "") or did_you_mean(name, FUNCTIONS)
        self._fault(node, f'unknown function "{name}"' if name else "only listed functions can be called", hint)
        return None

    def _argument(self, node: ast.expr, parameter: Parameter, function: Function) -> Checked:
        found = self.check(node)
        if found.kind is Kind.UNKNOWN:
            return found
        if found.kind not in parameter.kinds:
            kinds = " or ".join(parameter.kinds)
            return self._fault(
                node, f"{parameter.name} is a {kinds}, not a {found.kind}", f"such as {function.example}"
            )
        if found.kind is not Kind.STRING or parameter.prepare is None:
            return found
        if isinstance(found.node, ast.Constant):
            return self._prepared(node, parameter.prepare, found.words[0][0])
        if parameter.literal:
            return self._fault(node, f"{parameter.name} must be a quoted text", f"such as {function.example}")
        return found

    def _prepared(self, node: ast.expr, prepare: Prepare, text: str) -> Checked:
        try:
            return Checked(Kind.STRING, self._bound(prepare(text, self._lists)))
        except WrongLiteral as error:
            return self._fault(node, str(error), error.hint)
        except Unreadable as error:
            return self._fault(node, f"this list cannot be used: {error}")

    def _applied(self, function: Function, arguments: list[Checked]) -> Checked:
        nodes = [argument.node for argument in arguments]
        if function.called is not Called.ON_MESSAGES:
            values = [self.namespace[node.id] for node in nodes if isinstance(node, ast.Name)]
            return self._called(function, function.call(*values) if len(values) == len(nodes) else None)
        is_lifted = function.result is Kind.BOOLEAN and arguments[0].kind is Kind.STRINGS
        call = any_of(function.call) if is_lifted else function.call
        return Checked(function.result, ast.Call(self._bound(call), nodes, []))

    def _called(self, function: Function, gave: object) -> Checked:
        if not isinstance(gave, Fact):
            return Checked(function.result, self._bound(gave))
        self.named[gave.name] = gave
        return self._fact(gave)

    def _bound(self, value: object) -> ast.Name:
        """In no other condition does the name stand for another value, so that several can be compiled together."""
        name = f"_{id(value)}"
        self.namespace[name] = value
        return ast.Name(name, ast.Load())

    def _quoted(self, node: ast.expr) -> str:
        text = " ".join(self._source.segment(node).split())
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _dotted(node: ast.expr) -> str:
    """The name that a chain of attributes spells; empty where it does not begin with a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join((node.id, *reversed(parts))) if isinstance(node, ast.Name) else ""


def _fits(count: int, function: Function) -> bool:
    return count >= len(function.parameters) if function.called is Called.AT_LOAD else count == len(function.parameters)


_RULES: Mapping[type[ast.expr], Callable[[Grammar, Any], Checked]] = {
    ast.Constant: Grammar._constant,
    ast.Name: Grammar._name,
    ast.Attribute: Grammar._name,
    ast.Tuple: Grammar._tuple,
    ast.BoolOp: Grammar._bool_op,
    ast.UnaryOp: Grammar._unary_op,
    ast.Compare: Grammar._compare,
    ast.Call: Grammar._call,
}

_NAMES: Mapping[type[ast.expr], tuple[str, str]] = {
    ast.BinOp: ("arithmetic", "compare with a number: spam.score > 5"),
    ast.IfExp: ('"if"', "write and, or, not"),
    ast.ListComp: ("a loop", _EACH),
    ast.SetComp: ("a loop", _EACH),
    ast.DictComp: ("a loop", _EACH),
    ast.GeneratorExp: ("a loop", _EACH),
    ast.NamedExpr: ("an assignment", "write =="),
    ast.JoinedStr: ("an f-string", ""),
    ast.Subscript: ("an index", 'write "..." in the name of the fact'),
    ast.List: ("a list in []", "write a tuple, in parentheses"),
    ast.Set: ("a set in {}", "write a tuple, in parentheses"),
    ast.Dict: ("a dictionary", ""),
    ast.Starred: ("a star", ""),
}
