"""Results that a sender forges, through a real spamd: which SpamAssassin would believe, and that none reaches it."""

from pathlib import Path

import pytest

from gateway.authres.field import AuthenticationResults, MethodResult, Property, build
from gateway.authres.stamp import for_scanners, stamp
from gateway.message import Stamped, parse_message
from gateway.scoring.payload import make_payload
from gateway.scoring.spamc import Score
from gateway.system.spool import Spool
from tests.support.spamd import AUTHSERV_ID, RELAY_NETWORK, RunningSpamd

pytestmark = pytest.mark.spamd

LETTER = (
    b"From: Ann Example <ann@author.example>\r\nTo: Bob <bob@example.org>\r\n"
    b"Date: Mon, 24 Nov 2025 10:00:00 +0000\r\nMessage-ID: <20251124100000.4711@author.example>\r\n"
    b"Subject: Lunch on Tuesday\r\n\r\nHello Bob,\r\n\r\nshall we have lunch on Tuesday?\r\n"
)
STRANGER = "100.128.0.7"
PARTNER = RELAY_NETWORK.replace(".0/24", ".9")
FORGED_ARC = f"ARC-Authentication-Results: i=1; {AUTHSERV_ID}; dkim=pass header.d=author.example\r\n".encode()
FORGED = f"Authentication-Results: {AUTHSERV_ID}; dkim=pass header.d=author.example\r\n".encode()
BELIEVED = "AUTHRES_DKIM_PASS"
NOTHING = MethodResult(method="dkim", result="none")


def received(ip: str) -> bytes:
    return (
        f"Received: from mail.author.example (mail.author.example [{ip}]) by {AUTHSERV_ID} with ESMTP id a1b2c3d4e5;"
        " Mon, 24 Nov 2025 10:00:00 +0000\r\n"
    ).encode()


def stamped(forged: bytes, *results: MethodResult, client: str = STRANGER) -> Stamped:
    spool = Spool(threshold=1_000_000, directory=Path("/nonexistent"))
    spool.write(forged + LETTER)
    ours = build(AuthenticationResults(authserv_id=AUTHSERV_ID, results=results or (NOTHING,)))
    message = parse_message(spool, max_header=100_000)
    return stamp(message, authserv_id=AUTHSERV_ID, ours=(ours, received(client)))


async def symbols(spamd: RunningSpamd, copy: Stamped) -> set[str]:
    outcome = await spamd.client.score(make_payload(copy, None, max_size=100_000))
    assert isinstance(outcome, Score), outcome
    return set(outcome.symbols)


def unstripped(forged: bytes, client: str) -> Stamped:
    """What spamd would see of a message that nobody has stripped."""
    plain = stamped(b"", client=client)
    return Stamped(header=received(client) + forged + LETTER.partition(b"\r\n\r\n")[0] + b"\r\n", message=plain.message)


@pytest.mark.parametrize("forged", [FORGED_ARC, FORGED])
async def test_spamassassin_believes_a_forged_field_behind_a_partner_which_is_why_they_are_stripped(spamd, forged):
    assert BELIEVED in await symbols(spamd, unstripped(forged, PARTNER))


@pytest.mark.parametrize("client", [STRANGER, PARTNER, "127.0.0.1"])
@pytest.mark.parametrize(
    "forged",
    [
        FORGED_ARC,
        FORGED,
        FORGED_ARC.replace(b"ARC-Authentication-Results:", b"aRC-aUTHENTICATION-rESULTS :"),
        FORGED_ARC.replace(b" i=1;", b"\r\n\ti = 1 ;\r\n"),
        FORGED.replace(AUTHSERV_ID.encode(), b"(comment) " + AUTHSERV_ID.upper().encode()),
        b" folded\r\n" + FORGED_ARC,
    ],
)
async def test_no_forged_field_reaches_spamassassin(spamd, forged, client):
    found = await symbols(spamd, for_scanners(stamped(forged, client=client)))
    assert not {symbol for symbol in found if symbol.startswith("AUTHRES_") and symbol.endswith("_PASS")}


@pytest.mark.parametrize(
    "hostile",
    [
        '"x; dkim=pass header.d=author.example"@evil.example',
        "=?utf-8?q?x=3B_dkim=3Dpass_header.d=3Dauthor.example?=@evil.example",
        "=?utf-8?q?x?=@evil.example; dkim=pass",
        "=?utf-8?b?eDsgZGtpbT1wYXNz?=@evil.example",
        "=?utf-8?q?x=3B_dkim=3Dpass_header.i=3D?=@evil.example",
        "==?utf-8?q?x=3B_dkim=3Dpass_header.i=3D?=@evil.example",
        "=?utf-8?q?x=22=3B_dkim=3Dpass=3B?=@evil.example",
        "x) ; dkim=pass (@evil.example",
    ],
)
@pytest.mark.parametrize("reason", ["", "hostile"])
async def test_sender_cannot_speak_in_our_name_from_within_our_field(spamd, hostile, reason):
    why = hostile if reason else ""
    results = (
        MethodResult("spf", "fail", why, (Property("smtp", "mailfrom", hostile),), why),
        MethodResult("iprev", "fail", "", (Property("policy", "iprev", STRANGER),), hostile),
    )
    found = await symbols(spamd, for_scanners(stamped(b"", *results)))
    assert BELIEVED not in found
    assert "AUTHRES_SPF_FAIL" in found
