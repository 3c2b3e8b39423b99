"""The DNS tree walk: turns a domain into the policy records at and above it, and those into its organizational domain
(RFC 9989 section 4.10). Pure."""

from enum import StrEnum

from msgspec import Struct

from gateway.checks.dmarc.record import Psd, Record, parse_record, policy_texts
from gateway.system.dnscache import Answer

MAX_QUERIES = 8  # per walk, RFC 9989 section 4.10: names of hundreds of labels must not cost hundreds of queries


class Published(Struct, frozen=True):
    """A policy record, as it stands in DNS, and the domain that publishes it."""

    domain: str
    record: Record
    text: bytes = b""


class Found(StrEnum):
    """What DNS has at one name of a walk."""

    RECORD = "record"  # a policy record
    NONE = "none"  # no TXT record
    OTHER = "other"  # TXT records, but none that is a policy record
    SEVERAL = "several"  # more than one policy record, which counts as none (section 4.10, step 2)
    FAILED = "failed"  # it could not be looked up for now


class Station(Struct, frozen=True):
    """One name of a walk, and what was found there."""

    domain: str
    found: Found
    answer: Answer
    published: Published | None = None

    @property
    def ends_the_walk(self) -> bool:
        """It says what its domain is."""
        return self.published is not None and self.published.record.psd is not Psd.UNKNOWN


def station(domain: str, answer: Answer) -> Station:
    """What an answer says of the domain."""
    if answer.is_temporary:
        return Station(domain, Found.FAILED, answer)
    if not answer.records:
        return Station(domain, Found.NONE, answer)
    texts = policy_texts(answer.records)
    record = parse_record(texts[0]) if len(texts) == 1 else None
    if record:
        return Station(domain, Found.RECORD, answer, Published(domain, record, texts[0]))
    return Station(domain, Found.SEVERAL if texts else Found.OTHER, answer)


class Walk(Struct, frozen=True):
    """What was found on the way up, the longest name first. `names` are all that can be asked about, `stations` those
    that were: at least the first."""

    names: tuple[str, ...]
    stations: tuple[Station, ...]

    @property
    def start(self) -> str:
        return self.names[0]

    @property
    def found(self) -> list[Published]:
        return [station.published for station in self.stations if station.published]

    @property
    def next_names(self) -> tuple[str, ...]:
        """Where to look next: one name up; after one that failed all that are left at once, since their name servers
        may be as slow as its own. None at the end."""
        if self.stations[-1].ends_the_walk:
            return ()
        left = self.names[len(self.stations) :]
        return left[:1] if self.complete else left

    @property
    def complete(self) -> bool:
        """Not so where a lookup failed for now: a record may stand there."""
        return all(station.found is not Found.FAILED for station in self.stations)

    @property
    def has_certain_policy(self) -> bool:
        """No lookup failed by which another record than `policy` could apply, or one at all."""
        return self.complete or self.stations[0].published is not None

    @property
    def organizational_domain(self) -> str | None:
        """RFC 9989 section 4.10.2; None where the walk is not complete, or only looked at the first name."""
        return self.apparent_organization if self.complete and not self.next_names else None

    @property
    def apparent_organization(self) -> str:
        """The organizational domain by the records that were found, whatever could not be looked up."""
        found = self.found
        for published in found:
            if published.record.psd is Psd.NO:
                return published.domain
            if published.record.psd is Psd.YES and published.domain != self.start:
                return _below(published.domain, self.start)
        return found[-1].domain if found else self.start

    @property
    def policy(self) -> Published | None:
        """The record that applies to `start`: its own, or its organizational domain's, or its public suffix's (section
        4.10.1). Where a lookup failed for now, by the records that were found."""
        by_domain = {published.domain: published for published in self.found}
        if self.start in by_domain or not by_domain:
            return by_domain.get(self.start)
        suffix = next((one for one in by_domain.values() if one.record.psd is Psd.YES), None)
        return by_domain.get(self.apparent_organization) or suffix


def path(domain: str) -> tuple[str, ...]:
    """The names at which a walk from `domain` looks: itself, then at most seven that have seven labels or fewer."""
    labels = domain.split(".")
    first = max(1, len(labels) - (MAX_QUERIES - 1))
    return (domain, *(".".join(labels[cut:]) for cut in range(first, len(labels))))


def _below(parent: str, name: str) -> str:
    """The name one label below `parent` on the way to `name`."""
    label = name.removesuffix(f".{parent}").rpartition(".")[2]
    return f"{label}.{parent}"
