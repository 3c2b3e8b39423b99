"""Sealed mail: ARC sets put on a message by hand, true or not, with the keys of tests.support.signing; our own sealer
with such a key; and a look at what it has sealed."""

import hashlib
import re
from base64 import b64decode, b64encode

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dkim.canonicalization import Relaxed

from gateway.checks.arc import Sealer, SealSettings
from gateway.checks.arc.seal import Signatory
from gateway.checks.arc.sealingkey import parse_sealing_key
from gateway.checks.dkim.key import parse_key
from tests.support.mailbytes import message_of
from tests.support.signing import SigningKey, relaxed_field, selected

_signature_value_re = re.compile(rb"(\sb=)[^;]*")


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


def pem(key: SigningKey) -> bytes:
    """The private half as a file has it."""
    if key.algorithm == "rsa-sha256":
        return key.private
    private = Ed25519PrivateKey.from_private_bytes(b64decode(key.private))
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def our_sealer(
    key: SigningKey,
    *,
    domain: str = "mx.example",
    headers: tuple[str, ...] = SealSettings().headers,
    now: float = 1_700_000_000.0,
) -> Sealer:
    by = Signatory(domain=domain, selector="s1", key=parse_sealing_key(pem(key)), headers=headers)
    return Sealer(by=by, clock=lambda: now)


def dkimpys_verdict(message: bytes, records: dict[str, bytes]) -> str:
    """What dkimpy says of the chain: pass, fail, none; "ended" behind a seal that says that it is broken."""
    verdict, _, _ = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: records.get(name.decode().rstrip(".")))
    return verdict.decode() if verdict else "ended"


def own_seal_verifies(message: bytes, record: bytes) -> bool:
    """Whether the topmost set is sealed by itself, as it is behind a broken chain (RFC 8617 section 5.1.2)."""
    seal, signature, results = (field.raw for field in message_of(message).fields[:3])
    bare = relaxed_field(_signature_value_re.sub(rb"\1", seal))[1].removesuffix(b"\r\n")
    value = _signature_value_re.search(seal)
    assert value is not None
    covered = relaxed_field(results)[1] + relaxed_field(signature)[1] + bare
    return parse_key(record).verifies(b64decode(value[0].partition(b"=")[2]), covered)
