"""Settings of ARC: the table [arc], whose word is taken, and the table [arc.seal], in whose name we seal."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.domain import required_domain
from gateway.settings import Section

# Others than these are signed by nobody, or must not be (RFC 8617 section 4.1.2), or are taken away behind us.
UNSIGNABLE = frozenset(
    (
        "arc-authentication-results",
        "arc-message-signature",
        "arc-seal",
        "authentication-results",
        "received-spf",
        "return-path",
    )
)

_header_re = re.compile(r"[a-z0-9_-]{1,60}\Z")


def _own_domain(text: str) -> str:
    """One that may be left out."""
    return required_domain(text) if text else ""


def _header(text: str) -> str:
    name = text.lower()
    if not _header_re.match(name):
        raise ValueError(f'"{text}" is not the name of a header field')
    if name in UNSIGNABLE:
        raise ValueError(f'"{text}" must not be signed: it is changed or removed on the way')
    return name


def _with_author(names: tuple[str, ...]) -> tuple[str, ...]:
    if "from" not in names:
        raise ValueError('"from" must be among them (RFC 6376 section 5.4)')
    return names


Domain = Annotated[str, AfterValidator(required_domain)]
OwnDomain = Annotated[str, AfterValidator(_own_domain)]
Header = Annotated[str, AfterValidator(_header)]


class SealSettings(Section):
    """Sealing: an ARC set of our own on the mail that goes on. Off where nothing is set here; ARC is about to become
    historic, so seal only for a receiver that asks for it."""

    domain: OwnDomain = ""
    """The domain that seals (d=), of which the receiver knows that it is ours."""

    selector: OwnDomain = ""
    """The selector (s=): the public key is published at SELECTOR._domainkey.DOMAIN, and `mailward doctor` says with
    which record."""

    key: Path | None = None
    """A PEM file with the private key, RSA of 2048 to 4096 bits or Ed25519 (which many receivers do not know). Nobody
    but the gateway's user and its group may read it."""

    headers: Annotated[tuple[Header, ...], AfterValidator(_with_author)] = Field(
        default=(
            "from",
            "from",
            "sender",
            "reply-to",
            "subject",
            "date",
            "message-id",
            "to",
            "cc",
            "in-reply-to",
            "references",
            "mime-version",
            "content-type",
            "content-transfer-encoding",
            "list-id",
            "list-post",
            "list-unsubscribe",
            "list-unsubscribe-post",
            "dkim-signature",
        ),
        max_length=50,
    )
    """Header fields that are signed, each as often as it is there. One that stands here twice is signed once more, so
    that none can be added to those that are there."""

    @model_validator(mode="after")
    def _whole_or_nothing(self) -> Self:
        given = {"domain": self.domain, "selector": self.selector, "key": self.key}
        missing = [name for name, value in given.items() if not value]
        if missing and len(missing) < len(given):
            raise ValueError(
                f"domain, selector and key are given together, or none of them: no {' and no '.join(missing)}"
            )
        return self

    @property
    def key_name(self) -> str:
        """Where the public key is published (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


class ArcSettings(Section):
    """How ARC chains are validated, and whose word is taken."""

    trusted_sealers: tuple[Domain, ...] = ()
    """Domains (d= of a seal, exactly) of forwarders and mailing lists whose findings are believed: arc.trusted is true
    where they found a message to pass DMARC before they changed it. Large providers seal mail of all their users."""

    max_sets: int = Field(default=20, ge=10, le=50)
    """Sets in a chain above which it fails; each costs up to two lookups and two key operations. RFC 8617 asks for at
    least 10, and allows 50."""

    key_cache_size: int = Field(default=500, ge=0)
    """Parsed public keys that one worker keeps, of at most 8 KB each."""

    seal: SealSettings = SealSettings()
