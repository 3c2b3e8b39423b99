"""Front: what all SMTP sessions of a worker share, and the greetings that they send (RFC 5321 section 4.1.1.1)."""

import asyncio
import time
from collections.abc import Callable, Set
from concurrent.futures import Executor
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from gateway.connection import Connection, Role
from gateway.reply import reply
from gateway.smtp.caller import Proxies
from gateway.smtp.introduction import Introductions
from gateway.smtp.offer import OF_NEXT_HOPS, OVER_TLS, Extension, Greeting, Limits, ehlo, helo
from gateway.smtp.registry import Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.burst import AT_ONCE, Burst
from gateway.system.spool import Spool
from gateway.system.tls import ServerTls
from gateway.system.watchdog import Watch
from gateway.visit import Visit

Address = IPv4Address | IPv6Address

GREETINGS = 64  # kept ready; there are as many as there are combinations of extensions, roles and TLS
NOBODY = Proxies()


class Front:
    """The collaborators of the sessions, made once for a worker, inside its event loop.

    `carried` tells which extensions every next hop has at the time, `limits` what a stranger is held to. `tls` is None
    where STARTTLS is not to be offered. `proxies` are those who bring other clients, `burst` gathers what is written.
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
        disk: Executor,
        sessions: Sessions,
        limits: Limits,
        carried: Callable[[], Set[str]],
        proxies: Proxies = NOBODY,
        burst: Burst = AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.visit = visit
        self.settings = settings
        self.hostname = hostname
        self.tls = tls
        self.roles = roles
        self.spool = spool
        self.disk = disk
        self.sessions = sessions
        self.proxies = proxies
        self.introductions = Introductions(settings.header_timeout)
        self.clock = clock
        self.burst = burst
        self.watch = Watch(asyncio.get_running_loop())
        self.banner = reply("220", f"{hostname} ESMTP Mailward")
        self.helo = helo(hostname, limits)
        self._limits = limits
        self._passed_on = OF_NEXT_HOPS.difference(settings.withhold)
        self._own = frozenset(Extension).difference(OF_NEXT_HOPS, settings.withhold)
        self._carried = carried
        self._greeting = lru_cache(GREETINGS)(self._make_greeting)

    def ehlo(self, connection: Connection, *more: str) -> Greeting:
        """What this client is offered now; `more` is for its like alone."""
        return self._greeting(frozenset(self._carried()), connection.role, connection.tls is not None, more)

    def _make_greeting(self, carried: Set[str], role: Role, is_tls: bool, more: tuple[str, ...]) -> Greeting:  # noqa: FBT001
        extensions = {extension for extension in self._passed_on if extension in carried}
        if not is_tls:
            extensions -= OVER_TLS
            more = (*more, "STARTTLS") if self.tls is not None else more
        limits = self._limits if role is Role.STRANGER else replace(self._limits, transactions=None)
        return ehlo(self.hostname, limits, self._own | extensions, *more)
