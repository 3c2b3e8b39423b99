"""Name servers that lie: whatever comes back, nothing is raised, and nothing is believed that does not answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from random import Random
from typing import Any

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from gateway.system.dns import Answer, DnsResolver, DnsSettings, Status
from gateway.system.dnsrecords import MAX_ALIASES

ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\x01\x2c\0\4\xcb\0\x71\7"  # of the name in the question: A 203.0.113.7
EVIL = b"\4evil\7example\0" + ADDRESS[2:]


def header(query: bytes, *, flags: bytes = b"\x81\x80", answers: int = 1) -> bytes:
    return query[:2] + flags + b"\0\1" + answers.to_bytes(2) + b"\0\0\0\0"


def question(query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 5
    return query[12:end]


def following(query: bytes, *aliases: str) -> bytes:
    """An answer that leads over aliases to an address."""
    reply = dns.message.make_response(dns.message.from_wire(query))
    owner = reply.question[0].name
    for alias in aliases:
        reply.answer.append(dns.rrset.from_text(owner, 300, "IN", "CNAME", alias))
        owner = dns.name.from_text(alias)
    reply.answer.append(dns.rrset.from_text(owner, 300, "IN", "A", "203.0.113.7"))
    return reply.to_wire()


LIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing at all": lambda q: b"",
    "noise": lambda q: bytes(range(256)) * 4,
    "the question itself": lambda q: q,
    "a header alone": lambda q: header(q),
    "half an answer": lambda q: (header(q) + question(q) + ADDRESS)[:-7],
    "another id": lambda q: bytes([q[0] ^ 255]) + (header(q) + question(q) + ADDRESS)[1:],
    "another question": lambda q: header(q) + b"\4evil\7example\0\0\1\0\1" + ADDRESS,
    "no question": lambda q: header(q)[:4] + b"\0\0" + header(q)[6:] + EVIL,
    "another owner": lambda q: header(q) + question(q) + EVIL,
    "a name that points at itself": lambda q: (
        header(q) + question(q) + len(header(q) + question(q)).to_bytes(2) + b"\0"
    ),
    "a pointer to itself": lambda q: (
        header(q) + question(q) + (0xC000 + len(header(q) + question(q))).to_bytes(2) + ADDRESS[2:]
    ),
    "more answers than there are": lambda q: header(q, answers=65535) + question(q) + ADDRESS,
    "another class": lambda q: header(q) + question(q) + ADDRESS[:4] + b"\0\3" + ADDRESS[6:],
    "aliases in a circle": lambda q: following(q, "a.example.", "b.example.", "a.example."),
    "an alias of itself": lambda q: following(q, dns.message.from_wire(q).question[0].name.to_text()),
    "aliases without an end": lambda q: following(q, *(f"a{n}.example." for n in range(MAX_ALIASES + 1))),
    "refused with an answer": lambda q: header(q, flags=b"\x81\x85") + question(q) + ADDRESS,
    "failed with an answer": lambda q: header(q, flags=b"\x81\x82") + question(q) + ADDRESS,
    "an unknown code with an answer": lambda q: header(q, flags=b"\x81\x8f") + question(q) + ADDRESS,
}


class Liar(asyncio.DatagramProtocol):
    def __init__(self, lie: Callable[[bytes], bytes]) -> None:
        self._lie = lie

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._lie(data), addr)


@asynccontextmanager
async def lying(lie: Callable[[bytes], bytes]) -> AsyncIterator[DnsResolver]:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(lambda: Liar(lie), local_addr=("127.0.0.1", 0))
    port = server.get_extra_info("sockname")[1]
    resolver = DnsResolver(DnsSettings(servers=(f"127.0.0.1:{port}",), timeout=0.1, tries=1, deadline=2.0))
    try:
        yield resolver
    finally:
        await resolver.close()
        server.close()


async def ask(lie: Callable[[bytes], bytes], name: str) -> Answer:
    async with lying(lie) as resolver:
        return await resolver.query(name, "A")


@pytest.mark.parametrize("name", ["host.example", "odd!.example"])
@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
async def test_a_lie_is_not_believed(lie: Callable[[bytes], bytes], name: str) -> None:
    answer = await ask(lie, name)
    assert answer.records == ()
    assert answer.status is not Status.OK
    assert answer.status is not Status.NXDOMAIN


@pytest.mark.parametrize("name", ["host.example", "odd!.example"])
async def test_the_truth_is_believed(name: str) -> None:
    answer = await ask(lambda query: header(query) + question(query) + ADDRESS, name)
    assert answer.records == ("203.0.113.7",)
    answer = await ask(lambda query: following(query, *(f"a{n}.example." for n in range(MAX_ALIASES))), name)
    assert answer.records == ("203.0.113.7",)


RECORDS = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:db8::1"],
    "MX": ["10 mx1.example.org.", "20 ."],
    "PTR": ["host.example.org.", r"\000\255\..example.org."],
    "TXT": ['"v=spf1 -all" "more"', r'"\000\255"', '""'],
}


def damaged(query: bytes, chance: Random) -> bytes:
    """An answer with some octets changed, left out or repeated; its question is as asked, so that it is looked at."""
    reply = dns.message.make_response(dns.message.from_wire(query))
    asked = reply.question[0]
    rrtype = dns.rdatatype.to_text(asked.rdtype)
    reply.answer.append(dns.rrset.from_text(asked.name, 300, "IN", "CNAME", "alias.example."))
    reply.answer.append(dns.rrset.from_text("alias.example.", 300, "IN", rrtype, *RECORDS[rrtype]))
    wire = bytearray(reply.to_wire())
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(query), len(wire))
        wire[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    return bytes(wire)


def is_sound(rrtype: str, record: Any) -> bool:
    """Whether a record is what the checks are promised (gateway.system.dnscache.Answer)."""
    if rrtype == "TXT":
        return isinstance(record, bytes)
    if rrtype in ("A", "AAAA"):
        return ip_address(record).version == (4 if rrtype == "A" else 6)
    host = record[1] if rrtype == "MX" else record
    return isinstance(host, str) and host.isascii() and host.isprintable() and host == host.lower()


@pytest.mark.parametrize("name", ["n{}.example", "n!{}.example"])
async def test_damaged_answers_are_answers_all_the_same(name: str) -> None:
    chance = Random(7)
    answers: list[Answer] = []
    async with lying(lambda query: damaged(query, chance)) as resolver:
        for number in range(150):
            found = await asyncio.gather(*(resolver.query(name.format(number), rrtype) for rrtype in RECORDS))
            for rrtype, answer in zip(RECORDS, found, strict=True):
                assert (answer.status is Status.OK) is bool(answer.records)
                assert all(is_sound(rrtype, record) for record in answer.records), answer
            answers += found
    assert {Status.OK, Status.SERVFAIL} <= {answer.status for answer in answers}
