"""The check "spam": has SpamAssassin's spamd score the stamped message, and reports the score and the rules it hit.

A message that could not be scored is never a clean one: its result says why, and the rules decide what that means.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Self

from pydantic import Field, model_validator

from gateway.authres.field import MethodResult
from gateway.checks.base import Subject
from gateway.facts import Fact, FactType, FactValue, Stage
from gateway.scoring.breaker import Cause
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.payload import make_payload
from gateway.scoring.scorer import Limits, Scored, Scorer, Unscored
from gateway.scoring.spamc import Score
from gateway.settings import Section
from gateway.system.board import Region


class SpamdSettings(Section):
    """Scoring by SpamAssassin's spamd."""

    enabled: bool = True
    """false switches scoring off, and keeps the list of hosts."""
    hosts: tuple[SpamdHost, ...] = ()
    """The spamds to ask; without any, messages are not scored."""
    max_size: int = Field(default=512 * 1024, ge=4096)
    """Octets of a message that are scored; of a larger one its beginning is. spamd's time grows with the size."""
    user: str = Field(default="", pattern=r"^[A-Za-z0-9._@+-]{0,64}$")
    """The user whose preferences spamd takes; empty for its own default."""
    connect_timeout: float = Field(default=3.0, gt=0)
    """Seconds until a host that takes no connection counts as dead."""
    attempt_timeout: float = Field(default=30.0, gt=0)
    """Seconds that one host has for one message; then the next host is asked."""
    timeout: float = Field(default=50.0, gt=0)
    """Seconds for one message at all hosts together, with waiting."""
    queue_wait: float = Field(default=20.0, gt=0)
    """Seconds that a message may wait for a free place at a host; then its result is "busy"."""
    queue_length: int = Field(default=100, ge=0)
    """Messages that may wait at once; for any more the result is "busy" at once."""
    breaker_failures: int = Field(default=3, ge=1)
    """Failures in a row after which a host is left out."""
    breaker_pause: float = Field(default=15.0, gt=0)
    """Seconds until a host that was left out is tried with one message."""

    @model_validator(mode="after")
    def _addresses_are_distinct(self) -> Self:
        addresses = [host.address for host in self.hosts]
        if len(set(addresses)) < len(addresses):
            raise ValueError("two hosts have the same address")
        return self


class SpamStatus(StrEnum):
    SCORED = "scored"
    UNAVAILABLE = "unavailable"  # no spamd could be connected to
    BUSY = "busy"  # a spamd is there, but had no place or gave no score in time
    SKIPPED = "skipped"  # scoring is off
    EXEMPT = "exempt"  # a rule says scan = "skip"


_STATUS = {Cause.BUSY: SpamStatus.BUSY, Cause.DEAD: SpamStatus.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class SpamResult:
    """What spamd found. `score` is None unless the status is SCORED."""

    status: SpamStatus
    score: Score | None = None
    host: str = ""  # that gave the score
    truncated: bool = False  # only the beginning of the message was scored
    reason: str = ""  # why there is no score, for the log

    def facts(self) -> dict[str, FactValue]:
        facts: dict[str, FactValue] = {"spam.result": self.status.value, "spam.truncated": self.truncated}
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


class SpamdCheck:
    """Asks spamd. The workers share its places, and what they know of it, by their `region` of the board."""

    name = "spam"
    facts = FACTS

    def __init__(
        self,
        settings: SpamdSettings,
        *,
        region: Region | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        self._max_size = settings.max_size
        self._scorer: Scorer | None = None
        if settings.enabled and settings.hosts:
            chance = rng or Random()  # noqa: S311  it spreads load, it hides nothing
            self._scorer = _scorer(settings, region or Region.private(), clock, chance)

    async def __call__(self, subject: Subject) -> SpamResult:
        if self._scorer is None:
            return SpamResult(status=SpamStatus.SKIPPED, reason="no spamd is configured")
        if subject.unscanned_by:
            return SpamResult(status=SpamStatus.EXEMPT, reason=f"rule {subject.unscanned_by}")
        if subject.copy is None:
            raise ValueError("spamd is asked about stamped messages only")
        payload = make_payload(subject.copy, subject.envelope.sender, max_size=self._max_size)
        return judge(await self._scorer.score(payload), truncated=payload.truncated)


def judge(outcome: Scored | Unscored, *, truncated: bool) -> SpamResult:
    """What an outcome of asking means."""
    if isinstance(outcome, Unscored):
        return SpamResult(status=_STATUS[outcome.cause], reason=outcome.reason)
    return SpamResult(status=SpamStatus.SCORED, score=outcome.score, host=outcome.host, truncated=truncated)


def _scorer(settings: SpamdSettings, region: Region, clock: Callable[[], float], rng: Random) -> Scorer:
    limits = Limits(
        connect=settings.connect_timeout,
        attempt=settings.attempt_timeout,
        total=settings.timeout,
        wait=settings.queue_wait,
        waiting=settings.queue_length,
        failures=settings.breaker_failures,
        pause=settings.breaker_pause,
    )
    return Scorer(settings.hosts, limits=limits, user=settings.user, region=region, clock=clock, random=rng)
