"""The client and the check against a real spamd with SpamAssassin's rules and ours."""

import asyncio
import socket
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
import spamassassin_client.spamassasin_client as second_opinion
from msgspec.structs import replace

from gateway.authres.received import received_field
from gateway.checks.base import Subject
from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.checks.spamresult import SpamResult, SpamStatus
from gateway.connection import Connection, Role, Tls
from gateway.envelope import Address, Envelope
from gateway.message import Stamped, parse_message
from gateway.scoring.hosts import TcpAddress, parse_address
from gateway.scoring.payload import Excerpt
from gateway.scoring.spamc import Score
from gateway.system.spool import Spool
from tests.support.dnsserver import DnsServer
from tests.support.spamd import AUTHSERV_ID, STRANGER, STRANGER_6, RunningSpamd, running_spamd

pytestmark = pytest.mark.spamd

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
CLIENT = Connection(id="c1", ip=ip_address(STRANGER), port=4000, role=Role.STRANGER, opened=0.0, esmtp=True)
ENVELOPE = Envelope(id="m1", sender=Address(local="ann", domain="author.example"))
OWN = "198.51.100.9"
RELAY = "203.0.113.9"
HEAD = (
    b"From: Ann Example <ann@author.example>\r\nTo: Bob <bob@example.org>\r\n"
    b"Date: Mon, 24 Nov 2025 10:00:00 +0000\r\nMessage-ID: <20251124100000.4711@author.example>\r\n"
    b"Subject: Lunch on Tuesday\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
)
HAM = b"Hello Bob,\r\n\r\nshall we have lunch on Tuesday, at the usual place?\r\n\r\nAnn\r\n"
SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256; d=author.example; s=sel; h=From; bh=AAAA; b=AAAA\r\n"


def received(
    ip: str, *, hostname: str = AUTHSERV_ID, helo: str = "mail.author.example", tls: Tls | None = None
) -> bytes:
    client = replace(CLIENT, ip=ip_address(ip), helo=helo, tls=tls)
    return received_field(
        client, ENVELOPE, hostname=hostname, client_name="mail.author.example", now=1763978400.0, ident="m1"
    )


def results(text: str, authserv_id: str = AUTHSERV_ID) -> bytes:
    return f"Authentication-Results: {authserv_id};\r\n {text}\r\n".encode()


def letter(*stamps: bytes, body: bytes = HAM) -> Excerpt:
    return Excerpt(b"".join((b"Return-Path: <ann@author.example>\r\n", *stamps, HEAD, b"\r\n", body)))


async def score(spamd: RunningSpamd, message: Excerpt) -> Score:
    outcome = await spamd.client.score(message)
    assert isinstance(outcome, Score), outcome
    return outcome


async def symbols(spamd: RunningSpamd, *stamps: bytes) -> set[str]:
    return set((await score(spamd, letter(*stamps))).symbols)


def subject(body: bytes) -> Subject:
    spool = Spool(threshold=10_000_000, directory=Path("/nonexistent"))
    spool.write(HEAD + b"\r\n" + body)
    message = parse_message(spool, max_header=10_000)
    return Subject(
        connection=CLIENT,
        envelope=ENVELOPE,
        message=message,
        copy=Stamped(header=received(STRANGER) + HEAD, message=message),
    )


async def check(spamd: RunningSpamd, body: bytes, *, max_size: int = 100_000) -> SpamResult:
    return await SpamdCheck(SpamdSettings(hosts=(spamd.host,), max_size=max_size))(subject(body))


# --- scores


async def test_ham_scores_low(spamd):
    result = await check(spamd, HAM)
    assert result.status is SpamStatus.SCORED
    assert result.score.score < 2.0
    assert not result.score.is_spam


async def test_gtube_scores_a_thousand(spamd):
    result = await check(spamd, GTUBE)
    assert result.score.score >= 1000.0
    assert result.score.is_spam
    assert "GTUBE" in result.score.symbols


async def test_last_line_without_an_end_is_scored(spamd):
    assert (await check(spamd, GTUBE.rstrip())).score.score >= 1000.0


async def test_padding_behind_the_spam_is_no_way_round(spamd):
    result = await check(spamd, GTUBE + b"padding\r\n" * 20_000, max_size=20_000)
    assert result.truncated
    assert result.score.score >= 1000.0


