"""DKIM as other verifiers' tests have it: dkim_verifier, chasquid, Mail::DKIM, mail-auth, MimeKit, mailauth.

By library call and over a real DNS server on loopback. More is asked than the suite does: of a message of which it
says that some signature passes, all must, and where it says no more than that one does not pass, the word is that which
RFC 8601 section 2.7.1 has for what is wrong with it.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings
from gateway.system.dns import DnsResolver, DnsSettings, Resolver, Status
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Table, TableResolver
from tests.support.mailbytes import subject_of, wire

pytestmark = pytest.mark.suites

CASES = 91
FAULTS = {"TEMPERROR": Status.SERVFAIL, "PERMERROR": Status.NXDOMAIN}
WORDS = {"tempfail": "temperror", "permfail": "permerror"}
LIMITS = {"02-too_many_headers.msg": 5}  # this one wants the limit of its project

# What is wrong, by a note of the suite or by the name of a file, and the words for the signatures of the message.
PERMERROR_BY_NOTE = (  # RFC 6376 sections 3.5, 3.6.1 and 6.1: what can never be verified
    "revoked key",
    "key h= excludes sha256",
    "key s= excludes email",
    "key t=s",
    "a second From",
    "v=; ",
    "v=5; ",
    "v=0.5; ",
)
WORDS_BY_FILE = {
    "rfc6376-A.2-ill_formed-missing_v.eml": ["permerror"],
    "rfc8463-A.3-key_algo_mismatch.eml": ["permerror", "permerror"],
    "rfc6376-A.2-body_modified.eml": ["fail"],
    "rfc6376-A.2-header_subject_modified.eml": ["fail"],
    "multiple_2.txt": ["policy", "policy", "policy", "permerror"],  # the last one's tags are malformed
    "badkey_11.txt": ["permerror"],  # the key is for another hash
    "badkey1_ed25519.txt": ["permerror"],  # the key is none
    "badkey2_ed25519.txt": ["fail"],  # of another key
    "badkey3_ed25519.txt": ["fail"],  # of another body
    "badkey4_ed25519.txt": ["permerror"],  # there is no key
    "badkey5_ed25519.txt": ["permerror"],  # the key record is malformed
}


async def test_every_case_by_library_call(suites: Path, score: Callable[[str, int, int], None]) -> None:
    wrong = []
    for case in _cases(suites):
        wrong += _faults(case, await _verify(suites / "dkim", case, TableResolver(_table(case))))
    score("DKIM, the tests of six other verifiers, by library call", CASES - len(wrong), CASES)
    assert wrong == []


async def test_every_case_over_the_wire(suites: Path, score: Callable[[str, int, int], None]) -> None:
    wrong = []
    for case in _cases(suites):
        async with DnsServer(_table(case)) as server:
            resolver = DnsResolver(DnsSettings(servers=(server.address,)))
            wrong += _faults(case, await _verify(suites / "dkim", case, resolver))
            await resolver.close()
    score("DKIM, the tests of six other verifiers, over loopback DNS", CASES - len(wrong), CASES)
    assert wrong == []


def test_the_suite_is_whole(suites: Path) -> None:
    assert len(_cases(suites)) == CASES


def _cases(suites: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((suites / "dkim" / "cases.json").read_text())
    return found


def _table(case: dict[str, Any]) -> Table:
    return {(name, "TXT"): FAULTS.get(text) or [text.encode()] for name, text in case["zone"].items()}


async def _verify(folder: Path, case: dict[str, Any], resolver: Resolver) -> DkimResult:
    file = folder / case["file"]
    check = DkimCheck(
        DkimSettings(max_signatures=LIMITS.get(file.name, 10)),
        resolver=resolver,
        clock=lambda: case["clock"] or time.time(),
    )
    return await check(subject_of(_message(file, case["note"])))


def _message(file: Path, note: str) -> bytes:
    octets = file.read_bytes()
    if b"\n" not in octets:  # a symbolic link that became a file with the name of its target
        octets = file.with_name(octets.decode()).read_bytes()
    octets = wire(octets)
    return octets.partition(b"\r\n\r\n")[2] if "after the first empty line" in note else octets


def _faults(case: dict[str, Any], result: DkimResult) -> list[str]:
    found = [signature.result.value for signature in result.signatures]
    expected = _expected(case, result.count)
    return [] if found == expected else [f"{case['file']}: {found} instead of {expected}"]


def _expected(case: dict[str, Any], signatures: int) -> list[str]:
    """The words for the signatures of a case, of which the message has so many."""
    expected = case.get("expect")
    if expected is None and case["expect_any"] == "pass":
        return ["pass"] * max(signatures, 1)
    if expected is None or "notpass" in expected:
        return _words_of(Path(case["file"]).name, case["note"] + "; ")
    return [WORDS.get(word, word) for word in expected]


def _words_of(name: str, note: str) -> list[str]:
    """The words for what does not pass. Every other case of this kind is signed with rsa-sha1 (RFC 8301)."""
    if name in WORDS_BY_FILE:
        return WORDS_BY_FILE[name]
    if any(fault in note for fault in PERMERROR_BY_NOTE):
        return ["permerror"]
    assert "a=rsa-sha1 v=1" in note, (name, note)
    return ["policy"]
