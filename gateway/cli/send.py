"""`mailward send`: hands a message to a gateway with a given envelope, for trying things out."""

import argparse
import email
import smtplib
import ssl
import sys
from email.utils import getaddresses
from pathlib import Path

from gateway.addresses import split_host_port
from gateway.lines import to_crlf

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
    return _deliver(host, port, options, sender, recipients, content)


def _envelope(options: argparse.Namespace, content: bytes) -> tuple[str, list[str]]:
    header = email.message_from_bytes(content.partition(b"\r\n\r\n")[0])
    named = {name: getaddresses([str(value) for value in header.get_all(name, [])]) for name in ("from", "to")}
    sender = options.sender if options.sender is not None else next((mail for _, mail in named["from"]), "")
    recipients = options.rcpt or [mail for _, mail in named["to"] if mail]
    return sender.strip("<>"), [recipient.strip("<>") for recipient in recipients]


def _deliver(
    host: str, port: int, options: argparse.Namespace, sender: str, recipients: list[str], content: bytes
) -> int:
    """Send it and print every reply that matters. Returns 0 when the message was accepted for all, else 1."""
    refused = False
    try:
        with smtplib.SMTP(host, port, local_hostname=options.helo, timeout=TIMEOUT) as client:
            if options.tls:
                client.starttls(context=ssl._create_unverified_context())  # noqa: S323  a self-made one is expected
            client.ehlo_or_helo_if_needed()
            parameters = ["BODY=8BITMIME"] if client.has_extn("8bitmime") and not content.isascii() else []
            refused |= _said(f"MAIL FROM:<{sender}>", client.mail(sender, parameters))
            refused |= any([_said(f"RCPT TO:<{rcpt}>", client.rcpt(rcpt)) for rcpt in recipients])
            refused |= _said("the message", client.data(content))
    except smtplib.SMTPDataError as error:
        refused |= _said("the message", (error.smtp_code, error.smtp_error))
    except (OSError, smtplib.SMTPException) as error:
        print(f"mailward send: {host}:{port}: {error}", file=sys.stderr)
        return 1
    return int(refused)


def _said(what: str, answer: tuple[int, bytes | str]) -> bool:
    """Print one answer; True if it refuses."""
    code, text = answer
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    print(f"{what}: {code} {shown}")
    return code >= 400
