"""Signatures: turns the tags of a DKIM-Signature field into a typed value (RFC 6376 section 3.5).

The same functions read the tags that an ARC-Message-Signature and an ARC-Seal share with it (RFC 8617 section 4.1).
"""

import re
from functools import lru_cache

from dkim.canonicalization import CanonicalizationPolicy, InvalidCanonicalizationPolicyError
from msgspec import Struct

from gateway.checks.dkim.canonical import BodyPlan, Canon
from gateway.checks.dkim.key import Algorithm
from gateway.checks.dkim.status import Failure, SignatureError, TimeFault
from gateway.checks.dkim.tags import TagError, Tags, base64, colon_list, number, parse_tags, unfolded
from gateway.domain import canonical_domain, is_within
from gateway.message import Field
from gateway.printable import printable

MAX_FIELD = 16384  # octets; a signature takes 1 KB, z= may copy a header into it. More is work without a purpose
MAX_LENGTH_DIGITS = 76  # of l=, RFC 6376 section 3.5
MAX_TIME_DIGITS = 12  # of t= and x=, RFC 6376 section 3.5: up to the year 200000
MAX_CANONS = 64  # spellings of c= that are kept parsed; honest signers use six
CLOCK_SKEW = 300  # seconds by which a signer's clock may be ahead of ours before t= counts as in the future
MAX_SHOWN = 128  # characters of a claim that are shown; names and identities of real mail are shorter

_ALGORITHMS = {algorithm.encode("ascii"): algorithm for algorithm in Algorithm}

_quoted_printable_re = re.compile(rb"=([0-9A-F]{2})")


class Claim(Struct, frozen=True):
    """What a signature says of itself, true or not: printable ASCII, cut short, to be shown and logged."""

    domain: str = ""  # d=
    selector: str = ""  # s=
    identity: str = ""  # i=
    algorithm: str = ""  # a=
    b: str = ""  # b=, without white space
    signed: int | None = None  # t=, Unix time; None without one, and where it is no number
    expires: int | None = None  # x=, likewise

    def time_fault(self, now: float) -> TimeFault | None:
        """What is wrong with the times that it states."""
        if self.expires is not None and self.signed is not None and self.expires <= self.signed:
            return TimeFault.REVERSED
        if self.expires is not None and self.expires < now:
            return TimeFault.EXPIRED
        return TimeFault.FUTURE if self.signed is not None and self.signed > now + CLOCK_SKEW else None


class Seal(Struct, frozen=True):
    """What every signature has: who signed, where the key is, how, and the signature itself."""

    domain: str  # d=, lower case with A-labels
    selector: str  # s=, likewise
    algorithm: Algorithm
    octets: bytes  # b=, decoded
    key_name: str  # where the key is published (RFC 6376 section 3.6.2.1)


class Signature(Struct, frozen=True):
    """A well-formed DKIM-Signature or ARC-Message-Signature that wants to be verified."""

    field: Field
    claim: Claim
    seal: Seal
    identity_domain: str  # the domain of i=, or d=
    headers: tuple[str, ...]  # h=, in lower case
    header_canon: Canon
    body: BodyPlan
    body_hash: bytes
    expires: int | None  # x=, Unix time


def shown(text: str) -> str:
    """What a stranger wrote, fit to be shown: printable ASCII without spaces, and short."""
    return printable(text, MAX_SHOWN).replace(" ", "?")


def read_field(field: Field) -> Tags:
    """The tags of a signature's field. Raises SignatureError."""
    if len(field.raw) > MAX_FIELD:
        raise SignatureError(f"the signature's field is larger than {MAX_FIELD} octets")
    try:
        return parse_tags(field.raw.partition(b":")[2])
    except TagError as error:
        raise SignatureError(str(error)) from None


def claim(tags: Tags, sealed: Seal | None = None) -> Claim:
    """What the tags claim, well-formed or not; `sealed` is what was made of them, if it could be."""
    return Claim(
        domain=sealed.domain if sealed else _shown_name(tags.get("d", b"")),
        selector=sealed.selector if sealed else _shown_name(tags.get("s", b"")),
        identity=_shown(_unquoted(tags["i"])) if "i" in tags else "",
        algorithm=_shown(tags.get("a", b"")),
        b=unfolded(tags.get("b", b"")).decode("ascii", "replace"),
        signed=_stated_time(tags, "t"),
        expires=_stated_time(tags, "x"),
    )


