"""TLS of the server: turns a certificate and its key on disk into an SSLContext that follows the files as they change.

Where no certificate is configured it makes one: for mail, encryption to anybody is better than none (RFC 7435).
"""

import datetime
import logging
import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import model_validator

from gateway.settings import Section

SELF_MADE = "self-made.pem"  # the certificate and its key in one file, so that they always fit each other
LIFETIME = datetime.timedelta(days=3650)  # nobody checks it; it must only not run out unseen
SKEW = datetime.timedelta(days=1)  # of other hosts' clocks
MAX_COMMON_NAME = 64  # characters, RFC 5280 appendix A.1

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class TlsSettings(Section):
    """The table [tls]: the certificate of this host. Without one, a self-made one is kept in the state directory."""

    certificate: Path | None = None
    """A PEM file with the certificate and those of its issuers; read again when it changes."""

    key: Path | None = None
    """A PEM file with the private key; it may be the same file."""

    @model_validator(mode="after")
    def _both_or_none(self) -> "TlsSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together, or neither")
        return self


class TlsError(Exception):
    """The certificate and the key cannot be used; the text says why, for the operator."""


class ServerTls:
    """The TLS context for the next handshake."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises TlsError where the files are unusable now; later the last usable pair stays in force."""
        self._certificate = certificate
        self._key = key
        self._stamp = _stamp(certificate, key)
        self._context = _load(certificate, key)

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are now. Between two renamed files, that of the pair before."""
        stamp = _stamp(self._certificate, self._key)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = _load(self._certificate, self._key)
            except TlsError as error:
                log.error("the certificate has changed and cannot be used, the one before stays: %s", error)
            else:
                log.info("the certificate has changed: %s", self._certificate)
        return self._context


def server_tls(settings: TlsSettings, *, hostname: str, state: Path) -> ServerTls:
    """The configured certificate, or a self-made one in the directory `state`. Raises TlsError."""
    if settings.certificate is not None and settings.key is not None:
        return ServerTls(settings.certificate, settings.key)
    made = state / SELF_MADE
    try:
        if not made.exists():
            _write_privately(made, make_certificate(hostname))
    except OSError as error:
        raise TlsError(f"cannot keep a self-made certificate in {state}: {error.strerror}") from error
    return ServerTls(made, made)


def make_certificate(hostname: str) -> bytes:
    """A certificate for `hostname` that is its own issuer, ECDSA on P-256, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:MAX_COMMON_NAME])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_privately(path: Path, content: bytes) -> None:
    """Workers may do this at once: each writes a whole file, and the first one to be there stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=path.parent)  # for the owner alone
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)


def _load(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996 section 4
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate} and {key}: {error}") from error
    return context


def _no_password() -> str:
    """Asked for where the key is encrypted: without this OpenSSL would ask at the terminal and wait."""
    raise TlsError("the key is encrypted, and nobody is here to give its password")


def _stamp(*paths: Path) -> Stamp | None:
    """What changes when a file is replaced or rewritten; None where one is missing."""
    try:
        found = [os.stat(path) for path in paths]
    except OSError:
        return None
    return tuple((entry.st_ino, entry.st_mtime_ns, entry.st_size) for entry in found)
