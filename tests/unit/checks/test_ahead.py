"""Checks that are asked before their answers are needed: each is waited for alone."""

import asyncio

import pytest

from gateway.checks.ahead import Ahead
from gateway.checks.run import NO_ANSWERS, Wave
from gateway.facts import Fact, FactType, Stage
from tests.support.checking import Said, ScriptedCheck
from tests.support.mailbytes import subject_of

SUBJECT = subject_of(b"From: a@example.org\r\n\r\n")
LONG = 60.0  # seconds; longer than any of these tests


def fact(name: str) -> Fact:
    return Fact(name, FactType.STRING, Stage.RCPT, "a fact", "")


def check(name: str, *, gate: asyncio.Event | None = None) -> ScriptedCheck:
    return ScriptedCheck(name, Said({f"{name}.result": "pass"}), gate=gate, facts=(fact(f"{name}.result"),))


async def test_those_that_tell_a_fact_are_waited_for_and_no_others() -> None:
    ahead = Ahead(Wave((check("slow", gate=asyncio.Event()), check("quick"), check("other")), LONG), SUBJECT)
    await ahead.tell({"quick.result", "nobodys.result"})
    assert "quick" in ahead.so_far.results
    assert "slow" not in ahead.so_far.results
    ahead.cancel()


async def test_where_no_fact_is_wanted_nobody_is_waited_for() -> None:
    ahead = Ahead(Wave((check("quick"),), LONG), SUBJECT)
    await ahead.tell(())
    assert ahead.so_far == NO_ANSWERS
    assert (await ahead.answers()).facts() == {"quick.result": "pass"}


async def test_all_answers_come_in_the_order_of_the_checks_with_their_times() -> None:
    gate = asyncio.Event()
    ahead = Ahead(Wave((check("slow", gate=gate), check("quick")), LONG), SUBJECT)
    await ahead.tell({"quick.result"})
    gate.set()
    answers = await ahead.answers()
    assert list(answers.results) == list(answers.milliseconds) == ["slow", "quick"]
    assert await ahead.answers() == answers


async def test_an_empty_wave_has_no_answers() -> None:
    assert await Ahead(Wave((), LONG), SUBJECT).answers() == NO_ANSWERS


async def test_each_has_its_own_deadline() -> None:
    stuck = check("stuck", gate=asyncio.Event())
    ahead = Ahead(Wave((stuck, check("quick")), 0.05), SUBJECT)
    await ahead.tell({"stuck.result"})
    assert ahead.so_far.facts() == {"stuck.result": "unavailable", "quick.result": "pass"}
    assert stuck.cancelled == 1


async def test_who_stops_waiting_ends_no_lookup() -> None:
    gate = asyncio.Event()
    slow = check("slow", gate=gate)
    ahead = Ahead(Wave((slow,), LONG), SUBJECT)
    waiting = asyncio.create_task(ahead.tell({"slow.result"}))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert "slow" in (await ahead.answers()).results
    assert slow.cancelled == 0


async def test_ending_ends_all_of_them() -> None:
    slow = check("slow", gate=asyncio.Event())
    ahead = Ahead(Wave((slow, check("quick")), LONG), SUBJECT)
    await ahead.tell({"quick.result"})
    ahead.cancel()
    await ahead.answers()
    assert slow.cancelled == 1
    assert set(ahead.so_far.results) == {"quick"}
