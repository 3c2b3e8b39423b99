"""Scorer: asks one spamd after another until one has scored a message, and says why if none has.

A host that cannot be connected to is dead. One that can be, but gives no score, may have been brought to that by the
message itself or by a flood of them: that counts as busy, and makes no way round the scoring.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from gateway.scoring.breaker import Breaker, Cause
from gateway.scoring.client import Patience, Spamd
from gateway.scoring.exchange import Payload
from gateway.scoring.failure import Failure, Fault
from gateway.scoring.hosts import SpamdHost, in_order, parse_address
from gateway.scoring.outcome import Scored, Unscored
from gateway.scoring.slots import Slots
from gateway.scoring.spamc import Score
from gateway.system.board import Region
from gateway.system.hostmark import HostMark
from gateway.system.line import Refusal


class Limits(Struct, frozen=True):
    """What one message's scoring may cost. Times are seconds."""

    connect: float
    attempt: float  # at one host, with connecting
    wait: float  # for a free place at a host
    waiting: int  # messages that may wait at once, in all workers
    failures: int  # in a row, that make a host be left out
    pause: float  # until a host that was left out is tried again


class Scorer:
    """`clock` gives monotonic seconds. `region` is where workers tell each other what they hold and what is dead."""

    def __init__(
        self,
        hosts: Sequence[SpamdHost],
        *,
        limits: Limits,
        user: str,
        region: Region,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._hosts = {host.address: host for host in hosts}
        self._addresses = {address: parse_address(address) for address in self._hosts}
        self._limits = limits
        self._user = user
        self._clock = clock
        self._random = random
        self._breakers = {address: _breaker(address, limits, region) for address in self._hosts}
        self._slots = Slots({h.address: h.concurrency for h in hosts}, max_waiting=limits.waiting, region=region)

    async def score(self, message: Payload, *, client: str, deadline: float) -> Scored | Unscored:
        """`client` names whose turn it is where messages wait; `deadline` is a time of the clock."""
        untried = [host.address for host in in_order(tuple(self._hosts.values()), self._random)]
        failures: dict[str, Failure] = {}
        waited = 0.0
        while candidates := self._admitted(untried):
            since = self._clock()
            wait = min(self._limits.wait, deadline - since)
            async with self._slots.take(candidates, client=client, seconds=wait) as slot:
                waited += self._clock() - since
                if isinstance(slot, Refusal):
                    return Unscored(Cause.BUSY, f"no free place at any spamd: {slot}", waited=waited)
                if self._clock() >= deadline:  # that is no fault of a host which was not asked
                    return Unscored(Cause.BUSY, "no spamd gave a score in time", waited=waited)
                untried.remove(slot)
                outcome = await self._attempt(slot, message, deadline)
            if isinstance(outcome, Score):
                return Scored(host=slot, score=outcome, waited=waited)
            if outcome is not None:
                failures[slot] = outcome
        return replace(self._explain(failures), waited=waited)

    def _admitted(self, untried: Sequence[str]) -> list[str]:
        now = self._clock()
        return [address for address in untried if self._breakers[address].admits(now)]

    async def _attempt(self, address: str, message: Payload, deadline: float) -> Score | Failure | None:
        """None where the host has been found dead by others while this message waited for it."""
        now, breaker = self._clock(), self._breakers[address]
        if not breaker.admits(now):
            return None
        breaker.attempt(now)
        outcome = await self._spamd(address, deadline - now).score(message)
        if isinstance(outcome, Failure):
            breaker.failed(self._clock(), _cause(outcome))
        else:
            breaker.succeeded(self._clock())
        return outcome

    def _spamd(self, address: str, remaining: float) -> Spamd:
        patience = Patience(connect=self._limits.connect, total=min(self._limits.attempt, remaining))
        return Spamd(self._addresses[address], patience, self._user)

    def _explain(self, failures: Mapping[str, Failure]) -> Unscored:
        """What it means that no host gave a score: what this message met with, and what was known of the others."""
        left_out = {address: breaker.cause for address, breaker in self._breakers.items() if address not in failures}
        reasons = [f"{address} {failure}" for address, failure in failures.items()]
        reasons += [f"{address} is left out: {cause}" for address, cause in left_out.items()]
        causes = {*map(_cause, failures.values()), *left_out.values()}
        return Unscored(Cause.DEAD if causes == {Cause.DEAD} else Cause.BUSY, "; ".join(reasons))


def _cause(failure: Failure) -> Cause:
    return Cause.DEAD if failure.fault is Fault.UNREACHABLE else Cause.BUSY


def _breaker(address: str, limits: Limits, region: Region) -> Breaker:
    return Breaker(limits.failures, limits.pause, HostMark(region, f"spamd {address}"))
