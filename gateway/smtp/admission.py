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

KEPT_CLIENTS = 1024  # whose places are kept ready: most mail comes from a few


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


LIMITS = (Limit.ADDRESS, Limit.PREFIX, Limit.CONNECTIONS)  # of a stranger: the narrowest first, its refusal tells most


class Admission:
    """The limits of `settings` are the host's. They hold for strangers; others are counted, and always let in."""

    def __init__(self, settings: SessionSettings, counts: HostCounts) -> None:
        self._settings = settings
        self._counts = counts
        self._all = counts.key(CONNECTIONS)
        self._most = (
            settings.max_connections_per_address,
            settings.max_connections_per_prefix,
            settings.max_connections,
        )
        self._place = lru_cache(KEPT_CLIENTS)(self._place_of)

    @property
    def connections(self) -> int:
        """Of the host."""
        return self._counts.total(self._all)

    def admit(self, ip: Address, role: Role) -> Place | Limit:
        """Count a connection of this client, or say why not."""
        if role is not Role.STRANGER:
            return Place((self._all,) if self._counts.add(self._all) else ())
        place = self._place(ip)
        full = self._counts.full_among(place.keys, self._most)  # before: a refusal takes nothing from others
        if full is None:
            full = self._counts.claim_each(place.keys, self._most)
        return place if full is None else LIMITS[full]

    def leave(self, place: Place) -> None:
        self._counts.leave_each(place.keys)

    def _place_of(self, ip: Address) -> Place:
        """In the order of the limits."""
        address = self._counts.key(f"IPv{ip.version} address {int(ip):x}")
        return Place((address, self._counts.key(self._settings.network_of(ip)), self._all))
