"""spamd is asked only where it must be: a rule may end the journey before it, the same message in flight is asked about
once, and spam is remembered where that is wanted; a score that spamd did not give anew is the one it would give."""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.checks.base import Result, Subject
from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.lines import to_crlf
from gateway.scoring.outcome import Origin
from tests.support.copies import CLIENT, RESULTS, SENDER, copy_of
from tests.support.fakespamd import FakeSpamd, replying, scored
from tests.support.inside import Inside, serving
from tests.support.journeys import LETTER
from tests.support.spamd import RunningSpamd
from tests.support.waiting import until

SAMPLE = 60  # every so manieth message of a corpus
FOR_GOOD = 600.0  # seconds; longer than a test takes
SPAM = scored("9.5", flag="True")


def asking(spamd: RunningSpamd, **settings: Any) -> SpamdCheck:
    return SpamdCheck(SpamdSettings(hosts=(spamd.host,), **settings))


def hosts(spamd: FakeSpamd) -> dict[str, Any]:
    return {"hosts": [{"address": spamd.address}]}


# --- rules


def partner(then: str) -> str:
    return f"[[rule]]\nid = 'partner'\nwhy = 'x'\nwhen = 'subject == \"A letter\"'\n{then}\n"


async def counted(inside: Inside, **labels: str) -> float:
    """What the counter of spared messages says."""
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    wanted = f"mailward_spamd_spared_total{{{pairs}}} ".encode()
    return sum(float(line.removeprefix(wanted)) for line in inside.metrics.page().splitlines() if wanted in line)


@pytest.mark.parametrize(
    ("then", "answer", "noted"),
    [
        ('then = "reject"\nreply = "5.7.1 no"', "550 5.7.1", {"rules": ("partner",), "unscanned_by": ""}),
        ('scan = "skip"', "250 ", {"unscanned_by": "partner"}),
    ],
    ids=["refused by policy", "exempt"],
)
async def test_rule_ends_the_journey_before_spamd_and_the_log_says_which(
    then: str, answer: str, noted: Mapping[str, Any], tmp_path: Path
) -> None:
    async with FakeSpamd(replying(SPAM)) as spamd:
        async with serving(tmp_path, spamd=hosts(spamd), site=partner(then)) as inside:
            assert (await inside.bring())[-1].startswith(answer)
            record = await inside.recorded()
        assert spamd.requests == 0
    assert {name: getattr(record, name) for name in noted} == noted
    delivered = b"".join(file.read_bytes() for file in (tmp_path / "mail").rglob("new/*"))
    assert (b"X-Mailward-Unscored: exempt: partner\r\n" in delivered) is (answer == "250 ")


# --- the same message


class Counting:
    """The check of spamd in a service, which counts how often it was asked."""

    def __init__(self, inside: Inside) -> None:
        waves = inside.service.parts.waves
        [self._check] = waves.scoring.checks
        self.name, self.facts, self.asked = self._check.name, self._check.facts, 0
        scoring = replace(waves.scoring, checks=(self,))
        inside.service.parts = replace(inside.service.parts, waves=replace(waves, scoring=scoring))

    async def __call__(self, subject: Subject) -> Result:
        self.asked += 1
        return await self._check(subject)


async def test_copies_that_come_at_once_are_asked_about_once_and_counted(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await replying(scored())(reader, writer)

    async with FakeSpamd(slow) as spamd:
        async with serving(tmp_path, spamd=hosts(spamd)) as inside:
            check = Counting(inside)
            bringing = [asyncio.create_task(inside.bring()) for _ in range(3)]
            await until(lambda: check.asked == 3)
            gate.set()
            told = await asyncio.gather(*bringing)
            assert [answers[-1][:4] for answers in told] == ["250 "] * 3
            spared = sorted(record.spamd_spared for record in inside.records)
            assert spared == ["", "in_flight", "in_flight"]
            assert all(record.results["spam"] == "scored" for record in inside.records)
            assert await counted(inside, how="in_flight") == 2
        assert spamd.requests == 1


async def test_remembered_spam_is_noted_in_the_log_and_counted(tmp_path: Path) -> None:
    async with FakeSpamd(replying(SPAM)) as spamd:
        async with serving(tmp_path, spamd=hosts(spamd) | {"remember_spam": FOR_GOOD}) as inside:
            for letter in (LETTER, LETTER, LETTER.replace(b"A letter", b"Another")):
                await inside.bring(letter=letter)
            spared = [record.to_dict().get("spamd_spared", "") for record in inside.records]
            assert spared == ["", "remembered", ""]
            assert [record.score for record in inside.records] == [9.5] * 3
            assert await counted(inside, how="remembered") == 1
        assert spamd.requests == 2


async def test_wait_for_spamd_is_among_the_durations_where_it_was_asked(tmp_path: Path) -> None:
    async with FakeSpamd(replying(SPAM)) as spamd, serving(tmp_path, spamd=hosts(spamd)) as inside:
        await inside.bring()
        assert (await inside.recorded()).milliseconds["spamd_wait"] >= 0.0
        assert b'mailward_step_seconds_count{step="spamd_wait"} 1.0' in inside.metrics.page()


# --- a real spamd


@pytest.mark.spamd
@pytest.mark.suites
async def test_remembered_verdict_is_the_one_that_spamd_gives_again(spamd: RunningSpamd, suites: Path) -> None:
    fresh, remembering = asking(spamd), asking(spamd, remember_spam=FOR_GOOD)
    origins = set()
    for file in sorted(path for path in (suites / "corpus").rglob("*") if path.is_file())[::SAMPLE]:
        octets = to_crlf(file.read_bytes())
        first, second = [await remembering(copy_of(octets)) for _ in range(2)]
        assert first.score is not None
        assert second.score == (await fresh(copy_of(octets))).score == first.score
        assert second.origin is (Origin.REMEMBERED if first.score.is_spam else Origin.ASKED)
        origins.add(second.origin)
    assert origins == {Origin.REMEMBERED, Origin.ASKED}


GTUBE = b"Subject: x\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
OTHERS = {
    "an octet of the body": copy_of(GTUBE + b" "),
    "an octet of the header": copy_of(GTUBE.replace(b": x", b": y")),
    "the client": copy_of(GTUBE, connection=replace(CLIENT, ip=ip_address("100.128.0.8"))),
    "its greeting": copy_of(GTUBE, connection=replace(CLIENT, helo="mail.other.example")),
    "the sender": copy_of(GTUBE, sender=replace(SENDER, local="anne")),
    "what we found": copy_of(GTUBE, results=RESULTS.replace(b"pass", b"fail")),
}


@pytest.mark.spamd
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_where_anything_differs_spamd_is_asked_anew(spamd: RunningSpamd, other: Subject) -> None:
    check = asking(spamd, remember_spam=FOR_GOOD)
    origins = [(await check(subject)).origin for subject in (copy_of(GTUBE), copy_of(GTUBE), other)]
    assert origins == [Origin.ASKED, Origin.REMEMBERED, Origin.ASKED]
