"""Question: what a DNS list is asked for: turns an address or a name into a name below the list's zone (RFC 5782)."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

from gateway.checks.base import Subject
from gateway.checks.dnslists.settings import About, DnsListSettings
from gateway.checks.iprev import bare_address
from gateway.domain import canonical_domain

# The entries of RFC 5782 section 5: every list has the first of each pair, and none may have the second.
TEST_ADDRESSES = {4: ("127.0.0.2", "127.0.0.1"), 6: ("::ffff:7f00:2", "::ffff:7f00:1")}
TEST_NAMES = ("test", "invalid")


class Question(Struct, frozen=True):
    """`name` is the entry that is looked for; `control` is one that the list must not have, or it lists everything."""

    name: str
    control: str


def question(settings: DnsListSettings, subject: Subject) -> Question | None:
    """What the list is asked about a subject; None where the subject has nothing that could be in it."""
    if settings.about is About.CLIENT:
        ip = bare_address(subject.connection.ip)
        return _below(settings.zone, (_reversed(ip), _TEST_ENTRIES[ip.version][1]))
    name = _name(settings.about, subject)
    return _below(settings.zone, (name, TEST_NAMES[1])) if name else None


def probes(settings: DnsListSettings) -> tuple[Question, ...]:
    """The list's own test entries: one, or for addresses that of IPv4 and that of IPv6."""
    if settings.about is not About.CLIENT:
        return (_below(settings.zone, TEST_NAMES),)
    return tuple(_below(settings.zone, pair) for pair in _TEST_ENTRIES.values())


def _name(about: About, subject: Subject) -> str:
    """The name that the list is asked about, or "": one label, or an address, is no name that mail comes from."""
    if about is About.HELO:
        name = canonical_domain(subject.connection.helo)
    else:
        name = canonical_domain(subject.envelope.sender.domain) if subject.envelope.sender else ""
    above, dot, last = name.rpartition(".")
    return name if dot and above and not last.isdigit() else ""


def _reversed(ip: IPv4Address | IPv6Address) -> str:
    """Octets of IPv4, and nibbles of IPv6, the last one first (RFC 5782 sections 2.1 and 2.4)."""
    return ip.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def _below(zone: str, entries: tuple[str, str]) -> Question:
    return Question(name=f"{entries[0]}.{zone}", control=f"{entries[1]}.{zone}")


_TEST_ENTRIES = {
    version: (_reversed(ip_address(has)), _reversed(ip_address(lacks)))
    for version, (has, lacks) in TEST_ADDRESSES.items()
}
