"""Judging a message by two hundred rules of many kinds, and loading them."""

import tempfile
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from gateway.facts import Facts, Stage
from gateway.policy.decide import decide
from gateway.policy.rule import RuleSet
from tests.bench.measured import Measured, at_most
from tests.bench.timing import Effort, Task, alternate, calling
from tests.support.rulefacts import rule_set

RULES = 200
CONDITIONS = (
    'spf.result == "fail" and spam.score >= {n}.5 and not arc.trusted',
    'author.domain in ("a{n}.example", "b{n}.example") and spam.score < 3',
    'under(author.domain, "d{n}.example") and spam.score < 3',
    '"RULE_{n}" in spam.symbols and recipient.count > 3',
    'spam.score > 1 and client.ip in net("10.{n}.0.0/16", "2001:db8:{n}::/48")',
    '"offer {n}" in subject and spam.score < 3',
    'spam.score > 1 and matches(subject, r"(?i)invoice +{n}")',
    "1 <= spam.score <= {n} or len(recipients) > {n}",
)
FACTS: Facts = {
    "client.ip": ip_address("192.0.2.7"),
    "client.helo": "mail.example.org",
    "sender.domain": "example.org",
    "spf.result": "fail",
    "recipients": ("alice@example.net",),
    "recipient.count": 1,
    "author.domain": "mail.example.org",
    "subject": "The minutes of our last meeting",
    "spam.score": 2.4,
    "spam.symbols": ("BAYES_50", "HTML_MESSAGE", "SPF_FAIL"),
}


def rules(count: int) -> RuleSet:
    tables = (
        f"[[rule]]\nid = 'r{n}'\nwhy = 'x'\nwhen = '''{CONDITIONS[n % len(CONDITIONS)].format(n=n)}'''\nscore = 0.1"
        for n in range(count)
    )
    with tempfile.TemporaryDirectory() as directory:
        return rule_set(Path(directory), "\n".join(tables))


def measure(effort: Effort) -> Iterator[Measured]:
    judged = rules(RULES)
    times = alternate(
        effort,
        judging=Task(calling(partial(decide, judged, (Stage.SCORED,), FACTS)), 500),
        loading=Task(calling(partial(rules, RULES)), 3),
    )
    hits = len(decide(judged, (Stage.SCORED,), FACTS).hits)
    yield Measured(name=f"{RULES} rules, of which {hits} match", unit="ms", values=times["judging"], goal=at_most(0.1))
    yield Measured(name=f"{RULES} rules, loaded", unit="ms", values=times["loading"])
