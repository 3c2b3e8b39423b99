"""Serve: builds one worker out of its settings. The composition root: no logic, every part made and handed on here."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from functools import partial

from gateway.checks.arc import ArcCheck, configured_sealer
from gateway.checks.attachments import attachments_check
from gateway.checks.dkim import DkimCheck
from gateway.checks.dmarc import DmarcCheck
from gateway.checks.dnslists import address_lists, domain_lists
from gateway.checks.iprev import IprevCheck
from gateway.checks.run import Wave
from gateway.checks.spamd import SpamdCheck
from gateway.checks.spf import SpfCheck
from gateway.config import Settings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Surroundings, build_routes
from gateway.door import SmtpDoor
from gateway.journal.feed import Feed
from gateway.journal.glossary import Glossary
from gateway.journal.settings import JournalSettings
from gateway.journey import Journey
from gateway.parts import Parts, Waves
from gateway.policy.profiles import Profiles
from gateway.policy.rules import RulesError
from gateway.realm import Realm
from gateway.record import Record
from gateway.rulesets import load_candidate, load_profiles
from gateway.smtp.caller import Proxies
from gateway.smtp.front import Front
from gateway.smtp.offer import Limits
from gateway.smtp.processing import Bounds
from gateway.smtp.registry import Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system import descriptors
from gateway.system.acceptor import Acceptor
from gateway.system.board import Region
from gateway.system.burst import AT_ONCE, Burst
from gateway.system.dns import DnsResolver, Resolver
from gateway.system.hostcounts import MEMORY, HostCounts, Places
from gateway.system.listening import Listener, Opening
from gateway.system.log import MessageLog
from gateway.system.metrics import Metrics
from gateway.system.panic import Panic
from gateway.system.spool import Spool
from gateway.system.threads import DiskThreads, on_disk
from gateway.system.tls import server_tls
from gateway.vocabulary import FACTS

log = logging.getLogger(__name__)

Clock = Callable[[], float]  # gives Unix time

DMARC_SHARE = 0.8  # of the time that a check has: what DNS may take of it in DMARC, so that the rest is still judged
SPAMD_GRACE = 5.0  # seconds beyond spamd's own timeout, after which the check itself says that it was busy
PURGE_INTERVAL = 3600.0  # seconds; expiry is counted in days
LEARN_INTERVAL = 300.0  # seconds in which a next hop without mail is greeted, to know what it offers
DISK_THREADS = 8  # fsyncs under way at once in one worker; a disk does not become faster with more
DISK_WAITING = 200  # messages waiting for a thread before the sender is asked to come again


def build_waves(
    settings: Settings, reads: Collection[str], resolver: Resolver, *, clock: Clock, region: Region
) -> Waves:
    """Every check there is, in the wave at which all that it looks at is known. `reads` are the facts that rules
    read."""
    seconds = settings.limits.check_timeout
    spf = SpfCheck(settings.spf, resolver=resolver)
    dkim = DkimCheck(settings.dkim, resolver=resolver, clock=clock)
    arc = ArcCheck(settings.arc, resolver=resolver, clock=clock)
    spamd = SpamdCheck(settings.spamd, region=region, network_of=settings.session.network_of)
    return Waves(
        client=Wave((IprevCheck(resolver), *address_lists(settings.dnslist, resolver=resolver)), seconds),
        sender=Wave((spf, *domain_lists(settings.dnslist, resolver=resolver)), seconds),
        message=Wave((dkim, arc, *attachments_check(reads)), seconds),
        conclusion=Wave((DmarcCheck(resolver, patience=DMARC_SHARE * seconds),), seconds),
        scoring=Wave((spamd,), settings.spamd.timeout + SPAMD_GRACE),
    )


def build_limits(session: SessionSettings, parts: Parts) -> Limits:
    """What clients are told of our limits: who keeps to them is refused nothing for its number. Domains may go together
    only if none of them can have a next hop or rules of its own."""
    routes, go_together = parts.routes, parts.routes.are_one and not parts.profiles.domains
    return Limits(
        max_size=session.max_size,
        recipients=session.max_recipients if routes.share_transactions else 1,
        domains=None if go_together else 1,
        transactions=session.max_messages,
    )


def build_sessions(settings: Settings, region: Region, metrics: Metrics) -> Sessions:
    """Those of a worker, within the limits of the host and its own descriptors."""
    limits = settings.limits
    return Sessions(
        settings.session,
        region,
        messages=Bounds(at_once=limits.messages, waiting=limits.waiting, seconds=limits.wait),
        room=descriptors.connections_within(descriptors.limit()),
        watcher=metrics,
    )


def candidate_of(settings: Settings) -> Profiles | None:
    """The candidate rules, if some can be used; what is wrong with others is logged and harms nothing."""
    try:
        return load_candidate(settings)
    except RulesError as error:
        for problem in error.problems:
            log.error("candidate rules: %s", problem)
        return None


def build_parts(
    settings: Settings,
    *,
    resolver: Resolver,
    disk: Executor,
    clock: Clock,
    record: Callable[[Record], None],
    region: Region | None = None,
    burst: Burst = AT_ONCE,
) -> Parts:
    """What the journeys of a worker share. `region` is the worker's on the board of the host, `burst` gathers what it
    writes and notes.

    Raises RulesError, SealingKeyError, OSError.
    """
    region = region or Region.private()
    profiles, candidate = load_profiles(settings), candidate_of(settings)
    reads = profiles.reads | (candidate.reads if candidate else frozenset())
    return Parts(
        hostname=settings.hostname,
        identity=settings.identity,
        realm=Realm(domains=settings.domains, own=settings.networks.own, relays=settings.networks.relays),
        limits=settings.limits,
        waves=build_waves(settings, reads, resolver, clock=clock, region=region),
        profiles=profiles,
        candidate=candidate,
        reads=reads,
        sealer=configured_sealer(settings.arc.seal, clock=clock),
        routes=build_routes(
            settings.route,
            settings.domain,
            Surroundings(
                hostname=settings.hostname,
                disk=disk,
                region=region,
                network_of=settings.session.network_of,
                burst=burst,
            ),
            by_rules=profiles.routes,
        ),
        quarantine=Quarantine(settings.quarantine, disk) if settings.quarantine.directory else None,
        panic=Panic(settings.state_directory),
        clock=clock,
        record=record,
        received_spf=settings.spf.received_spf,
        zone=settings.rules.zone,
        burst=burst,
    )


class Gateway:
    """One worker's service (gateway.worker.Service): SMTP sessions on listening sockets, each with its journey."""

    def __init__(
        self, settings: Settings, *, metrics: Metrics, region: Region, journal: socket.socket | None = None
    ) -> None:
        """Inside a running event loop. `journal` is this worker's end of its feed, if there is one.

        Raises RulesError, SealingKeyError, TlsError, OSError.
        """
        limits = settings.limits
        self._metrics = metrics
        self._log = MessageLog(settings.log)
        self._burst = burst = Burst(lambda: self._sessions.connections)
        self._journal = _open_feed(settings.journal, journal, metrics, burst) if journal else None
        self._resolver = DnsResolver(settings.dns)
        self._disk = DiskThreads(threads=DISK_THREADS, waiting=DISK_WAITING)
        self._sessions = build_sessions(settings, region, metrics)
        memory = Places(HostCounts(region), MEMORY, limits.memory)
        self._acceptors: list[Acceptor] = []
        self._purging: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self.parts = build_parts(
            settings,
            resolver=self._resolver,
            disk=self._disk,
            clock=time.time,
            record=self._record,
            region=region,
            burst=burst,
        )
        metrics.rules_in_force(self.parts.profiles.digests)
        self._tls = server_tls(settings.tls, hostname=settings.hostname, state=settings.state_directory)
        self._front = Front(
            lambda: Journey(self.parts),
            settings.session,
            hostname=settings.hostname,
            tls=self._tls,
            roles=self.parts.realm.role_of,
            spool=partial(Spool, threshold=limits.spool_memory, directory=settings.spool_directory, host=memory),
            sessions=self._sessions,
            disk=self._disk,
            limits=build_limits(settings.session, self.parts),
            carried=lambda: self.parts.routes.carries,
            proxies=Proxies(balancers=settings.networks.balancers, xclient=settings.networks.xclient),
            burst=burst,
        )

    async def serve(self, listeners: Sequence[Listener]) -> None:
        loop = asyncio.get_running_loop()
        if self.parts.quarantine:
            self._purging = loop.create_task(self._purge_regularly(self.parts.quarantine))
        self._learning = loop.create_task(self._learn_regularly())
        doors = {Opening.BANNER: SmtpDoor(self._front), Opening.TLS: SmtpDoor(self._front, self._tls)}
        self._acceptors = [Acceptor(listener.socket, doors[listener.opening]) for listener in listeners]

    async def drain(self, seconds: float) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        await self._sessions.drain(seconds)

    async def close(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        for task in filter(None, (self._purging, self._learning)):
            task.cancel()
        self.parts.routes.close()
        await self._resolver.close()
        self._burst.leave()
        if self._journal:
            await self._journal.close()
        self._disk.shutdown()

    async def _purge_regularly(self, quarantine: Quarantine) -> None:
        """Remove what has expired. Other workers do so too: what one has removed the others do not find."""
        while True:
            await asyncio.sleep(PURGE_INTERVAL)
            try:
                await on_disk(self._disk, quarantine.purge)
            except OSError as error:
                log.error("the quarantine could not be purged: %s", error)

    async def _learn_regularly(self) -> None:
        while True:
            await self.parts.routes.learn()
            await asyncio.sleep(LEARN_INTERVAL)

    def _record(self, record: Record) -> None:
        """Note what was done. A failure here must not become the sender's 451: the message would come again."""
        try:
            self._log.write(record)
            self._metrics.count(record)
            if self._journal:
                self._journal.put(record)
        except Exception:
            log.exception("message %s could not be recorded", record.id)


def _open_feed(settings: JournalSettings, sock: socket.socket, metrics: Metrics, burst: Burst) -> Feed:
    digest = Glossary.of(FACTS).digest
    return Feed(sock, glossary=digest, limit=settings.queue, on_drop=metrics.journal_entries_dropped, burst=burst)
