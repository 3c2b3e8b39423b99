"""Effects: the keys of a rule that change the message or its way, to what is done where the rule matches."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct

from gateway.facts import Fact, Stage
from gateway.policy.rulefile import Value
from gateway.policy.template import TemplateError, Text, parse_text
from gateway.tomlfile import Problem, did_you_mean

MAX_FIELDS = 20  # that one rule adds
MAX_PREFIX = 40  # characters; more leaves no room for the subject itself in a list of messages

LAST = max(Stage)

SKIP = "skip"  # the word of the key "scan"

# Whose places they were in, who wrote what when, and how it is read: nobody between may add or remove these. Of those
# that name the mailbox answers go to, a second one misleads.
PROTECTED = frozenset(
    (
        *("received", "return-path", "delivered-to"),
        *("authentication-results", "received-spf", "dkim-signature", "domainkey-signature"),
        *("from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date"),
        *("message-id", "in-reply-to", "references", "mime-version"),
    )
)
PROTECTED_BEGINNINGS = ("x-mailward-", "x-spam-", "arc-", "content-", "resent-")

_name_re = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}\Z")  # narrower than RFC 5322: what every reader takes for a name
_prefix_re = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z")


class Effects(Struct, frozen=True):
    """What a rule does beside its action or score. Empty values: nothing."""

    add: tuple[tuple[str, Text], ...] = ()
    remove: tuple[str, ...] = ()  # in lower case
    prefix: str = ""
    scan: str = ""
    route: str = ""

    @property
    def facts(self) -> frozenset[str]:
        return frozenset(name for _, text in self.add for name in text.facts)

    def words(self) -> tuple[str, ...]:
        """What it does, for people."""
        return (
            *(f"adds {name}" for name, _ in self.add),
            *(f"removes {name}" for name in self.remove),
            *((f"prefixes the subject with {self.prefix}",) if self.prefix else ()),
            *(("is not scored",) if self.scan else ()),
            *((f"goes by route {self.route}",) if self.route else ()),
        )


NO_EFFECTS = Effects()


class EffectsReader:
    """Reads these keys of a rule at that stage, or of one whose condition is wrong, so that nobody knows at which.
    `routes` are those that there are, or None where nobody knows."""

    def __init__(self, stage: Stage | None, declared: Mapping[str, Fact], routes: Collection[str] | None) -> None:
        self.problems: list[Problem] = []
        self._stage = stage
        self._declared = declared
        self._routes = routes

    def read(self, values: Mapping[str, Value]) -> Effects:
        """The effects; only those without a problem where some were found."""
        found = {name: read(self, values[key]) for key, (name, read) in _READERS.items() if key in values}
        return NO_EFFECTS if self.problems else Effects(**found)

    def _add(self, here: Value) -> tuple[tuple[str, Text], ...]:
        if len(here.value) > MAX_FIELDS:
            self._problem(here, f"one rule adds at most {MAX_FIELDS} fields")
        fields = [(name, here.within(name)) for name in here.value]
        for name, value in fields:
            self._check_name(name, value)
        return tuple((name, self._text(value)) for name, value in fields)

    def _text(self, here: Value) -> Text:
        if not isinstance(here.value, str):
            self._problem(here, "the value of a field is a text", "in quotes")
            return Text(())
        try:
            return parse_text(here.value, LAST if self._stage is None else self._stage, self._declared)
        except TemplateError as error:
            self._problem(here, str(error), error.hint)
            return Text(())

    def _remove(self, here: Value) -> tuple[str, ...]:
        for number, name in enumerate(here.value):
            self._check_name(name, here.within(number))
        return tuple(str(name).lower() for name in here.value)

    def _check_name(self, name: Any, here: Value) -> None:
        if not isinstance(name, str) or not _name_re.match(name):
            self._problem(here, f"{name!r} is not the name of a field", 'such as "X-Class"')
        elif name.lower() in PROTECTED or name.lower().startswith(PROTECTED_BEGINNINGS):
            self._problem(here, f"rules leave {name} alone", "fields of ours, of the way, of authors and of MIME")

    def _prefix(self, here: Value) -> str:
        if len(here.value) > MAX_PREFIX or not _prefix_re.match(here.value):
            self._problem(here, f"a prefix is at most {MAX_PREFIX} printable ASCII characters", 'such as "[spam]"')
        return str(here.value)

    def _scan(self, here: Value) -> str:
        if here.value != SKIP:
            self._problem(here, f'scan is not "{here.value}"', f'it is "{SKIP}", or not there')
        if self._stage is Stage.SCORED:
            self._problem(here, "by the time that this rule is read the message has been scored")
        return str(here.value)

    def _route(self, here: Value) -> str:
        if self._routes is not None and here.value not in self._routes:
            there = f"there is {', '.join(f'[route.{name}]' for name in sorted(self._routes))}"
            self._problem(here, f"there is no [route.{here.value}]", did_you_mean(here.value, self._routes) or there)
        if self._stage is not None and self._stage > Stage.RCPT:
            message = f"recipients are verified at rcpt, and this rule is read at {self._stage.name.lower()}"
            self._problem(here, message, "a route is chosen by facts that are known by then")
        return str(here.value)

    def _problem(self, here: Value, message: str, hint: str = "") -> None:
        self.problems.append(here.problem(message, hint))


_READERS: Mapping[str, tuple[str, Callable[[EffectsReader, Value], Any]]] = {
    "add": ("add", EffectsReader._add),
    "remove": ("remove", EffectsReader._remove),
    "prefix_subject_breaking_signatures": ("prefix", EffectsReader._prefix),
    "scan": ("scan", EffectsReader._scan),
    "route": ("route", EffectsReader._route),
}

EFFECT_KEYS = frozenset(_READERS)
