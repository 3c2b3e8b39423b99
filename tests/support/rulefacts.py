"""Declared facts of every type, and rules made of them, for tests of the rules language that need no check."""

from ipaddress import ip_address
from pathlib import Path

from gateway.facts import Fact, FactType, Stage, absent_facts
from gateway.policy.language import Condition, compile_condition
from gateway.policy.rule import TOTAL, RuleSet
from gateway.policy.rules import load

WORDS = ("none", "pass", "fail", "softfail", "temperror", "unavailable")

DECLARED = (
    Fact("client.ip", FactType.ADDRESS, Stage.CONNECT, "The client's address", ip_address("192.0.2.1")),
    Fact("client.helo", FactType.STRING, Stage.HELO, "The name given at HELO", ""),
    Fact("sender.domain", FactType.STRING, Stage.MAIL, "The domain of MAIL FROM", ""),
    Fact("spf.result", FactType.STRING, Stage.MAIL, "SPF's result", "none", WORDS),
    Fact("recipients", FactType.STRINGS, Stage.RCPT, "The recipients", ()),
    Fact("recipient.count", FactType.NUMBER, Stage.RCPT, "The number of recipients", 0),
    Fact("author.domain", FactType.STRING, Stage.AUTHENTICATED, "The author's domain", ""),
    Fact("subject", FactType.STRING, Stage.AUTHENTICATED, "The Subject field", ""),
    Fact("arc.trusted", FactType.BOOLEAN, Stage.AUTHENTICATED, "A trusted sealer vouches", False),
    Fact("spam.score", FactType.NUMBER, Stage.SCORED, "spamd's score", 0.0),
    Fact("spam.symbols", FactType.STRINGS, Stage.SCORED, "The SpamAssassin rules that were hit", ()),
)

BY_NAME = {fact.name: fact for fact in (*DECLARED, TOTAL)}
ABSENT = absent_facts(BY_NAME.values())
LISTS = {"partners": frozenset({"example.org", "partner.example"})}


def condition(text: str) -> Condition:
    return compile_condition(text, BY_NAME, LISTS)


def written(directory: Path, text: str, name: str = "10-test.toml") -> Path:
    """Write a rules file, and return its directory."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(text)
    return directory


def rule_set(directory: Path, text: str) -> RuleSet:
    return load([written(directory, text)], DECLARED)
