"""Time facts: a moment to the time of day and the date that rules read, where the site is. Pure."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache

from gateway.facts import Fact, FactType, FactValue, Spelling, Stage

MINUTE = 60  # seconds; in no zone of these days does an hour begin within one
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

FACTS = (
    Fact("now.hour", FactType.NUMBER, Stage.CONNECT, "The hour of the day, 0 to 23, in the time zone of [rules]", 0),
    Fact("now.minute", FactType.NUMBER, Stage.CONNECT, "The minute of the hour, 0 to 59", 0),
    Fact("now.weekday", FactType.STRING, Stage.CONNECT, "The day of the week", "", WEEKDAYS),
    Fact("now.date", FactType.STRING, Stage.CONNECT, "The date, such as 2026-12-24", "", spelling=Spelling.DATE),
)


def time_facts(now: float, zone: tzinfo | None) -> Mapping[str, FactValue]:
    """All facts of FACTS at a Unix time; without a zone in that of the host."""
    return _facts_of_minute(int(now // MINUTE), zone)


@lru_cache(1)
def _facts_of_minute(minute: int, zone: tzinfo | None) -> Mapping[str, FactValue]:
    local = datetime.fromtimestamp(minute * MINUTE, zone)
    return {
        "now.hour": local.hour,
        "now.minute": local.minute,
        "now.weekday": WEEKDAYS[local.weekday()],
        "now.date": local.date().isoformat(),
    }
