"""ARC as ValiMail's test suite has it, validated and signed, and two messages of mail-auth's."""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.authres.field import AuthenticationResults, MethodResult, parse_value
from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings, Sealer
from gateway.checks.arc.seal import Signatory
from gateway.checks.arc.sealingkey import SealingKey
from gateway.checks.dkim.tags import parse_tags, unfolded
from gateway.message import Message, Stamped
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import message_of, subject_of, wire
from tests.support.sealing import dkimpys_verdict, own_seal_verifies

pytestmark = pytest.mark.suites

_comment_re = re.compile(rb"\([^()]*\)")


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


async def test_valimail_signing(suites: Path, score: Callable[[str, int, int], None]) -> None:
    wrong, total = {}, 0
    for scenario in yaml.safe_load_all((suites / "arc/valimail/arc-draft-sign-tests.yml").read_text()):
        for name, case in scenario["tests"].items():
            total += 1
            if faults := [fault async for fault in _signing_faults(scenario, case)]:
                wrong[name] = faults
    score("ARC signing, ValiMail", total - len(wrong), total)
    assert wrong == {}
    assert total == 17


async def test_mail_auth_chains(suites: Path, score: Callable[[str, int, int], None]) -> None:
    files = sorted((suites / "arc/stalwart").glob("*.txt"))
    results = {file.name: (await _validate(*_read(file))).result.value for file in files}
    score("ARC validation, mail-auth", list(results.values()).count("pass"), len(files))
    assert results == dict.fromkeys(("001.txt", "002.txt"), "pass")


async def _signing_faults(scenario: dict[str, Any], case: dict[str, Any]) -> AsyncIterator[str]:
    """What of a case is not as expected: the message signature to the octet of its b=, what was found but for comments;
    and whether the seal verifies, since it covers the folding of both, which is ours to choose."""
    zone = {name: text.encode() for name, text in scenario["txt-records"].items()}
    octets = wire(case["message"])
    before = await _validate(octets, zone)
    sealed = await _sealed(message_of(octets), before, scenario, case)
    if not case["AMS"].strip() and not sealed.ours:
        return
    if not case["AMS"].strip() or not sealed.ours:
        yield "there is no set where one is expected, or one where there is to be none"
        return
    seal, signature, results = (field.value for field in message_of(sealed.header).fields[:3])
    if _tags(signature) != _tags(wire(case["AMS"])):
        yield "the message signature differs"
    if _bare(results) != _bare(case["AAR"].encode()):
        yield "the results differ"
    if _tags(seal, "b") != _tags(wire(case["AS"]), "b"):
        yield "a tag of the seal differs"
    if not await _is_accepted(b"".join(sealed.chunks()), before, zone):
        yield "the seal does not verify"


async def _sealed(message: Message, before: ArcResult, scenario: dict[str, Any], case: dict[str, Any]) -> Stamped:
    private = load_pem_private_key(scenario["privatekey"].encode(), None)
    assert isinstance(private, RSAPrivateKey)
    headers = tuple(case["sig-headers"].split(":"))
    by = Signatory(domain=scenario["domain"], selector=scenario["sel"], key=SealingKey(private), headers=headers)
    found = AuthenticationResults(case["srv-id"], tuple(_found(message, case["srv-id"])))
    stamped = Stamped(header=b"".join(field.raw for field in message.fields), message=message)
    return await Sealer(by=by, clock=lambda: float(case["t"])).seal(stamped, found, before)


def _found(message: Message, authserv_id: str) -> Iterator[MethodResult]:
    """All that the fields of this host say (RFC 8617 section 4.1.1)."""
    for field in map(parse_value, (field.value for field in message.named("authentication-results"))):
        if field.authserv_id == authserv_id:
            yield from field.results


async def _is_accepted(octets: bytes, before: ArcResult, zone: dict[str, bytes]) -> bool:
    """By dkimpy and by us; a seal behind a broken chain, which they do not look at, by itself."""
    verdicts = (dkimpys_verdict(octets, zone), (await _validate(octets, zone)).result.value)
    if before.result == "fail":
        (record,) = zone.values()
        return verdicts == ("ended", "fail") and own_seal_verifies(octets, record)
    return verdicts == ("pass", "pass")


def _tags(value: bytes, *without: str) -> dict[str, bytes]:
    return {name: unfolded(text) for name, text in parse_tags(value).items() if name not in without}


def _bare(results: bytes) -> bytes:
    return unfolded(_comment_re.sub(b"", results))


def _read(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """A zone, one name and record a line, then an empty line, then the message."""
    zone, _, message = wire(file.read_bytes()).partition(b"\r\n\r\n")
    lines = (line.partition(b" ") for line in zone.split(b"\r\n"))
    return message, {name.decode(): record for name, _, record in lines}


async def _validate(octets: bytes, zone: dict[str, bytes]) -> ArcResult:
    table = {(name, "TXT"): [record] for name, record in zone.items()}
    check = ArcCheck(ArcSettings(), resolver=TableResolver(table), clock=time.time)
    return await check(subject_of(octets))
