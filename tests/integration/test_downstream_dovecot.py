"""A real Dovecot as the next hop, set up by the examples of docs/downstream.md."""

from collections.abc import Iterator

import pytest

from gateway.delivery.endpoint import Endpoint, Protocol
from tests.support.deliveries import BODY, deliver, route, stamped
from tests.support.documents import example
from tests.support.dovecot import Dovecot, is_available

pytestmark = pytest.mark.skipif(
    not is_available(), reason="Debian's dovecot-lmtpd and dovecot-sieve, or root, are not here"
)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    config = example("downstream.md", "dovecot").replace("user = mailward", "user = root")
    with Dovecot(config=config, sieve=example("downstream.md", "sieve")) as running:
        yield running


def endpoint(dovecot: Dovecot) -> Endpoint:
    return Endpoint(protocol=Protocol.LMTP, path=str(dovecot.socket))


async def test_a_message_arrives_before_the_250(dovecot: Dovecot) -> None:
    with route(endpoint(dovecot)) as hop:
        course = await deliver(hop, ("alice@example.org",))
    assert course.told.startswith("250 2.0.0"), dovecot.log()
    assert course.outcome is not None
    assert course.outcome.queue_id
    (message,) = dovecot.mailbox("alice")
    assert message.endswith(b"X-Stamp: ours\n" + BODY.replace(b"\r\n", b"\n"))


async def test_an_unknown_recipient_is_refused_at_rcpt(dovecot: Dovecot) -> None:
    with route(endpoint(dovecot)) as hop:
        course = await deliver(hop, ("nobody@example.org",))
    assert str(course.rcpts[0]).startswith("550 5.1.1 <nobody@example.org>")


@pytest.mark.parametrize(
    ("fields", "folder"),
    [
        (b"X-Mailward-Quarantine: dmarc-quarantine\r\n", "Junk"),
        (b"X-Spam-Flag: YES\r\n", "Junk"),
        (b"X-Spam-Flag: NO\r\n", ""),
        (b"X-Mailward-Quarantine-Release: m1\r\nX-Spam-Flag: YES\r\n", ""),
    ],
)
async def test_sieve_puts_away_what_is_marked(dovecot: Dovecot, fields: bytes, folder: str) -> None:
    before = len(dovecot.mailbox("bob", folder))
    with route(endpoint(dovecot)) as hop:
        course = await deliver(hop, ("bob@example.org",), message=stamped(header=fields))
    assert course.told.startswith("250"), dovecot.log()
    assert len(dovecot.mailbox("bob", folder)) == before + 1, dovecot.log()
