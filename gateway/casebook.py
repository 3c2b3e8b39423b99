"""Casebook: a directory of messages, with a cases.toml that says where each came from and what the rules make of it, to
the objections where they make something else of it.

DNS is what cases.toml has of it, and spamd is not asked: a message counts as scored with no points unless its case says
otherwise. So the outcome depends on the messages and the rules alone.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway import tomlfile
from gateway.config import Settings
from gateway.facts import FactValue, Stage
from gateway.inspection import Case, CaseError, Inspector
from gateway.judgement import judge, rules_for
from gateway.policy.decide import known_facts
from gateway.policy.examples import read_facts, shown
from gateway.policy.language import explain
from gateway.policy.rule import RuleSet
from gateway.policy.rulefile import Value
from gateway.policy.verdict import Action, Verdict
from gateway.system.fixeddns import FixedDns
from gateway.tomlfile import Problem, did_you_mean
from gateway.vocabulary import FACTS

NAME = "cases.toml"
SCORED: Mapping[str, FactValue] = {"spam.result": "scored", "spam.score": 0.0}

_KEYS: Mapping[str, tuple[type, str]] = {
    "file": (str, "a text"),
    "ip": (str, "an address"),
    "helo": (str, "a text"),
    "mail_from": (str, "a text"),
    "rcpt": (list, "an array of texts"),
    "facts": (dict, "a table"),
    "action": (str, "a text"),
    "rules": (list, "an array of texts"),
}
_NEEDED = ("file", "ip", "action")
_MISNAMED: Mapping[str, str] = {
    **dict.fromkeys(("to", "recipient", "recipients"), "rcpt"),
    **dict.fromkeys(("from", "sender"), "mail_from"),
    **dict.fromkeys(("expect", "expected", "then", "verdict"), "action"),
    **dict.fromkeys(("message", "mail", "path"), "file"),
    **dict.fromkeys(("client", "address"), "ip"),
}
"""What people call the keys."""
_DECLARED = {fact.name: fact for fact in FACTS}


class CasebookError(Exception):
    """It cannot be used; `problems` are all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Expected(Struct, frozen=True):
    """One message, and what is expected: an action, and rules that are among those that match."""

    case: Case
    facts: Mapping[str, FactValue]  # that go before those that are found
    action: Action
    rules: tuple[str, ...]
    here: Value


class Casebook(Struct, frozen=True):
    cases: tuple[Expected, ...]
    dns: FixedDns


def read_casebook(directory: Path) -> Casebook:
    """Raises CasebookError."""
    try:
        file = tomlfile.read(directory / NAME)
    except tomlfile.Unreadable as error:
        raise CasebookError([error.problem]) from error
    problems = [
        file.problem((key,), f'unknown key "{key}"', "there are [[case]] tables and [dns]")
        for key in file.data
        if key not in ("case", "dns")
    ]
    whole = Value(file.data, file, ())
    dns = _dns(whole.within("dns"), problems) if "dns" in file.data else FixedDns({})
    tables = file.data.get("case", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(file.problem(("case",), "each case is a table of its own", "write [[case]]"))
        tables = []
    cases = [_expected(whole.within("case").within(number), directory, problems) for number in range(len(tables))]
    if not (cases or problems):
        problems.append(file.problem((), "there is no case", "each message has a table [[case]]"))
    if problems:
        raise CasebookError(problems)
    return Casebook(tuple(case for case in cases if case), dns)


def unscored(settings: Settings) -> Settings:
    """The same without spamd."""
    return settings.model_copy(update={"spamd": settings.spamd.model_copy(update={"enabled": False})})


async def objections(inspector: Inspector, expected: Expected) -> list[Problem]:
    """What is not as expected. A message that was refused unread is judged by no rule."""
    examination = (await inspector.inspect(expected.case)).examination
    envelope, verdict = expected.case.envelope, examination.verdict
    facts = {**examination.facts, **SCORED, **expected.facts}
    if examination.subject.author is not None:
        verdict = judge(inspector.parts, facts, envelope, until=Stage.SCORED)
    return list(_differences(expected, verdict, facts, rules_for(inspector.parts.profiles, envelope)))


def _differences(
    expected: Expected, verdict: Verdict, facts: Mapping[str, FactValue], rules: RuleSet
) -> Iterator[Problem]:
    file = expected.here.value["file"]
    if verdict.action is not expected.action:
        matched = ", ".join(verdict.rules) or "none"
        message = f'"{file}": {expected.action} was expected, it is {verdict.action}'
        yield expected.here.within("action").problem(message, f"rules that match: {matched}")
    for name in expected.rules:
        if name not in verdict.rules:
            yield expected.here.within("rules").problem(
                f'"{file}": the rule "{name}" does not match', _why_not(name, facts, verdict, rules)
            )


def _why_not(name: str, facts: Mapping[str, FactValue], verdict: Verdict, rules: RuleSet) -> str:
    rule = next((rule for rule in rules.rules if rule.id == name), None)
    if rule is None:
        return did_you_mean(name, [rule.id for rule in rules.rules]) or "there is no such rule"
    return "; ".join(map(shown, explain(rule.condition, known_facts(rules, facts, verdict))))


def _expected(here: Value, directory: Path, problems: list[Problem]) -> Expected | None:
    table: dict[str, Any] = here.value
    found = [*_key_problems(here)]
    action = next((action for action in Action if action == table.get("action")), None)
    if "action" in table and action is None and not found:
        found.append(
            here.within("action").problem(f'action is not "{table["action"]}"', did_you_mean(table["action"], Action))
        )
    facts, wrong = read_facts(here.within("facts"), _DECLARED) if "facts" in table and not found else ({}, [])
    problems += [*found, *wrong]
    if found or wrong or action is None:
        return None
    try:
        address = ip_address(table["ip"])
    except ValueError:
        problems.append(here.within("ip").problem(f'"{table["ip"]}" is no IP address'))
        return None
    try:
        raw = (directory / table["file"]).read_bytes()
        case = Case.of(
            raw,
            ip=address,
            helo=table.get("helo", ""),
            mail_from=table.get("mail_from", ""),
            recipients=table.get("rcpt", []),
        )
    except OSError as error:
        problems.append(here.within("file").problem(f"{table['file']} cannot be read: {error.strerror}"))
    except CaseError as error:
        problems.append(here.problem(str(error)))
    else:
        return Expected(case=case, facts=facts, action=action, rules=tuple(table.get("rules", [])), here=here)
    return None


def _key_problems(here: Value) -> Iterator[Problem]:
    for key, value in here.value.items():
        if key not in _KEYS:
            hint = f'did you mean "{_MISNAMED[key]}"?' if key in _MISNAMED else did_you_mean(key, _KEYS)
            yield here.within(key).problem(f'unknown key "{key}"', hint)
        elif not isinstance(value, _KEYS[key][0]) or (
            isinstance(value, list) and not all(isinstance(entry, str) for entry in value)
        ):
            yield here.within(key).problem(f"{key} is {_KEYS[key][1]}")
    for key in _NEEDED:
        if key not in here.value:
            yield here.problem(f'a case needs "{key}"')


def _dns(here: Value, problems: list[Problem]) -> FixedDns:
    if isinstance(here.value, dict) and all(isinstance(types, dict) for types in here.value.values()):
        try:
            return FixedDns(here.value)
        except (TypeError, ValueError) as error:
            problems.append(here.problem(str(error)))
    else:
        problems.append(here.problem("dns is a table of names", '"example.org" = { TXT = ["v=spf1 -all"] }'))
    return FixedDns({})
