"""`mailward send`: hands a message to a gateway with a given envelope, for trying things out."""

import argparse
import email
import smtplib
import socket
import ssl
import sys
from email.utils import getaddresses
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, cast

from gateway.addresses import split_host_port
from gateway.lines import to_crlf
from gateway.printable import printable_lines
from gateway.smtp.proxyheader import End, Relayed, to_line

TIMEOUT = 660  # seconds; longer than the ten minutes that RFC 5321 section 4.5.3.2.6 gives the reply to the final dot


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("send", help="hand a message to a gateway, for trying things out")
    parser.add_argument("file", metavar="FILE", help="the message, as a file of RFC 5322 text; - is standard input")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the gateway")
    parser.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="MAIL FROM; <> for none; else the From field's"
    )
    parser.add_argument("--rcpt", action="append", metavar="ADDRESS", help="RCPT TO, repeatable; else the To field's")
    parser.add_argument("--helo", metavar="NAME", default="localhost", help="the name to greet with (localhost)")
    parser.add_argument("--tls", action="store_true", help="use STARTTLS, without looking at the certificate")
    parser.add_argument(
        "--client", metavar="ADDRESS", type=ip_address, help="come as a balancer does with this client (PROXY header)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        raw = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        print(f"mailward send: {options.file}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        host, port = split_host_port(options.to)
    except ValueError as error:
        print(f"mailward send: --to {options.to}: {error}", file=sys.stderr)
        return 2
    content = to_crlf(raw)
    sender, recipients = _envelope(options, content)
    if not recipients:
        print("mailward send: no recipient: the message has no To field, so name one with --rcpt", file=sys.stderr)
        return 2
    try:
        with _Sender(options.client, host, port, local_hostname=options.helo, timeout=TIMEOUT) as client:
            if options.tls:
                client.starttls(context=ssl._create_unverified_context())  # noqa: S323  a self-made one is expected
            client.ehlo_or_helo_if_needed()
            return int(not _accepts(client, sender, recipients, content))
    except smtplib.SMTPResponseException as error:
        _is_accepted("the connection", (error.smtp_code, error.smtp_error))
    except (OSError, ValueError) as error:  # a ValueError is an address that no command can carry
        print(f"mailward send: {options.to}: {error}", file=sys.stderr)
    return 1


class _Sender(smtplib.SMTP):
    """A client, or a balancer that brings one."""

    def __init__(self, client: IPv4Address | IPv6Address | None, *where: Any, **more: Any) -> None:
        self._client = client
        super().__init__(*where, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        if self._client is not None:
            nowhere = End(type(self._client)(0), port)
            sock.sendall(to_line(Relayed(End(self._client, sock.getsockname()[1]), nowhere)))
        return cast(socket.socket, sock)


def _envelope(options: argparse.Namespace, content: bytes) -> tuple[str, list[str]]:
    header = email.message_from_bytes(content.partition(b"\r\n\r\n")[0])
    named = {name: getaddresses([str(value) for value in header.get_all(name, [])]) for name in ("from", "to")}
    sender = options.sender if options.sender is not None else next((mail for _, mail in named["from"]), "")
    recipients = options.rcpt or [mail for _, mail in named["to"] if mail]
    return sender.strip("<>"), [recipient.strip("<>") for recipient in recipients]


def _accepts(client: smtplib.SMTP, sender: str, recipients: list[str], content: bytes) -> bool:
    """Send it and print every reply that matters. Whether the message was accepted, and for all recipients."""
    parameters = _parameters(client, [sender, *recipients], content)
    if not _is_accepted(f"MAIL FROM:<{sender}>", client.mail(sender, parameters)):
        return False
    accepted = [_is_accepted(f"RCPT TO:<{recipient}>", client.rcpt(recipient)) for recipient in recipients]
    if not any(accepted):
        return False
    try:
        answer = client.data(content)
    except smtplib.SMTPDataError as error:
        return _is_accepted("the message", (error.smtp_code, error.smtp_error))
    return _is_accepted("the message", answer) and all(accepted)


def _parameters(client: smtplib.SMTP, addresses: list[str], content: bytes) -> list[str]:
    """Of MAIL: what the message needs of the server (RFC 6152, RFC 6531)."""
    needed = []
    if client.has_extn("8bitmime") and not content.isascii():
        needed.append("BODY=8BITMIME")
    if not all(address.isascii() for address in addresses):
        needed.append("SMTPUTF8")
    return needed


def _is_accepted(what: str, answer: tuple[int, bytes | str]) -> bool:
    """Print one answer."""
    code, text = answer
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    print(f"{what}: {code} {printable_lines(shown)}")
    return code < 400