async def test_unix_socket_serves_as_well():
    with running_spamd(address="unix://{directory}/socket") as spamd:
        assert await spamd.client.ping() is None
        assert (await score(spamd, letter(received(STRANGER), body=GTUBE))).is_spam


async def test_killed_spamd_is_unavailable_and_then_left_alone():
    with running_spamd() as spamd:
        ask = SpamdCheck(SpamdSettings(hosts=(spamd.host,), breaker_failures=2, attempt_timeout=10))
        assert (await ask(subject(HAM))).status is SpamStatus.SCORED
        spamd.kill()
        assert [(await ask(subject(HAM))).status for _ in range(3)] == [SpamStatus.UNAVAILABLE] * 3
        address = parse_address(spamd.address)
        with socket.create_server((address.host, address.port)) as listening:
            listening.setblocking(False)
            assert (await ask(subject(HAM))).status is SpamStatus.UNAVAILABLE
            with pytest.raises(BlockingIOError):
                listening.accept()


# --- whom SpamAssassin trusts


@pytest.mark.parametrize("client", [STRANGER, STRANGER_6])
@pytest.mark.parametrize("tls", [None, Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256)])
async def test_first_untrusted_relay_is_our_client(spamd, client, tls):
    found = await symbols(spamd, received(client, tls=tls))
    assert found >= {"FIRST_EXTERNAL_IS_STRANGER", "FIRST_UNTRUSTED_IS_STRANGER"}


@pytest.mark.parametrize(
    "helo",
    [
        "[127.0.0.1]",
        "[198.51.100.9]",
        "x([198.51.100.9])by",
        "localhost([198.51.100.9])",
        "a by b with ESMTPA id c; 1 Jan 2020 00:00:00 +0000",
        "helo=x ident=y",
        "from",
        "by",
        "with",
        "",
        "x" * 1000,
    ],
)
async def test_no_helo_makes_our_client_another(spamd, helo):
    found = await symbols(spamd, received(STRANGER, helo=helo))
    assert found >= {"FIRST_EXTERNAL_IS_STRANGER", "FIRST_UNTRUSTED_IS_STRANGER"}


async def test_sender_of_the_envelope_is_known_whatever_the_message_says(spamd):
    assert "SENDER_IS_ANN" in await symbols(spamd, received(STRANGER), b"Return-Path: <other@else.example>\r\n")


@pytest.mark.parametrize("client", [OWN, RELAY, "127.0.0.1"])
async def test_client_in_our_networks_is_trusted(spamd, client):
    assert "ALL_TRUSTED" in await symbols(spamd, received(client))


@pytest.mark.parametrize("client", ["10.0.0.1", "192.168.1.1"])
async def test_private_address_that_is_not_ours_is_not_trusted(spamd, client):
    assert "ALL_TRUSTED" not in await symbols(spamd, received(client))


async def test_behind_a_relay_partner_its_client_is_judged(spamd):
    forwarded = received(RELAY), received(STRANGER, hostname="relay.partner.example")
    found = await symbols(spamd, *forwarded)
    assert found >= {"FIRST_EXTERNAL_IS_STRANGER", "FIRST_UNTRUSTED_IS_STRANGER"}


# --- what SpamAssassin believes of authentication


@pytest.mark.parametrize("client", [STRANGER, OWN, RELAY])
async def test_results_above_our_received_are_believed(spamd, client):
    stamp = results("spf=pass smtp.mailfrom=author.example; dkim=pass header.d=author.example header.s=sel")
    assert {"AUTHRES_SPF_PASS", "AUTHRES_DKIM_PASS"} <= await symbols(spamd, stamp, received(client))


async def test_failures_are_believed(spamd):
    stamp = results("spf=fail smtp.mailfrom=author.example; dmarc=fail header.from=author.example")
    assert {"AUTHRES_SPF_FAIL", "AUTHRES_DMARC_FAIL"} <= await symbols(spamd, stamp, received(STRANGER))


@pytest.mark.parametrize(
    ("result", "rule"),
    [
        ("spf=softfail smtp.mailfrom=author.example", "AUTHRES_SPF_SOFTFAIL"),
        ("dkim=fail header.d=author.example header.s=sel", "AUTHRES_DKIM_FAIL"),
        ("arc=pass smtp.remote-ip=192.0.2.7", "AUTHRES_ARC_PASS"),
        ("arc=fail smtp.remote-ip=192.0.2.7", "AUTHRES_ARC_FAIL"),
    ],
)
async def test_each_result_has_a_name_for_rules_of_the_site(spamd, result, rule):
    assert rule in await symbols(spamd, results(result), received(STRANGER))


