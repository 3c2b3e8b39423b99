"""The check "attachments": its facts, and that it is asked only where a rule reads one of them."""

from pathlib import Path

import pytest

from gateway.checks.attachments import FACTS, AttachmentsCheck, attachments_check
from gateway.facts import FactValue
from gateway.policy.verdict import Action
from tests.support.dnstable import TableResolver
from tests.support.journeys import walking
from tests.support.mailbytes import subject_of, wire

LETTER = wire(
    "From: ann@sender.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n"
    "--b\n\nSee the file.\n"
    "--b\nContent-Type: application/octet-stream; name=Invoice.PDF.exe\n\nTVqQ\n"
    '--b\nContent-Disposition: attachment; filename="README"\n\nx\n--b--\n'
)
RULE = """
[[rule]]
id = "programs"
why = "Programs are not taken"
when = '"exe" in attachments.suffixes'
then = "reject"
"""


async def facts(octets: bytes) -> dict[str, FactValue]:
    return (await AttachmentsCheck()(subject_of(octets))).facts()


async def test_facts_are_the_declared_ones() -> None:
    assert (await facts(LETTER)).keys() == {fact.name for fact in FACTS}


async def test_names_suffixes_and_types_are_those_of_attachments() -> None:
    assert await facts(LETTER) == {
        "attachments.result": "complete",
        "attachments.count": 2,
        "attachments.names": ("invoice.pdf.exe", "readme"),
        "attachments.suffixes": ("exe",),
        "attachments.types": ("application/octet-stream", "text/plain"),
    }


async def test_a_letter_has_none() -> None:
    found = await facts(wire("Subject: x\n\nbody\n"))
    assert (found["attachments.count"], found["attachments.result"]) == (0, "complete")


def test_check_is_there_only_where_a_rule_reads_it() -> None:
    assert attachments_check({"subject", "spam.score"}) == ()
    assert len(attachments_check({"attachments.types"})) == 1


@pytest.mark.parametrize(("rules", "asked"), [("", False), (RULE, True)])
async def test_rule_decides_by_an_attachment(tmp_path: Path, rules: str, asked: bool) -> None:
    async with walking(tmp_path, TableResolver({}), rules=rules) as walk:
        await walk.connect()
        answer = await walk.send(LETTER)
    record = walk.recorded()
    assert answer.startswith("550 5.7.1" if asked else "250 ")
    assert ("attachments" in record.results) is asked
    assert (record.action == Action.REJECT) is asked
