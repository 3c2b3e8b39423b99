"""Conclusions: what follows from answers of DNS, kept for as long as these very answers hold.

Most mail comes from domains and clients that have sent before. Whoever concludes must be pure: from the same answers to
the same questions, and the same key, the same follows.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from gateway.system.dns import Resolver
from gateway.system.dnscache import Answer, Question

MAX_GROUNDS = 16  # answers that one conclusion rests on, and
MAX_OCTETS = 4096  # of them together: what is kept here outlives them in the cache, so it has its own bound

Grounds = Mapping[Question, Answer]
Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


class Conclusions(Generic[Key, T]):
    """So many conclusions; the one unused for longest makes room for a new one. `clock` is that of the cache."""

    def __init__(self, resolver: Resolver, *, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._cached = resolver.cached
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[T, float, Grounds]] = OrderedDict()

    def recall(self, key: Key) -> T | None:
        """What was concluded, unless DNS may say something else by now."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        conclusion, until, grounds = kept
        if until <= self._clock() and not self._are_given(grounds):
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return conclusion

    def keep(self, key: Key, conclusion: T, grounds: Grounds) -> None:
        """What rests on a lookup that failed for now is not kept, nor what rests on very much."""
        if len(grounds) > MAX_GROUNDS:
            return
        octets, until = 0, math.inf
        for answer in grounds.values():
            octets += answer.octets
            until = min(until, answer.until)
            if answer.is_temporary or octets > MAX_OCTETS:
                return
        self._kept[key] = conclusion, until, grounds
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def _are_given(self, grounds: Grounds) -> bool:
        """The cache is asked only once one may have expired: until then it would give them all, or had to make room."""
        return all(self._cached(*question) is answer for question, answer in grounds.items())

    def __len__(self) -> int:
        return len(self._kept)
