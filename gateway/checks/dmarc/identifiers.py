"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, cast

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.dmarc.alignment import PASS, UNAVAILABLE, Identifier, Mechanism

PARTIAL = "partial"  # of a signature: it passes, but not for the whole message

_Reader = Callable[[Result], Iterable[Identifier]]


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
    """All identifiers that SPF and DKIM have looked at, each once; their domains are canonical."""
    results = subject.results or {}
    return (*_found(results, Mechanism.SPF, _of_spf), *_found(results, Mechanism.DKIM, _of_dkim))


def spf_skipped(subject: Subject) -> str:
    """Why SPF was not asked about this client, for people; "" where it was."""
    result = (subject.results or {}).get(Mechanism.SPF)
    return "" if result is None or isinstance(result, Unavailable) else cast(SpfFinding, result).skipped


def _found(results: Mapping[str, Result], mechanism: Mechanism, read: _Reader) -> Iterable[Identifier]:
    """Of a check that was asked and could not answer no one can say that its identifier is not aligned."""
    result = results.get(mechanism)
    if result is None:
        return ()
    if isinstance(result, Unavailable):
        return (Identifier(mechanism, "", UNAVAILABLE),)
    return read(result)


def _of_spf(result: Result) -> Iterable[Identifier]:
    spf = cast(SpfFinding, result)
    return (Identifier(Mechanism.SPF, spf.domain, spf.result),) if spf.domain else ()


def _of_dkim(result: Result) -> Iterable[Identifier]:
    dkim = cast(DkimFinding, result)
    vouching = dkim.passing_domains
    found = [
        Identifier(
            Mechanism.DKIM,
            one.domain,
            PARTIAL if one.result == PASS and one.domain not in vouching else one.result,
        )
        for one in dkim.signatures
        if one.domain
    ]
    return dict.fromkeys(found)
