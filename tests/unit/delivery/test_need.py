import asyncio
from collections.abc import Iterator

import pytest

from gateway.delivery.answer import Answer
from gateway.delivery.capabilities import Capabilities
from gateway.delivery.commands import Wording
from gateway.delivery.need import BREATH, needed
from gateway.envelope import BodyType
from gateway.message import Message, Stamped
from tests.support.deliveries import Octets, envelope, stamped

NOTHING = Capabilities.of(Answer(code=250, lines=("mail.example.org",)))
EIGHT_BIT = Capabilities.of(Answer(code=250, lines=("mail.example.org", "8BITMIME")))


class Unreadable(Octets):
    """It has octets, but whoever reads beyond them fails."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield from super().chunks(start)
        raise AssertionError("this was not to be read")


def of(content: Octets) -> Stamped:
    return Stamped(header=b"", message=Message((), content, header_size=0))


@pytest.mark.parametrize("offered", [NOTHING, EIGHT_BIT])
@pytest.mark.parametrize(
    ("header", "body", "smtputf8", "expected"),
    [
        (b"", b"Subject: x\r\n\r\ntext\r\n", False, Wording.SEVEN_BIT),
        (b"", b"Subject: x\r\n\r\n\xfc\r\n", False, Wording.EIGHT_BIT),
        (b"", b"Subject: x\r\n\r\n\xfc\r\n", True, Wording.EIGHT_BIT),
        (b"", b"Subject: \xc3\xbc\r\n\r\nx\r\n", True, Wording.UTF8),
        (b"", b"Subject: \xfc\r\n\r\nx\r\n", False, Wording.EIGHT_BIT),
    ],
)
async def test_the_octets_decide_what_a_message_needs(
    header: bytes, body: bytes, smtputf8: bool, expected: Wording, offered: Capabilities
) -> None:
    sent = envelope("bob@example.org", smtputf8=smtputf8)
    assert await needed(sent, stamped(body, header=header), offered) is expected


@pytest.mark.parametrize("declared", [{"smtputf8": True}, {"body": BodyType.EIGHT_BIT}])
async def test_a_declaration_that_the_octets_do_not_bear_out_asks_nothing_of_a_next_hop(
    declared: dict[str, object],
) -> None:
    sent = envelope("bob@example.org", **declared)
    assert await needed(sent, stamped(b"Subject: x\r\n\r\ntext\r\n"), NOTHING) is Wording.SEVEN_BIT


async def test_octets_that_make_no_difference_are_not_read() -> None:
    sent = envelope("bob@example.org", body=BodyType.EIGHT_BIT)
    assert await needed(sent, of(Unreadable(b"")), EIGHT_BIT) is Wording.EIGHT_BIT


async def test_reading_ends_at_the_first_octet_that_decides() -> None:
    assert await needed(envelope("bob@example.org"), of(Unreadable(b"\xfc")), NOTHING) is Wording.EIGHT_BIT


async def test_a_large_message_lets_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await needed(envelope("bob@example.org"), of(Octets(bytes(3 * BREATH))), NOTHING)
    task.cancel()
    assert turns >= 3
