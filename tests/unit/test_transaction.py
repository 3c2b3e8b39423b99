"""A transaction knows which recipients go together, and keeps one delivery at a time."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.checks.ahead import Ahead
from gateway.checks.base import Subject
from gateway.checks.run import Wave
from gateway.envelope import Recipient, parse_forward_path
from gateway.transaction import Transaction
from tests.support.checking import ScriptedCheck
from tests.support.deliveries import CONNECTION, envelope
from tests.support.waiting import until


class Hop:
    """A next hop that counts."""

    def __init__(self, *, shares: bool = True) -> None:
        self.name = "hop"
        self.shares_transactions = shares
        self.opened: list[str] = []
        self.closed = 0

    def open(self, connection: object, envelope: object, client_name: str) -> "Hop":
        self.opened.append(client_name)
        return self

    async def close(self) -> None:
        self.closed += 1


def recipient(path: str) -> Recipient:
    return Recipient(parse_forward_path(f"<{path}>"))


def asked(*checks: ScriptedCheck) -> Ahead:
    return Ahead(Wave(checks, 60.0), Subject(connection=CONNECTION, envelope=envelope()))


async def begun() -> Transaction:
    return Transaction(envelope(), began=1.0, sender_checks=asked())


async def with_one(hop: Hop, path: str = "a@example.org") -> Transaction:
    """A transaction in which one recipient was accepted."""
    transaction = await begun()
    await transaction.towards(hop, CONNECTION, "", "")  # type: ignore[arg-type]
    transaction.envelope = transaction.with_recipient(recipient(path))
    return transaction


async def test_a_recipient_is_added_to_a_new_envelope() -> None:
    transaction = await begun()
    added = transaction.with_recipient(recipient("a@example.org"))
    assert transaction.envelope.recipients == ()
    assert added == replace(transaction.envelope, recipients=(recipient("a@example.org"),))


async def test_the_first_recipient_suits_everywhere() -> None:
    assert (await begun()).suits(Hop(shares=False), recipient("a@example.org"), "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "suits"),
    [
        ("a@example.org", "b@example.org", True),
        ("a@example.org", "abuse@example.org", False),
        ("postmaster", "a@example.org", False),
        ("postmaster", "abuse@example.org", True),
    ],
)
async def test_role_accounts_go_together_alone(first: str, second: str, suits: bool) -> None:
    hop = Hop()
    transaction = await with_one(hop, first)
    assert transaction.suits(hop, recipient(second), "") is suits  # type: ignore[arg-type]


async def test_another_hop_or_one_that_answers_for_each_does_not_suit() -> None:
    transaction = await with_one(Hop())
    assert not transaction.suits(Hop(), recipient("b@example.org"), "")  # type: ignore[arg-type]
    single = Hop(shares=False)
    assert not (await with_one(single)).suits(single, recipient("b@example.org"), "")  # type: ignore[arg-type]


async def test_recipients_of_one_profile_go_together_alone() -> None:
    hop, transaction = Hop(), await begun()
    await transaction.towards(hop, CONNECTION, "", "strict")  # type: ignore[arg-type]
    transaction.envelope = transaction.with_recipient(recipient("a@example.org"))
    assert transaction.suits(hop, recipient("b@example.org"), "strict")  # type: ignore[arg-type]
    assert not transaction.suits(hop, recipient("b@example.org"), "")  # type: ignore[arg-type]


async def test_one_delivery_serves_all_recipients_of_a_hop() -> None:
    hop, transaction = Hop(), await begun()
    first = await transaction.towards(hop, CONNECTION, "mail.example.com", "")  # type: ignore[arg-type]
    assert await transaction.towards(hop, CONNECTION, "mail.example.com", "") is first  # type: ignore[arg-type]
    assert (hop.opened, hop.closed) == (["mail.example.com"], 0)


async def test_a_delivery_to_another_hop_closes_the_one_before() -> None:
    one, other, transaction = Hop(), Hop(), await begun()
    for hop in (one, other, one):
        await transaction.towards(hop, CONNECTION, "", "")  # type: ignore[arg-type]
    assert (len(one.opened), one.closed) == (2, 1)
    assert (len(other.opened), other.closed) == (1, 1)


async def test_closing_ends_the_lookups_and_closes_once() -> None:
    hop = Hop()
    transaction = await with_one(hop)
    slow = ScriptedCheck("spf", gate=asyncio.Event())
    transaction.sender_checks = asked(slow)
    await until(lambda: bool(slow.asked))
    await transaction.close()
    await transaction.close()
    assert hop.closed == 1
    await until(lambda: slow.cancelled == 1)
