"""Transactions with a scripted server, as transcripts: what was sent, what the sender is told."""

import asyncio
import gc
import logging
import weakref

import pytest

from gateway.delivery.downstream import Identify, Verification
from gateway.delivery.endpoint import Endpoint, Protocol
from tests.support.deliveries import BODY, CONNECTION, HEADER, deliver, envelope, recipient, route, stamped
from tests.support.downstream import OFFERS, XFORWARD, Downstream, Fault, Late, Script
from tests.support.waiting import until

TWO = ("bob@example.org", "carol@example.org")
CLIENT = "NAME=client.example.com ADDR=192.0.2.7 PORT=40123 PROTO=ESMTP HELO=client.example.com IDENT=m1 SOURCE=REMOTE"
WITHOUT_PIPELINING = OFFERS[1:]
WITHOUT_XFORWARD = tuple(offer for offer in OFFERS if offer != XFORWARD)
XCLIENT = "XCLIENT NAME ADDR PORT PROTO HELO"
LARGE = stamped(BODY + b"\r\n" * 5_000_000)  # does not fit into the buffers of a socket


async def test_a_held_transaction_goes_straight_to_data() -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
    assert course.told == "250 2.0.0 Ok: queued as 4F1CA1"
    assert course.outcome is not None
    assert course.outcome.queue_id == "4F1CA1"
    assert course.outcome.next_hop == str(server.endpoint)
    assert server.messages == [HEADER + BODY]
    assert server.sessions[0].commands[:5] == [
        "EHLO mx.example.org",
        f"XFORWARD {CLIENT}",
        "MAIL FROM:<alice@example.com>",
        "RCPT TO:<bob@example.org>",
        "DATA",
    ]


async def test_a_transaction_that_was_left_is_replayed_in_one_write() -> None:
    async with Downstream() as server:
        with route(server.endpoint, hold=0) as hop:
            course = await deliver(hop, TWO)
    assert course.told == "250 2.0.0 Ok: queued as 4F1CA1"
    (session,) = server.sessions
    assert session.heard("RSET") == ["RSET", "RSET"]
    replay = (
        f"XFORWARD {CLIENT}\r\nMAIL FROM:<alice@example.com> SIZE=45\r\n"
        "RCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\n"
    )
    assert replay.encode() in session.reads


async def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    async with Downstream(offers=WITHOUT_PIPELINING) as server:
        with route(server.endpoint, hold=0) as hop:
            course = await deliver(hop, TWO)
    assert course.told == "250 2.0.0 Ok: queued as 4F1CA1"
    asked = [octets for octets in server.sessions[0].reads if b"MAIL" in octets or b"RCPT" in octets]
    assert [octets.count(b"\r\n") for octets in asked] == [1] * 7


async def test_a_connection_is_used_again() -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            for _ in range(3):
                assert (await deliver(hop)).told.startswith("250")
    assert len(server.sessions) == 1
    assert len(server.messages) == 3
    assert server.sessions[0].heard("RSET") == []


@pytest.mark.parametrize("script", [{}, {".": [Fault.CLOSE]}], ids=["delivered", "lost"])
async def test_a_delivery_is_freed_without_the_garbage_collector(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "gateway.delivery.downstream")  # what is captured holds what was raised
    gc.disable()
    try:
        async with Downstream(script) as server:
            with route(server.endpoint) as hop:
                delivery = hop.open(CONNECTION, envelope(), "")
                await delivery.recipient(recipient("bob@example.org"))
                outcome = await delivery.send(envelope("bob@example.org"), stamped())
                assert outcome.reply.is_success is not bool(script)
                await delivery.close()
                remembered = weakref.ref(delivery)
                del delivery
                await asyncio.sleep(0)  # the turn in which it was told of its end
                assert remembered() is None
    finally:
        gc.enable()


async def test_the_server_is_not_held_longer_than_the_route_allows() -> None:
    async with Downstream() as server:
        with route(server.endpoint, hold=0.02) as hop:
            delivery = hop.open(CONNECTION, envelope(), "")
            assert (await delivery.recipient(recipient("bob@example.org"))).is_success
            await until(lambda: bool(server.sessions[0].heard("RSET")))
            outcome = await delivery.send(envelope("bob@example.org"), stamped())
    assert outcome.reply.is_success
    assert len(server.sessions[0].heard("MAIL")) == 2


