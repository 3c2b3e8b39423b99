"""Door: lets clients in from a listening socket: as a session, or with a refusal for which no session need be made."""

import logging
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from msgspec.structs import replace

from gateway.connection import ClientIPv4, Role, plain_address
from gateway.reply import Reply
from gateway.session import SmtpSession
from gateway.smtp.caller import Caller
from gateway.smtp.front import Front
from gateway.smtp.proxyheader import Flaw, Own
from gateway.smtp.replies import CROWDED
from gateway.system.reticence import Reticence
from gateway.system.tls import ServerTls

KEPT_CLIENTS = 1024  # of whom it is known who they are: who comes now comes again

log = logging.getLogger(__name__)


class SmtpDoor:
    """A gateway.system.acceptor.Door."""

    def __init__(self, front: Front, tls: ServerTls | None = None) -> None:
        """`tls` is for a socket at which clients begin with a handshake (RFC 8314 section 3)."""
        self._front = front
        self._tls = tls
        self._known = lru_cache(KEPT_CLIENTS)(self._who_is_at)
        self._reticence = Reticence()

    @property
    def has_room(self) -> bool:
        return self._front.sessions.has_room

    def run_short(self) -> None:
        self._front.sessions.run_short()

    def caller(self, peer: Any) -> Caller | None:
        if not isinstance(peer, tuple):  # of a Unix socket
            return None
        known = self._known(peer[0])
        return None if known is None else replace(known, port=peer[1])

    async def introduced(self, client: socket.socket, peer: Any) -> Caller | None:
        """What is behind the header stays in the socket."""
        if not isinstance(peer, tuple):
            return None
        balancer = _address_of(peer[0])
        header = await self._front.introductions.hear(client)
        if isinstance(header, Flaw):
            if header is not Flaw.ENDED:  # so ends a balancer's look at the port
                log.warning("no PROXY header came from %s: %s", balancer, header.value)
            return None
        if isinstance(header, Own):
            standing = self._front.proxies.standing_of(balancer)
            return Caller(ip=balancer, port=peer[1], role=Role.INTERNAL, standing=standing)
        ip = plain_address(header.client.ip)
        return Caller(ip=ip, port=header.client.port, role=self._front.roles(ip), via=balancer)

    def let_in(self, caller: Caller) -> SmtpSession | bytes:
        """Looked up before anything is made for the client: one who comes in masses must cost little."""
        sessions = self._front.sessions
        place = sessions.admit(caller.ip, caller.role)
        if isinstance(place, Reply):
            if place in CROWDED and self._reticence.may_tell_of(str(place)):
                log.warning("clients are turned away, such as %s: %s", caller.ip, place)
            return b"" if self._tls else place.to_bytes()  # who awaits a handshake understands nothing else
        session = SmtpSession(self._front, caller, self._tls)
        sessions.enter(session, place)
        return session

    def _who_is_at(self, host: str) -> Caller | None:
        """A client at this address, whatever its port."""
        ip, proxies = _address_of(host), self._front.proxies
        if proxies.is_balancer(ip):
            return None
        return Caller(ip=ip, port=0, role=self._front.roles(ip), standing=proxies.standing_of(ip))


def _address_of(host: str) -> IPv4Address | IPv6Address:
    return plain_address(IPv6Address(host)) if ":" in host else ClientIPv4(socket.inet_aton(host))
