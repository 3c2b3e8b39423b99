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


class Answers(Struct, frozen=True):
    """What a wave of checks found, and how long each took, by the check's name."""

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


def merged(answers: Iterable[Answers]) -> Answers:
    """All of them in one."""
    results: dict[str, Result] = {}
    milliseconds: dict[str, float] = {}
    for each in answers:
        results.update(each.results)
        milliseconds.update(each.milliseconds)
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


async def run_wave(wave: Wave, subject: Subject) -> Answers:
    """Ask all checks of a wave. One that fails, or has not answered in time, is unavailable: never a pass."""
    if len(wave.checks) == 1:
        return await run_check(wave.checks[0], subject, wave.seconds)
    return merged(await together(run_check(check, subject, wave.seconds) for check in wave.checks))


async def run_check(check: Check, subject: Subject, seconds: float) -> Answers:
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
    return _answers(check, result, started)


def ask_known(wave: Wave, subject: Subject) -> list[Answers | None]:
    """The answer of each check of a wave that need not be waited for, and None of the others."""
    return [_known(check, subject) if check else None for check in wave.prompt]


def _known(check: PromptCheck, subject: Subject) -> Answers | None:
    started = time.perf_counter()
    try:
        result = check.known(subject)
    except Exception:
        log.exception(BROKEN, check.name, subject.envelope.id)
        result = Unavailable(check=check.name, reason="internal error")
    return None if result is None else _answers(check, result, started)


def _answers(check: Check, result: Result, started: float) -> Answers:
    return Answers({check.name: result}, {check.name: (time.perf_counter() - started) * 1e3})
