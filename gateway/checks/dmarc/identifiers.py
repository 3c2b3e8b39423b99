"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.dmarc.alignment import PASS, UNAVAILABLE, Identifier, Mechanism

PARTIAL = "partial"  # of a signature: it passes, but not for the whole message

_Reader = Callable[[Result], Iterator[tuple[str, str]]]  # a result to (domain, word for what was found about it)


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
    return tuple(identifier for mechanism, read in _READERS.items() for identifier in _found(results, mechanism, read))


def spf_skipped(subject: Subject) -> str:
    """Why SPF was not asked about this client, for people; "" where it was."""
    result = (subject.results or {}).get(Mechanism.SPF)
    return "" if result is None or isinstance(result, Unavailable) else cast(SpfFinding, result).skipped


def _found(results: Mapping[str, Result], mechanism: Mechanism, read: _Reader) -> Iterator[Identifier]:
    """Of a check that was asked and could not answer no one can say that its identifier is not aligned."""
    result = results.get(mechanism)
    if isinstance(result, Unavailable):
        yield Identifier(mechanism, "", UNAVAILABLE)
    elif result is not None:
        yield from (Identifier(mechanism, domain, word) for domain, word in dict.fromkeys(read(result)) if domain)


def _of_spf(result: Result) -> Iterator[tuple[str, str]]:
    spf = cast(SpfFinding, result)
    yield spf.domain, spf.result


def _of_dkim(result: Result) -> Iterator[tuple[str, str]]:
    dkim = cast(DkimFinding, result)
    vouching = dkim.passing_domains
    for signature in dkim.signatures:
        passes = signature.result == PASS
        yield signature.domain, PARTIAL if passes and signature.domain not in vouching else signature.result


_READERS: Mapping[Mechanism, _Reader] = {Mechanism.SPF: _of_spf, Mechanism.DKIM: _of_dkim}
