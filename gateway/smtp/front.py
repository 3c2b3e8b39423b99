"""Front: what all SMTP sessions of a worker share, and the greetings that they send (RFC 5321 section 4.1.1.1)."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from gateway.connection import Connection, Role
from gateway.reply import Reply, reply
from gateway.smtp.commands import Extension, Offer, offer
from gateway.smtp.registry import Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.spool import Spool
from gateway.system.tls import ServerTls
from gateway.visit import Visit

Address = IPv4Address | IPv6Address


class Front:
    """The collaborators of the sessions, made once for a worker.

    `extensions` are those that every next hop has. `tls` is None where STARTTLS is not to be offered.
    """

    def __init__(
        self,
        visit: Callable[[], Visit],
        settings: SessionSettings,
        *,
        hostname: str,
        tls: ServerTls | None,
        roles: Callable[[Address], Role],
        spool: Callable[[], Spool],
        sessions: Sessions,
        extensions: frozenset[Extension] = frozenset(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.visit = visit
        self.settings = settings
        self.hostname = hostname
        self.tls = tls
        self.roles = roles
        self.spool = spool
        self.sessions = sessions
        self.clock = clock
        self._after_ehlo = offer(settings.max_size, extensions)
        self._after_helo = Offer(max_size=settings.max_size)
        self.banner = reply("220", f"{hostname} ESMTP Mailward")
        self.helo = reply("250", hostname)
        self.ehlo_over_tls = _ehlo(hostname, settings, extensions)
        self.ehlo = _ehlo(hostname, settings, extensions | {"STARTTLS"} if tls else extensions)

    def offered(self, connection: Connection) -> Offer:
        """The parameters that this client may use."""
        return self._after_ehlo if connection.esmtp else self._after_helo


def _ehlo(hostname: str, settings: SessionSettings, extensions: frozenset[str]) -> Reply:
    always = ("PIPELINING", f"SIZE {settings.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "HELP")
    return reply("250", "\n".join((hostname, *always, *sorted(extensions))))
