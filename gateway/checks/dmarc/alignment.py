"""Alignment: turns a domain that SPF or DKIM has looked at and what DNS has of it into whether it speaks for the author
domain (RFC 9989 section 4.10.2). Pure."""

from enum import StrEnum

from msgspec import Struct

from gateway.checks.dmarc.record import Mode, Record

PASS, TEMPERROR, UNAVAILABLE = "pass", "temperror", "unavailable"  # of results: the same words for SPF and DKIM


class Mechanism(StrEnum):
    """What can authenticate an identifier for DMARC (RFC 9989 section 4.3)."""

    SPF = "spf"
    DKIM = "dkim"


class Identifier(Struct, frozen=True):
    """A domain, and the word for what SPF or DKIM found about it. It is "" where not even that is known."""

    mechanism: Mechanism
    domain: str
    word: str = PASS

    @property
    def is_verified(self) -> bool:
        return self.word == PASS

    @property
    def counts(self) -> bool:
        """It was authenticated, or could not be checked for now."""
        return self.word in (PASS, TEMPERROR, UNAVAILABLE)


class Relation(StrEnum):
    """How the domain of an identifier is related to the author domain."""

    IDENTICAL = "identical"  # it is the author domain
    SAME_ORGANIZATION = "same-organization"  # both have the same organizational domain, and that is enough (relaxed)
    NOT_IDENTICAL = "not-identical"  # it is another domain, and the policy asks for the same one (strict)
    OTHER_ORGANIZATION = "other-organization"  # it has another organizational domain
    UNKNOWN = "unknown"  # it could not be found out for now
    # It is not authenticated, so that it makes no difference, and nothing was looked up for it:
    LIKELY = "likely"  # one is above the other, or both are in one organization, unless a record between them says psd
    NOT_ASKED = "not-asked"  # nothing can be said

    @property
    def is_aligned(self) -> bool:
        return self in (Relation.IDENTICAL, Relation.SAME_ORGANIZATION)


class Alignment(Struct, frozen=True):
    """An identifier, and how it is related to the author domain."""

    identifier: Identifier
    mode: Mode
    relation: Relation

    @property
    def authenticates(self) -> bool:
        """It is aligned, and what it says is verified: DMARC passes by it."""
        return self.relation.is_aligned and self.identifier.is_verified

    @property
    def is_undecided(self) -> bool:
        """A later try could find that it authenticates."""
        is_open = self.relation is Relation.UNKNOWN or (self.relation.is_aligned and not self.identifier.is_verified)
        return is_open and self.identifier.counts


def mode_of(identifier: Identifier, record: Record) -> Mode:
    return record.aspf if identifier.mechanism is Mechanism.SPF else record.adkim


def must_be_related(identifier: Identifier, author: str, record: Record) -> bool:
    """Whether alignment of this identifier hangs on organizational domains, which must then be looked up."""
    relaxed = mode_of(identifier, record) is Mode.RELAXED
    return relaxed and identifier.counts and identifier.domain not in ("", author)
