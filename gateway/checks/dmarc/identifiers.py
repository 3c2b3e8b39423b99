"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.dmarc.alignment import PASS, UNAVAILABLE, Identifier, Mechanism

PARTIAL = "partial"  # of a signature: it passes, but not for the whole message

_Reader = Callable[[Result], list[tuple[str, str]]]  # a result to (domain, word for what was found about it)


class Finding(Protocol):
    """What is read of a signature, and of SPF's result."""

    @property
    def result(self) -> str: ...

    @property
    def domain(self) -> str: ...


class SpfFinding(Finding, Protocol):
    """Its one identity is that of MAIL FROM, and that of HELO for the null reverse-path, which is what RFC 9989 section
    3.2.4 asks for."""

    @property
    def skipped(self) -> str: ...


class DkimFinding(Protocol):
    """What is read of DKIM's result: the domains that vouch for the message, and each signature."""

    @property
    def passing_domains(self) -> Sequence[str]: ...

    @property
    def signatures(self) -> Sequence[Finding]: ...


def identifiers(subject: Subject) -> tuple[Identifier, ...]:
    """All identifiers that SPF and DKIM have looked at; their domains are canonical."""
    results = subject.results or {}
    return (*_found(results, Mechanism.SPF, _of_spf), *_found(results, Mechanism.DKIM, _of_dkim))


def spf_skipped(subject: Subject) -> str:
    """Why SPF was not asked about this client, for people; "" where it was."""
    result = (subject.results or {}).get(Mechanism.SPF)
    return "" if result is None or isinstance(result, Unavailable) else cast(SpfFinding, result).skipped


def _found(results: Mapping[str, Result], mechanism: Mechanism, read: _Reader) -> list[Identifier]:
    """Of a check that was asked and could not answer no one can say that its identifier is not aligned."""
    result = results.get(mechanism)
    if result is None:
        return []
    if isinstance(result, Unavailable):
        return [Identifier(mechanism, "", UNAVAILABLE)]
    return [Identifier(mechanism, domain, word) for domain, word in dict.fromkeys(read(result)) if domain]


def _of_spf(result: Result) -> list[tuple[str, str]]:
    spf = cast(SpfFinding, result)
    return [(spf.domain, spf.result)]


def _of_dkim(result: Result) -> list[tuple[str, str]]:
    dkim = cast(DkimFinding, result)
    vouching = dkim.passing_domains
    return [
        (one.domain, PARTIAL if one.result == PASS and one.domain not in vouching else one.result)
        for one in dkim.signatures
    ]
