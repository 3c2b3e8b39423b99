"""DKIM as other verifiers' tests have it: dkim_verifier, chasquid, Mail::DKIM, mail-auth, MimeKit, mailauth."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings
from gateway.system.dns import Status
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire

pytestmark = pytest.mark.suites

FAULTS = {"TEMPERROR": Status.SERVFAIL, "PERMERROR": Status.NXDOMAIN}
WORDS = {"tempfail": {"temperror"}, "permfail": {"permerror"}}
NOT_A_PASS = {"fail", "policy", "neutral", "temperror", "permerror", "none"}
LIMITS = {"02-too_many_headers.msg": 5}  # this one wants the limit of its project


async def test_dkim_cases(suites: Path, score: Callable[[str, int, int], None]) -> None:
    folder = suites / "dkim"
    cases = json.loads((folder / "cases.json").read_text())
    wrong = [case["file"] for case in cases if not _is_as_expected(case, await _verify(folder, case))]
    score("DKIM, the tests of six other verifiers", len(cases) - len(wrong), len(cases))
    print(f"dkim cases: {len(cases) - len(wrong)} of {len(cases)}")
    assert wrong == []


async def _verify(folder: Path, case: dict[str, Any]) -> DkimResult:
    file = folder / case["file"]
    zone = {(name, "TXT"): FAULTS.get(text) or [text.encode()] for name, text in case["zone"].items()}
    check = DkimCheck(
        DkimSettings(max_signatures=LIMITS.get(file.name, 10)),
        resolver=TableResolver(zone),
        clock=lambda: case["clock"] or time.time(),
    )
    return await check(subject_of(_message(file, case["note"])))


def _message(file: Path, note: str) -> bytes:
    octets = file.read_bytes()
    if b"\n" not in octets:  # a symbolic link that became a file with the name of its target
        octets = file.with_name(octets.decode()).read_bytes()
    octets = wire(octets)
    return octets.partition(b"\r\n\r\n")[2] if "after the first empty line" in note else octets


def _is_as_expected(case: dict[str, Any], result: DkimResult) -> bool:
    found = [signature.result.value for signature in result.signatures]
    if case.get("expect") is None:
        return (result.result.value == "pass") == (case["expect_any"] == "pass")
    return len(found) == len(case["expect"]) and all(map(_matches, case["expect"], found))


def _matches(expected: str, found: str) -> bool:
    return found in (NOT_A_PASS if expected == "notpass" else WORDS.get(expected, {expected}))