async def test_at_the_bound_of_held_connections_a_transaction_is_left_at_once() -> None:
    async with Downstream() as server:
        with route(server.endpoint, max_held=1) as hop:
            first, second = (hop.open(CONNECTION, envelope(), "") for _ in range(2))
            await first.recipient(recipient("bob@example.org"))
            await second.recipient(recipient("carol@example.org"))
            await until(lambda: any(session.heard("RSET") for session in server.sessions))
            assert [len(session.heard("RSET")) for session in server.sessions] == [0, 1]
            await first.close()
            await second.close()
            third = hop.open(CONNECTION, envelope(), "")
            await third.recipient(recipient("dave@example.org"))
            assert (await third.send(envelope("dave@example.org"), stamped())).reply.is_success
    assert sum(len(session.heard("MAIL")) for session in server.sessions) == 3


async def test_a_transaction_whose_message_is_handed_over_leaves_room_for_another_to_be_held() -> None:
    goes_on = asyncio.Event()
    async with Downstream({"DATA": [Late("354 Go on", goes_on)]}, {}) as server:
        with route(server.endpoint, max_held=1) as hop:
            first = asyncio.create_task(deliver(hop))
            await until(lambda: any(session.heard("DATA") for session in server.sessions))
            assert (await deliver(hop, ("carol@example.org",))).told.startswith("250")
            goes_on.set()
            assert (await first).told.startswith("250")
    assert [session.heard("RSET") for session in server.sessions] == [[], []]


async def test_a_connection_that_ends_while_it_is_held_is_given_back_at_once() -> None:
    async with Downstream() as server:
        with route(server.endpoint, hold=600, max_connections=1, max_held=1) as hop:
            held = hop.open(CONNECTION, envelope(), "")
            assert (await held.recipient(recipient("bob@example.org"))).is_success
            server.end_sessions()
            assert (await deliver(hop)).told.startswith("250")
            assert server.sessions[1].heard("RSET") == [], "another one can be held"
            assert (await held.send(envelope("bob@example.org"), stamped())).reply.is_success
    assert len(server.sessions) == 2


async def test_when_every_connection_is_in_use_the_sender_is_deferred() -> None:
    async with Downstream() as server:
        with route(server.endpoint, max_connections=1, command_timeout=0.05) as hop:
            first, second = (hop.open(CONNECTION, envelope(), "") for _ in range(2))
            assert (await first.recipient(recipient("bob@example.org"))).is_success
            busy = await second.recipient(recipient("carol@example.org"))
            await first.close()
            again = await second.recipient(recipient("carol@example.org"))
            await second.close()
    assert str(busy).startswith("451 4.3.2")
    assert again.is_success


async def test_a_closed_transaction_leaves_the_server_ready_for_the_next() -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            delivery = hop.open(CONNECTION, envelope(), "")
            await delivery.recipient(recipient("bob@example.org"))
            await delivery.close()
            await delivery.close()
            assert (await deliver(hop)).told.startswith("250")
    assert server.sessions[0].heard("RSET") == ["RSET"]


async def test_recipients_of_a_transaction_that_was_left_are_named_anew_with_those_of_the_next() -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            delivery = hop.open(CONNECTION, envelope(), "")
            await delivery.recipient(recipient(TWO[0]))
            delivery.let_go()
            await delivery.recipient(recipient(TWO[1]))
            assert (await delivery.send(envelope(*TWO), stamped())).reply.is_success
    assert [command[:4] for command in server.sessions[0].commands[-5:]] == ["XFOR", "MAIL", "RCPT", "RCPT", "DATA"]


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "content", "."])
async def test_a_connection_on_which_somebody_gave_up_is_not_used_again(stage: str) -> None:
    """The answer that comes later would be taken for one to the next transaction, and commands for its message."""
    async with Downstream({stage: [Fault.SILENCE]}, {}) as server:
        with route(server.endpoint) as hop:
            given_up = asyncio.create_task(deliver(hop, message=LARGE if stage == "content" else None))
            verb = stage if stage == "RCPT" else "DATA"
            await until(lambda: bool(server.sessions and server.sessions[0].heard(verb)))
            await until(lambda: stage != "." or bool(server.messages))
            given_up.cancel()
            await asyncio.wait((given_up,))
            assert given_up.cancelled()
            assert (await deliver(hop)).told.startswith("250")
    assert len(server.sessions) == 2
    assert server.sessions[0].heard("RSET") == []


