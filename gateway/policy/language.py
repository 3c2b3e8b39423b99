"""Language: the text of a condition to a predicate over facts, or to everything that is wrong with the text.

A condition is Python's expression syntax cut down to what gateway/policy/grammar.py lists. What is compiled is a tree
that the grammar built anew from the parts it knows, so a condition can do nothing else: no import, assignment or loop.
"""

import ast
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import CodeType, FunctionType
from typing import Any

from msgspec import Struct

from gateway.facts import Fact, Facts, FactValue
from gateway.policy.foreign import sign
from gateway.policy.functions import Lists
from gateway.policy.grammar import FACTS, Grammar
from gateway.policy.source import Fault, Source

MAX_CONDITION = 8192  # characters; above it lies a list, which belongs in a file
MAX_DEPTH = 40  # nested parts; people lose the thread long before, and Python's parser and ours recurse

Predicate = Callable[[Facts], bool]


class Operator(StrEnum):
    """How a part of a condition is made of its own parts."""

    AND = "and"
    OR = "or"
    NOT = "not"
    NONE = ""  # it is not: a comparison, a call or a fact


class Part(Struct, frozen=True):
    """A part of a condition, with the facts that it reads. `offset` is where it begins in the condition's text."""

    text: str
    form: str  # the same for parts that mean the same because they are written the same
    offset: int
    holds: Predicate
    facts: tuple[str, ...]
    constants: tuple[FactValue, ...] | None  # that it compares facts with; None where it does anything else
    operator: Operator = Operator.NONE
    parts: tuple["Part", ...] = ()

    def leaves(self) -> Iterator["Part"]:
        """The parts that are not made of others, in the order of the text."""
        if self.operator is Operator.NONE:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def told(self) -> Iterator["Part"]:
        """The parts that are shown to people: the leaves, each with the "not" before it."""
        if not self.parts or (self.operator is Operator.NOT and not self.parts[0].parts):
            yield self
            return
        for part in self.parts:
            yield from part.told()


class Condition(Struct, frozen=True):
    """A compiled condition. `holds` never raises on facts of the declared types. `checked` is the tree that was
    compiled, and `names` is what the names in it stand for."""

    text: str
    holds: Predicate
    whole: Part
    named: Mapping[str, Fact]  # facts that are not declared, but named by a call: header("X-Mailer")
    checked: ast.expr
    names: Mapping[str, Any]

    @property
    def facts(self) -> tuple[str, ...]:
        return self.whole.facts


class Explained(Struct, frozen=True):
    """What a part of a condition came to, and the facts that made it so."""

    text: str
    value: bool | None  # None: a fact that it reads is not known
    facts: tuple[tuple[str, FactValue], ...]
    unknown: tuple[str, ...] = ()


