"""ARC validation as ValiMail's test suite has it, and two messages of mail-auth's."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire

pytestmark = pytest.mark.suites


async def test_valimail_validation(suites: Path, score: Callable[[str, int, int], None]) -> None:
    wrong, total = [], 0
    for scenario in yaml.safe_load_all((suites / "arc/valimail/arc-draft-validation-tests.yml").read_text()):
        zone = {name: text.encode() for name, text in scenario["txt-records"].items()}
        for name, case in scenario["tests"].items():
            total += 1
            expected = (case["cv"] or "fail").lower()  # an empty one stands for a chain that has ended, cv=fail
            if (await _validate(wire(case["message"]), zone)).result.value != expected:
                wrong.append(name)
    score("ARC validation, ValiMail", total - len(wrong), total)
    assert wrong == []
    assert total == 171


async def test_mail_auth_chains(suites: Path, score: Callable[[str, int, int], None]) -> None:
    files = sorted((suites / "arc/stalwart").glob("*.txt"))
    results = {file.name: (await _validate(*_read(file))).result.value for file in files}
    score("ARC validation, mail-auth", list(results.values()).count("pass"), len(files))
    assert results == dict.fromkeys(("001.txt", "002.txt"), "pass")


def _read(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """A zone, one name and record a line, then an empty line, then the message."""
    zone, _, message = wire(file.read_bytes()).partition(b"\r\n\r\n")
    lines = (line.partition(b" ") for line in zone.split(b"\r\n"))
    return message, {name.decode(): record for name, _, record in lines}


async def _validate(octets: bytes, zone: dict[str, bytes]) -> ArcResult:
    table = {(name, "TXT"): [record] for name, record in zone.items()}
    check = ArcCheck(ArcSettings(), resolver=TableResolver(table), clock=time.time)
    return await check(subject_of(octets))