class TestRefusals:
    """What the server answers is the sender's answer where it is about the mail. What else it may do, and what is told
    then, stands in one table, of which each row is tested: tests/support/lastmetres.py."""

    async def test_an_unknown_user_gets_the_words_of_the_server(self) -> None:
        text = "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown"
        async with Downstream({"RCPT": [text]}) as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop, ("nobody@example.org", "bob@example.org"))
        assert [str(told) for told in course.rcpts] == [text, "250 2.1.5 Recipient ok"]
        assert course.told.startswith("250")
        assert server.sessions[0].heard("RSET") == []

    @pytest.mark.parametrize("answer", ["550 5.7.1 Not from there", "452 4.3.1 No room", "552 5.3.4 Too large"])
    async def test_a_refusal_at_mail_passes_at_each_rcpt(self, answer: str) -> None:
        async with Downstream({"MAIL": [answer], "RCPT": ["503 5.5.1 MAIL first"]}) as server:
            with route(server.endpoint) as hop:
                delivery = hop.open(CONNECTION, envelope(), "")
                told = [str(await delivery.recipient(recipient(path))) for path in TWO]
                await until(lambda: server.sessions[0].heard("RSET") == ["RSET"])  # it is not held
                await delivery.close()
        assert told == [answer, answer]
        assert len(server.sessions[0].heard("RCPT")) == 1

    @pytest.mark.parametrize("answer", ["550 5.7.1 Spam", "552 5.2.2 Mailbox full", "452 4.2.2 Mailbox full"])
    async def test_a_refusal_after_the_final_dot_passes(self, answer: str) -> None:
        async with Downstream({".": [answer]}) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop)).told == answer
                assert (await deliver(hop)).told.startswith("250")
        assert len(server.sessions) == 1

    async def test_an_unknown_outcome_is_named_so_for_the_log(self) -> None:
        async with Downstream({".": [Fault.CLOSE]}) as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop)
        assert course.outcome is not None
        assert course.outcome.answer.startswith("unknown: ")
        assert len(server.sessions) == 1, "a message whose fate is unknown is not sent again"

    async def test_one_recipient_that_is_gone_at_the_replay_gets_its_own_answer(self) -> None:
        async with Downstream({"RCPT": ["250 Ok", "550 5.1.1 Gone"]}) as server:
            with route(server.endpoint, hold=0) as hop:
                course = await deliver(hop)
        assert course.told == "550 5.1.1 Gone"
        assert server.sessions[0].heard("DATA") == []

    async def test_a_set_of_recipients_that_shrank_is_deferred_as_a_whole(self) -> None:
        async with Downstream({"RCPT": ["250 Ok", "250 Ok", "250 Ok", "550 5.1.1 Gone"]}) as server:
            with route(server.endpoint, hold=0) as hop:
                course = await deliver(hop, TWO)
                assert course.told.startswith("451 4.3.0")
                assert server.sessions[0].heard("DATA") == []
                assert (await deliver(hop)).told.startswith("250"), "the connection was reset and serves again"
        assert len(server.sessions) == 1

    async def test_a_sender_refused_at_the_replay_is_told_so(self) -> None:
        script = {"MAIL": ["250 Ok", "552 5.3.4 Too large"], "RCPT": ["250 Ok", "503 5.5.1 MAIL first"]}
        async with Downstream(script) as server:
            with route(server.endpoint, hold=0) as hop:
                assert (await deliver(hop)).told == "552 5.3.4 Too large"

    async def test_hostile_text_cannot_leave_its_reply(self) -> None:
        async with Downstream({"RCPT": ["550 5.1.1 a\x1b[2J\x00\u2028b\r250 Ok"]}) as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop)
        octets = course.rcpts[0].to_bytes()
        assert octets.count(b"\r\n") == 1
        assert all(32 <= octet < 127 for octet in octets[:-2])


