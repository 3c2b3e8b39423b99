"""Signed mail: keys made once for a test run, their DNS records, and messages signed with them by dkimpy."""

from base64 import b64encode
from dataclasses import dataclass
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair: the private half as dkimpy takes it, the public half as p= has it."""

    algorithm: str
    private: bytes
    public: str

    @property
    def record(self) -> bytes:
        return f"v=DKIM1; k={self.algorithm.partition('-')[0]}; p={self.public}".encode()


@cache
def rsa_key(bits: int = 2048) -> SigningKey:
    key = generate_private_key(public_exponent=65537, key_size=bits)
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
) -> bytes:
    """The message with a DKIM-Signature on top, made by dkimpy."""
    header_canon, _, body_canon = canon.encode().partition(b"/")
    return (
        dkim.sign(
            message,
            selector.encode(),
            domain.encode(),
            key.private,
            identity=identity.encode() if identity else None,
            canonicalize=(header_canon, body_canon),
            signature_algorithm=key.algorithm.encode(),
            include_headers=[name.encode() for name in headers],
            length=length,
        )
        + message
    )
