"""Microseconds that DNS, SPF and iprev take: python -m tests.bench.bench_spf"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import uvloop

from gateway.checks.iprev import IprevCheck
from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.system.dns import DnsResolver, DnsSettings
from tests.support.dnsserver import DnsServer
from tests.support.spfcase import spf_subject

ZONE = {
    ("d.example", "TXT"): [b"v=spf1 mx include:_spf.d.example -all"],
    ("d.example", "MX"): [(10, "mx1.d.example"), (20, "mx2.d.example")],
    ("mx1.d.example", "A"): ["192.0.2.1"],
    ("mx2.d.example", "A"): ["192.0.2.2"],
    ("_spf.d.example", "TXT"): [
        b"v=spf1 " + b" ".join(b"ip4:198.51.100.%d/31" % n for n in range(0, 24, 2)) + b" ~all"
    ],
    ("one.example", "TXT"): [b"v=spf1 ip4:198.51.100.20 -all"],
    ("mail.d.example", "A"): ["198.51.100.20"],
    ("20.100.51.198.in-addr.arpa", "PTR"): ["mail.d.example"],
}
ROUNDS = 5


async def best(what: str, call: Callable[[], Awaitable[object]], times: int) -> None:
    """Print the best mean of some rounds: the others were disturbed."""
    means = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(times):
            await call()
        means.append((time.perf_counter() - started) / times)
    print(f"{min(means) * 1e6:9.2f}  {what}")


async def main() -> None:
    async with DnsServer(ZONE) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,)))
        forgetful = DnsResolver(DnsSettings(servers=(server.address,), cache_size=0))
        names = iter(range(10**9))
        spf = SpfCheck(SpfSettings(), resolver=resolver)
        iprev = IprevCheck(resolver)

        async def peek() -> object:
            return resolver.cached("d.example", "TXT")

        await best("a cached answer, peeked at", peek, 20000)
        await best("a cached answer, awaited", lambda: resolver.query("d.example", "TXT"), 20000)
        await best(
            "a new question, with the work of the test's own server",
            lambda: forgetful.query(f"n{next(names)}.d.example", "A"),
            500,
        )
        for sender in ("a@one.example", "a@d.example"):
            subject = spf_subject("198.51.100.20", "mail.d.example", sender)
            await best(f"the SPF check of {sender}, all cached, with HELO", lambda s=subject: spf(s), 2000)
        bounce = spf_subject("198.51.100.20", "d.example", "")
        await best("the SPF check of <> at d.example, all cached", lambda: spf(bounce), 2000)
        await best("the iprev check, all cached", lambda: iprev(bounce), 2000)
        await resolver.close()
        await forgetful.close()


if __name__ == "__main__":
    for loop in (asyncio, uvloop):
        print(loop.__name__)
        loop.run(main())
