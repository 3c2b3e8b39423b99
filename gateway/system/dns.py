"""DNS: turns a name and a record type into an answer whose failures are told apart (RFC 1035, RFC 2308, RFC 9520).

One lookup is in flight for one question, however many ask it; its answer is kept for its TTL. Failures are kept too,
for some seconds (RFC 9520 section 3.2), so that a broken domain costs one wait and not one for each message.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable
from typing import Protocol

from pydantic import Field, field_validator

from gateway.settings import Section
from gateway.system.dnscache import Answer, DnsCache, Question, Status
from gateway.system.dnschannel import Channel
from gateway.system.nameservers import parse_server

__all__ = ["Answer", "DnsResolver", "DnsSettings", "Resolver", "Status"]

MAX_NAME = 253  # characters without the final dot, RFC 1035 section 3.1

# Space and every printable character may stand in a label (macros of SPF bring any); NUL and what is not ASCII may not:
# the first would cut the question short, the second would be asked as something else.
_label = r"[\x20-\x2d\x2f-\x7e]{1,63}"
_name_re = re.compile(rf"{_label}(?:\.{_label})*\Z")

IMPOSSIBLE = Answer(Status.NXDOMAIN, until=math.inf)  # of a name that DNS cannot hold
NO_ANSWER = Answer(Status.TIMEOUT)


class Resolver(Protocol):
    """Asks DNS. Every outcome is an answer: nothing is raised."""

    async def query(self, name: str, rrtype: str) -> Answer:
        """The records of `name` of type A, AAAA, MX, TXT or PTR. A name that DNS cannot hold is NXDOMAIN, unasked."""
        ...

    def cached(self, name: str, rrtype: str) -> Answer | None:
        """The answer, if it is at hand; None where it would have to be asked for."""
        ...


class DnsSettings(Section):
    """Where and how DNS is asked."""

    servers: tuple[str, ...] = ()
    """Recursive name servers, each "ADDRESS" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6). Empty: those of
    /etc/resolv.conf. A resolver on this host (such as unbound) is best: block lists refuse the large public ones."""
    timeout: float = Field(default=2.0, gt=0)
    """Seconds until the first try is given up; each further try waits longer."""
    tries: int = Field(default=3, ge=1, le=10)
    """How often each server is asked."""
    deadline: float = Field(default=8.0, gt=0)
    """Seconds after which a lookup is given up, whatever its tries."""
    concurrency: int = Field(default=512, ge=1)
    """Lookups under way at once in one worker; more wait for their turn within their deadline."""
    cache_size: int = Field(default=20_000, ge=0)
    """Answers kept by one worker, of at most 8 KB each; typical ones take less than 1 KB."""
    min_ttl: float = Field(default=5.0, ge=0)
    """Seconds that an answer is kept even if its TTL is shorter: the checks of one message ask the same question."""
    max_ttl: float = Field(default=3600.0, ge=0)
    """Seconds that an answer is kept at most."""
    negative_ttl: float = Field(default=60.0, ge=0)
    """Seconds that "no such name" and "no such record" are kept."""
    failure_ttl: float = Field(default=5.0, ge=1, le=300)
    """Seconds that a failure or a missing answer is kept (RFC 9520: 1 to 300)."""

    @field_validator("servers")
    @classmethod
    def _are_addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            parse_server(server)
        return servers


class DnsResolver:
    """A Resolver on c-ares. Made inside a running event loop, and closed there."""

    def __init__(self, settings: DnsSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._cache = DnsCache(size=settings.cache_size, clock=clock)
        self._in_flight: dict[Question, asyncio.Task[Answer]] = {}
        self._limits: set[asyncio.Timeout] = set()
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._closed = False
        self._channel = Channel(settings.servers, timeout=settings.timeout, tries=settings.tries)

    def cached(self, name: str, rrtype: str) -> Answer | None:
        answer = self._cache.get((name, rrtype))  # most names come as they are kept
        if answer is not None:
            return answer
        folded = _folded(name)
        if folded != name:
            answer = self._cache.get((folded, rrtype))
        return IMPOSSIBLE if answer is None and not is_name(folded) else answer

    async def query(self, name: str, rrtype: str) -> Answer:
        answer = self.cached(name, rrtype)
        if answer is not None:
            return answer
        if self._closed:
            return NO_ANSWER
        question = (_folded(name), rrtype)
        return await asyncio.shield(self._in_flight.get(question) or self._begin(question))

    async def close(self) -> None:
        """End every lookup under way; whoever waits for one gets a timeout."""
        self._closed = True
        self._channel.close()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(0)
        await asyncio.gather(*self._in_flight.values())

    def _begin(self, question: Question) -> "asyncio.Task[Answer]":
        task = asyncio.get_running_loop().create_task(self._look_up(question))
        self._in_flight[question] = task
        return task

    async def _look_up(self, question: Question) -> Answer:
        try:
            async with asyncio.timeout(self._settings.deadline) as limit, self._slots:
                self._limits.add(limit)
                found = NO_ANSWER if self._closed else await self._channel.ask(question)
        except TimeoutError:
            found = NO_ANSWER
        finally:
            self._limits.discard(limit)
            del self._in_flight[question]
        return self._cache.put(question, Answer(found.status, found.records, self._kept_for(found)))

    def _kept_for(self, answer: Answer) -> float:
        if answer.is_temporary:
            return self._settings.failure_ttl
        if answer.status is not Status.OK:
            return self._settings.negative_ttl
        return min(max(answer.ttl, self._settings.min_ttl), self._settings.max_ttl)


def is_name(name: str) -> bool:
    """Whether DNS can hold `name`, given without its final dot (RFC 1035 section 3.1)."""
    return len(name) <= MAX_NAME and _name_re.match(name) is not None


def _folded(name: str) -> str:
    return name.lower().removesuffix(".")
