"""Likeness: turns what spamd would be sent into a fingerprint; where two are equal, spamd would judge the same.

It covers every octet (envelope sender, our Authentication-Results, the client's address, name, HELO and TLS, the
recipient where it is named, header, body), but for two things that we write ourselves: the id and the time in our
Received field (RFC 5321 section 4.4). The id is random, and spamd compares times by the hour.
"""

import re
from hashlib import sha256
from itertools import chain

from gateway.scoring.payload import Excerpt, Whole

# At the end of our fields. No text of a client that stands before it has a space in it.
_moment_re = re.compile(rb"\sid\s+[A-Za-z0-9._:\[\]?-]+(;|\s+for\s+<[^<>\r\n]*>;)\s+[^;<>\r\n]+\r\n\Z")


def fingerprint(message: Whole | Excerpt) -> bytes:
    digest, chunks, head = sha256(), message.chunks(), b""
    while len(head) < message.ours and (chunk := next(chunks, b"")):
        head += chunk
    ours = timeless(head[: message.ours])
    for part in chain((b"%d " % len(ours), ours, head[message.ours :]), chunks):
        digest.update(part)
    return digest.digest()


def timeless(ours: bytes) -> bytes:
    """Our fields, of which the last is Received, without its id and its time."""
    moment = _moment_re.search(ours)
    return ours[: moment.start()] + moment[1] + b"\r\n" if moment else ours
