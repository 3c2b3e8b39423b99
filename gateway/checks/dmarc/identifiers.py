"""Turns the results of SPF and DKIM into the identifiers that DMARC looks at (RFC 9989 section 4.4). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from gateway.checks.base import Result, Subject, Unavailable
from gateway.checks.dmarc.judge import Identifier
from gateway.checks.dmarc.result import Mechanism

PASS, TEMPERROR = "pass", "temperror"  # the words are the same for SPF and DKIM (RFC 8601 section 2.7)

_Reader = Callable[[Result], Iterator[tuple[str, bool]]]  # a result to (domain, whether it is authenticated)


class SpfFinding(Protocol):
    """What is read of SPF's result. Its one identity is that of MAIL FROM, and that of HELO for the null reverse-path,
    which is what RFC 9989 section 3.2.4 asks for."""

    @property
    def result(self) -> str: ...

    @property
    def domain(self) -> str: ...


class DkimFinding(Protocol):
    """What is read of DKIM's result: the domains that vouch for the message, and each signature."""

    @property
    def passing_domains(self) -> Sequence[str]: ...

    @property
    def signatures(self) -> Sequence[SpfFinding]: ...


def identifiers(subject: Subject) -> tuple[Identifier, ...]:
    """The identifiers that were authenticated or could not be checked for now; their domains are canonical."""
    results = subject.results or {}
    return tuple(identifier for mechanism, read in _READERS.items() for identifier in _found(results, mechanism, read))


def _found(results: Mapping[str, Result], mechanism: Mechanism, read: _Reader) -> Iterator[Identifier]:
    """Of a check that was asked and could not answer no one can say that its identifier is not aligned."""
    result = results.get(mechanism)
    if isinstance(result, Unavailable):
        yield Identifier(mechanism, "", verified=False)
    elif result is not None:
        yield from (Identifier(mechanism, domain, verified) for domain, verified in read(result) if domain)


def _of_spf(result: Result) -> Iterator[tuple[str, bool]]:
    spf = cast(SpfFinding, result)
    if spf.result in (PASS, TEMPERROR):
        yield spf.domain, spf.result == PASS


def _of_dkim(result: Result) -> Iterator[tuple[str, bool]]:
    dkim = cast(DkimFinding, result)
    unchecked = (signature.domain for signature in dkim.signatures if signature.result == TEMPERROR)
    yield from ((domain, True) for domain in dkim.passing_domains)
    yield from ((domain, False) for domain in dict.fromkeys(unchecked))


_READERS: Mapping[Mechanism, _Reader] = {Mechanism.SPF: _of_spf, Mechanism.DKIM: _of_dkim}
