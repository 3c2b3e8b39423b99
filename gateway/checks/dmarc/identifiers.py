"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.dmarc.judge import Identifier
from gateway.checks.dmarc.result import Mechanism
from gateway.domain import canonical_domain


class SpfFinding(Protocol):
    """What is read of the result of SPF."""

    result: str
    identity: str  # "mailfrom" or "helo"
    domain: str


class DkimFinding(Protocol):
    """What is read of the result of DKIM."""

    @property
    def passing_domains(self) -> tuple[str, ...]: ...

    @property
    def signatures(self) -> Sequence["SignatureFinding"]: ...


class SignatureFinding(Protocol):
    """What is read of the result of one signature."""

    result: str
    domain: str


def identifiers(subject: Subject) -> tuple[Identifier, ...]:
    """The identifiers that were authenticated or could not be checked for now."""
    results = subject.results or {}
    return (*_of_spf(results, null_sender=subject.envelope.sender is None), *_of_dkim(results))


def _of_spf(results: Mapping[str, Result], *, null_sender: bool) -> Iterator[Identifier]:
    """The MAIL FROM identity alone, which for the null reverse-path is that of HELO (RFC 9989 section 3.2.4)."""
    if _is_missing(results, Mechanism.SPF):
        yield Identifier(Mechanism.SPF, "", verified=False)
        return
    spf = cast(SpfFinding, results[Mechanism.SPF])
    domain = canonical_domain(spf.domain)
    if domain and (null_sender or spf.identity == "mailfrom") and spf.result in _COUNTS:
        yield Identifier(Mechanism.SPF, domain, verified=spf.result == "pass")


def _of_dkim(results: Mapping[str, Result]) -> Iterator[Identifier]:
    if _is_missing(results, Mechanism.DKIM):
        yield Identifier(Mechanism.DKIM, "", verified=False)
        return
    dkim = cast(DkimFinding, results[Mechanism.DKIM])
    for domain in dkim.passing_domains:
        yield Identifier(Mechanism.DKIM, domain)
    for domain in dict.fromkeys(s.domain for s in dkim.signatures if s.result == "temperror" and s.domain):
        yield Identifier(Mechanism.DKIM, domain, verified=False)


_COUNTS = ("pass", "temperror")


def _is_missing(results: Mapping[str, Result], mechanism: Mechanism) -> bool:
    """Whether the check was asked and could not answer: then no one can say that its identifier is not aligned."""
    return isinstance(results.get(mechanism), Unavailable)
