"""Scorer: asks one spamd after another until one has scored a message, and says why if none has.

A host that cannot be connected to is dead. One that can be, but gives no score, may have been brought to that by the
message itself or by a flood of them: that counts as busy, and makes no way round the scoring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from random import Random

from gateway.scoring.breaker import Breaker
from gateway.scoring.client import Failure, Fault, Patience, Payload, Spamd
from gateway.scoring.hosts import SpamdHost, in_order, parse_address
from gateway.scoring.slots import Refusal, Slots
from gateway.scoring.spamc import Score


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message's scoring may cost. Times are seconds."""

    connect: float
    attempt: float  # at one host, with connecting
    total: float  # at all hosts, with waiting
    wait: float  # for a free place at a host
    waiting: int  # messages that may wait at once
    failures: int  # in a row, that make a host be left out
    pause: float  # until a host that was left out is tried again


@dataclass(frozen=True, slots=True)
class Scored:
    host: str
    score: Score


class Cause(StrEnum):
    BUSY = "busy"  # a spamd is there, but had no place or gave no score in time
    DEAD = "dead"  # none can be connected to


@dataclass(frozen=True, slots=True)
class Unscored:
    cause: Cause
    reason: str  # for the log


@dataclass(slots=True)
class _Target:
    """A host with what has lately been learned of it."""

    host: SpamdHost
    breaker: Breaker
    last: Failure | None = None


class Scorer:
    """`clock` gives monotonic seconds. Of each host's concurrency, one of `workers` like this one takes its part."""

    def __init__(
        self,
        hosts: Sequence[SpamdHost],
        *,
        limits: Limits,
        user: str,
        workers: int,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._hosts = tuple(hosts)
        self._limits = limits
        self._user = user
        self._clock = clock
        self._random = random
        self._targets = {h.address: _Target(h, Breaker(limits.failures, limits.pause)) for h in hosts}
        self._slots = Slots({h.address: ceil(h.concurrency / workers) for h in hosts}, max_waiting=limits.waiting)

    async def score(self, message: Payload) -> Scored | Unscored:
        deadline = self._clock() + self._limits.total
        untried = [host.address for host in in_order(self._hosts, self._random)]
        while candidates := self._admitted(untried):
            wait = min(self._limits.wait, deadline - self._clock())
            async with self._slots.take(candidates, seconds=wait) as slot:
                if isinstance(slot, Refusal):
                    return Unscored(Cause.BUSY, f"no free place at any spamd: {slot}")
                if self._clock() >= deadline:  # that is no fault of a host which was not asked
                    return Unscored(Cause.BUSY, "no spamd gave a score in time")
                untried.remove(slot)
                outcome = await self._attempt(self._targets[slot], message, deadline)
            if isinstance(outcome, Score):
                return Scored(host=slot, score=outcome)
        return self._explain()

    def _admitted(self, untried: Sequence[str]) -> list[str]:
        now = self._clock()
        return [address for address in untried if self._targets[address].breaker.admits(now)]

    async def _attempt(self, target: _Target, message: Payload, deadline: float) -> Score | Failure | None:
        """None where the host has been found dead by others while this message waited for it."""
        now = self._clock()
        if not target.breaker.admits(now):
            return None
        target.breaker.attempt(now)
        outcome = await self._spamd(target.host, deadline - now).score(message)
        if isinstance(outcome, Failure):
            target.last = outcome
            target.breaker.failed(self._clock())
        else:
            target.breaker.succeeded()
        return outcome

    def _spamd(self, host: SpamdHost, remaining: float) -> Spamd:
        patience = Patience(connect=self._limits.connect, total=min(self._limits.attempt, remaining))
        return Spamd(parse_address(host.address), patience, self._user)

    def _explain(self) -> Unscored:
        failures = {address: target.last for address, target in self._targets.items() if target.last}
        reason = "; ".join(f"{address} {failure}" for address, failure in failures.items())
        is_dead = all(failure.fault is Fault.UNREACHABLE for failure in failures.values())
        return Unscored(Cause.DEAD if is_dead else Cause.BUSY, reason)
