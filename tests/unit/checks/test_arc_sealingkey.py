"""The key that seals: which files are taken, what is said of the others, and what is to be published of it."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.checks.arc.published import published_problem, zone_line
from gateway.checks.arc.sealingkey import MAX_FILE, SealingKeyError, parse_sealing_key, read_sealing_key
from gateway.checks.dkim.key import parse_key
from gateway.system.dns import Answer, Status
from tests.support.sealing import pem
from tests.support.signing import SigningKey, ed25519_key, rsa_key

_string_re = re.compile(r'"([^"]*)"')


def pkcs8(private: PrivateKeyTypes, encryption: KeySerializationEncryption | None = None) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def written(directory: Path, octets: bytes, mode: int = 0o640) -> Path:
    path = directory / "arc.pem"
    path.write_bytes(octets)
    path.chmod(mode)
    return path


def published(*records: bytes) -> Answer:
    return Answer(Status.OK, records, 300.0)


@pytest.mark.parametrize("key", [rsa_key(), ed25519_key()])
def test_what_it_signs_verifies_with_what_it_has_published(key: SigningKey) -> None:
    ours = parse_sealing_key(pem(key))
    assert ours.algorithm == key.algorithm
    assert ours.record.encode() == key.record
    assert parse_key(ours.record.encode()).verifies(ours.sign(b"octets"), b"octets")


def test_pkcs8_is_read_as_pkcs1_is() -> None:
    assert b"BEGIN RSA PRIVATE KEY" in pem(rsa_key())
    other_form = pkcs8(load_pem_private_key(pem(rsa_key()), None))
    assert parse_sealing_key(other_form).record == parse_sealing_key(pem(rsa_key())).record


def test_a_file_that_only_its_owner_and_group_may_read_is_taken(tmp_path: Path) -> None:
    assert read_sealing_key(written(tmp_path, pem(rsa_key()))).record.encode() == rsa_key().record


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o641])
def test_a_file_that_is_open_to_others_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, pem(rsa_key()), mode)
    with pytest.raises(SealingKeyError, match=f"chmod o= {path}"):
        read_sealing_key(path)


def test_no_more_of_a_file_is_read_than_a_key_can_take(tmp_path: Path) -> None:
    with pytest.raises(SealingKeyError, match="no private key"):
        read_sealing_key(written(tmp_path, b"\n" * MAX_FILE + pem(rsa_key())))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "missing.pem", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SealingKeyError, match=f"{path} cannot be read: {why}"):
            read_sealing_key(path)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no private key in PEM"),
        (b"\x00" * 100_000, "no private key in PEM"),
        (pem(rsa_key(1024)), "1024 bits, not 2048 to 4096"),
        (pkcs8(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
        (pkcs8(load_pem_private_key(pem(rsa_key()), None), BestAvailableEncryption(b"secret")), "is encrypted"),
    ],
    ids=["empty", "rubbish", "short", "of another kind", "encrypted"],
)
def test_what_is_no_key_to_seal_with_is_refused(tmp_path: Path, octets: bytes, why: str) -> None:
    path = written(tmp_path, octets)
    with pytest.raises(SealingKeyError, match=why) as caught:
        read_sealing_key(path)
    assert str(path) in str(caught.value)


def test_the_line_for_a_zone_holds_the_record_in_short_strings() -> None:
    key = parse_sealing_key(pem(rsa_key()))
    line = zone_line("s1._domainkey.example.org", key.record)
    assert line.startswith('s1._domainkey.example.org. IN TXT ( "v=DKIM1; k=rsa; p=')
    assert "".join(_string_re.findall(line)) == key.record
    assert max(map(len, _string_re.findall(line))) <= 60


@pytest.mark.parametrize("key", [rsa_key(), ed25519_key()])
def test_a_published_key_fits_or_not(key: SigningKey) -> None:
    ours = parse_sealing_key(pem(key))
    others = ed25519_key() if key is rsa_key() else rsa_key()
    assert published_problem(ours, published(key.record)) == ""
    assert published_problem(ours, published(others.record, key.record)) == ""
    assert published_problem(ours, published(others.record)) == "another key is published"
    assert published_problem(ours, published(b"v=DKIM1; p=")) == "the key has been revoked"
    assert published_problem(ours, Answer(Status.NXDOMAIN)) == "there is no key for it"
    assert published_problem(ours, Answer(Status.TIMEOUT)) == "its key could not be looked up"
