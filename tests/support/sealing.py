"""Sealed mail: ARC sets put on a message by hand, true or not, with the keys of tests.support.signing."""

import hashlib
from base64 import b64encode

from dkim.canonicalization import Relaxed

from tests.support.signing import SigningKey, relaxed_field, selected


def sealed(
    message: bytes,
    key: SigningKey,
    *,
    domain: str = "lists.example",
    found: str = "dmarc=pass header.from=example.org",
    cv: str | None = None,
    instance: int | None = None,
    **tags: str | None,
) -> bytes:
    """The message with one more ARC set on top. `tags` go into its message signature; None leaves one out."""
    number = message.lower().count(b"arc-seal:") + 1 if instance is None else instance
    results = f"ARC-Authentication-Results: i={number}; {domain}; {found}\r\n".encode()
    signature = _message_signature(results + message, key, number, domain, tags)
    chain = cv or ("none" if number == 1 else "pass")
    seal = f"ARC-Seal: i={number}; a={key.algorithm}; cv={chain}; d={domain}; s=s1; b=".encode()
    covered = b"".join(relaxed_field(field)[1] for field in (*_arc_fields(message), results, signature))
    value = b64encode(key.sign(covered + relaxed_field(seal)[1].removesuffix(b"\r\n")))
    return seal + value + b"\r\n" + signature + results + message


def _message_signature(message: bytes, key: SigningKey, number: int, domain: str, tags: dict[str, str | None]) -> bytes:
    header, _, body = message.partition(b"\r\n\r\n")
    length = int(tags["l"] or 0) if "l" in tags else None
    body_hash = hashlib.sha256(Relaxed.canonicalize_body(body)[:length]).digest()
    usual = {"a": key.algorithm, "c": "relaxed/relaxed", "d": domain, "s": "s1", "h": "from:to:subject"}
    stated = {"i": str(number), **usual, "bh": b64encode(body_hash).decode(), **tags}
    value = "; ".join(f"{name}={text}" for name, text in stated.items() if text is not None)
    own = f"ARC-Message-Signature: {value}; b=".encode()
    signed = b"".join(selected(header, stated["h"] or "")) + relaxed_field(own)[1].removesuffix(b"\r\n")
    return own + b64encode(key.sign(signed)) + b"\r\n"


def _arc_fields(message: bytes) -> list[bytes]:
    """The fields of the sets that are there, in the order in which a seal covers them. That is from the bottom up: the
    oldest set first, and in each the results, the message signature, the seal."""
    header = message.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return [line for line in reversed(header) if line.lower().startswith(b"arc-")]