async def test_results_below_our_received_are_not_believed(spamd):
    assert "AUTHRES_DKIM_PASS" not in await symbols(
        spamd, received(STRANGER), results("dkim=pass header.d=author.example")
    )


async def test_results_of_another_are_not_believed(spamd):
    stamp = results("dkim=pass header.d=author.example", "mx.elsewhere.example")
    assert "AUTHRES_DKIM_PASS" not in await symbols(spamd, stamp, received(STRANGER))


@pytest.mark.parametrize(
    ("stamp", "hit"),
    [
        ("dkim=pass header.d=author.example; dmarc=pass header.from=author.example", {"DKIM_VALID", "DKIM_VALID_AU"}),
        ("dkim=pass header.d=other.example; dmarc=fail header.from=author.example", {"DKIM_VALID"}),
        ("dkim=fail header.d=author.example; dmarc=pass header.from=author.example", {"DKIM_INVALID"}),
        ("dkim=temperror header.d=author.example", {"DKIM_INVALID"}),
    ],
)
async def test_dkim_rules_stand_on_our_results(spamd, stamp, hit):
    found = await symbols(spamd, results(stamp), received(STRANGER), SIGNATURE)
    assert {symbol for symbol in found if symbol.startswith("DKIM_")} == hit | {"DKIM_SIGNED"}


ZONE = {
    ("author.example", "TXT"): [b"v=spf1 include:_spf.author.example -all"],
    ("_spf.author.example", "TXT"): [f"v=spf1 ip4:{STRANGER} -all".encode()],
    ("mail.author.example", "TXT"): [b"v=spf1 a -all"],
    ("mail.author.example", "A"): [STRANGER],
    ("sel._domainkey.author.example", "TXT"): [b"v=DKIM1; p=AAAA"],
}
AUTHENTICATION = {
    ("_spf.author.example", "TXT"),
    ("mail.author.example", "TXT"),
    ("sel._domainkey.author.example", "TXT"),
}


async def questions(*stamps: bytes) -> tuple[set[str], set[tuple[str, str]]]:
    """The rules that a spamd with the network on hits, and what it asks of DNS."""
    async with DnsServer(ZONE) as server:
        host, port = server.address.split(":")
        settings = f"dns_available yes\nclear_dns_servers\ndns_server [{host}]:{port}\n"
        with ExitStack() as running:
            spamd = await asyncio.to_thread(running.enter_context, running_spamd(options=(), settings=settings))
            found = await symbols(spamd, *stamps)
        return found, {(name, rrtype) for name, rrtype, _ in server.asked}


async def test_what_the_gateway_has_looked_up_is_not_looked_up_again():
    stamp = results("spf=pass smtp.mailfrom=author.example; dkim=pass header.d=author.example header.s=sel")
    found, asked = await questions(stamp, received(STRANGER), SIGNATURE)
    assert asked, "spamd asked nothing: the network is not on"
    assert not asked & AUTHENTICATION
    assert found >= {"SPF_PASS", "DKIM_VALID"}


# --- a second opinion


@pytest.mark.parametrize("message", [letter(received(STRANGER)), letter(received(STRANGER), body=GTUBE)])
async def test_spamassassin_client_has_the_same_opinion(spamd, message, monkeypatch):
    ours = await score(spamd, message)
    theirs = await asyncio.to_thread(_ask_second, monkeypatch, spamd, b"".join(message.chunks()))
    assert theirs.get_score() == ours.score
    assert set(theirs.get_report_json()) == set(ours.symbols)
    assert theirs.is_spam(ours.required) == ours.is_spam


def _ask_second(monkeypatch: pytest.MonkeyPatch, spamd: RunningSpamd, message: bytes) -> second_opinion.SpamAssassin:
    """The package connects to 127.0.0.1:783 whatever one wants; so its sockets are led to our spamd."""
    address = parse_address(spamd.address)
    assert isinstance(address, TcpAddress)

    class Led(socket.socket):
        def connect(self, _: object) -> None:
            super().connect((address.host, address.port))

    module = SimpleNamespace(socket=Led, AF_INET=socket.AF_INET, SOCK_STREAM=socket.SOCK_STREAM, SHUT_WR=socket.SHUT_WR)
    monkeypatch.setattr(second_opinion, "socket", module)
    return second_opinion.SpamAssassin(message)
