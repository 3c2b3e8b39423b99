"""Letter: turns a file with one message into what spamd is told of it and what the journal knows it by.

Of a file of any size no more is held than the limits of a header and of scoring allow; its digest is of all of it.
"""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from msgspec import Struct

from gateway.journal.feedback import digest
from gateway.learning.delivered import as_scored
from gateway.lines import to_crlf
from gateway.message import CHUNK, HeaderTooLarge, Octets, parse_message
from gateway.scoring.payload import Excerpt, Whole, bounded

_MBOX = b"From "  # the line that mailbox files have before a message, and tools leave in it


class LetterError(ValueError):
    """The file has no message that could be learned; the text says why."""


class Reading(Struct, frozen=True, kw_only=True):
    """By what a message is known as ours, and how much of it is looked at."""

    hostname: str
    authserv_id: str
    max_header: int  # octets
    max_size: int  # octets that spamd is given


class Letter(Struct, frozen=True, kw_only=True):
    ident: str  # that its topmost Received field of ours names, or ""
    digest: str
    payload: Whole | Excerpt


def read_letter(file: BinaryIO, reading: Reading) -> Letter:
    """Raises LetterError, OSError."""
    lines = _lines(file)
    octets = _beginning(lines, reading.max_header + reading.max_size)
    try:
        message = parse_message(Octets(octets), max_header=reading.max_header)
    except HeaderTooLarge as error:
        raise LetterError(str(error)) from error
    if not any(field.name for field in message.fields):
        raise LetterError("it is empty" if not octets else "it has no header: is it a message?")
    delivered = as_scored(message, hostname=reading.hostname, authserv_id=reading.authserv_id)
    whole = Whole(return_path=delivered.return_path, copy=delivered.copy)
    return Letter(
        ident=delivered.ident,
        digest=digest(chain(delivered.original(), lines)),
        payload=bounded(whole, max_size=reading.max_size),
    )


def _beginning(lines: Iterator[bytes], limit: int) -> bytes:
    octets = bytearray()
    for piece in lines:
        octets += piece
        if len(octets) >= limit:
            break
    if octets.startswith(_MBOX):
        del octets[: octets.find(b"\n") + 1 or len(octets)]
    return bytes(octets)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """All of it in pieces, with CRLF at each line's end."""
    held = b""
    while piece := file.read(CHUNK):
        octets = held + piece
        held = b"\r" if octets.endswith(b"\r") else b""  # the line feed of it may be the next octet
        yield to_crlf(octets[: -len(held)] if held else octets)
    if held:
        yield b"\r\n"
