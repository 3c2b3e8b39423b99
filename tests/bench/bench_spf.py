"""The SPF and reverse name checks, with all DNS in the cache."""

import asyncio
from collections.abc import Iterator
from functools import partial

import uvloop
from msgspec.structs import replace

from gateway.checks.iprev import IprevCheck
from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.system.dns import Answer
from tests.bench.measured import Measured, at_most
from tests.bench.timing import Effort, Task, alternate, awaiting, calling
from tests.support.dnstable import TableResolver
from tests.support.spfcase import spf_subject

ZONE = {
    ("one.example", "TXT"): [b"v=spf1 ip4:198.51.100.20 -all"],
    ("mx.example", "TXT"): [b"v=spf1 mx include:_spf.mx.example -all"],
    ("mx.example", "MX"): [(10, "mx1.mx.example"), (20, "mx2.mx.example")],
    ("mx1.mx.example", "A"): ["192.0.2.1"],
    ("mx2.mx.example", "A"): ["192.0.2.2"],
    ("_spf.mx.example", "TXT"): [b"v=spf1 ip4:198.51.100.0/24 ~all"],
    ("four.example", "TXT"): [b"v=spf1 " + b" ".join(b"include:_%d.four.example" % n for n in range(4)) + b" -all"],
    **{
        (f"_{n}.four.example", "TXT"): [
            b"v=spf1 " + b" ".join(b"ip4:203.0.%d.%d/31" % (n, last) for last in range(0, 24, 2)) + b" ~all"
        ]
        for n in range(3)
    },
    ("_3.four.example", "TXT"): [b"v=spf1 ip4:198.51.100.0/24 ~all"],
    ("client.example", "TXT"): [b"v=spf1 ip4:198.51.100.20 -all"],
    ("client.example", "A"): ["198.51.100.20"],
    ("20.100.51.198.in-addr.arpa", "PTR"): ["client.example"],
}
SENDERS = {"one ip4": "a@one.example", "mx and one include": "a@mx.example", "four includes": "a@four.example"}
GOALS = {"four includes": at_most(0.6)}  # milliseconds


class Changing(TableResolver):
    """Gives the same answers each time, and never the very same, so that nothing is concluded from an earlier one."""

    def cached(self, name: str, rrtype: str) -> Answer | None:
        answer = super().cached(name, rrtype)
        return replace(answer) if answer else None


def measure(effort: Effort) -> Iterator[Measured]:
    warm, changing = TableResolver(ZONE, warm=True), Changing(ZONE, warm=True)
    spf, known, iprev = (
        SpfCheck(SpfSettings(), resolver=changing),
        SpfCheck(SpfSettings(), resolver=warm),
        IprevCheck(warm),
    )
    subjects = {name: spf_subject("198.51.100.20", "client.example", sender) for name, sender in SENDERS.items()}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for subject in subjects.values():
            assert runner.run(spf(subject)) == spf.known(subject)
        tasks = {name: Task(calling(partial(spf.known, subject)), 1000) for name, subject in subjects.items()}
        bounce = spf_subject("198.51.100.20", "client.example", "")
        times = alternate(
            effort,
            **tasks,
            waited=Task(awaiting(runner, partial(spf, subjects["four includes"])), 1000),
            known=Task(calling(partial(known.known, subjects["four includes"])), 1000),
            iprev=Task(awaiting(runner, partial(iprev, bounce)), 1000),
        )
    for name in SENDERS:
        yield Measured(name=f"SPF, {name}, and HELO", unit="ms", values=times[name], goal=GOALS.get(name))
    yield Measured(name="SPF, four includes, and HELO, in a greenlet", unit="ms", values=times["waited"])
    yield Measured(name="SPF, four includes, and HELO: what is known of the client", unit="ms", values=times["known"])
    yield Measured(name="reverse name that is known", unit="ms", values=times["iprev"])
