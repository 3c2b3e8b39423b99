"""Template: the `reply` of a rule to the reply that a client is given, with the values of facts in its text; and other
texts of rules to what they come to.

"5.7.26 mail from {author.domain} is refused" names the enhanced code (RFC 3463), and where another basic code than the
usual one is wanted, that before it: "554 5.7.1 ...". What senders can choose is bounded and made printable, so that a
reply stays one line that says what the operator wrote.
"""

import re
import string
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gateway.facts import Fact, Facts, FactValue, Stage
from gateway.policy.verdict import Action
from gateway.reply import Reply, reply
from gateway.tomlfile import did_you_mean

MAX_TEXT = 400  # characters of a template; a reply line has 512 octets with its codes, RFC 5321 section 4.5.3.1.5
MAX_VALUE = 80  # characters of a fact's value; a sender chooses most of them

_status_re = re.compile(r"(?:(\d{3}) +)?(\d)\.(\d{1,3}\.\d{1,3}) +(?=\S)")
_unprintable_re = re.compile(r"[^\x20-\x7e]")

_CODES: Mapping[Action, tuple[str, ...]] = MappingProxyType(
    {Action.REJECT: ("550", "554"), Action.DEFER: ("451", "450")}  # the usual one first
)
_DEFAULTS: Mapping[Action, str] = MappingProxyType(
    {Action.REJECT: "5.7.1 message refused by policy", Action.DEFER: "4.7.1 message deferred by policy"}
)


class TemplateError(ValueError):
    """A text that is no template of a reply."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Text(Struct, frozen=True):
    """A text with places for values: (text before, name of a fact or ""), one after the other."""

    pieces: tuple[tuple[str, str], ...]

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.pieces if name)

    def fill(self, facts: Facts) -> str:
        """One line of printable ASCII, for whatever values."""
        return "".join(before + (_shown(facts[name]) if name else "") for before, name in self.pieces)


class Template(Struct, frozen=True):
    """A reply with places for values."""

    status: str  # "550 5.7.1"
    text: Text

    @property
    def facts(self) -> tuple[str, ...]:
        return self.text.facts

    def fill(self, facts: Facts) -> Reply:
        return reply(self.status, self.text.fill(facts))


def default_template(action: Action, stage: Stage) -> Template:
    """The reply of a rule that has none: public and generic."""
    return parse_template(_DEFAULTS[action], action, stage, {})


def parse_template(text: str, action: Action, stage: Stage, declared: Mapping[str, Fact]) -> Template:
    """Parse the `reply` of a rule with that action at that stage. Raises TemplateError."""
    if not action.refuses:
        raise TemplateError(f'nobody is told about "{action}"', 'a reply goes with then = "reject" or "defer"')
    if len(text) > MAX_TEXT or _unprintable_re.search(text):
        raise TemplateError(f"a reply is one line of at most {MAX_TEXT} printable ASCII characters")
    match = _status_re.match(text)
    if match is None:
        raise TemplateError("a reply begins with an enhanced code", f'such as "{_DEFAULTS[action]}"')
    status = _status(match, action)
    return Template(status=status, text=_text(text[match.end() :], stage, declared))


def parse_text(text: str, stage: Stage, declared: Mapping[str, Fact]) -> Text:
    """Parse a text of a rule at that stage that is no reply. Raises TemplateError."""
    if len(text) > MAX_TEXT or _unprintable_re.search(text):
        raise TemplateError(f"this is one line of at most {MAX_TEXT} printable ASCII characters")
    return _text(text, stage, declared)


def _status(match: re.Match[str], action: Action) -> str:
    basic, enhanced_class, detail = match.groups()
    codes = _CODES[action]
    if basic is not None and basic not in codes:
        raise TemplateError(f"{basic} is no code for {action}", f"it is one of {', '.join(codes)}")
    if enhanced_class != codes[0][0]:
        raise TemplateError(f"{action} goes with codes that begin with {codes[0][0]}", f'such as "{_DEFAULTS[action]}"')
    return f"{basic or codes[0]} {enhanced_class}.{detail}"


def _text(text: str, stage: Stage, declared: Mapping[str, Fact]) -> Text:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(f"{error}", "a brace itself is written {{ or }}") from error
    for _, name, form, conversion in parsed:
        if form or conversion:
            raise TemplateError("a placeholder is the name of a fact, nothing else", "such as {author.domain}")
        if name is not None and name not in declared:
            raise TemplateError(f'unknown fact "{name}"', did_you_mean(name, declared))
        if name is not None and declared[name].stage > stage:
            known = declared[name].stage.name.lower()
            raise TemplateError(f"{name} is known only at {known}", f'stage = "{known}" makes the rule wait for it')
    return Text(tuple((before, name or "") for before, name, _, _ in parsed))


def _shown(value: FactValue) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"[:MAX_VALUE]
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return _unprintable_re.sub("?", text[:MAX_VALUE])
