"""The DMARC policy record: turns a TXT record into what its owner asks for (RFC 9989 sections 4.7 and 4.8)."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

MAX_RECORD = 4096  # octets; honest ones have some hundred, and eight of 64 KB for every walk would be much work
REMEMBERED = 1024  # records; DNS is asked anew each time, and mostly has what it had before

_version_re = re.compile(rb"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_value_re = re.compile(r"[\x20-\x3a\x3c-\x7e]+\Z")
_uri_re = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,!]+(?:![0-9]+[kKmMgGtT]?)?\Z")
_FAILURE_OPTIONS = frozenset("01ds")


class Policy(StrEnum):
    """The domain owner's assessment policy (RFC 9989 section 4.7, "p")."""

    NONE = "none"  # no preference is expressed
    QUARANTINE = "quarantine"  # such mail is suspicious
    REJECT = "reject"  # the use of the domain name is not valid

    @property
    def softened(self) -> "Policy":
        """One level below: what a policy means while it is tested ("t")."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Mode(StrEnum):
    """How close an identifier must be to the author domain ("adkim", "aspf")."""

    RELAXED = "r"  # of the same organizational domain
    STRICT = "s"  # identical


class Psd(StrEnum):
    """What the publishing domain says it is ("psd")."""

    YES = "y"  # a public suffix: the organizational domain is one label below
    NO = "n"  # an organizational domain
    UNKNOWN = "u"


class Trial(StrEnum):
    """Whether the policy is only tested ("t")."""

    YES = "y"
    NO = "n"


class Record(Struct, frozen=True):
    """One policy record, with the default for every tag that is absent or wrong.

    `policy` is None where RFC 9989 section 4.10.1 allows no DMARC processing: there is no valid p, or an invalid sp
    or np, and no rua to make "p=none" of it.
    """

    policy: Policy | None
    subdomains: Policy | None = None  # sp, or p
    nonexistent: Policy | None = None  # np, or sp, or p
    testing: Trial = Trial.NO
    psd: Psd = Psd.UNKNOWN
    adkim: Mode = Mode.RELAXED
    aspf: Mode = Mode.RELAXED
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    fo: tuple[str, ...] = ("0",)


Word = TypeVar("Word", bound=StrEnum)


def policy_texts(records: Iterable[bytes]) -> tuple[bytes, ...]:
    """The policy records among TXT records: those that begin with the version (section 4.7), of a size that is read."""
    return tuple(text for text in records if len(text) <= MAX_RECORD and _version_re.match(text))


def stated_policies(octets: bytes) -> tuple[str, ...]:
    """Which of p, sp and np a policy record has."""
    tags = _tags(octets)
    return tuple(name for name in ("p", "sp", "np") if name in tags)


@lru_cache(REMEMBERED)
def parse_record(octets: bytes) -> Record | None:
    """Read a TXT record; None where it is no DMARC policy record. Tags that are unknown or wrong count as absent; of
    a tag that appears twice the first counts."""
    version = _version_re.match(octets)
    if version is None:
        return None
    tags = _tags(octets[version.end() :])
    rua = _uris(tags.get("rua", ""))
    return Record(
        **_policies(tags, fallback=Policy.NONE if rua else None),
        testing=_word(Trial, tags.get("t")) or Trial.NO,
        psd=_word(Psd, tags.get("psd")) or Psd.UNKNOWN,
        adkim=_word(Mode, tags.get("adkim")) or Mode.RELAXED,
        aspf=_word(Mode, tags.get("aspf")) or Mode.RELAXED,
        rua=rua,
        ruf=_uris(tags.get("ruf", "")),
        fo=_failure_options(tags.get("fo", "")),
    )


def _tags(octets: bytes) -> dict[str, str]:
    tags: dict[str, str] = {}
    for item in octets.decode("ascii", "replace").split(";"):
        name, _, value = item.partition("=")
        value = value.strip(" \t")
        if _value_re.match(value):
            tags.setdefault(name.strip(" \t").lower(), value)
    return tags


def _policies(tags: Mapping[str, str], *, fallback: Policy | None) -> dict[str, Policy | None]:
    """p, sp and np with what stands in for them; `fallback` for all where one of them is not valid (section 4.10.1)."""
    policy = _word(Policy, tags.get("p"))
    subdomains = _word(Policy, tags.get("sp", policy))
    nonexistent = _word(Policy, tags.get("np", subdomains))
    if policy is None or subdomains is None or nonexistent is None:
        policy = subdomains = nonexistent = fallback
    return {"policy": policy, "subdomains": subdomains, "nonexistent": nonexistent}


def _word(words: type[Word], value: str | None) -> Word | None:
    """The member that `value` spells in any case, or None."""
    if value is None:
        return None
    return next((word for word in words if value.lower() == word.value), None)


def _uris(value: str) -> tuple[str, ...]:
    """The valid URIs of a list, without the obsolete size limits behind them."""
    uris = (uri.strip(" \t") for uri in value.split(","))
    return tuple(uri.partition("!")[0] for uri in uris if _uri_re.match(uri))


def _failure_options(value: str) -> tuple[str, ...]:
    options = tuple(option.strip(" \t").lower() for option in value.split(":"))
    return options if _FAILURE_OPTIONS.issuperset(options) else ("0",)
