"""Caller: who is at the door, before a word was said: a client by its address, and what it may do."""

from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct

from gateway.connection import Role

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Standing(StrEnum):
    """For whom a caller may speak."""

    CLIENT = "client"  # for itself alone
    PROXY = "proxy"  # for other clients (XCLIENT)


class Caller(Struct, frozen=True, kw_only=True):
    ip: Address
    port: int
    role: Role
    via: Address | None = None  # the balancer that brought it
    standing: Standing = Standing.CLIENT


class Proxies:
    """The hosts of ours that bring other clients. They are believed by the address of the socket's peer alone, whatever
    was said of anybody's address."""

    def __init__(self, *, balancers: Sequence[Network] = (), xclient: Sequence[Network] = ()) -> None:
        """Those whose connections begin with a PROXY header, and those who may use XCLIENT."""
        self._balancers = tuple(balancers)
        self._xclient = tuple(xclient)

    def is_balancer(self, peer: Address) -> bool:
        return bool(self._balancers) and _is_among(peer, self._balancers)  # mostly there are none

    def standing_of(self, peer: Address) -> Standing:
        """Of a peer that speaks for itself; behind a balancer the one who speaks is the client."""
        return Standing.PROXY if self._xclient and _is_among(peer, self._xclient) else Standing.CLIENT


def _is_among(peer: Address, networks: Sequence[Network]) -> bool:
    return any(peer in network for network in networks)
