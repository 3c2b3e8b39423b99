"""The sealing key: turns a PEM file into a private key that signs, and into the record that publishes its other half
(RFC 6376 section 3.6.1, RFC 8463)."""

from base64 import b64encode
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct

from gateway.checks.dkim.key import MAX_RSA_BITS, Algorithm, Key

MAX_FILE = 65536  # octets; a key takes 4 KB, and a wrong path may lead to anything
MIN_RSA_BITS = 2048  # to sign with; RFC 8301 section 3.2
OTHERS = 0o007  # the bits of a file's mode that are for everybody else

_PADDING = PKCS1v15()
_SHA256 = SHA256()


class SealingKeyError(Exception):
    """The key cannot be used; the text says why and what to do, for the operator."""


class SealingKey(Struct, frozen=True):
    """A private key. It signs the SHA-256 of what it is given."""

    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.RSA_SHA256 if isinstance(self.private, RSAPrivateKey) else Algorithm.ED25519_SHA256

    @property
    def record(self) -> str:
        """The TXT record that publishes it."""
        return f"v=DKIM1; k={self.algorithm.key_type}; p={b64encode(self._public).decode('ascii')}"

    def sign(self, octets: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(octets, _PADDING, _SHA256)
        digest = Hash(_SHA256)
        digest.update(octets)
        return self.private.sign(digest.finalize())  # RFC 8463 section 3: the digest is what is signed

    def fits(self, published: Key) -> bool:
        """Whether that is its other half."""
        return self.private.public_key() == published.public

    @property
    def _public(self) -> bytes:
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def read_sealing_key(path: Path) -> SealingKey:
    """The key in a file that nobody else may read. Raises SealingKeyError."""
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            pem = file.read(MAX_FILE)
    except OSError as error:
        raise SealingKeyError(f"{path} cannot be read: {error.strerror}") from error
    if mode & OTHERS:
        raise SealingKeyError(f"{path} is open to every user of this host: chmod o= {path}")
    try:
        return parse_sealing_key(pem)
    except SealingKeyError as error:
        raise SealingKeyError(f"{path}: {error}") from None


def parse_sealing_key(pem: bytes) -> SealingKey:
    """Parse PKCS#8 or PKCS#1. Raises SealingKeyError."""
    try:
        private = load_pem_private_key(pem, None)
    except TypeError:
        raise SealingKeyError("the key is encrypted, and nobody is here to give its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SealingKeyError("there is no private key in PEM form: make one with openssl genrsa 2048") from None
    if isinstance(private, RSAPrivateKey) and not MIN_RSA_BITS <= private.key_size <= MAX_RSA_BITS:
        raise SealingKeyError(f"the RSA key has {private.key_size} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise SealingKeyError("the key is neither RSA nor Ed25519")
    return SealingKey(private)
