"""Recipients who could fare differently are brought one after another: a sender who follows our replies reaches them
all, and nobody gets a message twice."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.delivery.endpoint import Protocol
from tests.support.downstream import Downstream
from tests.support.inside import Inside, serving
from tests.support.journeys import LETTER, SENDER

ALL = ("alice@example.org", "bob@lists.example.org", "carol@example.org", "dave@lists.example.org", "abuse@example.org")


async def bring_to_all(inside: Inside, recipients: tuple[str, ...]) -> list[int]:
    """Bring a letter as a mail server does: who is told to wait at RCPT is brought it in the next transaction. How many
    were reached by each transaction."""
    wire = await inside.greeted()
    reached: list[int] = []
    left = list(recipients)
    while left:
        assert len(reached) < len(recipients), f"never reached: {left}"
        assert (await wire.command(f"MAIL FROM:<{SENDER}>")).startswith("250 ")
        told = {recipient: await wire.command(f"RCPT TO:<{recipient}>") for recipient in left}
        left = [recipient for recipient, answer in told.items() if answer.startswith("452 4.5.3 ")]
        assert all(answer.startswith(("250 ", "452 4.5.3 ")) for answer in told.values()), told
        assert (await wire.command("DATA")).startswith("354 ")
        await wire.send(LETTER + b".\r\n")
        assert (await wire.reply()).startswith("250 ")
        reached.append(len(told) - len(left))
    wire.abort()
    return reached


def got(*servers: Downstream) -> Counter[str]:
    """How often each recipient got a message: those who were named last before each DATA."""
    taken: Counter[str] = Counter()
    for session in (session for server in servers for session in server.sessions):
        named: list[str] = []
        for command in session.commands:
            if command.startswith("RCPT TO:"):
                named.append(command[9:-1])
            elif command == "DATA":
                taken.update(named)
            if command == "DATA" or command.startswith(("MAIL", "RSET")):
                named = []
    return taken


@pytest.mark.parametrize("hold", [5.0, 0.0], ids=["held", "replayed"])
async def test_recipients_of_several_routes_each_get_one_message(hold: float, tmp_path: Path) -> None:
    async with Downstream() as mailboxes, Downstream() as lists:
        route = {"lists": {"hosts": [str(lists.endpoint)], "hold": hold}}
        domain = {"lists.example.org": {"route": "lists"}}
        one = {"hold": hold}
        async with serving(tmp_path, hosts=[mailboxes.endpoint], route=one, routes=route, domain=domain) as inside:
            assert await bring_to_all(inside, ALL) == [2, 2, 1]
    assert got(mailboxes, lists) == Counter(ALL)
    assert got(lists).keys() == {"bob@lists.example.org", "dave@lists.example.org"}


@pytest.mark.parametrize("why", ["lmtp", "unverified"])
async def test_where_each_may_fare_differently_each_comes_alone(why: str, tmp_path: Path) -> None:
    recipients = ("alice@example.org", "bob@example.org", "carol@example.org")
    protocol = Protocol.LMTP if why == "lmtp" else Protocol.SMTP
    domain = {"example.org": {"verify": False}} if why == "unverified" else {}
    async with (
        Downstream(protocol=protocol) as server,
        serving(tmp_path, hosts=[server.endpoint], domain=domain) as inside,
    ):
        assert await bring_to_all(inside, recipients) == [1, 1, 1]
    assert got(server) == Counter(recipients)


async def test_a_recipient_that_is_named_twice_gets_one_message(tmp_path: Path) -> None:
    async with serving(tmp_path) as inside:
        told = await inside.bring("alice@example.org", "Alice@example.org")
        assert [answer[:3] for answer in told] == ["250", "250", "250"]
    assert len(list((tmp_path / "mail").rglob("new/*"))) == 1
