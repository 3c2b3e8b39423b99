"""Payload: turns a stamped message and its envelope into the octets that spamd is sent.

A Return-Path field (RFC 5321 section 4.4) goes on top, so that SpamAssassin knows the sender of the envelope. What is
above a size is left out: padding is no way round the scoring.
"""

import re
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from gateway.envelope import Address
from gateway.message import Stamped

MAX_LINE = 1000  # octets with CRLF, RFC 5322 section 2.1.1; farther back no line end is looked for

# SpamAssassin decodes encoded words and takes what looks like an address: "?" and quoting must not let a local part
# become another domain's address.
_odd_re = re.compile(r"[^A-Za-z0-9.!#$%&'*+/=^_`{|}~-]")


class Whole(Struct, frozen=True):
    """A message as it stands, below its Return-Path. `ours` are the octets at its beginning that we have written."""

    return_path: bytes
    copy: Stamped

    truncated = False

    @property
    def size(self) -> int:
        return len(self.return_path) + self.copy.size

    @property
    def ours(self) -> int:
        return len(self.return_path) + self.copy.ours

    def chunks(self) -> Iterator[bytes]:
        return chain((self.return_path,), self.copy.chunks())


class Excerpt(Struct, frozen=True):
    """The beginning of a message that is too large to be scored whole."""

    data: bytes
    ours: int = 0

    truncated = True

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data


def make_payload(copy: Stamped, sender: Address | None, *, max_size: int) -> Whole | Excerpt:
    return bounded(Whole(return_path=return_path(sender), copy=copy), max_size=max_size)


def bounded(whole: Whole, *, max_size: int) -> Whole | Excerpt:
    if whole.size <= max_size:
        return whole
    beginning = _beginning(whole.chunks(), max_size)
    return Excerpt(beginning, ours=min(whole.ours, len(beginning)))


def return_path(sender: Address | None) -> bytes:
    if sender is None:
        return b"Return-Path: <>\r\n"
    domain = f"@{sender.domain}" if sender.domain else ""
    return f"Return-Path: <{_odd_re.sub('-', sender.local)}{domain}>\r\n".encode()


def _beginning(chunks: Iterator[bytes], limit: int) -> bytes:
    """At most `limit` octets, cut after the last line end; in a line that is longer than any may be, cut inside it."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) >= limit:
            break
    end = data.rfind(b"\r\n", max(limit - MAX_LINE, 0), limit)
    return bytes(data[: end + 2 if end >= 0 else limit])
