"""Checks that are asked before their answers are needed: each is waited for alone."""

import asyncio
import logging

import pytest

from gateway.checks.ahead import Ahead
from gateway.checks.base import Unavailable
from gateway.checks.run import NO_ANSWERS, Wave
from gateway.facts import Fact, FactType, Stage
from tests.support.checking import Said, ScriptedCheck, ScriptedPromptCheck
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


async def test_what_is_known_is_told_at_once_without_a_task() -> None:
    before = asyncio.all_tasks()
    known = ScriptedPromptCheck("known", at_hand=Said({"known.result": "pass"}))
    ahead = Ahead(Wave((known,), LONG), SUBJECT)
    assert asyncio.all_tasks() == before
    assert ahead.so_far.facts() == {"known.result": "pass"}
    assert list(ahead.so_far.milliseconds) == ["known"]
    assert await ahead.answers() == ahead.so_far
    assert known.asked == []


async def test_what_is_known_is_told_while_others_wait() -> None:
    gate = asyncio.Event()
    slow, known = check("slow", gate=gate), ScriptedPromptCheck("known", at_hand=Said())
    ahead = Ahead(Wave((slow, known), LONG), SUBJECT)
    assert list(ahead.so_far.results) == ["known"]
    gate.set()
    assert list((await ahead.answers()).results) == ["slow", "known"]


async def test_what_is_not_known_is_waited_for() -> None:
    prompt = ScriptedPromptCheck("prompt", Said({"prompt.result": "pass"}), facts=(fact("prompt.result"),))
    ahead = Ahead(Wave((prompt,), LONG), SUBJECT)
    assert ahead.so_far == NO_ANSWERS
    await ahead.tell({"prompt.result"})
    assert ahead.so_far.facts() == {"prompt.result": "pass"}


async def test_one_that_fails_before_any_wait_is_unavailable_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    ahead = Ahead(Wave((ScriptedPromptCheck("broken", at_hand=ZeroDivisionError("of a bug")),), LONG), SUBJECT)
    assert (await ahead.answers()).results == {"broken": Unavailable("broken", "internal error")}
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "check broken failed on message m1"
    assert record.exc_info is not None