class ConditionError(Exception):
    """A text that is no condition, with all its faults in their order."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.offset))
        super().__init__("; ".join(fault.message for fault in self.faults))


def compile_condition(text: str, declared: Mapping[str, Fact], lists: Lists) -> Condition:
    """Check a condition against the declared facts, by name, and compile it. Raises ConditionError."""
    source = Source(text)
    tree = _parse(source)
    grammar = Grammar(source, declared, lists)
    checked = grammar.boolean(tree)
    if grammar.faults:
        raise ConditionError(grammar.faults)
    whole = _part(source, tree, checked.node, grammar.namespace)
    return Condition(
        text=text,
        holds=whole.holds,
        whole=whole,
        named=grammar.named,
        checked=checked.node,
        names=grammar.namespace,
    )


def compile_together(conditions: Sequence[Condition]) -> Callable[[Facts], tuple[bool, ...]]:
    """One function for all: whether each holds. To call one for each takes longer than what most of them do."""
    names: dict[str, Any] = {"__builtins__": {}}
    for condition in conditions:
        names |= condition.names
    return _function(ast.Tuple([condition.checked for condition in conditions], ast.Load()), names)


def explain(condition: Condition, facts: Facts) -> tuple[Explained, ...]:
    """The value of each part of a condition, in the order of its text."""
    return tuple(_explained(part, facts) for part in condition.whole.told())


def _explained(part: Part, facts: Facts) -> Explained:
    unknown = tuple(name for name in part.facts if name not in facts)
    return Explained(
        text=part.text,
        value=None if unknown else part.holds(facts),
        facts=tuple((name, facts[name]) for name in part.facts if name in facts),
        unknown=unknown,
    )


def _parse(source: Source) -> ast.expr:
    if len(source.text) > MAX_CONDITION:
        raise ConditionError([Fault(0, f"longer than {MAX_CONDITION} characters", "long lists belong in lists/")])
    if not source.text.strip():
        raise ConditionError([Fault(0, "there is no condition", "True is one that always holds")])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns of "\d"
            tree = ast.parse(source.parsed, mode="eval").body
    except SyntaxError as error:
        raise ConditionError([_syntax_fault(source, error)]) from error
    except Warning as error:
        raise ConditionError([Fault(0, str(error))]) from error
    except (ValueError, RecursionError, MemoryError) as error:  # NUL, lone surrogates, nesting
        raise ConditionError(
            [Fault(0, "cannot be parsed: it is nested too deeply or holds characters of no text")]
        ) from error
    _refuse_deep(tree)
    if source.start(tree) < 0 and not isinstance(tree, ast.Tuple | ast.GeneratorExp):
        raise ConditionError([Fault(0, "unbalanced parentheses")])  # of "a) or (b", within those that we add
    return tree


def _syntax_fault(source: Source, error: SyntaxError) -> Fault:
    """Python's advice is for programs: it guesses that a comma is missing."""
    if "invalid escape" in error.msg:
        escape = error.msg.partition("'")[2].rstrip("'")
        return Fault(max(source.text.find(escape), 0), error.msg, r'write r"..." for a text with backslashes')
    foreign = None if "unterminated" in error.msg else sign(source.text)
    if foreign:
        return foreign
    offset = source.offset(error.lineno or 1, (error.offset or 1) - 1)
    return Fault(offset, error.msg[:1].lower() + error.msg[1:].partition(". ")[0])


def _refuse_deep(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ConditionError([Fault(0, f"nested more than {MAX_DEPTH} deep")])


def _part(source: Source, written: ast.expr, checked: ast.expr, namespace: dict[str, Any]) -> Part:
    """The tree of parts; `checked` mirrors `written` wherever that is made with and, or, not."""
    operator, pairs = Operator.NONE, list[tuple[ast.expr, ast.expr]]()
    if isinstance(written, ast.BoolOp) and isinstance(checked, ast.BoolOp):
        operator = Operator.AND if isinstance(written.op, ast.And) else Operator.OR
        pairs = list(zip(written.values, checked.values, strict=True))
    elif isinstance(written, ast.UnaryOp) and isinstance(checked, ast.UnaryOp):
        operator = Operator.NOT
        pairs = [(written.operand, checked.operand)]
    return Part(
        text=" ".join(source.segment(written).split()),
        form=ast.dump(written),
        offset=max(source.start(written), 0),
        holds=_function(checked, namespace),
        facts=_facts(checked),
        constants=_constants(checked),
        operator=operator,
        parts=tuple(_part(source, *pair, namespace) for pair in pairs),
    )


def _facts(checked: ast.expr) -> tuple[str, ...]:
    subscripts = (node.slice for node in ast.walk(checked) if isinstance(node, ast.Subscript))
    return tuple(sorted({str(name.value) for name in subscripts if isinstance(name, ast.Constant)}))


def _constants(checked: ast.expr) -> tuple[FactValue, ...] | None:
    """What a part compares facts with, if it does nothing else. A text is not compared with those that it is within."""
    if isinstance(checked, ast.Subscript):
        return ()
    if not isinstance(checked, ast.Compare):
        return None
    operands = [checked.left, *checked.comparators]
    for operator, right in zip(checked.ops, checked.comparators, strict=True):
        if isinstance(operator, ast.In | ast.NotIn) and not isinstance(right, ast.Tuple):
            return None
    nodes = [node for operand in operands for node in (operand.elts if isinstance(operand, ast.Tuple) else [operand])]
    nodes = [node for node in nodes if not isinstance(node, ast.Subscript)]
    try:
        return tuple(ast.literal_eval(node) for node in nodes)
    except ValueError:  # a call
        return None


def _function(checked: ast.expr, namespace: dict[str, Any]) -> Callable[[Facts], Any]:
    """The tree as a function of the facts."""
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(FACTS)], kwonlyargs=[], kw_defaults=[], defaults=[])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(args=arguments, body=checked)))
    code = compile(tree, "<condition>", "eval")
    body = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    return FunctionType(body, namespace)
