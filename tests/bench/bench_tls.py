"""What STARTTLS adds to a letter on a connection of its own: a full handshake with a certificate of ECDSA P-256.

The client has one context for all its connections: making one takes longer than a letter, in which time the gateway
would cool down, and its journal write each letter by itself.
"""

import itertools
import smtplib
import ssl
from collections.abc import Iterator

from tests.bench import processes
from tests.bench.measured import Measured, at_most
from tests.bench.ours import gateway_before
from tests.bench.stand import Stand, standing
from tests.bench.timing import Effort
from tests.support.certificates import make_certificate
from tests.support.gateway import RunningGateway
from tests.support.wire import any_certificate

LETTERS = 300
PLAIN, TLS = "plain", "STARTTLS"
CONTEXT = any_certificate()


def measure(effort: Effort) -> Iterator[Measured]:
    values: dict[str, list[float]] = {PLAIN: [], TLS: []}
    with standing() as stand:
        made = make_certificate(stand.root, "127.0.0.1")
        more = f'\n[tls]\ncertificate = "{made.certificate}"\nkey = "{made.key}"\n'
        with gateway_before(stand.sink, stand.root / "gateway", dns=stand.dns, workers=1, more=more) as gateway:
            for way in (PLAIN, TLS):
                _bring(gateway, stand, way, LETTERS // 10)
            for _, way in itertools.product(range(effort.rounds), (PLAIN, TLS)):
                before = processes.cpu(processes.tree(gateway.process.pid))
                _bring(gateway, stand, way, effort.calls(LETTERS))
                spent = processes.cpu(processes.tree(gateway.process.pid)) - before
                values[way].append(spent / effort.calls(LETTERS))
    for way, found in values.items():
        yield Measured(name=f"a letter on a connection, {way}: CPU", unit="ms", values=tuple(found))
    more_spent = tuple(tls - plain for plain, tls in zip(values[PLAIN], values[TLS], strict=True))
    yield Measured(name="STARTTLS: CPU more", unit="ms", values=more_spent, goal=at_most(1.5))


def _bring(gateway: RunningGateway, stand: Stand, way: str, count: int) -> None:
    paths = [line.split() for line in stand.corpus.index("small").read_text().splitlines()]
    for number, (path, domain) in enumerate(itertools.islice(itertools.cycle(paths), count)):
        with open(path, "rb") as file, gateway.client(f"127.2.0.{number % 250 + 1}", f"mail.{domain}") as client:
            if way == TLS:
                _start_tls(client)
            client.sendmail(f"tls-{number}@{domain}", "alice@example.org", file.read())


def _start_tls(client: smtplib.SMTP) -> None:
    client.starttls(context=CONTEXT)
    assert isinstance(client.sock, ssl.SSLSocket)
    assert not client.sock.session_reused
