"""Serve: builds one worker out of its settings. The composition root: no logic, every part made and handed on here."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from gateway.checks.arc import ArcCheck
from gateway.checks.dkim import DkimCheck
from gateway.checks.dmarc import DmarcCheck
from gateway.checks.iprev import IprevCheck
from gateway.checks.run import Wave
from gateway.checks.spamd import SpamdCheck
from gateway.checks.spf import SpfCheck
from gateway.config import RulesSettings, Settings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Surroundings, build_routes
from gateway.journey import Journey
from gateway.parts import Parts, Waves
from gateway.policy.rules import RuleSet, load
from gateway.policy.shipped import shipped_rules
from gateway.realm import Realm
from gateway.record import Record
from gateway.session import SmtpSession
from gateway.smtp.commands import Extension
from gateway.smtp.front import Front
from gateway.smtp.registry import Sessions
from gateway.system.dns import DnsResolver, Resolver
from gateway.system.listening import BACKLOG
from gateway.system.log import MessageLog
from gateway.system.metrics import Metrics
from gateway.system.panic import Panic
from gateway.system.spool import Spool
from gateway.system.threads import DiskThreads, on_disk
from gateway.system.tls import server_tls
from gateway.vocabulary import FACTS

log = logging.getLogger(__name__)

Clock = Callable[[], float]  # gives Unix time

SPAMD_GRACE = 5.0  # seconds beyond spamd's own timeout, after which the check itself says that it was busy
PURGE_INTERVAL = 3600.0  # seconds; expiry is counted in days
DISK_THREADS = 8  # fsyncs under way at once in one worker; a disk does not become faster with more
DISK_WAITING = 200  # messages waiting for a thread before the sender is asked to come again


def build_waves(settings: Settings, resolver: Resolver, *, clock: Clock, workers: int = 1) -> Waves:
    """Every check there is, in the wave at which all that it looks at is known."""
    seconds = settings.limits.check_timeout
    dkim = DkimCheck(settings.dkim, resolver=resolver, clock=clock)
    arc = ArcCheck(settings.arc, resolver=resolver, clock=clock)
    return Waves(
        client=Wave((IprevCheck(resolver),), seconds),
        sender=Wave((SpfCheck(settings.spf, resolver=resolver),), seconds),
        message=Wave((dkim, arc), seconds),
        conclusion=Wave((DmarcCheck(resolver),), seconds),
        scoring=Wave((SpamdCheck(settings.spamd, workers=workers),), settings.spamd.timeout + SPAMD_GRACE),
    )


def load_rules(settings: RulesSettings) -> RuleSet:
    """The rules in force: the shipped ones and the site's. Raises RulesError with every problem."""
    shipped = [shipped_rules()] if settings.shipped else []
    return load([*shipped, settings.site], FACTS, lists=[settings.lists])


def build_parts(
    settings: Settings,
    *,
    resolver: Resolver,
    disk: Executor,
    clock: Clock,
    record: Callable[[Record], None],
    workers: int,
) -> Parts:
    """What the journeys of a worker share. Raises RulesError, OSError."""
    return Parts(
        hostname=settings.hostname,
        identity=settings.identity,
        realm=Realm(domains=settings.domains, own=settings.networks.own, relays=settings.networks.relays),
        limits=settings.limits,
        waves=build_waves(settings, resolver, clock=clock, workers=workers),
        rules=load_rules(settings.rules),
        routes=build_routes(settings.route, settings.domain, Surroundings(hostname=settings.hostname, disk=disk)),
        quarantine=Quarantine(settings.quarantine, disk) if settings.quarantine.directory else None,
        panic=Panic(settings.state_directory),
        clock=clock,
        record=record,
    )


class Gateway:
    """One worker's service (gateway.worker.Service): SMTP sessions on listening sockets, each with its journey."""

    def __init__(self, settings: Settings, *, metrics: Metrics, workers: int) -> None:
        """Inside a running event loop. Raises RulesError, TlsError, OSError."""
        self._settings = settings
        self._metrics = metrics
        self._log = MessageLog(settings.log)
        self._resolver = DnsResolver(settings.dns)
        self._disk = DiskThreads(threads=DISK_THREADS, waiting=DISK_WAITING)
        self._sessions = Sessions(limit=settings.session.max_connections, watcher=metrics)
        self._servers: list[asyncio.Server] = []
        self._purging: asyncio.Task[None] | None = None
        self.parts = build_parts(
            settings,
            resolver=self._resolver,
            disk=self._disk,
            clock=time.time,
            record=self._record,
            workers=workers,
        )
        self._front = Front(
            lambda: Journey(self.parts),
            settings.session,
            hostname=settings.hostname,
            tls=server_tls(settings.tls, hostname=settings.hostname, state=settings.state_directory),
            roles=self.parts.realm.role_of,
            spool=lambda: Spool(threshold=settings.limits.spool_memory, directory=settings.spool_directory),
            sessions=self._sessions,
            extensions=frozenset({Extension.DSN}) if settings.session.offer_dsn else frozenset(),
        )

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        if self.parts.quarantine:
            self._purging = loop.create_task(self._purge_regularly(self.parts.quarantine))
        for sock in sockets:
            server = await loop.create_server(lambda: SmtpSession(self._front), sock=sock, backlog=BACKLOG)
            self._servers.append(server)

    async def drain(self, seconds: float) -> None:
        for server in self._servers:
            server.close()
        await self._sessions.drain(seconds)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        if self._purging:
            self._purging.cancel()
        self.parts.routes.close()
        await self._resolver.close()
        self._disk.shutdown()

    async def _purge_regularly(self, quarantine: Quarantine) -> None:
        """Remove what has expired. Other workers do so too: what one has removed the others do not find."""
        while True:
            await asyncio.sleep(PURGE_INTERVAL)
            try:
                await on_disk(self._disk, quarantine.purge)
            except OSError as error:
                log.error("the quarantine could not be purged: %s", error)

    def _record(self, record: Record) -> None:
        """Note what was done. A failure here must not become the sender's 451: the message would come again."""
        try:
            self._log.write(record)
            self._metrics.count(record)
        except Exception:
            log.exception("message %s could not be recorded", record.id)
