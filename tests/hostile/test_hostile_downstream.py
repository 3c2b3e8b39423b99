"""A server behind us that breaks the protocol: no answer of it is taken for the answer to something else, and a 250
that nobody has earned is never passed on."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.endpoint import Protocol
from gateway.delivery.outcome import Failure
from gateway.delivery.wire import Broken
from tests.support.deliveries import BODY, HEADER, deliver, route, stamped
from tests.support.downstream import AS_EVER, OFFERS, Downstream, Fault, Last, Late, Said
from tests.support.trickle import Trickle
from tests.support.waiting import until

LARGE = stamped(BODY + b"\r\n" * 3_000_000)  # does not fit into the buffers of a socket


async def test_a_250_that_comes_with_the_354_is_no_answer_to_the_message() -> None:
    """It was said before the message was sent, so it says nothing about it."""
    async with Downstream({"DATA": ["354 Go on\n250 2.0.0 Ok: queued as 4F1CA1"], ".": [Fault.CLOSE]}) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
    assert course.told.startswith("451 4.5.0")
    assert server.messages == []


@pytest.mark.parametrize("extra", ["250 2.0.0 Ok", "354 Go on", "550 5.1.1 Unknown"])
async def test_an_answer_too_many_is_not_taken_for_that_of_the_next_command(extra: str) -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            session = await hop.pool.take("net")
            await session.transact([b"MAIL FROM:<>\r\n", b"RCPT TO:<bob@example.org>\r\n"])
            server.say(extra)
            await until(lambda: not session.usable)
            with pytest.raises(Broken) as caught:
                await session.transact([b"DATA\r\n"])
            hop.pool.give_back(session)
    assert caught.value.failure is Failure.UNEXPECTED
    assert server.sessions[0].heard("DATA") == []


async def test_a_refusal_in_mid_message_is_told_though_the_connection_ends_at_once() -> None:
    refusal = {"content": ["552 5.3.4 Too large", Fault.HALF_CLOSE]}
    async with Downstream(refusal) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop, message=LARGE)
    assert course.told == "552 5.3.4 Too large"
    assert len(server.sessions) == 1


@pytest.mark.parametrize("protocol", Protocol)
async def test_answers_in_single_octets_are_whole_answers(protocol: Protocol) -> None:
    async with Downstream(protocol=protocol) as server, Trickle(server.endpoint) as relay:
        with route(relay.endpoint, command_timeout=10, hold=0) as hop:
            course = await deliver(hop, ("bob@example.org", "carol@example.org"))
    assert course.told.startswith("250 ")
    assert server.messages == [HEADER + BODY]


async def test_a_250_that_comes_after_our_patience_is_too_late() -> None:
    """The sender was told that nobody knows; the connection on which the answer comes is not used again."""
    now = asyncio.Event()
    async with Downstream({".": [Late("250 2.0.0 Ok: queued as LATE", now)]}, {}) as server:
        with route(server.endpoint, final=0.05) as hop:
            course = await deliver(hop)
            now.set()
            again = await deliver(hop)
    assert course.told.startswith("451 4.4.2")
    assert again.told == "250 2.0.0 Ok: queued as 4F1CA1"
    assert len(server.sessions) == 2


@pytest.mark.parametrize(
    "answers",
    [
        ["250 2.0.0 Saved", "421 4.3.0 Shutting down"],
        ["250 2.0.0 Saved", Fault.CLOSE],
        ["250 2.0.0 Saved", "no reply at all"],
        ["250 2.0.0 Saved", Fault.SILENCE],
        ["550 5.2.2 Full", Fault.CLOSE],
    ],
)
async def test_lmtp_answers_that_break_off_are_no_success_and_no_refusal(answers: list[str | Fault]) -> None:
    async with Downstream({".": answers}, protocol=Protocol.LMTP) as server:
        with route(server.endpoint, final=0.2) as hop:
            course = await deliver(hop, ("bob@example.org", "carol@example.org"))
    assert course.told.startswith("451 4.")


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    "answer",
    [
        "250 " + "x" * 4096,
        "\n".join(["250-2.0.0 line"] * 200),
        "2500 Ok",
        "25O Ok",
        " 250 Ok",
        "250_Ok",
        "\x00\x00\x00",
        "250-Ok\n550 No",
        "999 Ok",
        "HTTP/1.1 200 OK",
    ],
)
async def test_what_is_no_reply_is_never_a_success_and_never_a_refusal(stage: str, answer: str) -> None:
    async with Downstream({stage: [answer]}) as server:
        with route(server.endpoint, retry_dead=0) as hop:
            course = await deliver(hop)
    told = str(course.outcome.reply if course.outcome else course.rcpts[0])
    assert told.startswith(("451 4.5.0", "451 4.4.2"))


@pytest.mark.parametrize("offers", [OFFERS, OFFERS[1:]], ids=["pipelined", "one by one"])
async def test_an_answer_and_the_end_of_the_connection_in_one_packet_is_an_answer(offers: tuple[str, ...]) -> None:
    async with Downstream({".": [Last("250 2.0.0 Ok: queued as 1")]}, offers=offers) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
    assert course.told == "250 2.0.0 Ok: queued as 1"


async def test_an_answer_with_something_behind_it_that_is_none_is_an_answer() -> None:
    """The message was taken: if its sender were told otherwise, it would come again."""
    async with Downstream({".": ["250 2.0.0 Ok: queued as 1\nHello there"]}, {}) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
            again = await deliver(hop)
    assert course.told == "250 2.0.0 Ok: queued as 1"
    assert again.told.startswith("250 ")
    assert len(server.sessions) == 2


async def test_a_connection_that_ends_with_its_354_is_replaced_while_the_message_is_sent() -> None:
    async with Downstream({"DATA": [Last("354 Go on")]}, {}) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop, message=LARGE)
    assert course.told.startswith("250 ")
    assert server.messages == [b"".join(LARGE.chunks())]


async def test_a_small_message_after_such_a_354_is_not_sent_again() -> None:
    """Its final dot was out before the end could be seen, so nobody can tell whether it was heard."""
    async with Downstream({"DATA": [Last("354 Go on")]}, {}) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
    assert course.told.startswith("451 4.4.2 ")
    assert len(server.sessions) == 1


SAID = st.sampled_from(
    [
        AS_EVER,
        AS_EVER,
        "250 2.0.0 Ok",
        "250 2.0.0 Ok\n250 2.0.0 Ok",
        "354 Go on",
        "354 Go on\n250 2.0.0 Ok: queued as LIE",
        "450 4.7.1 Later",
        "550 5.7.1 Never",
        "421 4.3.0 Shutting down",
        "Hello there",
        Last("250 2.0.0 Ok"),
        Last("354 Go on"),
        Fault.CLOSE,
        Fault.RESET,
        Fault.HALF_CLOSE,
    ]
)
STAGES = ("banner", "EHLO", "XFORWARD", "MAIL", "RCPT", "DATA", ".", "RSET")
SCRIPTS = st.lists(st.dictionaries(st.sampled_from(STAGES), st.lists(SAID, max_size=3), max_size=3), max_size=3)


@settings(max_examples=150, deadline=None)
@given(SCRIPTS, st.sampled_from([(Protocol.SMTP, 1), (Protocol.SMTP, 2), (Protocol.LMTP, 1)]), st.sampled_from([0, 5]))
def test_whatever_a_server_does_a_250_is_one_that_it_has_said_and_it_says_it_once(
    scripts: list[dict[str, list[Said]]], kind: tuple[Protocol, int], hold: int
) -> None:
    protocol, recipients = kind

    async def main() -> None:
        async with Downstream(*scripts, {}, protocol=protocol) as server:
            with route(server.endpoint, hold=hold, retry_dead=0) as hop:
                course = await deliver(hop, ("bob@example.org", "carol@example.org")[:recipients])
        confirmed = [message for session in server.sessions for message in session.confirmed]
        told = str(course.outcome.reply) if course.outcome else ""
        assert confirmed in ([], [HEADER + BODY])
        assert confirmed or not told.startswith("2")
        assert not confirmed or not told.startswith("5")

    asyncio.run(main())
