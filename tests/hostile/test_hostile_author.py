"""Senders who want their reader to see another author than DMARC does: whatever they write into From, in one field or
in several, a domain that they have no right to never passes, and its policy is not escaped."""

import asyncio
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.author import Form, find_author
from gateway.checks.base import Subject
from gateway.checks.dkim.result import DkimResult, DkimSignatureResult
from gateway.checks.dkim.signature import Claim
from gateway.checks.dkim.status import Status as DkimStatus
from gateway.checks.dmarc import DmarcCheck, DmarcResult, Policy, Status
from gateway.domain import canonical_domain
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import message_of, subject_of

EVIL, BANK = "evil.example", "bank.example"
ZONE = TableResolver(
    {
        (f"_dmarc.{EVIL}", "TXT"): [b"v=DMARC1; p=none"],
        (f"_dmarc.{BANK}", "TXT"): [b"v=DMARC1; p=reject"],
        ("_dmarc.xn--bcher-kva.example", "TXT"): [b"v=DMARC1; p=reject"],
    }
)
VOUCHED = DkimResult(signatures=(DkimSignatureResult(result=DkimStatus.PASS, claim=Claim(domain=EVIL)),), count=1)

PIECES = [
    *("eve@evil.example", "<eve@evil.example>", "service@bank.example", "<service@bank.example>", "@bank.example"),
    *("bank.example", "service@", "bank.exam", "ple", '"service@bank.example"', "(service@bank.example)", "Bank"),
    *("=?utf-8?q?service=40bank.example?=", "=?utf-8?q?service=40?=", "service＠bank.example", "service@bank。example"),
    *(
        ",",
        ";",
        ":",
        "<",
        ">",
        "(",
        ")",
        '"',
        "\\",
        "@",
        ".",
        " ",
        "\t",
        "\r\n ",
        "\u200b",
        "\x00",
        "%00",
        "undisclosed:",
    ),
]
values = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
headers = st.lists(values, min_size=1, max_size=3)


def judged(*fields: str) -> tuple[Subject, DmarcResult]:
    """A message of eve, whose own domain vouches for it."""
    header = "".join(f"From: {field}\r\n" for field in fields)
    subject = replace(subject_of(f"{header}\r\n".encode()), results={"dkim": VOUCHED})
    return subject, asyncio.run(DmarcCheck(ZONE, patience=20.0)(subject))


@settings(deadline=None, max_examples=200)
@given(headers)
def test_domain_of_another_never_passes(fields: list[str]) -> None:
    subject, result = judged(*fields)
    assert subject.author is not None
    if result.result is Status.PASS:
        assert (subject.author.domain, result.from_domain) == (EVIL, EVIL)
    if subject.author.domain == BANK:
        assert result.result is Status.FAIL


@settings(deadline=None, max_examples=200)
@given(headers)
def test_policy_of_a_domain_that_a_common_reader_shows_is_not_escaped(fields: list[str]) -> None:
    subject, result = judged(*fields)
    assert subject.author is not None
    seen = {
        canonical_domain(address.rpartition("@")[2])
        for field in fields
        for _, address in getaddresses([" ".join(field.split())])
        if "@" in address
    }
    if BANK in seen and subject.author.form is not Form.CROWDED:
        assert (result.result, result.domain, result.policy) == (Status.FAIL, BANK, Policy.REJECT)


@pytest.mark.parametrize(
    "value",
    [
        *('service@"bank.example"', 'service@bank."example"', "service@'bank.example'", "service@[bank.example]"),
        *("service@ba\x01nk.example", "service@ba\x7fnk.example", "service@ba\x80nk.example"),
        *("service@ba\ufe0fnk.example", "service@ba\u034fnk.example", "service@ba\u3164nk.example"),
        *("service@ba\U000e0100nk.example", "service@\u2066bank.example\u2069"),
        *("=?utf-8?q?service=40bank.example ?=", "=?utf-8?q? service=40bank.example?="),
        "=?utf-8?b?c2VydmljZUBi YW5rLmV4YW1wbGU=?=",
        "=?utf-8?q?Bank? service=40bank.example?=",
        f'"{"x" * 1100}" <service@ba\u200bnk.example>',
        "<@bank.example:eve@evil.example>",
        "<@x, service@bank.example:eve@evil.example>",
        "service＠bank.example@evil.example",
        "<service＠bank.example,eve@evil.example>",
        *(
            "service@bank..example",
            "service@xn--bank-.example",
            "service@XN--bank-.xn--example-",
            "service@bank.example..",
        ),
    ],
)
def test_policy_is_not_escaped_by_a_domain_in_disguise(value: str) -> None:
    """What a reader drops, or takes for nothing, when it shows an address: quotes, controls, invisible characters."""
    _, result = judged(value)
    assert (result.result, result.domain, result.policy) == (Status.FAIL, BANK, Policy.REJECT)


def test_encoded_word_behind_those_that_are_decoded_is_crowded() -> None:
    subject, _ = judged(f'"{"x" * 1100}" =?utf-8?q?service=40bank.example?=')
    assert subject.author is not None
    assert subject.author.form is Form.CROWDED


@pytest.mark.parametrize("charset", ["latin-1", "cp1252", "koi8-r", "gb18030"])
def test_domain_in_an_unknown_charset_is_crowded(charset: str) -> None:
    """Raw octets: what a reader shows is for its settings to say."""
    letters = {"koi8-r": "банк", "gb18030": "银行"}.get(charset, "bücher")
    author = find_author(message_of(f"From: service@{letters}.example\r\n\r\n".encode(charset)))
    assert (author.domain, author.form) == ("", Form.CROWDED)


def test_domain_in_the_charset_that_most_readers_try_does_not_escape_its_policy() -> None:
    subject = replace(subject_of(b"From: service@b\xfccher.example\r\n\r\n"), results={"dkim": VOUCHED})
    result = asyncio.run(DmarcCheck(ZONE, patience=20.0)(subject))
    assert (result.result, result.domain, result.policy) == (Status.FAIL, "xn--bcher-kva.example", Policy.REJECT)


@pytest.mark.parametrize("value", ["service&#64;bank.example", "service@bank-.example"])
def test_what_no_reader_takes_for_the_domain_has_no_author(value: str) -> None:
    """Shown as it stands: it says nothing of the bank that a reader could act on, and is tagged as unclear."""
    subject, result = judged(value)
    assert subject.author is not None
    assert (subject.author.domain, result.result) == ("", Status.PERMERROR)


@pytest.mark.parametrize("count", [5, 50, 2000])
def test_author_hidden_among_many_is_crowded(count: int) -> None:
    crowd = [*(f"a@d{number}.example" for number in range(count - 1)), "service@bank.example"]
    for fields in ([", ".join(crowd)], crowd):
        subject, result = judged(*fields)
        assert subject.author is not None
        assert subject.author.form is Form.CROWDED
        assert result.result is not Status.PASS
