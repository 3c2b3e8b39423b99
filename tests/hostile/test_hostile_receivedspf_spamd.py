"""Received-SPF fields that a sender forges, or fills ours with, through a real spamd: its SPF plugin takes a result
from any such field above the Received field of a stranger, and from partners, instead of asking DNS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.authres.receivedspf import ReceivedSpf, build_received_spf
from gateway.authres.stamp import for_scanners, stamp
from gateway.message import Stamped, parse_message
from gateway.scoring.payload import make_payload
from gateway.scoring.spamc import Score
from gateway.system.spool import Spool
from tests.support.breakouts import BREAKOUTS
from tests.support.spamd import AUTHSERV_ID, RELAY_NETWORK, RunningSpamd, is_installed, running_spamd

pytestmark = pytest.mark.spamd

WORDS = ("pass", "neutral", "none", "fail", "softfail", "permerror", "temperror")
SHOWING = "".join(
    f"header SPF_SAYS_{kind}{word.upper()} eval:check_for_spf_{kind.lower()}{word}()\n"
    f"score SPF_SAYS_{kind}{word.upper()} 0.001\n"
    for kind in ("", "HELO_")
    for word in WORDS
)
LETTER = (
    b"From: Ann Example <ann@author.example>\r\nTo: Bob <bob@example.org>\r\n"
    b"Date: Mon, 24 Nov 2025 10:00:00 +0000\r\nMessage-ID: <20251124100000.4711@author.example>\r\n"
    b"Subject: Lunch on Tuesday\r\n\r\nHello Bob,\r\n\r\nshall we have lunch on Tuesday?\r\n"
)
STRANGER = "100.128.0.7"
PARTNER = RELAY_NETWORK.replace(".0/24", ".9")
FORGED = b"Received-SPF: pass identity=mailfrom; receiver=mail.partner.example; client-ip=192.0.2.1\r\n"


@pytest.fixture(scope="module")
def spamd() -> Iterator[RunningSpamd]:
    if not is_installed():
        pytest.skip("spamd is not installed")
    with running_spamd(settings=SHOWING) as running:
        yield running


def received(ip: str) -> bytes:
    return (
        f"Received: from mail.author.example (mail.author.example [{ip}]) by {AUTHSERV_ID} with ESMTP id a1b2c3d4e5;"
        " Mon, 24 Nov 2025 10:00:00 +0000\r\n"
    ).encode()


def stated(result: str = "fail", *, identity: str = "mailfrom", text: str = "ann@author.example") -> ReceivedSpf:
    return ReceivedSpf(
        result=result,
        identity=identity,
        client_ip=STRANGER,
        envelope_from=text,
        helo=text,
        mechanism=text,
        problem=text,
        receiver=AUTHSERV_ID,
    )


def stamped(above: bytes, *ours: bytes, client: str = STRANGER) -> Stamped:
    spool = Spool(threshold=1_000_000, directory=Path("/nonexistent"))
    spool.write(above + LETTER)
    message = parse_message(spool, max_header=100_000)
    return stamp(message, authserv_id=AUTHSERV_ID, ours=(*ours, received(client)))


async def said(spamd: RunningSpamd, copy: Stamped) -> set[str]:
    """What SpamAssassin takes from Received-SPF: without network it finds nothing by itself."""
    outcome = await spamd.client.score(make_payload(copy, None, max_size=100_000))
    assert isinstance(outcome, Score), outcome
    return {symbol.removeprefix("SPF_SAYS_") for symbol in outcome.symbols if symbol.startswith("SPF_SAYS_")}


async def test_spamassassin_believes_a_forged_field_behind_a_partner_which_is_why_they_are_stripped(
    spamd: RunningSpamd,
) -> None:
    assert await said(spamd, stamped(FORGED, client=PARTNER)) == {"PASS"}


@pytest.mark.parametrize("client", [STRANGER, PARTNER, "127.0.0.1"])
@pytest.mark.parametrize(
    "forged",
    [
        FORGED,
        FORGED.replace(b"mail.partner.example", AUTHSERV_ID.encode()),
        FORGED.replace(b"Received-SPF:", b"rECEIVED-spf :"),
        FORGED.replace(b"Received-SPF:", b"Received-SPF\r\n :"),
        FORGED.replace(b"Received-SPF:", b"Received-SPF\x00:"),
        b" folded\r\n" + FORGED,
    ],
)
async def test_no_forged_field_reaches_spamassassin(spamd: RunningSpamd, forged: bytes, client: str) -> None:
    assert await said(spamd, for_scanners(stamped(forged, client=client))) == set()


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(("identity", "prefix"), [("mailfrom", ""), ("helo", "HELO_")])
async def test_spamassassin_reads_our_field(spamd: RunningSpamd, word: str, identity: str, prefix: str) -> None:
    ours = build_received_spf(stated(word, identity=identity))
    assert await said(spamd, for_scanners(stamped(FORGED, ours, client=PARTNER))) == {f"{prefix}{word.upper()}"}


HOSTILE = (
    '"x identity=helo;"@evil.example',
    '"x; identity=helo; y"@evil.example',
    "=?utf-8?q?identity=3Dhelo=3B?=@evil.example",
    '"x\\" identity=unknown;"@evil.example',
    "x) pass identity=helo; (",
    "x\r\nReceived-SPF: pass identity=mailfrom",
    BREAKOUTS[0],
)


async def test_spamassassin_would_take_an_identity_from_within_a_text(spamd: RunningSpamd) -> None:
    naive = b'Received-SPF: fail identity=mailfrom;\r\n envelope-from="x identity=helo;"@evil.example\r\n'
    assert await said(spamd, stamped(b"", naive)) == {"HELO_FAIL"}


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_text_in_our_field_changes_what_it_says(spamd: RunningSpamd, hostile: str) -> None:
    ours = build_received_spf(stated(text=hostile))
    assert await said(spamd, for_scanners(stamped(b"", ours))) == {"FAIL"}