def parse_signature(field: Field, tags: Tags) -> Signature:
    """Make a signature of a DKIM-Signature's tags. Raises SignatureError (RFC 6376 section 6.1.1)."""
    try:
        if required(tags, "v") != b"1":
            raise SignatureError("its version (v=) is not 1")
        signature = message_signature(field, tags, default_canon=b"simple/simple", identity=tags.get("i"))
        if "from" not in signature.headers:
            raise SignatureError("it does not sign the From field", Failure.UNSIGNED_FROM)
        if "q" in tags and b"dns/txt" not in colon_list(tags["q"]):
            raise SignatureError("its query methods (q=) do not include dns/txt")
        return signature
    except TagError as error:
        raise SignatureError(str(error)) from None


def message_signature(field: Field, tags: Tags, *, default_canon: bytes, identity: bytes | None = None) -> Signature:
    """What DKIM-Signature and ARC-Message-Signature have in common. Raises SignatureError or TagError."""
    sealed = seal(tags)
    header_canon, body_canon = _canons(tags.get("c", default_canon))
    return Signature(
        field=field,
        claim=claim(tags, sealed),
        seal=sealed,
        identity_domain=sealed.domain if identity is None else _identity_domain(identity, sealed.domain),
        headers=_names(required(tags, "h")),
        header_canon=header_canon,
        body=BodyPlan(body_canon, number(tags["l"], "l", digits=MAX_LENGTH_DIGITS) if "l" in tags else None),
        body_hash=base64(required(tags, "bh"), "bh"),
        expires=times(tags)[1],
    )


def seal(tags: Tags) -> Seal:
    """Who signed, and how. Raises SignatureError or TagError."""
    domain = domain_name(required(tags, "d"))
    selector = domain_name(required(tags, "s"))
    if not domain or not selector:
        raise SignatureError("its domain or selector (d=, s=) is no domain name")
    return Seal(
        domain=domain,
        selector=selector,
        algorithm=_algorithm(required(tags, "a")),
        octets=base64(required(tags, "b"), "b"),
        key_name=f"{selector}._domainkey.{domain}",
    )


def required(tags: Tags, name: str) -> bytes:
    """The value of a tag. Raises SignatureError where it is missing."""
    if name not in tags:
        raise SignatureError(f"it has no {name}=")
    return tags[name]


def domain_name(value: bytes) -> str:
    """The value of d= or s=, A-labels or U-labels (RFC 8616), as DNS is asked for it; "" where it is no name."""
    try:
        return canonical_domain(value.decode("utf-8"))
    except UnicodeDecodeError:
        return ""


def times(tags: Tags) -> tuple[int | None, int | None]:
    """t= and x=, checked against one another. Raises SignatureError or TagError."""
    signed = number(tags["t"], "t", digits=MAX_TIME_DIGITS) if "t" in tags else None
    expires = number(tags["x"], "x", digits=MAX_TIME_DIGITS) if "x" in tags else None
    if expires is not None and signed is not None and expires <= signed:
        raise SignatureError("it expires (x=) before it was made (t=)", Failure.REVERSED)
    return signed, expires


def _names(value: bytes) -> tuple[str, ...]:
    return tuple([name.strip(" \t\r\n") for name in value.decode("ascii", "replace").lower().split(":")])


def _stated_time(tags: Tags, name: str) -> int | None:
    try:
        return number(tags[name], name, digits=MAX_TIME_DIGITS) if name in tags else None
    except TagError:
        return None


def _algorithm(value: bytes) -> Algorithm:
    if algorithm := _ALGORITHMS.get(value):
        return algorithm
    if value == b"rsa-sha1":
        raise SignatureError("rsa-sha1 is not accepted (RFC 8301)", Failure.SHA1)
    raise SignatureError("its algorithm (a=) is unknown", Failure.UNKNOWN_ALGORITHM)


@lru_cache(MAX_CANONS)
def _canons(value: bytes) -> tuple[Canon, Canon]:
    try:
        policy = CanonicalizationPolicy.from_c_value(value)
    except InvalidCanonicalizationPolicyError:
        raise SignatureError("its canonicalisation (c=) is unknown") from None
    names = policy.to_c_value().decode("ascii").split("/")
    return Canon(names[0]), Canon(names[1])


def _identity_domain(value: bytes, domain: str) -> str:
    _, at, host = _unquoted(value).rpartition(b"@")
    identity_domain = domain_name(host)
    if not at or not is_within(identity_domain, domain):
        raise SignatureError("the domain of its identity (i=) is not under its domain (d=)", Failure.WRONG_IDENTITY)
    return identity_domain


def _unquoted(value: bytes) -> bytes:
    """Decode DKIM-Quoted-Printable (RFC 6376 section 2.11)."""
    return _quoted_printable_re.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), unfolded(value))


def _shown_name(value: bytes) -> str:
    return domain_name(value) or _shown(value)


def _shown(value: bytes) -> str:
    return shown(value.decode("utf-8", "replace"))
