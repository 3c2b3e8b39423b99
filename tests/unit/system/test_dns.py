"""The resolver against a real DNS server on loopback: every way a lookup can end is told apart, and asked for once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.system.dns import Answer, DnsResolver, DnsSettings, Status, is_name
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Table
from tests.support.loops import on_both_loops

TRY = 0.1  # seconds until a lookup is given up, where the server is silent
LONG_TXT = b"v=spf1 " + b"ip4:192.0.2.1 " * 300 + b"-all"

ZONE: Table = {
    ("example.org", "A"): ["192.0.2.1", "192.0.2.2"],
    ("example.org", "AAAA"): ["2001:db8::1"],
    ("example.org", "MX"): [(20, "MX2.example.org"), (10, "mx1.example.org")],
    ("example.org", "TXT"): [b"v=spf1 -all", b"\xff\x00 octets", b"x" * 600],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["Mail.Example.org"],
    ("long.example.org", "TXT"): [LONG_TXT],
    ("alias.example.org", "CNAME"): ["other.example.org"],
    ("other.example.org", "CNAME"): ["example.org"],
    ("dangling.example.org", "CNAME"): ["nowhere.example.org"],
    ("loop-a.example.org", "CNAME"): ["loop-b.example.org"],
    ("loop-b.example.org", "CNAME"): ["loop-a.example.org"],
    ("broken.example.org", "A"): Status.SERVFAIL,
    ("silent.example.org", "A"): Status.TIMEOUT,
    ("a b!%{d}/\\.example.org", "A"): ["192.0.2.3"],
    ("silent!.example.org", "A"): Status.TIMEOUT,
    ("broken!.example.org", "A"): Status.SERVFAIL,
}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def serving(
    *, truncated: Sequence[str] = (), delay: float | None = None, ttl: int = 300, clock: Clock | None = None, **keys: Any
) -> AsyncIterator[tuple[DnsResolver, DnsServer]]:
    delays = {} if delay is None else {"example.org": delay}
    async with DnsServer(ZONE, truncated=truncated, delays=delays, ttl=ttl) as server:
        settings = DnsSettings(**{"servers": (server.address,), "timeout": TRY, "tries": 1, **keys})
        resolver = DnsResolver(settings, clock=clock or Clock())
        try:
            yield resolver, server
        finally:
            await resolver.close()


async def ask(name: str, rrtype: str, **options: Any) -> Answer:
    async with serving(**options) as (resolver, _):
        return await resolver.query(name, rrtype)


RECORDS = [
    ("example.org", "A", {"192.0.2.1", "192.0.2.2"}),
    ("example.org", "AAAA", {"2001:db8::1"}),
    ("example.org", "MX", {(10, "mx1.example.org"), (20, "mx2.example.org")}),
    ("example.org", "TXT", {b"v=spf1 -all", b"\xff\x00 octets", b"x" * 600}),
    ("1.2.0.192.in-addr.arpa", "PTR", {"mail.example.org"}),
    ("EXAMPLE.ORG.", "AAAA", {"2001:db8::1"}),
    ("alias.example.org", "A", {"192.0.2.1", "192.0.2.2"}),
    ("a b!%{d}/\\.example.org", "A", {"192.0.2.3"}),
]


@pytest.mark.parametrize(("name", "rrtype", "records"), RECORDS)
@on_both_loops
async def test_records_have_the_form_of_their_type(name: str, rrtype: str, records: set[Any]) -> None:
    answer = await ask(name, rrtype)
    assert (answer.status, set(answer.records)) == (Status.OK, records)


OUTCOMES = [
    ("nowhere.example.org", "A", Status.NXDOMAIN),
    ("nowhere!.example.org", "A", Status.NXDOMAIN),
    ("example.org", "PTR", Status.NODATA),
    ("mx1.example.org", "TXT", Status.NXDOMAIN),
    ("dangling.example.org", "A", Status.NXDOMAIN),
    ("broken.example.org", "A", Status.SERVFAIL),
    ("broken!.example.org", "A", Status.SERVFAIL),
    ("loop-a.example.org", "A", Status.SERVFAIL),
    ("silent.example.org", "A", Status.TIMEOUT),
    ("silent!.example.org", "A", Status.TIMEOUT),
]


@pytest.mark.parametrize(("name", "rrtype", "status"), OUTCOMES)
@on_both_loops
async def test_failures_are_told_apart(name: str, rrtype: str, status: Status) -> None:
    answer = await ask(name, rrtype)
    assert (answer.status, answer.records) == (status, ())
    assert answer.is_temporary is (status in (Status.SERVFAIL, Status.TIMEOUT))


async def test_a_server_that_is_not_there_is_a_temporary_failure() -> None:
    async with DnsServer(ZONE) as server:
        address = server.address
    resolver = DnsResolver(DnsSettings(servers=(address,), timeout=TRY, tries=1))
    assert (await resolver.query("example.org", "A")).is_temporary
    await resolver.close()


@on_both_loops
async def test_a_truncated_answer_is_fetched_by_tcp() -> None:
    async with serving(truncated=["example.org"]) as (resolver, server):
        assert (await resolver.query("example.org", "AAAA")).records == ("2001:db8::1",)
    assert [transport for _, _, transport in server.asked] == ["udp", "tcp"]


@on_both_loops
async def test_an_answer_too_large_for_a_packet_is_fetched_by_tcp() -> None:
    async with serving() as (resolver, server):
        assert (await resolver.query("long.example.org", "TXT")).records == (LONG_TXT,)
    assert server.asked[-1][2] == "tcp"


@on_both_loops
async def test_one_question_is_asked_once_however_many_wait_for_it() -> None:
    async with serving(delay=TRY / 4) as (resolver, server):
        answers = await asyncio.gather(*(resolver.query("example.org", "A") for _ in range(50)))
    assert len(set(answers)) == 1
    assert len(server.asked) == 1


@on_both_loops
async def test_who_stops_waiting_takes_the_answer_from_nobody() -> None:
    async with serving(delay=TRY / 4) as (resolver, _):
        impatient, patient = (asyncio.create_task(resolver.query("example.org", "A")) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).status is Status.OK
        assert impatient.cancelled()


TTLS = [  # seconds of the record, and how long it is kept
    (0, 5),
    (60, 60),
    (100_000, 3600),
]


@pytest.mark.parametrize(("ttl", "kept"), TTLS)
async def test_an_answer_is_kept_for_its_ttl_within_bounds(ttl: int, kept: int) -> None:
    clock = Clock()
    async with serving(ttl=ttl, clock=clock) as (resolver, _):
        assert resolver.cached("example.org", "A") is None
        answer = await resolver.query("example.org", "A")
        assert answer.ttl == kept
        clock.now += kept - 1
        assert resolver.cached("EXAMPLE.org.", "A") is answer
        clock.now += 1
        assert resolver.cached("example.org", "A") is None


FAILURES = [("nowhere.example.org", 60), ("broken.example.org", 5), ("silent.example.org", 5)]


@pytest.mark.parametrize(("name", "kept"), FAILURES)
async def test_a_failure_is_kept_too_and_not_for_long(name: str, kept: int) -> None:
    clock = Clock()
    async with serving(clock=clock) as (resolver, server):
        failure = await resolver.query(name, "A")
        asked = len(server.asked)
        clock.now += kept - 1
        assert await resolver.query(name, "A") is failure
        assert len(server.asked) == asked
        clock.now += 1
        assert resolver.cached(name, "A") is None


async def test_the_cache_has_room_for_as_many_answers_as_configured() -> None:
    async with serving(cache_size=2) as (resolver, _):
        for rrtype in ("A", "AAAA", "MX"):
            await resolver.query("example.org", rrtype)
        assert resolver.cached("example.org", "A") is None
        assert resolver.cached("example.org", "MX") is not None


async def test_an_answer_of_another_type_is_not_taken() -> None:
    async with serving() as (resolver, _):
        await resolver.query("example.org", "A")
        assert resolver.cached("example.org", "TXT") is None


IMPOSSIBLE = ["", ".", "a..b", ".a", "x" * 64 + ".org", "x." * 127 + "org", "exa\0mple.org", "b\xfccher.example", "a\nb.org"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
async def test_a_name_that_dns_cannot_hold_is_not_asked_for(name: str) -> None:
    async with serving() as (resolver, server):
        assert (await resolver.query(name, "A")).status is Status.NXDOMAIN
    assert server.asked == []


def test_the_longest_name_has_253_characters() -> None:
    longest = "x." * 125 + "org"
    assert len(longest) == 253
    assert is_name(longest)
    assert not is_name(f"x{longest}")


@on_both_loops
async def test_a_lookup_is_given_up_at_its_deadline() -> None:
    loop = asyncio.get_running_loop()
    for name in ("silent.example.org", "silent!.example.org"):
        began = loop.time()
        assert (await ask(name, "A", timeout=30, deadline=TRY)).status is Status.TIMEOUT
        assert loop.time() - began < 5


@on_both_loops
async def test_closing_answers_who_still_waits() -> None:
    loop = asyncio.get_running_loop()
    for name in ("silent.example.org", "silent!.example.org"):
        async with serving(timeout=30, deadline=30) as (resolver, server):
            waiting = asyncio.create_task(resolver.query(name, "A"))
            while not server.asked:
                await asyncio.sleep(0.001)
            began = loop.time()
            await resolver.close()
            assert (await waiting).status is Status.TIMEOUT
            assert loop.time() - began < 5
            assert (await resolver.query("example.org", "A")).status is Status.TIMEOUT


async def test_lookups_beyond_the_limit_take_turns() -> None:
    async with serving(delay=TRY / 10, concurrency=1) as (resolver, _):
        answers = await asyncio.gather(*(resolver.query("example.org", rrtype) for rrtype in ("A", "AAAA", "MX", "TXT")))
    assert [answer.status for answer in answers] == [Status.OK] * 4


SERVERS = ["192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::1"]
NO_SERVERS = ["ns.example.org", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[2001:db8::1]", "192.0.2.1:53:53", ""]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_is_an_address_with_or_without_a_port(server: str) -> None:
    assert DnsSettings(servers=(server,)).servers == (server,)


@pytest.mark.parametrize("server", NO_SERVERS)
def test_what_is_no_address_is_no_server(server: str) -> None:
    with pytest.raises(ValidationError):
        DnsSettings(servers=(server,))
