"""Runs checks: turns a wave of them and a subject into their answers, whatever happens inside them."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.checks.base import Check, Result, Subject, Unavailable
from gateway.system.started import Started

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a wave of checks found, and how long each took, by the check's name."""

    results: Mapping[str, Result] = field(default_factory=dict)
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    def __or__(self, later: "Answers") -> "Answers":
        return Answers(
            results={**self.results, **later.results},
            milliseconds={**self.milliseconds, **later.milliseconds},
        )


NO_ANSWERS = Answers()


@dataclass(frozen=True, slots=True)
class Wave:
    """Checks that are asked at once, and the seconds that each has to answer."""

    checks: tuple[Check, ...]
    seconds: float


async def run_wave(wave: Wave, subject: Subject) -> Answers:
    """Ask all checks of a wave. One that fails, or has not answered in time, is unavailable: never a pass."""
    answers, left = NO_ANSWERS, list(wave.checks)
    while left:
        asked = Started(_ask(left.pop(0), subject, wave.seconds))
        if not asked.is_over:
            return answers | await _ask_beside(asked, left, subject, wave.seconds)
        answers |= await asked
    return answers


async def _ask_beside(asked: Started[Answers], others: Sequence[Check], subject: Subject, seconds: float) -> Answers:
    """The answers of a check that waits, and of others that begin meanwhile."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask(check, subject, seconds)) for check in others]
        answers = await asked
    for task in tasks:
        answers |= task.result()
    return answers


async def _ask(check: Check, subject: Subject, seconds: float) -> Answers:
    started = time.perf_counter()
    result = await _answer(check, subject, seconds)
    return Answers(results={check.name: result}, milliseconds={check.name: (time.perf_counter() - started) * 1e3})


async def _answer(check: Check, subject: Subject, seconds: float) -> Result:
    try:
        asked = Started(check(subject))
        if asked.is_over:
            return await asked
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        return Unavailable(check=check.name, reason=f"no answer within {seconds:g} s")
    except Exception:
        log.exception("check %s failed on message %s", check.name, subject.envelope.id)
        return Unavailable(check=check.name, reason="internal error")
