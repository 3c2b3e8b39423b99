"""Postfix that relays, alone or with milters before its queue. It answers 250 when the letter is in the queue."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.peers.peer import Peer, Place, Running
from tests.support.postfix import SMTPD, Postfix

SERVICES = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n"
SETTINGS = {
    "virtual_mailbox_domains": "",
    "relay_domains": "example.org",
    "header_checks": "",
    "default_process_limit": "250",
    "message_size_limit": "52428800",
    "mailbox_size_limit": "0",
    "maximal_queue_lifetime": "1d",
    "milter_default_action": "tempfail",
}


@contextlib.contextmanager
def relaying(place: Place, milters: Sequence[Path] = ()) -> Iterator[Postfix]:
    """`milters` are sockets, in the order in which they see a letter."""
    settings = SETTINGS | {
        "relay_transport": f"relay:[127.0.0.1]:{place.next_hop}",
        "smtpd_milters": ", ".join(f"unix:{milter}" for milter in milters),
    }
    with contextlib.ExitStack() as stack:
        try:  # on a busy machine one start in ten neither listened nor logged; then it is started anew, once
            postfix = stack.enter_context(Postfix(settings=settings, smtpd=SMTPD + SERVICES))
        except AssertionError as error:
            print(error, file=sys.stderr)
            postfix = stack.enter_context(Postfix(settings=settings, smtpd=SMTPD + SERVICES))
        yield postfix


@contextlib.contextmanager
def run(place: Place) -> Iterator[Running]:
    with relaying(place) as postfix:
        yield Running(postfix.port, (postfix.pid,))


POSTFIX = Peer("Postfix", run)
