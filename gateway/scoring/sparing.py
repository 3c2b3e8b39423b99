"""Sparing: has spamd judge a message only where it is not doing so already, and has not just called it spam.

Messages are the same where their fingerprints are (gateway.scoring.likeness). What came of the one that is under way is
what comes of all, also where it is no score: they are the same mail of the same client.
"""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from gateway.scoring.likeness import fingerprint
from gateway.scoring.outcome import Origin, Scored, Unscored
from gateway.scoring.payload import Excerpt, Whole
from gateway.scoring.remembered import Remembered
from gateway.scoring.scorer import Scorer


class SparingScorer:
    """`patience` are the seconds that a message has in all; `clock` gives monotonic ones."""

    def __init__(self, scorer: Scorer, remembered: Remembered, *, patience: float, clock: Callable[[], float]) -> None:
        self._scorer = scorer
        self._remembered = remembered
        self._patience = patience
        self._clock = clock
        self._under_way: dict[bytes, asyncio.Future[Scored | Unscored | None]] = {}

    async def score(self, message: Whole | Excerpt, *, client: str) -> Scored | Unscored:
        """`client` names whose turn it is where messages wait."""
        deadline, key = self._clock() + self._patience, fingerprint(message)
        if known := self._remembered.find(key):
            return replace(known, origin=Origin.REMEMBERED, waited=0.0)
        while told := self._under_way.get(key):
            if outcome := await asyncio.shield(told):
                return replace(outcome, origin=Origin.IN_FLIGHT, waited=0.0)
        outcome = await self._ask(key, message, client, deadline)
        if isinstance(outcome, Scored):
            self._remembered.note(key, outcome)
        return outcome

    async def _ask(self, key: bytes, message: Whole | Excerpt, client: str, deadline: float) -> Scored | Unscored:
        """Ask for all who come meanwhile. They are told None where this one is given up: the next of them asks."""
        outcome, told = None, asyncio.get_running_loop().create_future()
        self._under_way[key] = told
        try:
            outcome = await self._scorer.score(message, client=client, deadline=deadline)
            return outcome
        finally:
            del self._under_way[key]
            told.set_result(outcome)
