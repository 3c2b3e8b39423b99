"""The check "spam": has SpamAssassin's spamd score the stamped message, where that is wanted."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Self

from pydantic import Field, model_validator

from gateway.checks.base import Subject
from gateway.checks.spamresult import FACTS, NAME, SpamResult, SpamStatus, judge
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.payload import make_payload
from gateway.scoring.remembered import Remembered
from gateway.scoring.scorer import Limits, Scorer
from gateway.scoring.sparing import SparingScorer
from gateway.settings import Section
from gateway.system.board import Region

NO_SPAMD = SpamResult(status=SpamStatus.SKIPPED, reason="no spamd is configured")


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
    """Messages that may wait at once; for any more the result is "busy" at once. Of one network no more may wait than
    there are places left, so that one alone has half of them."""
    remember_spam: float = Field(default=0.0, ge=0, le=600)
    """Seconds for which a worker remembers what spamd called spam, and does not ask it about the same again: the same
    client, envelope sender, results and octets. 0: nothing is remembered. What is no spam never is."""
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


class SpamdCheck:
    """Asks spamd. The workers share its places, and what they know of it, by their `region` of the board."""

    name = NAME
    facts = FACTS

    def __init__(
        self,
        settings: SpamdSettings,
        *,
        region: Region | None = None,
        network_of: Callable[[IPv4Address | IPv6Address], str] = str,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        """`network_of` names who takes turns with others where messages wait."""
        self._max_size = settings.max_size
        self._network_of = network_of
        self._scorer: SparingScorer | None = None
        if settings.enabled and settings.hosts:
            chance = rng or Random()  # noqa: S311  it spreads load, it hides nothing
            self._scorer = _scorer(settings, region or Region.private(), clock, chance)

    async def __call__(self, subject: Subject) -> SpamResult:
        if unasked := self.known(subject):
            return unasked
        if subject.copy is None or self._scorer is None:
            raise ValueError("spamd is asked about stamped messages only")
        payload = make_payload(subject.copy, subject.envelope.sender, max_size=self._max_size)
        outcome = await self._scorer.score(payload, client=self._network_of(subject.connection.ip))
        return judge(outcome, truncated=payload.truncated)

    def known(self, subject: Subject) -> SpamResult | None:
        """Why spamd is not asked, where it is not."""
        if self._scorer is None:
            return NO_SPAMD
        if subject.unscanned_by:
            return SpamResult(status=SpamStatus.EXEMPT, reason=f"rule {subject.unscanned_by}")
        return None


def _scorer(settings: SpamdSettings, region: Region, clock: Callable[[], float], rng: Random) -> SparingScorer:
    limits = Limits(
        connect=settings.connect_timeout,
        attempt=settings.attempt_timeout,
        wait=settings.queue_wait,
        waiting=settings.queue_length,
        failures=settings.breaker_failures,
        pause=settings.breaker_pause,
    )
    scorer = Scorer(settings.hosts, limits=limits, user=settings.user, region=region, clock=clock, random=rng)
    remembered = Remembered(seconds=settings.remember_spam, clock=clock)
    return SparingScorer(scorer, remembered, patience=settings.timeout, clock=clock)