class TestDeadConnections:
    """Before the final dot a dead connection is replaced unseen; after it the outcome is unknown."""

    @pytest.mark.parametrize("last_words", ["", "421 4.4.2 Timeout exceeded"])
    async def test_one_that_died_while_it_waited_is_replaced(self, last_words: str) -> None:
        async with Downstream() as server:
            with route(server.endpoint) as hop:
                await deliver(hop)
                server.end_sessions(last_words)
                assert (await deliver(hop)).told.startswith("250")
        assert len(server.sessions) == 2

    @pytest.mark.parametrize("last_words", ["", "421 4.4.2 Timeout exceeded"])
    async def test_one_that_died_while_it_was_held_is_replaced(self, last_words: str) -> None:
        async with Downstream() as server:
            with route(server.endpoint) as hop:
                delivery = hop.open(CONNECTION, envelope(), "")
                await delivery.recipient(recipient("bob@example.org"))
                server.end_sessions(last_words)
                outcome = await delivery.send(envelope("bob@example.org"), stamped())
        assert outcome.reply.is_success
        assert server.sessions[1].heard("MAIL") == ["MAIL FROM:<alice@example.com> SIZE=45"]

    async def test_one_that_talked_nonsense_while_it_was_held_is_replaced(self) -> None:
        async with Downstream() as server:
            with route(server.endpoint) as hop:
                delivery = hop.open(CONNECTION, envelope(), "")
                await delivery.recipient(recipient("bob@example.org"))
                server.say("nonsense")
                await until(lambda: server.open_count == 0)
                outcome = await delivery.send(envelope("bob@example.org"), stamped())
        assert outcome.reply.is_success
        assert server.messages == [HEADER + BODY], "it went nowhere else"

    @pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "content", "RSET"])
    @pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET, "421 4.3.0 Shutting down"])
    async def test_one_that_dies_before_the_final_dot_is_replaced(self, stage: str, fault: str | Fault) -> None:
        answers = ["250 Ok", fault] if stage in ("MAIL", "RCPT") else [fault]
        message = LARGE if stage == "content" else stamped()
        async with Downstream({stage: answers}, {}) as server:
            with route(server.endpoint) as hop:
                before = hop.open(CONNECTION, envelope(), "")
                await before.recipient(recipient("bob@example.org"))
                await before.close()
                course = await deliver(hop, message=message)
        assert course.told.startswith("250")
        assert len(server.sessions) == 2
        assert server.messages == [b"".join(message.chunks())]

    async def test_a_new_connection_that_dies_is_not_tried_again(self) -> None:
        async with Downstream({"RCPT": [Fault.CLOSE]}) as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop)
        assert str(course.rcpts[0]).startswith("451 4.4.2")
        assert len(server.sessions) == 1

    async def test_a_stopped_server_is_451_and_is_found_again(self) -> None:
        async with Downstream() as server:
            endpoint = server.endpoint
        with route(endpoint) as hop:
            course = await deliver(hop)
        assert str(course.rcpts[0]).startswith("451 4.4.1")


class TestTimeForTheMessage:
    """From the sender's final dot to ours, whatever is waited for in between."""

    async def test_it_bounds_an_answer(self) -> None:
        async with Downstream({"DATA": [Fault.SILENCE]}) as server:
            with route(server.endpoint, transfer=0.2, command_timeout=3600) as hop:
                course = await asyncio.wait_for(deliver(hop), 60)
        assert course.told.startswith("451 4.4.2")
        assert course.outcome is not None
        assert course.outcome.answer == "timeout: the time for the whole is over"

    async def test_it_bounds_a_message_that_is_not_read(self) -> None:
        async with Downstream({"content": [Fault.SILENCE]}) as server:
            with route(server.endpoint, transfer=0.2) as hop:
                course = await asyncio.wait_for(deliver(hop, message=LARGE), 60)
        assert course.told.startswith("451 4.4.2")

    async def test_it_bounds_a_connection_that_is_made_for_it(self) -> None:
        async with Downstream({"banner": [Fault.SILENCE]}) as server:
            with route(server.endpoint, transfer=0.2, verification=Verification.NONE) as hop:
                course = await deliver(hop)
        assert course.told.startswith("451 4.4.2")
        assert course.outcome is not None
        assert course.outcome.answer == "timeout"  # and not that it was the banner's

    @pytest.mark.parametrize("script", [{}, {"DATA": ["450 4.7.1 Later"]}])
    async def test_it_is_over_with_the_message(self, script: Script) -> None:
        async with Downstream(script) as server:
            with route(server.endpoint, transfer=0.5) as hop:
                await deliver(hop)
                await asyncio.sleep(0.6)
                assert (await deliver(hop)).told.startswith("250")
        assert len(server.sessions) == 1


