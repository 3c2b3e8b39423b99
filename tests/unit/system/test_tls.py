"""The server's certificate: configured and followed as it changes, or made by us and kept."""

import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gateway.system.tls import SELF_MADE, ServerTls, TlsError, TlsSettings, make_certificate, server_tls
from tests.support.wire import any_certificate


def serial_shown(context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a client is shown in a handshake."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = any_certificate().wrap_bio(to_client, to_server)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return x509.load_der_x509_certificate(client.getpeercert(binary_form=True) or b"").serial_number


def serial_of(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


def test_self_made_certificate_is_ecdsa_for_the_host_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    first = server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path / "state")
    kept = tmp_path / "state" / SELF_MADE
    certificate = x509.load_pem_x509_certificate(kept.read_bytes())
    key = certificate.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.net"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    second = server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path / "state")
    assert serial_shown(first.context()) == serial_shown(second.context()) == certificate.serial_number
    assert [file.name for file in kept.parent.iterdir()] == [SELF_MADE]


def test_workers_that_start_at_once_agree(tmp_path: Path) -> None:
    def serial(_: int) -> int:
        return serial_shown(server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path).context())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(serial, range(8)))) == 1


def test_long_host_name() -> None:
    name = ".".join(["label" * 10] * 4) + ".example"
    assert x509.load_pem_x509_certificate(make_certificate(name)).subject.rfc4514_string() == f"CN={name[:64]}"


def test_context_follows_the_files(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    old, new = make_certificate("mx.example.net"), make_certificate("mx.example.net")
    pem.write_bytes(old)
    tls = ServerTls(pem, pem)
    assert tls.context() is tls.context()
    (tmp_path / "next.pem").write_bytes(new)
    (tmp_path / "next.pem").rename(pem)
    assert serial_shown(tls.context()) == serial_of(new)


@pytest.mark.parametrize("broken", [b"", b"no certificate", None])
def test_broken_replacement_leaves_the_certificate_in_force(tmp_path: Path, broken: bytes | None) -> None:
    pem, content = tmp_path / "both.pem", make_certificate("mx.example.net")
    pem.write_bytes(content)
    tls = ServerTls(pem, pem)
    if broken is None:
        pem.unlink()
    else:
        pem.write_bytes(broken)
    assert serial_shown(tls.context()) == serial_of(content)
    repaired = make_certificate("mx.example.net")
    pem.write_bytes(repaired)
    assert serial_shown(tls.context()) == serial_of(repaired)


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(make_certificate("mx.example.net"))
    key.write_bytes(make_certificate("mx.example.net"))
    with pytest.raises(TlsError, match=r"certificate\.pem"):
        ServerTls(certificate, key)


def test_encrypted_key_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(make_certificate("mx.example.net"))
    encryption = serialization.BestAvailableEncryption(b"secret")
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    with pytest.raises(TlsError, match="encrypted"):
        ServerTls(certificate, key)


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="nothing"):
        ServerTls(tmp_path / "nothing.pem", tmp_path / "nothing.pem")


def test_tls_1_2_at_least(tmp_path: Path) -> None:
    tls = server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)
    assert tls.context().minimum_version is ssl.TLSVersion.TLSv1_2


def test_certificate_without_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="together"):
        TlsSettings(certificate=Path("/etc/mailward/certificate.pem"))
