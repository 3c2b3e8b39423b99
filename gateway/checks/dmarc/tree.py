"""The DNS tree walk: turns a domain into the policy records at and above it, and those into its organizational domain
(RFC 9989 section 4.10). Pure."""

from dataclasses import dataclass

from gateway.checks.dmarc.record import Psd, Record

MAX_QUERIES = 8  # per walk, RFC 9989 section 4.10: names of hundreds of labels must not cost hundreds of queries


@dataclass(frozen=True, slots=True)
class Published:
    """A policy record and the domain that publishes it."""

    domain: str
    record: Record


@dataclass(frozen=True, slots=True)
class Walk:
    """What was found on the way up from `start`, the longest name first."""

    start: str
    found: tuple[Published, ...]
    complete: bool  # False: a lookup failed for now, and nothing above it was asked for

    @property
    def organizational_domain(self) -> str | None:
        """RFC 9989 section 4.10.2; None where the walk is not complete."""
        if not self.complete:
            return None
        for step in self.found:
            if step.record.psd is Psd.NO:
                return step.domain
            if step.record.psd is Psd.YES and step.domain != self.start:
                return _below(step.domain, self.start)
        return self.found[-1].domain if self.found else self.start

    @property
    def policy(self) -> Published | None:
        """The record that applies to `start`: its own, or its organizational domain's, or its public suffix's (section
        4.10.1)."""
        organizational = self.organizational_domain
        by_domain = {step.domain: step for step in self.found}
        suffix = next((step for step in self.found if step.record.psd is Psd.YES), None)
        return by_domain.get(self.start) or by_domain.get(organizational or "") or suffix


def path(domain: str) -> tuple[str, ...]:
    """The names at which a walk from `domain` looks: itself, then at most seven that have seven labels or fewer."""
    labels = domain.split(".")
    first = max(1, len(labels) - (MAX_QUERIES - 1))
    return (domain, *(".".join(labels[cut:]) for cut in range(first, len(labels))))


def _below(parent: str, name: str) -> str:
    """The name one label below `parent` on the way to `name`."""
    label = name.removesuffix(f".{parent}").rpartition(".")[2]
    return f"{label}.{parent}"
