"""Outcome: what came of asking for a score, and at what cost."""

from enum import StrEnum

from msgspec import Struct

from gateway.scoring.breaker import Cause
from gateway.scoring.spamc import Score


class Origin(StrEnum):
    """Where an outcome comes from."""

    ASKED = "asked"  # spamd was asked about this message
    IN_FLIGHT = "in_flight"  # it was being asked about the same one, which had come before
    REMEMBERED = "remembered"  # it had called the same one spam


class Scored(Struct, frozen=True):
    host: str
    score: Score
    origin: Origin = Origin.ASKED
    waited: float = 0.0  # seconds, for a place at a host


class Unscored(Struct, frozen=True):
    cause: Cause
    reason: str  # for the log
    origin: Origin = Origin.ASKED
    waited: float = 0.0
