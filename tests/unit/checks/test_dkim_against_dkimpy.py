"""A second opinion: whatever dkimpy signs, and whatever happens to it on its way, both verifiers say the same."""

import asyncio
import re
from typing import Any

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.checks.dkim import DkimCheck, DkimSettings
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of
from tests.support.signing import SigningKey, ed25519_key, rsa_key, signed

pytest.importorskip("nacl", reason="dkimpy signs and verifies Ed25519 with PyNaCl")

KEYS = {"rsa-sha256": rsa_key, "ed25519-sha256": ed25519_key}
_values_re = re.compile(rb"(?<=: )[^\r\n]+|(?<=\n )[^\r\n]+")  # without names and folding: dkimpy refuses such headers
KEY_NAME = "s1._domainkey.example.org"

words = st.text("abcXYZ019 \t.,-=", min_size=1, max_size=12).map(lambda text: f"x{text}x")
values = st.lists(words, min_size=1, max_size=3).map("\r\n ".join)
fields = st.lists(st.tuples(st.sampled_from(["To", "Subject", "Date", "X-Other"]), values), max_size=5)
lines = st.lists(st.text("ab \t.", max_size=10), max_size=8)


@st.composite
def letters(draw: st.DrawFn) -> bytes:
    header = "".join(f"{name}: {value}\r\n" for name, value in [("From", "ann@example.org"), *draw(fields)])
    return (header + "\r\n" + "".join(f"{line}\r\n" for line in draw(lines))).encode()


@st.composite
def signed_letters(draw: st.DrawFn) -> tuple[bytes, SigningKey]:
    key = KEYS[draw(st.sampled_from(sorted(KEYS)))]()
    canons = st.sampled_from(["simple", "relaxed"])
    canon = f"{draw(canons)}/{draw(canons)}"
    names = ("from", *draw(st.lists(st.sampled_from(["to", "subject", "date", "from", "none"]), max_size=5)))
    return signed(draw(letters()), key, canon=canon, headers=names), key


def ours(octets: bytes, key: SigningKey) -> bool:
    check = DkimCheck(DkimSettings(), resolver=TableResolver({(KEY_NAME, "TXT"): [key.record]}), clock=lambda: 2e9)
    return asyncio.run(check(subject_of(octets))).result == "pass"


def dkimpys(octets: bytes, key: SigningKey) -> bool:
    def record(name: bytes, timeout: int = 5) -> bytes | None:
        return key.record if name.lower().rstrip(b".") == KEY_NAME.encode() else None

    try:
        return bool(dkim.verify(octets, dnsfunc=record))
    except (dkim.DKIMException, ValueError, IndexError, KeyError, TypeError):  # the latter on malformed signatures
        return False


@settings(deadline=None, max_examples=150, derandomize=True)
@given(signed_letters())
def test_both_accept_what_was_signed(case: tuple[bytes, SigningKey]) -> None:
    assert dkimpys(*case)
    assert ours(*case)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(case=signed_letters(), data=st.data())
def test_both_say_the_same_of_what_was_changed(case: tuple[bytes, SigningKey], data: Any) -> None:
    octets, key = case
    changed = bytearray(octets)
    body = octets.index(b"\r\n\r\n") + 4
    places = [place for match in _values_re.finditer(octets, 0, body) for place in range(*match.span())]
    places += [place for place in range(body, len(octets)) if octets[place] not in b"\r\n"]
    places = [place for place in places if octets[place] not in b"="]  # padding, which only dkimpy insists on
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2)):
        changed[place] = data.draw(st.sampled_from(b"aZ0 \t."))
    assert ours(bytes(changed), key) == dkimpys(bytes(changed), key)