class TestHosts:
    async def test_the_next_host_takes_over_when_one_is_down(self) -> None:
        async with Downstream() as down, Downstream() as up:
            first = down.endpoint
            down.stop()
            with route(first, up.endpoint) as hop:
                assert (await deliver(hop)).told.startswith("250")
        assert len(up.messages) == 1

    @pytest.mark.parametrize("fault", ["421 4.3.2 Too busy", "554 5.3.2 No service", Fault.CLOSE])
    async def test_the_next_host_takes_over_when_one_does_not_serve(self, fault: str | Fault) -> None:
        async with Downstream({"banner": [fault]}) as first, Downstream() as second:
            with route(first.endpoint, second.endpoint) as hop:
                assert (await deliver(hop)).told.startswith("250")
        assert len(second.messages) == 1

    async def test_a_dead_host_is_remembered_for_a_while(self) -> None:
        async with Downstream({"banner": [Fault.CLOSE]}, {}) as first, Downstream() as second:
            with route(first.endpoint, second.endpoint, max_messages=1) as hop:
                await deliver(hop)
                await deliver(hop)
            assert (len(first.sessions), len(second.messages)) == (1, 2)

    async def test_a_dead_host_is_tried_when_there_is_no_other(self) -> None:
        async with Downstream({"banner": [Fault.CLOSE]}, {}) as server:
            with route(server.endpoint) as hop:
                assert str((await deliver(hop)).rcpts[0]).startswith("451")
                assert (await deliver(hop)).told.startswith("250")

    async def test_a_refused_recipient_is_not_asked_of_the_next_host(self) -> None:
        async with Downstream({"RCPT": ["550 5.1.1 Unknown"]}) as first, Downstream() as second:
            with route(first.endpoint, second.endpoint) as hop:
                assert str((await deliver(hop)).rcpts[0]) == "550 5.1.1 Unknown"
        assert second.sessions == []


class TestIdentity:
    async def test_without_xforward_and_xclient_nothing_is_said(self) -> None:
        async with Downstream(offers=WITHOUT_XFORWARD) as server:
            with route(server.endpoint) as hop:
                await deliver(hop)
        assert server.sessions[0].commands[1].startswith("MAIL")

    async def test_a_refused_xforward_does_not_stop_mail(self) -> None:
        async with Downstream({"XFORWARD": ["550 5.7.0 Not you"]}) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop)).told.startswith("250")

    async def test_xclient_serves_one_client_and_its_connection_is_not_kept(self) -> None:
        async with Downstream(offers=(*WITHOUT_XFORWARD, XCLIENT)) as server:
            with route(server.endpoint) as hop:
                await deliver(hop)
                await deliver(hop)
            await until(lambda: server.open_count == 0)
        assert [session.commands[:3] for session in server.sessions] == [
            [
                "EHLO mx.example.org",
                "XCLIENT NAME=client.example.com ADDR=192.0.2.7 PORT=40123 PROTO=ESMTP HELO=client.example.com",
                "EHLO mx.example.org",
            ]
        ] * 2

    async def test_xclient_is_not_used_where_xforward_is_offered(self) -> None:
        async with Downstream(offers=(*OFFERS, XCLIENT)) as server:
            with route(server.endpoint) as hop:
                await deliver(hop)
        assert server.sessions[0].heard("XCLIENT") == []

    async def test_a_refused_xclient_is_about_us(self) -> None:
        async with Downstream({"XCLIENT": ["550 5.7.0 Not you"]}, offers=(*WITHOUT_XFORWARD, XCLIENT)) as server:
            with route(server.endpoint) as hop:
                assert str((await deliver(hop)).rcpts[0]).startswith("451 4.3.5")

    async def test_after_a_refused_xclient_nothing_is_asked_in_the_name_of_somebody_else(self) -> None:
        async with Downstream({"XCLIENT": ["550 5.7.0 Not you"]}, {}, offers=(*WITHOUT_XFORWARD, XCLIENT)) as server:
            with route(server.endpoint) as hop:
                await deliver(hop, TWO)
        assert [len(session.heard("RCPT")) for session in server.sessions] == [0, 1]

    async def test_it_can_be_switched_off(self) -> None:
        async with Downstream() as server:
            with route(server.endpoint, identify=Identify.NEVER) as hop:
                await deliver(hop)
        assert server.sessions[0].heard("XFORWARD") == []


