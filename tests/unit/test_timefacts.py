"""The time of day that rules read."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from gateway.timefacts import FACTS, time_facts
from tests.support.dnstable import TableResolver
from tests.support.journeys import NOW, settings_of, walking

CHRISTMAS_EVE = datetime(2026, 12, 24, 23, 30, tzinfo=UTC).timestamp()
RULE = """
[[rule]]
id = "now"
why = "x"
when = 'now.date == "{date}" and now.hour == {hour} and now.weekday == "{weekday}"'
then = "tag"
"""


def test_time_is_that_of_the_zone() -> None:
    assert time_facts(CHRISTMAS_EVE, ZoneInfo("Europe/Vienna")) == {
        "now.hour": 0,
        "now.minute": 30,
        "now.weekday": "friday",
        "now.date": "2026-12-25",
    }
    assert time_facts(CHRISTMAS_EVE, UTC)["now.date"] == "2026-12-24"


def test_without_a_zone_it_is_that_of_the_host() -> None:
    assert time_facts(CHRISTMAS_EVE, None)["now.hour"] == datetime.fromtimestamp(CHRISTMAS_EVE).hour


def test_every_declared_fact_has_a_value() -> None:
    assert time_facts(0, UTC).keys() == {fact.name for fact in FACTS}


def test_unknown_zone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no time zone of this host"):
        settings_of(tmp_path, rules={"timezone": "Mars/Olympus"})


async def test_rules_see_the_clock_of_the_gateway(tmp_path: Path) -> None:
    here = datetime.fromtimestamp(NOW, ZoneInfo("Asia/Tokyo"))
    rule = RULE.format(date=here.date(), hour=here.hour, weekday=here.strftime("%A").lower())
    async with walking(tmp_path, TableResolver({}), rules=rule) as walk:
        walk.parts = replace(walk.parts, zone=ZoneInfo("Asia/Tokyo"))
        await walk.connect()
        await walk.send()
    assert "now" in walk.recorded().rules
