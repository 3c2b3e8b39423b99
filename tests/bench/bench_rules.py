"""What it costs to judge a message by 200 rules. Run it: python -m tests.bench.bench_rules"""

import tempfile
import time
import timeit
from ipaddress import ip_address
from pathlib import Path

from gateway.facts import Facts, Stage
from gateway.policy.decide import decide
from gateway.policy.rule import RuleSet
from tests.support.rulefacts import rule_set

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


def main() -> None:
    judged = rules(200)
    rounds = 500
    judging = timeit.Timer(lambda: decide(judged, Stage.SCORED, FACTS), timer=time.process_time)
    seconds = min(judging.repeat(number=rounds, repeat=7)) / rounds
    loading = min(timeit.repeat(lambda: rules(200), number=1, repeat=3))
    hits = len(decide(judged, Stage.SCORED, FACTS).hits)
    print(f"200 rules, {hits} hits: {seconds * 1e6:.0f} microseconds of CPU time a message")
    print(f"loaded in {loading * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
