"""DNS cache: keeps answers for as long as their TTL allows, bounded by number and by the size of each."""

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

MAX_CACHED_OCTETS = 8192  # of one answer; beyond it nothing honest is kept from the cache, and memory has a bound
MIN_RECORD_OCTETS = 64  # what a record costs at least as a Python object, so that many tiny ones count as much

Question = tuple[str, str]  # the name in lower case without its final dot, and the type


class Status(StrEnum):
    """How a lookup ended. The last two are temporary: they say nothing about the name."""

    OK = "ok"  # there are records of this type
    NXDOMAIN = "nxdomain"  # the name does not exist, nor does anything below it (RFC 8020)
    NODATA = "nodata"  # the name exists, without records of this type (RFC 2308 section 2.2)
    SERVFAIL = "servfail"  # a server answered that it failed or refused, or its answer made no sense
    TIMEOUT = "timeout"  # no server answered in time


TEMPORARY = frozenset({Status.SERVFAIL, Status.TIMEOUT})


class Answer(Struct, frozen=True):
    """What DNS says. `records` are str for A, AAAA and PTR, (preference, host) for MX, and bytes for TXT, the character
    strings of each joined. Host names are in lower case without the final dot. `ttl` is what the answer came with,
    in seconds, within the resolver's bounds; `until` is when they have passed, by the clock of the cache that keeps it.
    """

    status: Status
    records: tuple[Any, ...] = ()
    ttl: float = 0.0
    until: float = 0.0

    @property
    def is_temporary(self) -> bool:
        return self.status in TEMPORARY

    @property
    def octets(self) -> int:
        """About what the records take in memory."""
        octets = 0
        for record in self.records:
            octets += max(len(record[1] if isinstance(record, tuple) else record), MIN_RECORD_OCTETS)
        return octets


class DnsCache(Struct):
    """Answers by question; the one unused for longest makes room for a new one."""

    size: int
    clock: Callable[[], float]
    _answers: OrderedDict[Question, Answer] = field(default_factory=OrderedDict)

    def get(self, question: Question) -> Answer | None:
        answer = self._answers.get(question)
        if answer is None:
            return None
        if answer.until <= self.clock():
            del self._answers[question]
            return None
        self._answers.move_to_end(question)
        return answer

    def put(self, question: Question, answer: Answer) -> Answer:
        """Keep `answer` for its TTL, unless that is zero or it is too large. What is returned is the answer as it is
        kept."""
        if answer.ttl <= 0 or answer.octets > MAX_CACHED_OCTETS or not self.size:
            return answer
        kept = self._answers[question] = replace(answer, until=self.clock() + answer.ttl)
        self._answers.move_to_end(question)
        if len(self._answers) > self.size:
            self._answers.popitem(last=False)
        return kept

    def __len__(self) -> int:
        return len(self._answers)
