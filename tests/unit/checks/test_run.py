"""A wave of checks always has its answers: in time, whatever happens inside them."""

import asyncio
import logging
import time

import pytest

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.run import NO_ANSWERS, Answers, Wave, run_wave
from tests.support.checking import Said, ScriptedCheck, ScriptedPromptCheck
from tests.support.mailbytes import subject_of

SUBJECT = subject_of(b"From: a@example.org\r\n\r\n")
LONG = 60.0  # seconds; longer than any of these tests


async def test_answers_stand_under_the_names_of_the_checks() -> None:
    first, second = ScriptedCheck("first", Said({"a": 1})), ScriptedCheck("second", Said({"b": 2}))
    answers = await run_wave(Wave((first, second), LONG), SUBJECT)
    assert answers.results == {"first": Said({"a": 1}), "second": Said({"b": 2})}
    assert list(answers.milliseconds) == ["first", "second"]
    assert first.asked == second.asked == [SUBJECT]


async def test_the_checks_of_a_wave_are_asked_at_once() -> None:
    gate = asyncio.Event()
    waiting = ScriptedCheck("waiting", gate=gate)

    class Opening(ScriptedCheck):
        async def __call__(self, subject):  # type: ignore[no-untyped-def]
            gate.set()
            return await super().__call__(subject)

    answers = await run_wave(Wave((waiting, Opening("opening")), LONG), SUBJECT)
    assert answers.results["waiting"] == Said()


async def test_a_check_that_knows_its_answer_is_not_asked_and_keeps_its_place() -> None:
    known, waiting = ScriptedPromptCheck("known", at_hand=Said({"a": 1})), ScriptedCheck("waiting", delay=0.01)
    unknown = ScriptedPromptCheck("unknown", Said({"b": 2}))
    answers = await run_wave(Wave((waiting, known, unknown), LONG), SUBJECT)
    assert list(answers.results.items()) == [
        ("waiting", Said()),
        ("known", Said({"a": 1})),
        ("unknown", Said({"b": 2})),
    ]
    assert known.asked == []
    assert unknown.asked == [SUBJECT]


async def test_each_is_noted_with_the_time_that_it_took_alone() -> None:
    class Thinking(ScriptedPromptCheck):
        def known(self, subject: Subject) -> Result | None:
            time.sleep(0.05)
            return super().known(subject)

    slow, quick = Thinking("slow", at_hand=Said()), ScriptedPromptCheck("quick", at_hand=Said())
    answers = await run_wave(Wave((quick, slow, ScriptedPromptCheck("next", at_hand=Said())), LONG), SUBJECT)
    assert answers.milliseconds["slow"] >= 50
    assert max(answers.milliseconds["quick"], answers.milliseconds["next"]) < 50


async def test_answers_stand_behind_those_before() -> None:
    before = Answers(results={"a": Said(), "b": Said()}, milliseconds={"a": 1.0, "b": 2.0})
    after = await run_wave(Wave((ScriptedCheck("c"),), LONG), SUBJECT, before)
    assert list(after.results) == list(after.milliseconds) == ["a", "b", "c"]
    assert list(before.results) == ["a", "b"]


async def test_an_empty_wave_has_no_answers() -> None:
    assert await run_wave(Wave((), LONG), SUBJECT) == NO_ANSWERS


@pytest.mark.parametrize("beside", [(), (ScriptedCheck("other", Said({"x": True})),)])
async def test_a_check_that_raises_is_unavailable_and_logged_with_its_trace(
    beside: tuple[ScriptedCheck, ...], caplog: pytest.LogCaptureFixture
) -> None:
    broken = ScriptedCheck("broken", ZeroDivisionError("of a bug"))
    answers = await run_wave(Wave((broken, *beside), LONG), SUBJECT)
    assert answers.results["broken"] == Unavailable("broken", "internal error")
    assert answers.results["broken"].facts() == {"broken.result": "unavailable"}
    assert answers.results["broken"].authres() == ()
    assert answers.results["broken"].report() == {"result": "unavailable", "reason": "internal error"}
    assert all(answers.results[check.name] == Said({"x": True}) for check in beside)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "check broken failed on message m1"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_check_that_has_not_answered_in_time_is_unavailable_and_ended() -> None:
    slow, quick = ScriptedCheck("slow", delay=LONG), ScriptedCheck("quick")
    began = time.perf_counter()
    answers = await run_wave(Wave((slow, quick), 0.05), SUBJECT)
    assert time.perf_counter() - began < LONG / 10
    assert answers.results == {"slow": Unavailable("slow", "no answer within 0.05 s"), "quick": Said()}
    assert answers.milliseconds["slow"] >= 50
    assert slow.cancelled == 1


@pytest.mark.parametrize("count", [1, 2])
async def test_a_wave_that_is_given_up_ends_its_checks(count: int) -> None:
    checks = tuple(ScriptedCheck(f"check{number}", delay=LONG) for number in range(count))
    running = asyncio.create_task(run_wave(Wave(checks, LONG), SUBJECT))
    while not all(check.asked for check in checks):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [check.cancelled for check in checks] == [1] * count


def test_later_answers_are_added_to_those_before() -> None:
    before = Answers(results={"a": Said(), "b": Said()}, milliseconds={"a": 1.0, "b": 2.0})
    after = before | Answers(results={"c": Said({"x": 1})}, milliseconds={"c": 3.0})
    assert list(after.results) == ["a", "b", "c"]
    assert after.milliseconds == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert list(before.results) == ["a", "b"]
