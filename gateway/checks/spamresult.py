"""What spamd found: the score and the rules that a message hit, or why there is none. Pure.

A message that could not be scored is never a clean one: its result says why, and the rules decide what that means.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from gateway.authres.field import MethodResult
from gateway.checks.base import Result
from gateway.facts import Fact, FactType, FactValue, Stage
from gateway.scoring.breaker import Cause
from gateway.scoring.outcome import Origin, Scored, Unscored
from gateway.scoring.spamc import Score

NAME = "spam"  # of the check
WAIT = "spamd_wait"  # the step of waiting for a place at a spamd


class SpamStatus(StrEnum):
    SCORED = "scored"
    UNAVAILABLE = "unavailable"  # no spamd could be connected to
    BUSY = "busy"  # a spamd is there, but had no place or gave no score in time
    SKIPPED = "skipped"  # scoring is off
    EXEMPT = "exempt"  # a rule says scan = "skip"


_STATUS = {Cause.BUSY: SpamStatus.BUSY, Cause.DEAD: SpamStatus.UNAVAILABLE}


class SpamResult(Struct, frozen=True):
    """What spamd found. `score` is None unless the status is SCORED."""

    status: SpamStatus
    score: Score | None = None
    host: str = ""  # that gave the score
    truncated: bool = False  # only the beginning of the message was scored
    reason: str = ""  # why there is no score, for the log
    origin: Origin | None = None  # None where there was no reason to ask
    waited: float = 0.0  # seconds, for a place at a spamd

    def facts(self) -> dict[str, FactValue]:
        facts: dict[str, FactValue] = {"spam.result": str(self.status), "spam.truncated": self.truncated}
        if self.score:
            facts |= {
                "spam.score": self.score.score,
                "spam.required": self.score.required,
                "spam.symbols": self.score.symbols,
                "spam.flag": self.score.is_spam,
            }
        return facts

    def authres(self) -> tuple[MethodResult, ...]:
        return ()  # no method is registered for a score: it goes into X-Spam-* fields

    def report(self) -> dict[str, Any]:
        score = self.score
        return {
            "result": self.status.value,
            "score": score.score if score else None,
            "required": score.required if score else None,
            "flag": score.is_spam if score else None,
            "symbols": list(score.symbols) if score else [],
            "truncated": self.truncated,
            "host": self.host,
            "reason": self.reason,
            "origin": self.origin.value if self.origin else "",
        }


FACTS = (
    Fact(
        "spam.result",
        FactType.STRING,
        Stage.SCORED,
        "Whether spamd scored the message: scored, unavailable (none could be connected to), busy (one is there, but "
        "gave no score in time), skipped (scoring is off), exempt (a rule says so)",
        "skipped",
        tuple(status.value for status in SpamStatus),
    ),
    Fact("spam.score", FactType.NUMBER, Stage.SCORED, "spamd's score; 0 where there is none", 0.0),
    Fact("spam.required", FactType.NUMBER, Stage.SCORED, "The score from which spamd calls a message spam", 5.0),
    Fact("spam.symbols", FactType.STRINGS, Stage.SCORED, "The names of the SpamAssassin rules that were hit", ()),
    Fact("spam.flag", FactType.BOOLEAN, Stage.SCORED, "spamd calls the message spam", False),  # noqa: FBT003
    Fact(
        "spam.truncated",
        FactType.BOOLEAN,
        Stage.SCORED,
        "The message was larger than spamd is given, and only its beginning was scored",
        False,  # noqa: FBT003
    ),
)


def judge(outcome: Scored | Unscored, *, truncated: bool) -> SpamResult:
    """What an outcome of asking means."""
    origin, waited = outcome.origin, outcome.waited
    if isinstance(outcome, Unscored):
        return SpamResult(status=_STATUS[outcome.cause], reason=outcome.reason, origin=origin, waited=waited)
    return SpamResult(
        status=SpamStatus.SCORED,
        score=outcome.score,
        host=outcome.host,
        truncated=truncated,
        origin=origin,
        waited=waited,
    )


def spared(results: Mapping[str, Result]) -> str:
    """How spamd was spared the work on a message: "in_flight", "remembered", or "" where it was not."""
    result = results.get(NAME)
    origin = result.origin if isinstance(result, SpamResult) else None
    return "" if origin in (None, Origin.ASKED) else origin.value


def waits(results: Mapping[str, Result]) -> dict[str, float]:
    """How long a message waited for a place at a spamd, by the name of that step, where spamd was asked."""
    result = results.get(NAME)
    if isinstance(result, SpamResult) and result.origin is Origin.ASKED:
        return {WAIT: result.waited * 1e3}
    return {}
