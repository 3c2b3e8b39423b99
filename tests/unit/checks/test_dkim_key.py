"""Key records become keys only if they are what the RFCs allow; what is too costly is refused before it is computed."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.status import SignatureError, Status
from tests.support.signing import ed25519_key, rsa_key


def record(public: str, tags: str = "v=DKIM1; ") -> bytes:
    return f"{tags}p={public}".encode()


def rsa_record(bits: int, exponent: int = 65537) -> bytes:
    """A key record of a number of that size; no one has its private key."""
    numbers = RSAPublicNumbers(exponent, (1 << bits) - 1)
    octets = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return record(b64encode(octets).decode())


def problem(octets: bytes) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        parse_key(octets)
    return caught.value


def test_a_record_without_version_and_type_is_an_rsa_key() -> None:
    key = parse_key(record(rsa_key().public, tags=""))
    assert (key.type, key.bits, key.testing, key.strict) == ("rsa", 2048, False, False)


def test_an_ed25519_key_has_32_octets() -> None:
    assert parse_key(ed25519_key().record).type == "ed25519"
    assert "32 octets" in problem(record("AAAA", tags="k=ed25519; ")).reason


def test_a_bare_rsa_public_key_is_read() -> None:
    numbers = RSAPublicNumbers(65537, (1 << 2048) - 1)
    octets = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert parse_key(record(b64encode(octets).decode())).bits == 2048


def test_flags_are_a_list() -> None:
    key = parse_key(record(rsa_key().public, tags="t= y : s : future; "))
    assert (key.testing, key.strict) == (True, True)


@pytest.mark.parametrize(
    "tags", ["h=sha1:sha256; ", "s=*; ", "s=email; ", "s=tlsrpt:email; ", "g=; ", "n=note; ", "x=y; "]
)
def test_restrictions_that_allow_mail_are_no_hindrance(tags: str) -> None:
    assert parse_key(record(rsa_key().public, tags=tags)).type == "rsa"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("v=DKIM2; ", "version"),
        ("k=rsa; v=DKIM1; ", "version"),
        ("h=sha1; ", "sha256"),
        ("s=tlsrpt; ", "mail"),
        ("k=dsa; ", "type is unknown"),
        ("k=\xff; ", "type is unknown"),
        ("t=s; t=y; ", "twice"),
        ("oops; ", "malformed"),
    ],
)
def test_other_records_are_permanent_errors(tags: str, reason: str) -> None:
    error = problem(record(rsa_key().public, tags=tags))
    assert reason in error.reason
    assert error.status is Status.PERMERROR


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "no key"),
        (b"v=DKIM1; k=rsa", "no key"),
        (b"v=DKIM1; p=", "revoked"),
        (b"v=DKIM1; p= ; n=gone", "revoked"),
        (b"p=****", "base64"),
        (b"p=AAAA", "cannot be read"),
        (b"p=AAAA; n=" + b"x" * 5000, "larger than"),
    ],
)
def test_a_record_without_a_key_says_why(octets: bytes, reason: str) -> None:
    assert reason in problem(octets).reason


def test_a_key_of_another_kind_is_refused() -> None:
    public = generate_private_key(SECP256R1()).public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert "not of its type" in problem(record(b64encode(octets).decode())).reason


def test_a_short_rsa_key_is_not_accepted() -> None:
    assert problem(rsa_record(1016)).status is Status.POLICY
    assert parse_key(rsa_record(1024)).bits == 1024


@pytest.mark.parametrize("bits", [4104, 8192, 32768])
def test_a_long_rsa_key_is_refused(bits: int) -> None:
    error = problem(rsa_record(bits))
    assert error.status is Status.PERMERROR
    assert parse_key(rsa_record(4096)).bits == 4096


@pytest.mark.parametrize("exponent", [2**32 + 1, 2**64 + 1])
def test_a_large_exponent_is_refused(exponent: int) -> None:
    assert "exponent" in problem(rsa_record(2048, exponent)).reason
    assert parse_key(rsa_record(2048, 3)).bits == 2048
