"""Trust: whether those that we trust vouch for a message through its chain (RFC 8617 section 7.2). Pure.

A chain that passes says only who handled the message. What a sealer found when the message came to it counts if the
sealer is trusted, and all that handled the message after it: any of them could have rewritten it.
"""

import re
from collections.abc import Collection

from msgspec import Struct

from gateway.authres.field import AuthresError, MethodResult, parse_arc
from gateway.checks.arc.chain import Evidence
from gateway.checks.arc.status import Trust
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.signature import Signature
from gateway.domain import canonical_domain
from gateway.message import Field

# Microsoft writes "dmarc=pass action=none header.from=..."; without the second the field is one of RFC 8601.
_action_re = re.compile(rb"(?<=[ \t\r\n])action=[a-z]+(?:\.[a-z]+)?(?=[ \t\r\n;])")


class Vouching(Struct, frozen=True):
    """Whether somebody vouches, and whom that is about: the sealer that does, or the one that is not trusted."""

    trust: Trust = Trust.NO_CHAIN
    sealer: str = ""


NOBODY = Vouching()


def vouching(evidence: Evidence, trusted: Collection[str], author_domain: str) -> Vouching:
    """Whether one of the newest sealers, all of them trusted, found that the author's domain passes DMARC. To be asked
    of a chain that passes."""
    if not author_domain:
        return Vouching(Trust.NO_AUTHOR)
    if not _signs_what_is_read(evidence.sets[-1].signature, evidence.header):
        return Vouching(Trust.NOT_COVERED)
    for one in reversed(evidence.sets):
        if one.seal.domain not in trusted:
            return Vouching(Trust.STRANGER, one.seal.domain)
        if _found_pass(one.results, author_domain):
            return Vouching(Trust.VOUCHED, one.seal.domain)
    return Vouching(Trust.NO_PASS)


def _signs_what_is_read(signature: Signature, header: Header) -> bool:
    """Whether a message signature covers every From field and the whole body; if not, anyone who has one sealed message
    could write others."""
    author_is_signed = "from" in signature.headers and signature.headers.count("from") >= header.count("from")
    return author_is_signed and signature.body.length is None


def _found_pass(results: Field, author_domain: str) -> bool:
    try:
        _, found = parse_arc(_action_re.sub(b"", results.value))
    except AuthresError:
        return False
    dmarc = [result for result in found.results if result.method == "dmarc"]
    return bool(dmarc) and all(_is_pass_of(result, author_domain) for result in dmarc)


def _is_pass_of(result: MethodResult, author_domain: str) -> bool:
    """Whether a DMARC result is a pass of this author's domain. One that names none could be about another author."""
    named = [canonical_domain(one.value) for one in result.properties if (one.ptype, one.name) == ("header", "from")]
    return result.result == "pass" and named == [author_domain]
