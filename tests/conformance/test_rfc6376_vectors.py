"""The worked examples of RFC 6376 (sections 3.4.3 to 3.4.5, appendix A) and RFC 8463 (appendix A), whose keys are asked
for over a real DNS server on loopback."""

import hashlib
from base64 import b64encode

import pytest

from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings, Status
from gateway.checks.dkim.canonical import BodyHasher, BodyPlan, Canon
from gateway.checks.dkim.header import Header, relaxed
from gateway.message import Field, by_name, split_fields
from gateway.system.dns import DnsResolver, DnsSettings
from tests.support.dnsserver import DnsServer
from tests.support.mailbytes import subject_of, wire

RSA_1024 = (
    b"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCj"
    b"xOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcW"
    b"ToIMmPSPDdQPNUYckcQ2QIDAQAB"
)
ED25519 = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RSA_8463 = (
    b"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOK"
    b"b2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBf"
    b"O2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)

DINNER = """\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.{space}Are you hungry yet?

Joe.
"""

RFC6376_A2 = """\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
        4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
        KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
        4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
""" + DINNER.format(space=" ")

RFC8463_A3 = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
""" + DINNER.format(space="  ")

ZONE = {
    ("brisbane._domainkey.example.com", "TXT"): [RSA_1024],
    ("brisbane._domainkey.football.example.com", "TXT"): [ED25519],
    ("test._domainkey.football.example.com", "TXT"): [RSA_8463],
}


async def verify(text: str) -> DkimResult:
    async with DnsServer(ZONE) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,)))
        check = DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: 1_528_637_909.0)
        result = await check(subject_of(wire(text)))
        await resolver.close()
        return result


async def test_the_signed_message_of_rfc_6376_passes() -> None:
    result = await verify(RFC6376_A2)
    assert [(one.result, one.domain) for one in result.signatures] == [(Status.PASS, "example.com")]


async def test_both_signatures_of_rfc_8463_pass() -> None:
    result = await verify(RFC8463_A3)
    assert [(one.result, one.claim.algorithm) for one in result.signatures] == [
        (Status.PASS, "ed25519-sha256"),
        (Status.PASS, "rsa-sha256"),
    ]


async def test_one_space_more_breaks_a_simple_body() -> None:
    assert (await verify(RFC6376_A2.replace("game. ", "game.  "))).result is Status.FAIL


async def test_two_spaces_less_do_not_break_a_relaxed_body() -> None:
    assert [one.result for one in (await verify(RFC8463_A3.replace("game.  ", "game. "))).signatures] == [
        Status.PASS,
        Status.PASS,
    ]
    assert (await verify(RFC8463_A3.replace("hungry", "angry"))).result is Status.FAIL


@pytest.mark.parametrize(
    ("canon", "digest"),
    [
        (Canon.SIMPLE, "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="),  # section 3.4.3: one empty line
        (Canon.RELAXED, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),  # section 3.4.4: nothing
    ],
)
@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n"])
def test_an_empty_body_has_the_hash_that_the_rfc_states(canon: Canon, digest: str, body: bytes) -> None:
    hasher = BodyHasher({BodyPlan(canon)})
    hasher.update(body)
    assert b64encode(hasher.finish()[BodyPlan(canon)].digest).decode() == digest


EXAMPLE_HEADER = b"A: X\r\nB : Y\t\r\n\tZ  \r\n"
EXAMPLE_BODY = b" C \r\nD \t E\r\n\r\n\r\n"


def test_the_relaxed_header_of_example_1() -> None:
    fields: tuple[Field, ...] = split_fields(EXAMPLE_HEADER)
    assert [relaxed(field) for field in fields] == [b"a:X\r\n", b"b:Y Z\r\n"]


def test_the_simple_header_of_example_2() -> None:
    fields = split_fields(EXAMPLE_HEADER)
    header = Header(by_name(fields))
    assert [header.canonical(field, Canon.SIMPLE) for field in fields] == [b"A: X\r\n", b"B : Y\t\r\n\tZ  \r\n"]


def test_the_bodies_of_examples_1_to_3() -> None:
    hasher = BodyHasher({BodyPlan(Canon.RELAXED), BodyPlan(Canon.SIMPLE)})
    hasher.update(EXAMPLE_BODY)
    found = hasher.finish()
    assert found[BodyPlan(Canon.RELAXED)].digest == hashlib.sha256(b" C\r\nD E\r\n").digest()
    assert found[BodyPlan(Canon.SIMPLE)].digest == hashlib.sha256(b" C \r\nD \t E\r\n").digest()
