"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from gateway.checks.base import Subject, Unavailable
from gateway.checks.dmarc.alignment import PASS, UNAVAILABLE, Identifier, Mechanism

PARTIAL = "partial"  # of a signature: it passes, but not for the whole message


class Finding(Protocol):
    """What is read of SPF's result, and of a signature."""

    @property
    def result(self) -> str: ...

    @property
    def domain(self) -> str: ...


class SignatureFinding(Finding, Protocol):
    """Whether it vouches for the whole message is told besides its result."""

    @property
    def vouches(self) -> bool: ...


class DkimFinding(Protocol):
    """What is read of DKIM's result: the domains that vouch for the message, and each signature."""

    @property
    def passing_domains(self) -> Sequence[str]: ...

    @property
    def signatures(self) -> Sequence[SignatureFinding]: ...


def identifiers(subject: Subject) -> tuple[Identifier, ...]:
    """All identifiers that SPF and DKIM have looked at, each once; their domains are canonical. Of a check that was
    asked and could not answer no one can say that its identifier is not aligned."""
    results = subject.results or {}
    found: list[Identifier] = []
    for mechanism, read in _READERS:
        result = results.get(mechanism)
        if type(result) is Unavailable:  # isinstance would ask the class of classes, in Python
            found.append(Identifier(mechanism, "", UNAVAILABLE))
        elif result is not None:
            found += read(result)
    return tuple(found)


def _of_spf(spf: Finding) -> Iterable[Identifier]:
    """Its one identity is that of MAIL FROM, and that of HELO for the null reverse-path, which is what RFC 9989 section
    3.2.4 asks for."""
    domain = spf.domain
    return (Identifier(Mechanism.SPF, domain, spf.result),) if domain else ()


def _of_dkim(dkim: DkimFinding) -> Iterable[Identifier]:
    found = [
        Identifier(Mechanism.DKIM, domain, one.result if one.vouches else _word(one, dkim))
        for one in dkim.signatures
        if (domain := one.domain)
    ]
    return dict.fromkeys(found)


def _word(one: SignatureFinding, dkim: DkimFinding) -> str:
    """The word for a signature that does not vouch for the message; another one of its domain may."""
    return PARTIAL if one.result == PASS and one.domain not in dkim.passing_domains else one.result


_READERS: tuple[tuple[Mechanism, Callable[[Any], Iterable[Identifier]]], ...] = (
    (Mechanism.SPF, _of_spf),
    (Mechanism.DKIM, _of_dkim),
)
