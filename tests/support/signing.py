"""Signed mail: keys made once for a test run, their DNS records, and messages signed with them by dkimpy or by hand."""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from dkim.canonicalization import Relaxed


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair: the private half as dkimpy takes it, the public half as p= has it."""

    algorithm: str
    private: bytes
    public: str

    @property
    def record(self) -> bytes:
        return f"v=DKIM1; k={self.algorithm.partition('-')[0]}; p={self.public}".encode()

    def sign(self, octets: bytes) -> bytes:
        if self.algorithm == "ed25519-sha256":
            return Ed25519PrivateKey.from_private_bytes(b64decode(self.private)).sign(hashlib.sha256(octets).digest())
        return _loaded(self.private).sign(octets, PKCS1v15(), SHA256())


@cache
def _loaded(pem: bytes) -> RSAPrivateKey:
    private = load_pem_private_key(pem, None)
    assert isinstance(private, RSAPrivateKey)
    return private


@cache
def rsa_key(bits: int = 2048) -> SigningKey:
    return _signing_key(generate_private_key(public_exponent=65537, key_size=bits))


def rsa_key_of(p: int, q: int) -> SigningKey:
    """A key of these primes, whatever its size."""
    secret = pow(65537, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(65537, p * q)
    factors = rsa_crt_dmp1(secret, p), rsa_crt_dmq1(secret, q), rsa_crt_iqmp(p, q)
    return _signing_key(RSAPrivateNumbers(p, q, secret, *factors, public).private_key())


def _signing_key(key: RSAPrivateKey) -> SigningKey:
    return SigningKey(
        algorithm="rsa-sha256",
        private=key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        public=b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode(),
    )


@cache
def ed25519_key() -> SigningKey:
    key = Ed25519PrivateKey.generate()
    return SigningKey(
        algorithm="ed25519-sha256",
        private=b64encode(key.private_bytes_raw()),
        public=b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def signed(
    message: bytes,
    key: SigningKey,
    *,
    domain: str = "example.org",
    selector: str = "s1",
    canon: str = "relaxed/relaxed",
    headers: tuple[str, ...] = ("from", "to", "subject", "date"),
    identity: str | None = None,
    length: bool = False,
    algorithm: str = "",
) -> bytes:
    """The message with a DKIM-Signature on top, made by dkimpy, with the key's algorithm unless another is given."""
    header_canon, _, body_canon = canon.encode().partition(b"/")
    return (
        dkim.sign(
            message,
            selector.encode(),
            domain.encode(),
            key.private,
            identity=identity.encode() if identity else None,
            canonicalize=(header_canon, body_canon),
            signature_algorithm=(algorithm or key.algorithm).encode(),
            include_headers=[name.encode() for name in headers],
            length=length,
        )
        + message
    )


def handmade(message: bytes, key: SigningKey, **tags: str | None) -> bytes:
    """The message with a relaxed/relaxed signature on top whose tags are as given, true or not; None leaves one out."""
    header, _, body = message.partition(b"\r\n\r\n")
    length = int(tags["l"]) if (tags.get("l") or "").isdigit() and len(tags["l"] or "") < 10 else None
    body_hash = hashlib.sha256(Relaxed.canonicalize_body(body)[:length]).digest()
    usual = {
        "v": "1",
        "a": key.algorithm,
        "c": "relaxed/relaxed",
        "d": "example.org",
        "s": "s1",
        "h": "from:to:subject",
    }
    stated = {**usual, "bh": b64encode(body_hash).decode(), **tags}
    value = "; ".join(f"{name}={text}" for name, text in stated.items() if text is not None) + "; b="
    parts = selected(header, stated["h"] or "")
    own = relaxed_field(b"DKIM-Signature: " + value.encode())[1].removesuffix(b"\r\n")
    signature = b64encode(key.sign(b"".join(parts) + own))
    return b"DKIM-Signature: " + value.encode() + signature + b"\r\n" + message


def selected(header: bytes, names: str) -> list[bytes]:
    """The relaxed forms of the fields that `names`, a value of h=, select. Each field of `header` is one line."""
    fields: dict[bytes, list[bytes]] = {}
    for name, field in map(relaxed_field, header.split(b"\r\n")):
        fields.setdefault(name, []).append(field)
    return [fields[name].pop() for name in "".join(names.lower().split()).encode().split(b":") if fields.get(name)]


def relaxed_field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    [(canonical_name, canonical_value)] = Relaxed.canonicalize_headers([(name, value)])
    return canonical_name, canonical_name + b":" + canonical_value