class TestExtensions:
    async def test_dsn_passes_where_it_is_offered(self) -> None:
        async with Downstream(offers=(*OFFERS, "DSN")) as server:
            with route(server.endpoint) as hop:
                delivery = hop.open(CONNECTION, envelope(parameters=("RET=HDRS", "ENVID=QQ314159")), "")
                await delivery.recipient(recipient("bob@example.org", "NOTIFY=NEVER", "ORCPT=rfc822;Bob@example.org"))
                await delivery.close()
        assert server.sessions[0].heard("MAIL") == ["MAIL FROM:<alice@example.com> RET=HDRS ENVID=QQ314159"]
        assert server.sessions[0].heard("RCPT") == [
            "RCPT TO:<bob@example.org> NOTIFY=NEVER ORCPT=rfc822;Bob@example.org"
        ]

    async def test_8_bit_content_needs_8bitmime(self) -> None:
        message = stamped(b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n")
        async with Downstream(offers=("PIPELINING",)) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop, message=message)).told.startswith("554 5.6.3")
                assert (await deliver(hop)).told.startswith("250")

    async def test_8_bit_content_is_declared_though_the_client_did_not(self) -> None:
        message = stamped(b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n")
        async with Downstream() as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop, message=message)).told.startswith("250")
        assert server.sessions[0].heard("MAIL")[1].endswith(" BODY=8BITMIME")

    async def test_an_internationalised_address_needs_smtputf8(self) -> None:
        async with Downstream(offers=("PIPELINING", "8BITMIME")) as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop, ("jörg@example.org",), smtputf8=True)
        assert str(course.rcpts[0]).startswith("550 5.6.7")
        assert server.messages == []

    async def test_an_internationalised_header_needs_smtputf8(self) -> None:
        message = stamped("Subject: Grüße\r\n\r\nHello\r\n".encode())
        async with Downstream(offers=("PIPELINING", "8BITMIME")) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop, message=message, smtputf8=True)).told.startswith("554 5.6.9")

    async def test_smtputf8_that_is_not_needed_does_not_stop_mail(self) -> None:
        async with Downstream(offers=("PIPELINING", "8BITMIME")) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop, smtputf8=True)).told.startswith("250")

    async def test_an_internationalised_message_passes_where_it_can(self) -> None:
        message = stamped("Subject: Grüße\r\n\r\nHello\r\n".encode())
        async with Downstream() as server:
            with route(server.endpoint) as hop:
                course = await deliver(hop, ("jörg@example.org",), message=message, smtputf8=True)
        assert course.told.startswith("250")
        assert server.sessions[0].heard("MAIL") == ["MAIL FROM:<alice@example.com> BODY=8BITMIME SMTPUTF8"]
        assert server.sessions[0].heard("RCPT") == ["RCPT TO:<jörg@example.org>"]


class TestWithoutVerification:
    async def test_nothing_is_asked_before_the_message(self) -> None:
        async with Downstream({"RCPT": ["550 5.1.1 Unknown"]}) as server:
            with route(server.endpoint, verification=Verification.NONE) as hop:
                assert hop.shares_transactions is False
                delivery = hop.open(CONNECTION, envelope(), "")
                assert (await delivery.recipient(recipient("bob@example.org"))).is_success
                assert server.sessions == []
                outcome = await delivery.send(envelope("bob@example.org"), stamped())
        assert str(outcome.reply) == "550 5.1.1 Unknown"


class TestLmtp:
    async def test_each_recipient_is_answered_after_the_final_dot(self) -> None:
        async with Downstream({".": ["250 2.0.0 Saved", "250 2.0.0 Saved"]}, protocol=Protocol.LMTP) as server:
            with route(server.endpoint) as hop:
                assert hop.shares_transactions is False
                assert (await deliver(hop, TWO)).told == "250 2.0.0 Saved"
                assert (await deliver(hop)).told.startswith("250")
        assert server.sessions[0].commands[0] == "LHLO mx.example.org"
        assert len(server.sessions) == 1

    async def test_a_failure_of_some_recipients_is_temporary(self) -> None:
        async with Downstream({".": ["250 2.0.0 Saved", "550 5.2.2 Full"]}, protocol=Protocol.LMTP) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop, TWO)).told.startswith("451 4.3.0")

    async def test_the_refusal_of_the_only_recipient_passes(self) -> None:
        async with Downstream({".": ["552 5.2.2 Over quota"]}, protocol=Protocol.LMTP) as server:
            with route(server.endpoint) as hop:
                assert (await deliver(hop)).told == "552 5.2.2 Over quota"

    async def test_a_unix_socket_serves_as_well(self, tmp_path: object) -> None:
        path = f"{tmp_path}/lmtp"
        async with Downstream(protocol=Protocol.LMTP, path=path) as server:
            with route(Endpoint(protocol=Protocol.LMTP, path=path)) as hop:
                assert (await deliver(hop)).told.startswith("250")
        assert len(server.messages) == 1
