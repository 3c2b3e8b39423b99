"""Runs checks: turns a wave of them and a subject into their answers, whatever happens inside them."""

import logging
from collections.abc import Callable, Mapping
from time import perf_counter

from msgspec import Struct, field
from msgspec.structs import force_setattr

from gateway.checks.base import Check, PromptCheck, Result, Subject, Unavailable
from gateway.facts import FactValue
from gateway.system.together import together, within

log = logging.getLogger(__name__)

BROKEN = "check %s failed on message %s"


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


NO_ANSWERS = Answers()


# The name of a check, what tells its answer where that need not be waited for, and the check.
Asked = tuple[str, Callable[[Subject], Result | None] | None, Check]


class Wave(Struct, frozen=True):
    """Checks that are asked at once, and the seconds that each has to answer."""

    checks: tuple[Check, ...]
    seconds: float
    asked: tuple[Asked, ...] = ()  # in the order of the checks
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict)  # the facts of each check, by its name

    def __post_init__(self) -> None:
        declared = {check.name: frozenset(fact.name for fact in check.facts) for check in self.checks}
        force_setattr(self, "declared", declared)
        force_setattr(self, "asked", tuple(map(_asked, self.checks)))


async def run_wave(wave: Wave, subject: Subject, before: Answers = NO_ANSWERS) -> Answers:
    """Ask all checks of a wave: what they found, behind what those before did. One that fails, or has not answered in
    time, is unavailable: never a pass."""
    answers, left = ask_known(wave, subject, before)
    if not left:  # as mostly
        return answers
    if len(left) == 1:  # as with spamd; the other way to the same takes another coroutine
        answers |= await run_check(left[0], subject, wave.seconds)
    else:
        for answer in await together(run_check(check, subject, wave.seconds) for check in left):
            answers |= answer
    return in_order(wave, answers)


async def run_check(check: Check, subject: Subject, seconds: float) -> Answers:
    """Ask one check, within the seconds that it has."""
    started = perf_counter()
    result: Result
    try:
        result = await within(seconds, check(subject))
    except TimeoutError:
        result = Unavailable(check=check.name, reason=f"no answer within {seconds:g} s")
    except Exception:
        log.exception(BROKEN, check.name, subject.envelope.id)
        result = Unavailable(check=check.name, reason="internal error")
    return Answers({check.name: result}, {check.name: (perf_counter() - started) * 1e3})


def ask_known(wave: Wave, subject: Subject, before: Answers = NO_ANSWERS) -> tuple[Answers, list[Check]]:
    """What those checks of a wave found that need not be waited for, behind what those before did; and the others. All
    in one function: it is called five times for a message, and mostly for one check."""
    results, milliseconds = {**before.results}, {**before.milliseconds}
    left: list[Check] = []
    started = perf_counter()
    for name, known, check in wave.asked:
        try:
            result = known(subject) if known else None
        except Exception:
            log.exception(BROKEN, name, subject.envelope.id)
            result = Unavailable(check=name, reason="internal error")
        ended = perf_counter()
        if result is None:
            left.append(check)
        else:
            results[name] = result
            milliseconds[name] = (ended - started) * 1e3
        started = ended
    return Answers(results, milliseconds), left


def _asked(check: Check) -> Asked:
    return check.name, check.known if isinstance(check, PromptCheck) else None, check


def in_order(wave: Wave, answers: Answers) -> Answers:
    """With those of the wave at the end, as its checks stand in it."""
    results, milliseconds = dict(answers.results), dict(answers.milliseconds)
    for check in wave.checks:
        if check.name in results:
            results[check.name] = results.pop(check.name)
            milliseconds[check.name] = milliseconds.pop(check.name)
    return Answers(results, milliseconds)
