"""Realm: turns the lists of the configuration into answers: which domains are ours, who a client is by its address."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gateway.connection import Role, plain_address
from gateway.envelope import Address

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

ROLE_ACCOUNTS = frozenset({"postmaster", "abuse"})  # mail to them is never refused: RFC 5321 section 4.5.1, RFC 2142

# Ways in which a local part once named another host to relay to: user%host, host!user, "user@host". A server behind us
# may still understand them, so they gain nothing here.
_RELAYING_CHARACTERS = frozenset("%!@")


class Realm:
    """Our domains ("example.org" for itself, ".example.org" for everything under it) and our networks."""

    def __init__(
        self, *, domains: Sequence[str], own: Sequence[IPNetwork] = (), relays: Sequence[IPNetwork] = ()
    ) -> None:
        self._exact = frozenset(domain for domain in domains if not domain.startswith("."))
        self._above = frozenset(domain[1:] for domain in domains if domain.startswith("."))
        self._networks = tuple((network, Role.INTERNAL) for network in own) + tuple(
            (network, Role.RELAY) for network in relays
        )

    def holds(self, address: Address) -> bool:
        """Whether mail to `address` is for us. <postmaster> without a domain is (RFC 5321 section 4.1.1.3)."""
        if not address.domain:
            return True
        return not _RELAYING_CHARACTERS.intersection(address.bare_local) and self.has_domain(address.domain)

    def has_domain(self, domain: str) -> bool:
        if domain in self._exact:
            return True
        labels = domain.split(".")
        return any(".".join(labels[cut:]) in self._above for cut in range(1, len(labels)))

    def role_of(self, ip: IPAddress) -> Role:
        """Who the client at `ip` is; the first list that has it decides, our own networks before relay partners."""
        plain = plain_address(ip)
        for network, role in self._networks:
            if plain in network:
                return role
        return Role.STRANGER


def is_role_account(address: Address) -> bool:
    return address.bare_local in ROLE_ACCOUNTS
