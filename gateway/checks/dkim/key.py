"""Keys: turns the TXT record of a selector into a public key with its restrictions (RFC 6376 section 3.6.1, RFC 8463).

Parsing is `cryptography`'s; what a key may be is decided here, before any arithmetic is done with it.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct

from gateway.checks.dkim.status import Failure, SignatureError
from gateway.checks.dkim.tags import TagError, Tags, base64, colon_list, parse_tags

MAX_RECORD = 4096  # octets; a 4096-bit key takes about 750, the rest is for notes
MAX_KEY = 600  # octets; a 4096-bit RSA key takes 550, so a longer one is refused before it is looked at
MIN_RSA_BITS = 1024  # RFC 8301 section 3.2
MAX_RSA_BITS = 4096  # RFC 8301 section 3.2; the cost of a verification grows with the square
RSA_EXPONENTS = range(3, 2**32, 2)  # in use are 3 and 65537; the cost grows with it, and the signer chooses it

_PADDING = PKCS1v15()
_SHA256 = SHA256()


class Algorithm(StrEnum):
    """The signature algorithms that are verified (RFC 8301 section 3, RFC 8463 section 3)."""

    RSA_SHA256 = "rsa-sha256"
    ED25519_SHA256 = "ed25519-sha256"

    @property
    def key_type(self) -> str:
        return self.partition("-")[0]


class Key(Struct, frozen=True):
    """A published key. It signs mail, and its hash restrictions allow SHA-256: others are refused when parsed."""

    public: RSAPublicKey | Ed25519PublicKey
    algorithm: Algorithm  # the one that keys of its type (k=) are for
    testing: bool  # t=y
    strict: bool  # t=s: the domain of i= must be d= itself
    bits: int

    @property
    def type(self) -> str:
        """k=: "rsa" or "ed25519"."""
        return self.algorithm.key_type

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether `signature` is this key's, over the SHA-256 of `signed`."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, signed, _PADDING, _SHA256)
            else:  # RFC 8463 section 3: the digest is what is signed
                self.public.verify(signature, hashlib.sha256(signed).digest())
        except InvalidSignature:
            return False
        return True


def parse_key(record: bytes) -> Key:
    """Parse a key record. Raises SignatureError where it is malformed, revoked, not for mail or not acceptable."""
    if len(record) > MAX_RECORD:
        raise SignatureError(f"the key record is larger than {MAX_RECORD} octets", Failure.BAD_KEY)
    try:
        tags = parse_tags(record)
        return _key(tags)
    except TagError as error:
        raise SignatureError(f"key record: {error}", Failure.BAD_KEY) from None


def _key(tags: Tags) -> Key:
    _check_restrictions(tags)
    kind = _KINDS.get(tags.get("k", b"rsa"))
    if kind is None:
        raise SignatureError("key record: the key type is unknown", Failure.WRONG_KEY)
    algorithm, load = kind
    flags = colon_list(tags.get("t", b""))
    public = load(_key_octets(tags))
    return Key(
        public=public,
        algorithm=algorithm,
        testing=b"y" in flags,
        strict=b"s" in flags,
        bits=public.key_size if isinstance(public, RSAPublicKey) else 256,
    )


def _check_restrictions(tags: Tags) -> None:
    if tags.get("v", b"DKIM1") != b"DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise SignatureError("key record: it is not of version DKIM1", Failure.BAD_KEY)
    if "h" in tags and b"sha256" not in colon_list(tags["h"]):
        raise SignatureError("key record: its hash algorithms (h=) do not include sha256", Failure.WRONG_KEY)
    services = colon_list(tags.get("s", b"*"))
    if b"*" not in services and b"email" not in services:
        raise SignatureError("key record: the key is not for mail (s=)", Failure.WRONG_KEY)


def _key_octets(tags: Tags) -> bytes:
    if "p" not in tags:
        raise SignatureError("key record: there is no key in it (p=)", Failure.BAD_KEY)
    if not tags["p"]:
        raise SignatureError("the key has been revoked", Failure.REVOKED_KEY)
    return base64(tags["p"], "p")


def _load_rsa(octets: bytes) -> RSAPublicKey:
    """Load a SubjectPublicKeyInfo, or a bare RSAPublicKey, as RFC 6376 had it before its erratum."""
    if len(octets) > MAX_KEY:
        raise SignatureError(f"the RSA key is longer than {MAX_RSA_BITS} bits", Failure.BAD_KEY)
    try:
        public = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureError("key record: the key cannot be read", Failure.BAD_KEY) from None
    if not isinstance(public, RSAPublicKey):
        raise SignatureError("key record: the key is not of its type (k=)", Failure.BAD_KEY)
    if public.key_size < MIN_RSA_BITS:
        raise SignatureError(f"the RSA key has {public.key_size} bits, fewer than {MIN_RSA_BITS}", Failure.WEAK_KEY)
    if public.key_size > MAX_RSA_BITS:
        raise SignatureError(f"the RSA key is longer than {MAX_RSA_BITS} bits", Failure.BAD_KEY)
    if public.public_numbers().e not in RSA_EXPONENTS:
        raise SignatureError("the RSA key's exponent is none that keys for mail have", Failure.BAD_KEY)
    return public


def _load_ed25519(octets: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureError("key record: an Ed25519 key has 32 octets", Failure.BAD_KEY) from None


_KINDS: dict[bytes, tuple[Algorithm, Callable[[bytes], RSAPublicKey | Ed25519PublicKey]]] = {
    b"rsa": (Algorithm.RSA_SHA256, _load_rsa),
    b"ed25519": (Algorithm.ED25519_SHA256, _load_ed25519),
}
