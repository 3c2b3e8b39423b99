"""A real Postfix as the next hop."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.delivery.endpoint import Endpoint, Protocol
from tests.support.deliveries import CONNECTION, deliver, envelope, recipient, route, stamped
from tests.support.documents import example
from tests.support.postfix import Postfix, is_available

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.skipif(not is_available(), reason="Debian's postfix, or root, is not here"),
]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix() as running:
        yield running


def endpoint(postfix: Postfix) -> Endpoint:
    return Endpoint(protocol=Protocol.SMTP, host="127.0.0.1", port=postfix.port)


async def test_an_unknown_recipient_gets_the_words_of_postfix(postfix: Postfix) -> None:
    with route(endpoint(postfix)) as hop:
        course = await deliver(hop, ("nobody@example.org",))
    assert str(course.rcpts[0]) == (
        "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table"
    )


@pytest.mark.parametrize("hold", [5.0, 0.0])
async def test_a_message_arrives_byte_for_byte(postfix: Postfix, hold: float) -> None:
    body = (
        b"Subject: dots\r\n\r\n.\r\n..two\r\n.one\r\nGr\xfc\xdfe\r\n"
        + b"x" * 990
        + b"\r\n"
        + bytes(range(32, 127))
        + b"\r\n"
    )
    before = len(postfix.mailbox("alice"))
    with route(endpoint(postfix), hold=hold) as hop:
        course = await deliver(hop, ("alice@example.org",), message=stamped(body))
    assert course.told.startswith("250 2.0.0 Ok: queued as ")
    assert course.outcome is not None
    assert course.outcome.queue_id in postfix.log()
    arrived = postfix.wait_for_mail("alice", before + 1)[-1]
    assert arrived.endswith(b"X-Stamp: ours\n" + body.replace(b"\r\n", b"\n"))


async def test_the_log_of_postfix_shows_the_true_client(postfix: Postfix) -> None:
    with route(endpoint(postfix)) as hop:
        course = await deliver(hop, ("bob@example.org",))
    assert course.outcome is not None
    true_client = "orig_queue_id=m1, orig_client=client.example.com[192.0.2.7]"
    line = f"{course.outcome.queue_id}: client=localhost[127.0.0.1], {true_client}"
    postfix.wait_until(lambda: line in postfix.log(), "the client is not in the log")


async def test_many_transactions_share_one_connection(postfix: Postfix) -> None:
    before = len(postfix.mailbox("carol"))
    with route(endpoint(postfix)) as hop:
        for _ in range(30):
            await deliver(hop, ("carol@example.org", "nobody@example.org"))
    assert len(postfix.wait_for_mail("carol", before + 30)) == before + 30


async def test_many_refused_recipients_do_not_exhaust_the_patience_of_postfix(postfix: Postfix) -> None:
    async with asyncio.timeout(8):  # Postfix answers a second late after the tenth refusal
        with route(endpoint(postfix)) as hop:
            for _ in range(40):
                course = await deliver(hop, ("nobody@example.org",))
                assert str(course.rcpts[0]).startswith("550 5.1.1")


async def test_mail_goes_on_after_postfix_was_restarted() -> None:
    with Postfix() as postfix, route(endpoint(postfix)) as hop:
        assert (await deliver(hop, ("alice@example.org",))).told.startswith("250")
        delivery = hop.open(CONNECTION, envelope(), "")
        assert (await delivery.recipient(recipient("bob@example.org"))).is_success
        postfix.stop()
        down = await deliver(hop, ("alice@example.org",))
        assert str(down.rcpts[0]).startswith("451 4.4.")
        postfix.start()
        outcome = await delivery.send(envelope("bob@example.org"), stamped())
        assert outcome.reply.is_success
        assert len(postfix.wait_for_mail("bob")) == 1


async def test_postfix_refuses_to_relay_for_us(postfix: Postfix) -> None:
    with route(endpoint(postfix)) as hop:
        course = await deliver(hop, ("someone@example.net",))
    assert str(course.rcpts[0]).startswith("554 5.7.1")


@pytest.fixture(scope="module")
def documented() -> Iterator[Postfix]:
    """Set up by the examples of docs/downstream.md."""
    with Postfix(
        users=("alice", "bob", "quarantine"),
        settings={"smtpd_authorized_xforward_hosts": ""},
        smtpd=example("downstream.md", "postfix-master").replace("10025", "{port}"),
        header_checks=example("downstream.md", "postfix-header-checks"),
    ) as running:
        yield running


async def test_the_documented_service_takes_mail_for_its_users_only(documented: Postfix) -> None:
    with route(endpoint(documented)) as hop:
        course = await deliver(hop, ("alice@example.org", "nobody@example.org", "someone@example.net"))
    assert [told.code for told in course.rcpts] == [250, 550, 554]
    assert course.told.startswith("250")
    documented.wait_until(lambda: "orig_client=client.example.com[192.0.2.7]" in documented.log(), "no true client")


async def test_the_documented_header_check_puts_quarantined_mail_away(documented: Postfix) -> None:
    with route(endpoint(documented)) as hop:
        for field in (b"X-Mailward-Quarantine: dmarc-quarantine\r\n", b"X-Mailward-Quarantine-Release: m1\r\n"):
            await deliver(hop, ("bob@example.org",), message=stamped(header=field))
    assert len(documented.wait_for_mail("quarantine")) == 1
    (released,) = documented.wait_for_mail("bob")
    assert b"X-Mailward-Quarantine-Release: m1" in released
