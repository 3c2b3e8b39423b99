"""Runs checks: turns a wave of them and a subject into their answers, whatever happens inside them."""

import logging
import time
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import force_setattr

from gateway.checks.base import Check, PromptCheck, Result, Subject, Unavailable
from gateway.facts import FactValue
from gateway.system.together import together, within

log = logging.getLogger(__name__)

BROKEN = "check %s failed on message %s"


class Answer(Struct, frozen=True):
    """What one check found, and how long that took."""

    check: str  # its name
    result: Result
    milliseconds: float


class Answers(Struct, frozen=True):
    """What checks found, and how long each took, by the check's name."""

    results: Mapping[str, Result] = field(default_factory=dict)
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    def __or__(self, later: "Answers") -> "Answers":
        return Answers({**self.results, **later.results}, {**self.milliseconds, **later.milliseconds})

    def facts(self) -> dict[str, FactValue]:
        """What the checks have to say to rules."""
        facts: dict[str, FactValue] = {}
        for result in self.results.values():
            facts |= result.facts()
        return facts


def gathered(answers: Iterable[Answer | None], before: Answers) -> Answers:
    """Those that are there, in their order, behind those before."""
    results, milliseconds = dict(before.results), dict(before.milliseconds)
    for answer in answers:
        if answer:
            results[answer.check] = answer.result
            milliseconds[answer.check] = answer.milliseconds
    return Answers(results, milliseconds)


NO_ANSWERS = Answers()


class Wave(Struct, frozen=True):
    """Checks that are asked at once, and the seconds that each has to answer."""

    checks: tuple[Check, ...]
    seconds: float
    declared: tuple[frozenset[str], ...] = ()  # the facts of each check
    prompt: tuple[PromptCheck | None, ...] = ()  # each check that can answer without waiting

    def __post_init__(self) -> None:
        declared = tuple(frozenset(fact.name for fact in check.facts) for check in self.checks)
        force_setattr(self, "declared", declared)
        prompt = tuple(check if isinstance(check, PromptCheck) else None for check in self.checks)
        force_setattr(self, "prompt", prompt)


async def run_wave(wave: Wave, subject: Subject, before: Answers = NO_ANSWERS) -> Answers:
    """Ask all checks of a wave: what they found, behind what those before did. One that fails, or has not answered in
    time, is unavailable: never a pass."""
    answers = ask_known(wave, subject)
    left = [number for number, answer in enumerate(answers) if answer is None]
    if len(left) == 1:  # as mostly; the other way to the same takes another coroutine
        answers[left[0]] = await run_check(wave.checks[left[0]], subject, wave.seconds)
    elif left:
        asked = await together(run_check(wave.checks[number], subject, wave.seconds) for number in left)
        for number, answer in zip(left, asked, strict=True):
            answers[number] = answer
    return gathered(answers, before)


async def run_check(check: Check, subject: Subject, seconds: float) -> Answer:
    """Ask one check, within the seconds that it has."""
    started = time.perf_counter()
    result: Result
    try:
        result = await within(seconds, check(subject))
    except TimeoutError:
        result = Unavailable(check=check.name, reason=f"no answer within {seconds:g} s")
    except Exception:
        log.exception(BROKEN, check.name, subject.envelope.id)
        result = Unavailable(check=check.name, reason="internal error")
    return Answer(check.name, result, (time.perf_counter() - started) * 1e3)


def ask_known(wave: Wave, subject: Subject) -> list[Answer | None]:
    """The answer of each check of a wave that need not be waited for, and None of the others."""
    return [_known(check, subject) if check else None for check in wave.prompt]


def _known(check: PromptCheck, subject: Subject) -> Answer | None:
    started = time.perf_counter()
    try:
        result = check.known(subject)
    except Exception:
        log.exception(BROKEN, check.name, subject.envelope.id)
        result = Unavailable(check=check.name, reason="internal error")
    return None if result is None else Answer(check.name, result, (time.perf_counter() - started) * 1e3)
