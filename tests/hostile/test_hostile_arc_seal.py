"""Whatever a message is made of: what we seal verifies, and nothing below our fields changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.authres.field import AuthenticationResults, MethodResult, Property
from gateway.authres.stamp import stamp
from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings, ChainStatus
from gateway.lines import to_crlf
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import message_of, subject_of
from tests.support.sealing import dkimpys_verdict, our_sealer, own_seal_verifies, sealed
from tests.support.signing import rsa_key

LETTER = b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: A letter\r\n\r\nDear Bob,\r\n"
HOSTILE = '"; dkim=pass (\r\n\r\n) \x00=?utf-8?q?=3B?= é'
FOUND = AuthenticationResults(
    "mx.example", (MethodResult("spf", "fail", reason=HOSTILE, properties=(Property("smtp", "helo", HOSTILE),)),)
)
KEYS = {f"s1._domainkey.{domain}": [rsa_key().record] for domain in ("mx.example", "lists.example")}
CHECK = ArcCheck(
    ArcSettings(max_sets=50),
    resolver=TableResolver({(name, "TXT"): record for name, record in KEYS.items()}),
    clock=lambda: 1_700_000_000.0,
)
SEALER = our_sealer(rsa_key())

_chained = sealed(sealed(LETTER, rsa_key()), rsa_key()).partition(b"\r\n\r\n")[0]
_fields = st.sampled_from(
    [
        *(line + b"\r\n" for line in _chained.split(b"\r\n")),
        b"From : a@example.org\r\n",
        b"FROM\t: b@example.org\r\n",
        b"From\r\n : c@example.org\r\n",
        b"Subject:\r\n \r\n\t\r\n",
        b"Subject:" + b" \t" * 400 + b"x\r\n",
        b"DKIM-Signature: b=; b=; v=1\r\n",
        b"List-Id: (\xff\x00\r\n .)\r\n",
        b"X-Spam-Flag: NO\r\n",
        b"Authentication-Results: mx.example; spf=pass\r\n",
        b"ARC-Seal: i=1; cv=none; b=\r\n",
        b"ARC-Seal: i=3; cv=fail\r\n",
        b"ARC-Seal: i=49; cv=pass\r\n",
        b"ARC-Authentication-Results: i=50;\r\n",
        b"no field\r\n",
        b": empty\r\n",
        b" continued\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b".\r\n",
    ]
)
_pieces = _fields | st.binary(max_size=40)
messages = st.lists(_pieces, max_size=12).map(b"".join)


async def validate(octets: bytes) -> ArcResult:
    return await CHECK(subject_of(octets))


async def fault(octets: bytes) -> str:
    """What is wrong with a message that was stamped and sealed; "" if nothing is."""
    before = await validate(octets)
    stamped = stamp(message_of(octets), authserv_id="mx.example", ours=[b"Received: from a by mx.example; now\r\n"])
    result = await SEALER.seal(stamped, FOUND, before)
    whole, unsealed = b"".join(result.chunks()), b"".join(stamped.chunks())
    if not whole.endswith(unsealed) or len(whole) != result.size:
        return "something below our set has changed"
    if whole == unsealed:
        return "" if before.result is ChainStatus.FAIL else f"a chain that is {before.result} was left as it is"
    after = await validate(whole)
    if before.result is ChainStatus.FAIL:
        is_right = after.result is ChainStatus.FAIL and own_seal_verifies(whole, rsa_key().record)
        return "" if is_right else "the set behind a broken chain is not sealed by itself"
    is_right = (after.result, after.length, after.sealer) == (ChainStatus.PASS, before.length + 1, "mx.example")
    return "" if is_right else f"the chain does not pass: {after}"


@settings(deadline=None, max_examples=500, derandomize=True)
@given(messages)
@example(b"")
@example(b"\r\n")
@example(LETTER)
@example(b" continued\r\n" + LETTER)
def test_any_octets_are_sealed_so_that_they_verify(octets: bytes) -> None:
    assert asyncio.run(fault(to_crlf(octets))) == ""


@settings(deadline=None, max_examples=200, derandomize=True)
@given(messages)
def test_any_fields_above_a_chain_leave_it_whole_or_broken_and_are_sealed(octets: bytes) -> None:
    assert asyncio.run(fault(to_crlf(octets) + sealed(LETTER, rsa_key()))) == ""


@pytest.mark.suites
@pytest.mark.parametrize("suite", ["mime", "spamassassin", "corpus", "arc"])
async def test_mail_that_others_collected_is_sealed_so_that_it_verifies(suites: Path, suite: str) -> None:
    files = sorted(path for path in (suites / suite).rglob("*") if path.is_file())
    faults = {str(file): await fault(to_crlf(file.read_bytes())) for file in files}
    assert {file: why for file, why in faults.items() if why} == {}
    assert files


@pytest.mark.suites
async def test_dkimpy_verifies_what_is_sealed_of_real_mail(
    suites: Path, score: Callable[[str, int, int], None]
) -> None:
    """A thousand messages whose headers it reads as we do; malformed ones it refuses to read."""
    refused, total = [], 0
    for file in sorted((suites / "corpus").rglob("*.*")):
        total += 1
        message = message_of(to_crlf(file.read_bytes()))
        stamped = stamp(message, authserv_id="mx.example", ours=())
        sealed_by_us = b"".join((await SEALER.seal(stamped, FOUND, ArcResult())).chunks())
        if dkimpys_verdict(sealed_by_us, {name: record for name, (record,) in KEYS.items()}) != "pass":
            refused.append(file.name)
    score("sealed by us, verified by dkimpy", total - len(refused), total)
    assert refused == []
    assert total == 1000
