"""Admission: whether a client is let in: by the connections there are on this host in all, of its address, and of its
network.

It is a function of the client's address alone, so it can be asked as soon as that is known, and of whoever it turns out
to be behind a proxy.
"""

from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from gateway.connection import Role
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.settings import SessionSettings
from gateway.system.hostcounts import CONNECTIONS, HostCounts

Address = IPv4Address | IPv6Address

KEPT_CLIENTS = 512  # whose limits are kept ready: most mail comes from a few


class Limit(StrEnum):
    """What there was no room under."""

    CONNECTIONS = "connections"  # of the host
    ADDRESS = "address"  # the client's connections
    PREFIX = "prefix"  # those of its network
    MESSAGES = "messages"  # that are being processed

    @property
    def reply(self) -> Reply:
        return _REPLIES[self]


_REPLIES = {
    Limit.CONNECTIONS: replies.FULL,
    Limit.ADDRESS: replies.TOO_MANY_OF_ADDRESS,
    Limit.PREFIX: replies.TOO_MANY_OF_NETWORK,
    Limit.MESSAGES: replies.BUSY,
}


class Place(Struct, frozen=True):
    """What one connection is counted under."""

    keys: tuple[int, ...]


class Admission:
    """The limits of `settings` are the host's. They hold for strangers; others are counted, and always let in."""

    def __init__(self, settings: SessionSettings, counts: HostCounts) -> None:
        self._settings = settings
        self._counts = counts
        self._all = counts.key(CONNECTIONS)
        self._limits = lru_cache(KEPT_CLIENTS)(self._limits_of)

    @property
    def connections(self) -> int:
        """Of the host."""
        return self._counts.total(self._all)

    def admit(self, ip: Address, role: Role) -> Place | Limit:
        """Count a connection of this client, or say why not."""
        if role is not Role.STRANGER:
            return Place((self._all,) if self._counts.add(self._all) else ())
        limits = self._limits(ip)
        for limit, key, most in limits:  # before anything is counted: a refusal takes nothing from others
            if self._counts.total(key) >= most:
                return limit
        held: list[int] = []
        for limit, key, most in limits:
            if not self._counts.claim(key, most):
                self.leave(Place(tuple(held)))
                return limit
            held.append(key)
        return Place(tuple(held))

    def leave(self, place: Place) -> None:
        for key in place.keys:
            self._counts.leave(key)

    def _limits_of(self, ip: Address) -> tuple[tuple[Limit, int, int], ...]:
        """Each limit with what is counted under it; the narrowest first, since its refusal tells most."""
        limits, key = self._settings, self._counts.key
        return (
            (Limit.ADDRESS, key(f"IPv{ip.version} address {int(ip):x}"), limits.max_connections_per_address),
            (Limit.PREFIX, key(limits.network_of(ip)), limits.max_connections_per_prefix),
            (Limit.CONNECTIONS, self._all, limits.max_connections),
        )
