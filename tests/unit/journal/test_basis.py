"""What a journey notes for the journal: the facts as rules saw them, and how far they reach."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.facts import Stage
from gateway.record import Basis, Event, Record
from gateway.vocabulary import FACTS
from tests.support.dnstable import TableResolver
from tests.support.journeys import LETTER, Walk, walking


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    async with walking(tmp_path, TableResolver({})) as walk:
        await walk.connect()
        yield walk


def basis(record: Record) -> Basis:
    assert record.basis is not None
    return record.basis


def rule(when: str) -> str:
    return f'[[rule]]\nid = "no"\nwhy = "a test"\nwhen = \'{when}\'\nthen = "reject"\nreply = "5.7.1 no"\n'


async def test_of_a_message_everything_is_settled(walk: Walk) -> None:
    await walk.send()
    found = basis(walk.recorded())
    assert found.settled is Stage.SCORED
    assert found.facts["subject"] == "A letter"
    assert found.facts["spam.result"] == "skipped"
    assert found.facts.keys() <= {fact.name for fact in FACTS}


async def test_of_a_message_that_is_refused_before_it_is_scored_the_score_is_not(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({}), rules=rule('subject == "A letter"')) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("550")
        found = basis(walk.recorded())
    assert (found.settled, found.facts["dmarc.result"]) == (Stage.AUTHENTICATED, "none")
    assert "spam.result" not in found.facts


async def test_of_a_message_that_nobody_read_only_the_envelope_is(walk: Walk) -> None:
    header = b"X-Filler: %s\r\n" % (b"x" * 900) * 300
    assert (await walk.send(header + LETTER)).startswith("554")
    found = basis(walk.recorded())
    assert found.settled is Stage.RCPT
    assert "dkim.result" not in found.facts


async def test_of_a_refused_recipient_it_is_what_was_known_then(walk: Walk) -> None:
    await walk.transaction("bob@elsewhere.example")
    found = basis(walk.recorded(Event.REFUSED))
    assert (found.settled, found.facts["recipients"]) == (Stage.MAIL, ("bob@elsewhere.example",))
    assert found.facts["sender.address"] == "ann@sender.example"
    assert "subject" not in found.facts


async def test_of_a_transaction_that_is_given_up_it_is_what_was_known_then(walk: Walk) -> None:
    await walk.transaction("alice@example.org")
    await walk.journey.reset()
    found = basis(walk.recorded(Event.LOST))
    assert (found.settled, found.facts["recipient.count"]) == (Stage.MAIL, 1)


async def test_of_a_message_that_we_failed_on_it_is_what_was_known_before_it(walk: Walk) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("broken")

    await walk.transaction("alice@example.org")
    walk.journey._transaction.delivery = Broken()  # type: ignore[union-attr,assignment]
    with pytest.raises(RuntimeError, match="broken"):
        await walk.message()
    assert basis(walk.recorded()).settled is Stage.MAIL
