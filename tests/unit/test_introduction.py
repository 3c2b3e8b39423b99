"""The PROXY header is read from the socket, however it comes, and what is behind it is left there."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from gateway.smtp import introduction
from gateway.smtp.introduction import Introductions
from gateway.smtp.proxyheader import Flaw, Own, Relayed
from tests.support.balancer import LOCAL, UNKNOWN, relayed, version_1, version_2
from tests.support.loops import on_both_loops

LONG = 60.0  # seconds
OVER_IPV6 = relayed("2001:db8::9", server="2001:db8::1")
BEHIND = b"\x16\x03\x01 or EHLO\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


Pair = tuple[socket.socket, socket.socket]


async def hear(near: socket.socket, seconds: float = LONG) -> Relayed | Own | Flaw:
    return await Introductions(seconds).hear(near)


@pytest.mark.parametrize(
    ("header", "connection"),
    [
        (version_1(), relayed()),
        (version_2(), relayed()),
        (version_2(OVER_IPV6, b"\x04\x00\x02xy"), OVER_IPV6),
        (LOCAL, Own.OWN),
        (UNKNOWN, Own.OWN),
    ],
)  # fmt: skip
@on_both_loops
async def test_header_in_any_pieces_and_not_an_octet_more(header: bytes, connection: Relayed | Own, pair: Pair) -> None:
    near, far = pair
    for cut in range(len(header)):
        hearing = asyncio.create_task(hear(near))
        far.sendall(header[:cut])
        for _ in range(3):
            await asyncio.sleep(0)
        assert not hearing.done()
        far.sendall(header[cut:] + BEHIND)
        assert await hearing == connection
        assert near.recv(100) == BEHIND


@on_both_loops
async def test_header_octet_by_octet(pair: Pair) -> None:
    near, far = pair
    for header in (version_1(), version_2()):
        hearing = asyncio.create_task(hear(near))
        for octet in header:
            assert not hearing.done()
            far.sendall(bytes((octet,)))
            await asyncio.sleep(0)
        assert await hearing == relayed()


@pytest.mark.parametrize(
    ("octets", "flaw"),
    [(b"", Flaw.ENDED), (version_1()[:-1], Flaw.ENDED), (version_2()[:20], Flaw.ENDED), (b"QUIT\r\n", Flaw.NO_HEADER)],
)
@on_both_loops
async def test_end_of_the_connection_and_other_words(octets: bytes, flaw: Flaw, pair: Pair) -> None:
    near, far = pair
    hearing = asyncio.create_task(hear(near))
    far.sendall(octets)
    await asyncio.sleep(0)
    far.shutdown(socket.SHUT_WR)
    assert await hearing is flaw


@on_both_loops
async def test_header_that_drips_is_late(pair: Pair) -> None:
    """What has come of it is taken: else the loop would be told of it again and again."""
    near, far = pair
    far.sendall(version_1()[:10])
    hearing = asyncio.create_task(hear(near, 0.2))
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        near.recv(1)
    assert await hearing is Flaw.LATE
    assert not asyncio.get_running_loop().remove_reader(near)


@on_both_loops
async def test_as_many_are_awaited_as_there_is_room_for() -> None:
    introductions, pairs = Introductions(LONG), [socket.socketpair() for _ in range(introduction.MOST + 1)]
    for near, _ in pairs:
        near.setblocking(False)
    hearing = [asyncio.create_task(introductions.hear(near)) for near, _ in pairs]
    assert await hearing[-1] is Flaw.CROWDED
    for _, far in pairs[:-1]:
        far.sendall(LOCAL)
    assert {await one for one in hearing[:-1]} == {Own.OWN}
    last, far = pairs[-1]
    far.sendall(version_2())
    assert await introductions.hear(last) == relayed()
    for near, far in pairs:
        near.close()
        far.close()
