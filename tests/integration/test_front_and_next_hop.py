"""A worker between a client and a scripted next hop: what the one is offered is what the other can do."""

from pathlib import Path

import pytest

from gateway.delivery.endpoint import Protocol
from tests.support.certificates import make_certificate
from tests.support.downstream import OFFERS, Downstream
from tests.support.waiting import until
from tests.support.working import HEADER, bring, offered, to, working


async def test_chunks_go_on_as_data_with_dots_stuffed(tmp_path: Path) -> None:
    body = b".one\r\n.\r\n..\r\nMAIL FROM:<evil@example.org>\r\n.\r"
    async with Downstream() as server, working(tmp_path, {"default": to(server)}) as worker:
        wire, _ = await worker.greeted()
        await wire.send(
            b"MAIL FROM:<ann@sender.example>\r\nRCPT TO:<alice@example.org>\r\n"
            b"BDAT %d\r\n%sBDAT %d\r\n%sBDAT 5 LAST\r\n\nlast" % (len(HEADER), HEADER, len(body), body)
        )
        assert [(await wire.reply())[:4] for _ in range(5)] == ["250 "] * 5
        sent = b"".join(read for session in server.sessions for read in session.reads)
        assert b"\r\n..one\r\n..\r\n...\r\nMAIL FROM:<evil@example.org>\r\n..\r\nlast\r\n.\r\n" in sent
        assert not any("evil" in command for session in server.sessions for command in session.commands)
        assert server.messages[0].endswith(HEADER + body + b"\nlast\r\n")
        assert not any("BDAT" in command for session in server.sessions for command in session.commands)


async def test_dsn_is_offered_once_the_next_hop_is_known_to_have_it(tmp_path: Path) -> None:
    async with Downstream(offers=(*OFFERS, "DSN")) as server, working(tmp_path, {"default": to(server)}) as worker:
        await worker.knows("DSN")
        wire, words = await worker.greeted()
        assert "DSN" in words
        mail, rcpt = "MAIL FROM:<ann@sender.example> RET=HDRS", "RCPT TO:<alice@example.org> NOTIFY=FAILURE"
        assert (await bring(wire, mail, rcpt)).startswith("250 ")
        (taking,) = [session for session in server.sessions if session.messages]
        assert taking.heard("MAIL")[0].endswith(" RET=HDRS")
        assert taking.heard("RCPT")[0].endswith(" NOTIFY=FAILURE")


async def test_dsn_is_not_offered_where_a_route_lacks_it(tmp_path: Path) -> None:
    domain = {"lists.example.org": {"route": "other"}}
    async with (
        Downstream(offers=(*OFFERS, "DSN")) as one,
        Downstream() as other,
        working(tmp_path, {"default": to(one), "other": to(other)}, domain=domain) as worker,
    ):
        await worker.knows("PIPELINING")
        assert "DSN" not in (await worker.greeted())[1]


async def test_requiretls_from_end_to_end(tmp_path: Path) -> None:
    own = make_certificate(tmp_path, "127.0.0.1")
    verified = {"tls": "verified", "tls_authorities": str(own.certificate)}
    async with (
        Downstream(offers=(*OFFERS, "REQUIRETLS"), tls=own.server_context) as server,
        working(tmp_path, {"default": to(server, **verified)}) as worker,
    ):
        await worker.knows("REQUIRETLS")
        wire, words = await worker.greeted()
        assert "REQUIRETLS" not in words
        await wire.start_tls()
        assert "REQUIRETLS" in await offered(wire)
        mail = "MAIL FROM:<ann@sender.example> REQUIRETLS"
        assert (await bring(wire, mail, "RCPT TO:<alice@example.org>")).startswith("250 ")
        (taking,) = [session for session in server.sessions if session.messages]
        assert taking.tls
        assert "REQUIRETLS" in taking.heard("MAIL")[0].split()
        server.offers = ("PIPELINING", "STARTTLS")
        server.end_sessions()
        told = await bring(wire, mail, "RCPT TO:<alice@example.org>")
        assert told == "550 5.7.30 REQUIRETLS support required"


UTF8 = HEADER.replace(b"Subject: x", "Subject: Grüße".encode())
ALICE, JÖRG = "RCPT TO:<alice@example.org>", "RCPT TO:<jörg@example.org>"


