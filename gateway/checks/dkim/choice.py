"""Which signatures are evaluated where there are more than the limit: those that DMARC can use come first."""

import re
from collections.abc import Sequence

from gateway.checks.dkim.signature import domain_name
from gateway.domain import is_within
from gateway.message import Field

_domain_re = re.compile(rb"[:;][ \t\r\n]*d[ \t\r\n]*=[ \t\r\n]*([^; \t\r\n]+)")


def choose(fields: Sequence[Field], author_domain: str, *, limit: int) -> tuple[Field, ...]:
    """So many of the signature fields, in their order: of the author's domain first, then of one above or below it,
    then the others from the top."""
    best = sorted(range(len(fields)), key=lambda position: _rank(fields[position], author_domain))[:limit]
    return tuple(fields[position] for position in sorted(best))


def _rank(field: Field, author_domain: str) -> int:
    match = _domain_re.search(field.raw)
    domain = domain_name(match[1]) if match else ""
    if not (domain and author_domain):
        return 2
    if domain == author_domain:
        return 0
    return 1 if is_within(author_domain, domain) or is_within(domain, author_domain) else 2
