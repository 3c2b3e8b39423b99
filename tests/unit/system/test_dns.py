"""The resolver, asking a real DNS server on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.system.dns import Answer, DnsResolver, DnsSettings, Status
from gateway.system.dnschannel import Channel
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import TTL, Table
from tests.support.loops import on_both_loops
from tests.support.waiting import until

LONG = b"v=spf1 " + b"x" * 600
ZONE: Table = {
    ("host.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("host.example", "AAAA"): ["2001:db8::1"],
    ("host.example", "MX"): [(10, "MX1.Host.Example"), (20, "mx2.host.example")],
    ("host.example", "TXT"): [LONG, b"\xff\x00 octets"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["Host.Example"],
    ("alias.example", "CNAME"): ["other.example"],
    ("other.example", "CNAME"): ["host.example"],
    ("nowhere.example", "CNAME"): ["missing.example"],
    ("loop.example", "CNAME"): ["back.example"],
    ("back.example", "CNAME"): ["loop.example"],
    ("broken.example", "A"): Status.SERVFAIL,
    ("silent.example", "A"): Status.TIMEOUT,
    ("user+tag=x@y z\\.u.example", "A"): ["192.0.2.3"],
    ("odd!.example", "CNAME"): ["host.example"],
    ("bad!.example", "A"): Status.SERVFAIL,
    ("mute!.example", "A"): Status.TIMEOUT,
}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def resolving(
    server: DnsServer, clock: Callable[[], float] | None = None, **settings: Any
) -> AsyncIterator[DnsResolver]:
    limits = {"servers": (server.address,), "timeout": 0.2, "tries": 1} | settings
    resolver = DnsResolver(DnsSettings(**limits), clock=clock or Clock())
    try:
        yield resolver
    finally:
        await resolver.close()


async def ask(name: str, rrtype: str) -> Answer:
    async with DnsServer(ZONE) as server, resolving(server) as resolver:
        return await resolver.query(name, rrtype)


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        ("host.example", "A", {"192.0.2.1", "192.0.2.2"}),
        ("host.example", "AAAA", {"2001:db8::1"}),
        ("host.example", "MX", {(10, "mx1.host.example"), (20, "mx2.host.example")}),
        ("host.example", "TXT", {LONG, b"\xff\x00 octets"}),
        ("1.2.0.192.in-addr.arpa", "PTR", {"host.example"}),
        ("HOST.Example.", "AAAA", {"2001:db8::1"}),
        ("alias.example", "AAAA", {"2001:db8::1"}),
        ("user+tag=x@y z\\.u.example", "A", {"192.0.2.3"}),
        ("odd!.example", "AAAA", {"2001:db8::1"}),
    ],
)
@on_both_loops
async def test_records_of_each_type_are_found(name: str, rrtype: str, records: set[Any]) -> None:
    answer = await ask(name, rrtype)
    assert (answer.status, set(answer.records), answer.ttl) == (Status.OK, records, TTL)


@pytest.mark.parametrize(
    ("name", "rrtype", "status"),
    [
        ("missing.example", "A", Status.NXDOMAIN),
        ("nowhere.example", "A", Status.NXDOMAIN),
        ("host.example", "PTR", Status.NODATA),
        ("alias.example", "PTR", Status.NODATA),
        ("example", "A", Status.NODATA),
        ("broken.example", "A", Status.SERVFAIL),
        ("loop.example", "A", Status.SERVFAIL),
        ("silent.example", "A", Status.TIMEOUT),
        ("missing!.example", "A", Status.NXDOMAIN),
        ("odd!.example", "PTR", Status.NODATA),
        ("bad!.example", "A", Status.SERVFAIL),
        ("mute!.example", "A", Status.TIMEOUT),
    ],
)
@on_both_loops
async def test_failures_are_told_apart(name: str, rrtype: str, status: Status) -> None:
    answer = await ask(name, rrtype)
    assert (answer.status, answer.records) == (status, ())
    assert answer.is_temporary == (status in (Status.SERVFAIL, Status.TIMEOUT))


async def test_a_server_that_is_not_there_gives_no_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    resolver = DnsResolver(DnsSettings(servers=(f"127.0.0.1:{port}",), timeout=0.2, tries=1))
    assert (await resolver.query("host.example", "A")).status is Status.TIMEOUT
    await resolver.close()


@pytest.mark.parametrize("name", ["host.example", "odd!.example"])
@on_both_loops
async def test_a_truncated_answer_is_fetched_over_tcp(name: str) -> None:
    async with DnsServer(ZONE, truncated=[name]) as server, resolving(server) as resolver:
        answer = await resolver.query(name, "A")
        assert len(answer.records) == 2
        assert [transport for _, _, transport in server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a..example",
        ".example",
        "x" * 64 + ".example",
        "a." * 126 + "ab",
        "nul\0.example",
        "tab\t.example",
        "line\n.example",
        "bücher.example",
    ],
)
async def test_a_name_that_dns_cannot_hold_is_never_asked_for(name: str) -> None:
    async with DnsServer(ZONE) as server, resolving(server) as resolver:
        answer = await resolver.query(name, "A")
        assert answer.status is Status.NXDOMAIN
        assert resolver.cached(name, "A") is answer
        assert server.asked == []


async def test_the_longest_name_is_asked_for() -> None:
    name = "a." * 126 + "a"
    async with DnsServer({(name, "A"): ["192.0.2.1"]}) as server, resolving(server) as resolver:
        assert (await resolver.query(name, "A")).records == ("192.0.2.1",)


async def test_many_who_ask_at_once_share_one_lookup() -> None:
    async with DnsServer(ZONE, delays={"host.example": 0.05}) as server, resolving(server) as resolver:
        answers = await asyncio.gather(*(resolver.query(name, "A") for name in ["host.example", "HOST.example"] * 50))
        assert {answer.status for answer in answers} == {Status.OK}
        assert len(server.asked) == 1


async def test_one_who_gives_up_does_not_end_the_lookup_of_others() -> None:
    async with DnsServer(ZONE, delays={"host.example": 0.05}) as server, resolving(server) as resolver:
        first, second = (asyncio.create_task(resolver.query("host.example", "A")) for _ in range(2))
        await until(lambda: bool(server.asked))
        first.cancel()
        assert (await second).status is Status.OK
        assert first.cancelled()
        assert len(server.asked) == 1


async def test_the_answer_to_one_who_gave_up_is_kept() -> None:
    async with DnsServer(ZONE, delays={"host.example": 0.05}) as server, resolving(server) as resolver:
        only = asyncio.create_task(resolver.query("host.example", "A"))
        await until(lambda: bool(server.asked))
        only.cancel()
        await until(lambda: resolver.cached("host.example", "A") is not None)


KEPT = [
    ("host.example", 300, {}, 300),
    ("host.example", 0, {"min_ttl": 5}, 5),
    ("host.example", 90_000, {"max_ttl": 3600}, 3600),
    ("missing.example", 300, {"negative_ttl": 60}, 60),
    ("broken.example", 300, {"failure_ttl": 5}, 5),
    ("silent.example", 300, {"failure_ttl": 5}, 5),
]


@pytest.mark.parametrize(("name", "ttl", "settings", "kept"), KEPT)
async def test_an_answer_is_kept_for_its_time_and_no_longer(
    name: str, ttl: int, settings: dict[str, float], kept: float
) -> None:
    clock = Clock()
    async with DnsServer(ZONE, ttl=ttl) as server, resolving(server, clock, **settings) as resolver:
        assert resolver.cached(name, "A") is None
        answer = await resolver.query(name, "A")
        asked = len(server.asked)
        clock.now += kept - 0.5
        assert resolver.cached(name.upper() + ".", "A") is answer
        assert await resolver.query(name, "A") is answer
        assert len(server.asked) == asked
        clock.now += 1
        assert resolver.cached(name, "A") is None


async def test_the_deadline_ends_a_lookup_whatever_its_tries() -> None:
    loop = asyncio.get_running_loop()
    async with DnsServer(ZONE) as server, resolving(server, timeout=5, tries=5, deadline=0.1) as resolver:
        began = loop.time()
        assert (await resolver.query("silent.example", "A")).status is Status.TIMEOUT
        assert loop.time() - began < 2


async def test_lookups_at_once_are_bounded() -> None:
    async with DnsServer(ZONE) as server, resolving(server, concurrency=1, timeout=30, deadline=30) as resolver:
        names = ("silent.example", "host.example")
        waiting = [asyncio.create_task(resolver.query(name, "A")) for name in names]
        await until(lambda: bool(server.asked))
        await asyncio.wait(waiting, timeout=0.1)
        assert server.asked == [("silent.example", "A", "udp")]
        await resolver.close()
        assert [(await one).status for one in waiting] == [Status.TIMEOUT, Status.TIMEOUT]


@pytest.mark.parametrize("name", ["silent.example", "mute!.example"])
@on_both_loops
async def test_closing_ends_the_lookups_under_way(name: str) -> None:
    async with DnsServer(ZONE) as server, resolving(server, timeout=30, deadline=30) as resolver:
        waiting = asyncio.create_task(resolver.query(name, "A"))
        await until(lambda: bool(server.asked))
        async with asyncio.timeout(5):
            await resolver.close()
        assert (await waiting).status is Status.TIMEOUT
        assert (await resolver.query("host.example", "A")).status is Status.TIMEOUT


async def test_lookups_go_on_while_the_library_is_replaced() -> None:
    names = [f"n{number}.example" for number in range(50)]
    table = {(name, "A"): ["192.0.2.1"] for name in names}
    async with DnsServer(table, delays={names[0]: 0.1}) as server:
        channel = Channel((server.address,), timeout=2, tries=1, max_kept=4000)
        answers = await asyncio.gather(*(channel.ask((name, "A")) for name in names))
        answers += [await channel.ask((name, "A")) for name in names]
        channel.close()
    assert {answer.status for answer in answers} == {Status.OK}


@pytest.mark.parametrize("name", ["host.example", "odd!.example"])
async def test_the_servers_of_the_system_are_those_that_its_file_names_at_the_time(name: str, tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    async with DnsServer(ZONE) as one, DnsServer(ZONE) as other:
        file.write_text(_naming(one))
        channel = Channel((), timeout=2, tries=1, resolv_conf=str(file))
        for server in (one, other):
            file.write_text(_naming(server))
            assert (await channel.ask((name, "A"))).status is Status.OK
        channel.close()
        assert (len(one.asked), len(other.asked)) == (1, 1)


def _naming(server: DnsServer) -> str:
    address, _, port = server.address.rpartition(":")
    return f"nameserver [{address}]:{port}\n"


@pytest.mark.parametrize("server", ["127.0.0.1", "127.0.0.1:53", "::1", "[::1]:5353"])
def test_a_server_is_an_address_with_or_without_a_port(server: str) -> None:
    assert DnsSettings(servers=[server]).servers == (server,)


@pytest.mark.parametrize("server", ["", "localhost", "ns.example:53", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999"])
def test_any_other_server_is_refused(server: str) -> None:
    with pytest.raises(ValidationError, match=r"ADDRESS:PORT|no port"):
        DnsSettings(servers=[server])
