"""Certificate: turns a certificate, the name of our host and the time into what senders who verify will find. Pure."""

from datetime import datetime
from enum import StrEnum

from cryptography import x509
from msgspec import Struct

WARNING_DAYS = 14  # before its end; whoever renews by hand needs some


class Worth(StrEnum):
    """What a certificate is worth to a sender who verifies it."""

    GOOD = "good"
    ENDING = "ending"  # good, for less than WARNING_DAYS
    FOREIGN = "foreign"  # for other names than ours
    UNTIMELY = "untimely"  # before its beginning or after its end


ADVICE = {Worth.ENDING: "Renew it.", Worth.FOREIGN: "Get one for it.", Worth.UNTIMELY: "Renew it."}


class Appraisal(Struct, frozen=True):
    """What was found; `text` is for people, to follow "the certificate"."""

    worth: Worth
    text: str

    @property
    def advice(self) -> str:
        return ADVICE.get(self.worth, "")


def appraise(pem: bytes, hostname: str, now: datetime) -> Appraisal:
    """Look at the first certificate of a PEM file. `hostname` is in lower case. Raises ValueError where there is none
    that can be read."""
    certificate = x509.load_pem_x509_certificate(pem)
    names = _names_of(certificate)
    if not any(_covers(name, hostname) for name in names):
        return Appraisal(Worth.FOREIGN, f"is for {', '.join(names) or 'no host name'}, not for {hostname}")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now <= end:
        return Appraisal(Worth.UNTIMELY, f"is good from {begin:%d %b %Y} to {end:%d %b %Y} only")
    days = (end - now).days
    if days < WARNING_DAYS:
        return Appraisal(Worth.ENDING, f"ends in {days} days")
    return Appraisal(Worth.GOOD, f"is for {hostname}, and good for {days} days")


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)


def _covers(pattern: str, name: str) -> bool:
    """RFC 6125 section 6.4.3: a wildcard stands for the first label alone."""
    pattern = pattern.lower()
    return pattern == name or (pattern.startswith("*.") and pattern[2:] == name.partition(".")[2])
