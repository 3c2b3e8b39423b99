"""Name servers that lie: whatever comes back, nothing is raised, and nothing is believed that does not answer."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.system.dns import Answer, DnsResolver, DnsSettings, Status

ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\x01\x2c\0\4\xcb\0\x71\7"  # of the name in the question: A 203.0.113.7
EVIL = b"\4evil\7example\0" + ADDRESS[2:]


def header(query: bytes, *, flags: bytes = b"\x81\x80", answers: int = 1) -> bytes:
    return query[:2] + flags + b"\0\1" + answers.to_bytes(2) + b"\0\0\0\0"


def question(query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 5
    return query[12:end]


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


async def ask(lie: Callable[[bytes], bytes], name: str) -> Answer:
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(lambda: Liar(lie), local_addr=("127.0.0.1", 0))
    port = server.get_extra_info("sockname")[1]
    resolver = DnsResolver(DnsSettings(servers=(f"127.0.0.1:{port}",), timeout=0.1, tries=1, deadline=2.0))
    try:
        return await resolver.query(name, "A")
    finally:
        await resolver.close()
        server.close()


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