@pytest.mark.parametrize(
    ("mail", "rcpt", "header", "without"),
    [
        ("MAIL FROM:<ann@sender.example> SMTPUTF8", ALICE, HEADER, "250 "),
        ("MAIL FROM:<ann@bücher.example> SMTPUTF8", ALICE, HEADER, "250 "),
        ("MAIL FROM:<ann@sender.example> SMTPUTF8", ALICE, UTF8, "554 5.6.9 "),
        ("MAIL FROM:<ann@sender.example> SMTPUTF8", JÖRG, HEADER, "550 5.6.7 "),
        ("MAIL FROM:<jürgen@sender.example> SMTPUTF8", ALICE, HEADER, "550 5.6.7 "),
    ],
    ids=["declared", "domain", "header", "recipient", "sender"],
)
async def test_smtputf8_where_the_next_hop_has_it_and_where_not(
    tmp_path: Path, mail: str, rcpt: str, header: bytes, without: str
) -> None:
    for offers, expected in ((OFFERS, "250 "), (("PIPELINING", "8BITMIME"), without)):
        async with Downstream(offers=offers) as server, working(tmp_path, {"default": to(server)}) as worker:
            wire, _ = await worker.greeted()
            assert (await bring(wire, mail, rcpt, header=header)).startswith(expected)
            assert len(server.messages) == (expected == "250 ")


async def test_limits_where_recipients_cannot_share_a_transaction(tmp_path: Path) -> None:
    async with Downstream(protocol=Protocol.LMTP) as server, working(tmp_path, {"default": to(server)}) as worker:
        wire, words = await worker.greeted()
        assert words["LIMITS"] == "MAILMAX=1000 RCPTMAX=1"
        await wire.transcript("""
            C: MAIL FROM:<ann@sender.example>
            S: 250
            C: RCPT TO:<alice@example.org>
            S: 250
            C: RCPT TO:<bob@example.org>
            S: 452 4.5.3
        """)


async def test_limits_where_domains_have_rules_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "strict").mkdir()
    more = {
        "profile": {"strict": {"rules": tmp_path / "strict"}},
        "domain": {"lists.example.org": {"profile": "strict"}},
    }
    async with Downstream() as server, working(tmp_path, {"default": to(server)}, **more) as worker:
        wire, words = await worker.greeted()
        assert words["LIMITS"] == "MAILMAX=1000 RCPTMAX=100 RCPTDOMAINMAX=1"
        await wire.transcript("""
            C: MAIL FROM:<ann@sender.example>
            S: 250
            C: RCPT TO:<alice@example.org>
            S: 250
            C: RCPT TO:<bob@lists.example.org>
            S: 452 4.5.3
        """)


async def test_limits_where_domains_cannot_share_a_transaction(tmp_path: Path) -> None:
    domain = {"lists.example.org": {"route": "other"}}
    async with (
        Downstream() as one,
        Downstream() as other,
        working(tmp_path, {"default": to(one), "other": to(other)}, domain=domain) as worker,
    ):
        wire, words = await worker.greeted()
        assert words["LIMITS"] == "MAILMAX=1000 RCPTMAX=100 RCPTDOMAINMAX=1"
        await wire.transcript("""
            C: MAIL FROM:<ann@sender.example>
            S: 250
            C: RCPT TO:<alice@example.org>
            S: 250
            C: RCPT TO:<bob@example.org>
            S: 250
            C: RCPT TO:<staff@lists.example.org>
            S: 452 4.5.3
        """)


async def test_tarpit_holds_nothing_of_the_next_hop(tmp_path: Path) -> None:
    async with (
        Downstream({"RCPT": ["250 2.1.5 Ok", "550 5.1.1 Unknown"]}) as server,
        working(tmp_path, {"default": to(server, hold=600)}, session={"tarpit": 0.2}) as worker,
    ):
        wire, _ = await worker.greeted()
        await wire.command("MAIL FROM:<ann@sender.example>")
        assert (await wire.command("RCPT TO:<alice@example.org>")).startswith("250 ")
        taking = server.sessions[-1]
        assert taking.commands[-1].startswith("RCPT")
        assert (await wire.command("RCPT TO:<nobody@example.org>")).startswith("550 ")
        await until(lambda: taking.commands[-1] == "RSET")
        assert (await wire.command("DATA")).startswith("354 ")
        await wire.send(HEADER + b"text\r\n.\r\n")
        assert (await wire.reply()).startswith("250 ")
        assert len(server.messages) == 1
