"""Statistics over 500 spam and 500 ham messages as they lie in directories; and over some of them with a real spamd."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.casebook import unscored
from gateway.config import Settings
from gateway.inspection import Inspector
from gateway.knownmail import Examiner, KnownMail, for_tuning
from gateway.system.fixeddns import FixedDns
from gateway.tuning.picture import LIGHT, Format, draw, panels
from gateway.tuning.sighting import Known
from gateway.tuning.statistics import statistics
from gateway.tuning.tally import Tally
from gateway.tuning.thresholds import Measure
from tests.support.journeys import NOW, settings_of
from tests.support.rulefacts import written
from tests.support.spamd import RunningSpamd

pytestmark = pytest.mark.suites

SCORED = 25  # messages of each kind; each costs spamd a tenth of a second of CPU
RULES = """
[[rule]]
id = "mailer"
why = "x"
when = 'len(header("X-Mailer")) > 0'
then = "accept"

[[rule]]
id = "brought"
why = "x"
when = 'client.role == "stranger" and client.helo != ""'
then = "tag"
"""

_mailer_re = re.compile(rb"^x-mailer:", re.IGNORECASE | re.MULTILINE)


def corpus(suites: Path, known: Known, count: int) -> list[KnownMail]:
    files = sorted(path for path in (suites / "corpus" / known).rglob("*") if path.is_file())
    return [KnownMail(file, known) for file in files[:count]]


async def counted(mail: list[KnownMail], settings: Settings) -> tuple[Tally, Inspector]:
    tally = Tally()
    with closing(Inspector(settings, resolver=FixedDns({}), clock=lambda: NOW)) as inspector:
        examiner = Examiner(inspector, settings, tally)
        await examiner.examine(mail)
        assert (examiner.unjudged, examiner.unread) == (0, [])
    return tally, inspector


async def test_every_message_is_counted_and_nearly_all_say_how_they_came(
    suites: Path, tmp_path: Path, score: Callable[[str, int, int], None]
) -> None:
    written(tmp_path / "rules.d", RULES)
    mail = [*corpus(suites, Known.HAM, 500), *corpus(suites, Known.SPAM, 500)]
    tally, _ = await counted(mail, for_tuning(unscored(settings_of(tmp_path)), None))
    assert tally.known == {Known.HAM: 500, Known.SPAM: 500}
    for known in (Known.HAM, Known.SPAM):
        named = sum(bool(_mailer_re.search(head(each))) for each in corpus(suites, known, 500))
        assert tally.rules["mailer"].hits[known] == named > 100
    brought = tally.rules["brought"]
    assert brought.hits.total() + brought.undecided == 1000
    score("corpus: messages whose trace fields name a client", brought.hits.total(), 1000)
    assert brought.hits.total() > 900


def head(mail: KnownMail) -> bytes:
    return mail.file.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")[0]


@pytest.mark.spamd
async def test_a_real_spamd_tells_spam_from_ham(suites: Path, tmp_path: Path, spamd: RunningSpamd) -> None:
    host = {"address": spamd.address, "concurrency": 2}
    settings = for_tuning(settings_of(tmp_path, spamd={"hosts": [host], "attempt_timeout": 200, "timeout": 200}), None)
    mail = [*corpus(suites, Known.HAM, SCORED), *corpus(suites, Known.SPAM, SCORED)]
    tally, inspector = await counted(mail, settings)
    found = statistics(tally, inspector.parts.profiles.all)
    points = found.curves[Measure.SCORE]
    assert {tally.scores[Measure.SCORE].number(known) for known in (Known.HAM, Known.SPAM)} == {SCORED}
    assert [(point.ham, point.spam) for point in points] == sorted(
        ((point.ham, point.spam) for point in points), reverse=True
    ), "whoever raises a threshold catches no more"
    [at_5] = [point for point in points if point.threshold == 5]
    assert at_5.spam_share is not None
    assert at_5.ham_share is not None
    assert at_5.spam_share > 0.6 > 0.3 > at_5.ham_share
    assert {"spamd", "spam-tag", "spam-reject"} <= {threshold.name for threshold in found.thresholds}
    assert len(draw(panels(found), LIGHT, Format.PNG)) > 10_000
