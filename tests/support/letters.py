"""Letters that can be told apart and checked: each has a name and the digest of its body in its header."""

import hashlib
import re
from random import Random

# Octets of a body, and how many of a hundred are so large: most fit into one read, some into none of our buffers, and a
# few go to the disk of the gateway (spool_memory).
SIZES = {1_000: 75, 40_000: 20, 400_000: 5}

_name_re = re.compile(rb"^X-Letter: ([0-9a-z-]{1,40}) ([0-9a-f]{64})\r$", re.MULTILINE)


def write_letter(name: str, random: Random) -> bytes:
    """The octets of a letter, with some lines that begin with a dot."""
    [size] = random.choices(list(SIZES), list(SIZES.values()))
    line = b".%s %s\r\n" % (name.encode(), b"x" * 60)
    body = line * (size // len(line) + 1)
    digest = hashlib.sha256(body).hexdigest()
    return (
        f"From: Ann <ann@sender.example>\r\nTo: alice@example.org\r\nSubject: {name}\r\n"
        f"Message-ID: <{name}@sender.example>\r\nX-Letter: {name} {digest}\r\n\r\n"
    ).encode() + body


def read_letter(octets: bytes) -> bytes:
    """The name of a letter that has come whole; of another one, what is wrong with it."""
    header, _, body = octets.partition(b"\r\n\r\n")
    match = _name_re.search(header + b"\r\n")
    if match is None:
        return b"nameless"
    return match[1] if hashlib.sha256(body).hexdigest().encode() == match[2] else b"broken-" + match[1]
