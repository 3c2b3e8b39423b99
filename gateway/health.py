"""Health: turns the configuration and a look at the world into findings, each with what to do about it.

Asked for by `mailward doctor`. It connects to what the gateway connects to, hands no message to anybody, and changes
nothing.
"""

import ctypes
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from msgspec import Struct

from gateway.certificate import Worth, appraise
from gateway.checks.arc import SealingKeyError, published_problem, read_sealing_key, zone_line
from gateway.checks.dnslists.testpoints import Soundness, examine_list
from gateway.config import Settings
from gateway.delivery.client import open_client
from gateway.delivery.endpoint import parse_endpoint
from gateway.delivery.routes import build_terms
from gateway.delivery.settings import MAILDIR, RouteSettings
from gateway.delivery.wire import Broken
from gateway.scoring.client import Patience, Spamd
from gateway.scoring.hosts import parse_address
from gateway.system import descriptors
from gateway.system.dns import DnsResolver, Resolver, Status
from gateway.system.panic import Panic
from gateway.system.tls import TlsError, server_tls

# Every block list lists 127.0.0.2 (RFC 5782 section 5); this one answers large public resolvers with 127.255.255.254
# instead, and rules that trust it then see nothing or everything.
BLOCK_LIST_TEST = "2.0.0.127.zen.spamhaus.org"
BLOCK_LIST_ERRORS = "127.255.255."
FOREIGN_RECIPIENT = "postmaster@example.net"  # of nobody's domain (RFC 2606): whoever takes mail for it relays for us
# Bits of a network of which somebody may know every host, by IP version and by whether it is a private one.
WIDEST = {(4, True): 16, (4, False): 24, (6, True): 48, (6, False): 64}
RELEASED = 1795478400  # Unix time, 24 November 2026: a clock before it is wrong
CLOCK_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


class Grade(StrEnum):
    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


CERTIFICATE_GRADES = {
    Worth.GOOD: Grade.GOOD,
    Worth.ENDING: Grade.WARNING,
    Worth.FOREIGN: Grade.BAD,
    Worth.UNTIMELY: Grade.BAD,
}


class Finding(Struct, frozen=True):
    """What was found in answer to one question; `advice` says what to do, and is empty where nothing is to be done."""

    grade: Grade
    text: str
    advice: str = ""


Findings = AsyncIterator[Finding]


def is_synchronised() -> bool:
    """The kernel's notion of its clock, adjtimex(2), asked without changing anything."""
    nothing = ctypes.create_string_buffer(512)  # struct timex with modes = 0, with room for every architecture
    return int(ctypes.CDLL(None).adjtimex(nothing)) != CLOCK_UNSYNCHRONISED


async def examine_host(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    synchronised: Callable[[], bool] = is_synchronised,
) -> Findings:
    """Every question in turn. Inside a running event loop."""
    resolver = DnsResolver(settings.dns)
    try:
        for question in (
            _dns(resolver, settings),
            _lists(resolver, settings),
            _names(resolver, settings),
            _spamds(settings),
            _routes(settings),
            _sealing(resolver, settings),
        ):
            async for finding in question:
                yield finding
    finally:
        await resolver.close()
    for name in ("balancers", "xclient"):
        for network in getattr(settings.networks, name):
            yield _trusted(name, network)
    yield _certificate(settings, clock())
    yield _clock(clock(), synchronised=synchronised())
    yield _descriptors(settings.session.max_connections)
    for directory in (settings.state_directory, settings.spool_directory, settings.quarantine.directory):
        if directory:
            yield _directory(directory)
    panic = Panic(settings.state_directory)
    if panic.is_on():
        yield _panic(panic.why())
    if settings.journal.enabled:
        yield _journal(settings.journal.place(settings.state_directory))


async def _dns(resolver: Resolver, settings: Settings) -> Findings:
    where = ", ".join(settings.dns.servers) or "the servers of /etc/resolv.conf"
    answer = await resolver.query(settings.hostname, "A")
    if answer.is_temporary:
        advice = (
            "Start a resolver on this host (unbound), or correct [dns] servers; without DNS every check is temperror."
        )
        yield Finding(Grade.BAD, f"DNS does not answer ({where}: {answer.status})", advice)
        return
    yield Finding(Grade.GOOD, f"DNS answers ({where})")
    listed = await resolver.query(BLOCK_LIST_TEST, "A")
    if any(record.startswith(BLOCK_LIST_ERRORS) for record in listed.records):
        advice = "Ask through a resolver of your own (unbound on this host): block lists refuse the large public ones."
        yield Finding(Grade.BAD, f"block lists refuse the resolver ({listed.records[0]})", advice)
    elif listed.status is Status.OK:
        yield Finding(Grade.GOOD, "block lists answer the resolver")
    else:
        advice = "If this host has a way to the internet, look at the resolver; SpamAssassin's network tests need it."
        yield Finding(Grade.WARNING, f"a block list gave no answer ({listed.status})", advice)


async def _lists(resolver: Resolver, settings: Settings) -> Findings:
    for name, dnslist in settings.dnslist.items():
        examined = await examine_list(dnslist, resolver)
        grade = Grade.GOOD if examined.soundness is Soundness.SOUND else Grade.WARNING
        yield Finding(grade, f"DNS list {name} {examined.text}", examined.advice)


async def _names(resolver: Resolver, settings: Settings) -> Findings:
    """Whether the host name leads to addresses and these lead back: senders ask the same of us as we of them."""
    name = settings.hostname
    answers = [await resolver.query(name, rrtype) for rrtype in ("A", "AAAA")]
    addresses = [address for answer in answers for address in answer.records]
    if not addresses and not any(answer.is_temporary for answer in answers):
        grade = Grade.BAD if "." in name else Grade.WARNING  # a single label serves for a trial alone
        yield Finding(grade, f"{name} has no address in DNS", "Add A and AAAA records, or correct hostname.")
    for address in addresses:
        back = (await resolver.query(ip_address(address).reverse_pointer, "PTR")).records
        if name in back:
            yield Finding(Grade.GOOD, f"{name} is {address}, and {address} is {name}")
        else:
            found = ", ".join(back) or "nothing"
            advice = f"Have the PTR record of {address} set to {name}."
            yield Finding(Grade.WARNING, f"{name} is {address}, but {address} leads back to {found}", advice)


async def _spamds(settings: Settings) -> Findings:
    if not (settings.spamd.enabled and settings.spamd.hosts):
        advice = "Name spamd's hosts in [[spamd.hosts]]; until then every message is marked as unscored."
        yield Finding(Grade.WARNING, "no spamd is configured", advice)
        return
    patience = Patience(connect=settings.spamd.connect_timeout, total=settings.spamd.attempt_timeout)
    for host in settings.spamd.hosts:
        failure = await Spamd(parse_address(host.address), patience, settings.spamd.user).ping()
        if failure:
            yield Finding(Grade.BAD, f"spamd at {host.address}: {failure}", "Start it: systemctl status spamd.")
        else:
            yield Finding(Grade.GOOD, f"spamd at {host.address} answers")


async def _routes(settings: Settings) -> Findings:
    for name, route in settings.route.items():
        for host in route.hosts:
            if host.startswith(MAILDIR):
                yield _directory(Path(host.removeprefix(MAILDIR)))
            else:
                yield await _next_hop(settings, name, route, host)


async def _next_hop(settings: Settings, name: str, route: RouteSettings, host: str) -> Finding:
    """Greet it, and see that it does not relay for us: then whatever slipped past us would be relayed too."""
    where = f"route {name}: {host}"
    try:
        client = await open_client(parse_endpoint(host), build_terms(route, settings.hostname))
    except (Broken, OSError) as error:  # an OSError is about tls_authorities
        return Finding(
            Grade.BAD, f"{where}: {error}", "Start it, or correct the route; until then mail is answered 451."
        )
    try:
        answers = await client.transact(
            [b"MAIL FROM:<>\r\n", f"RCPT TO:<{FOREIGN_RECIPIENT}>\r\n".encode(), b"RSET\r\n"]
        )
    except Broken as error:
        return Finding(Grade.WARNING, f"{where}: {error}", "It takes a connection but not the questions of a client.")
    finally:
        client.close()
    if not answers[0].is_success:
        advice = "It must take mail from this host: look at its access lists."
        return Finding(Grade.BAD, f"{where} takes no mail from us: {answers[0]}", advice)
    if answers[1].is_success:
        advice = "Take this host out of its relay networks (Postfix: mynetworks, smtpd_relay_restrictions)."
        return Finding(Grade.BAD, f"{where} would relay for us to anywhere", advice)
    return Finding(Grade.GOOD, f"{where} answers, and does not relay for us")


async def _sealing(resolver: Resolver, settings: Settings) -> Findings:
    """Whether receivers find the key that they need for our ARC seals."""
    seal = settings.arc.seal
    if seal.key is None:
        return
    try:
        key = read_sealing_key(seal.key)
    except SealingKeyError as error:
        yield Finding(Grade.BAD, f"nothing can be sealed: {error}", "Correct [arc.seal] key.")
        return
    answer = await resolver.query(seal.key_name, "TXT")
    if problem := published_problem(key, answer):
        grade = Grade.WARNING if answer.is_temporary else Grade.BAD
        yield Finding(
            grade,
            f"the sealing key at {seal.key_name}: {problem}",
            f"Have there: {zone_line(seal.key_name, key.record)}",
        )
    else:
        yield Finding(Grade.GOOD, f"the sealing key is published at {seal.key_name}")


def _trusted(name: str, network: IPv4Network | IPv6Network) -> Finding:
    """Whether everybody can be known who could pass for any client."""
    text = f"[networks] {name} trusts {network}"
    if network.prefixlen < WIDEST[network.version, network.is_private]:
        advice = "Name the hosts themselves: everybody in there can pass for any client, our own networks included."
        return Finding(Grade.WARNING, f"{text}, which is wide", advice)
    return Finding(Grade.GOOD, text)


def _certificate(settings: Settings, now: float) -> Finding:
    path = settings.tls.certificate
    if path is None:
        advice = "Senders that verify (DANE, MTA-STS) will not come: configure [tls] certificate and key."
        return Finding(Grade.WARNING, "the certificate is self-made", advice)
    try:
        server_tls(settings.tls, hostname=settings.hostname, state=settings.state_directory)  # that the key fits it
        appraisal = appraise(path.read_bytes(), settings.hostname, datetime.fromtimestamp(now, UTC))
    except (TlsError, OSError, ValueError) as error:
        return Finding(Grade.BAD, f"the certificate {path} cannot be used: {error}", "Correct [tls].")
    return Finding(CERTIFICATE_GRADES[appraisal.worth], f"the certificate {appraisal.text}", appraisal.advice)


def _clock(now: float, *, synchronised: bool) -> Finding:
    if now < RELEASED:
        return Finding(Grade.BAD, "the clock is before the release of this program", "Set it; signatures expire by it.")
    if not synchronised:
        advice = "Start a time service (systemd-timesyncd, chrony): signatures are judged by the clock."
        return Finding(Grade.WARNING, "the clock is not synchronised", advice)
    return Finding(Grade.GOOD, "the clock is synchronised")


def _descriptors(connections: int) -> Finding:
    """Any worker may come to hold all connections of the host."""
    available, needed = descriptors.highest(), descriptors.needed_for(connections)
    if available < needed:
        advice = "Raise LimitNOFILE= of the service (systemctl edit mailward), or lower [session] max_connections."
        text = f"a process may open {available} files, and max_connections = {connections} asks for {needed}"
        return Finding(Grade.WARNING, text, advice)
    return Finding(Grade.GOOD, f"a process may open {available} files, enough for {connections} connections")


def _journal(place: str) -> Finding:
    from gateway.journal.database import JournalError, NoJournal, name, try_to_write  # SQLAlchemy is slow to load

    try:
        try_to_write(place)
    except NoJournal:
        return Finding(Grade.GOOD, f"the journal {name(place)} will be made when the gateway starts")
    except JournalError as error:
        advice = "Correct [journal] url; until then mail goes on, and nothing of it is kept for replay and reports."
        return Finding(Grade.BAD, f"the journal {name(place)} cannot be written: {error}", advice)
    return Finding(Grade.GOOD, f"the journal {name(place)} can be written")


def _panic(why: str) -> Finding:
    text = "the panic switch is on, so nothing is refused"
    return Finding(Grade.WARNING, f"{text}: {why}" if why else text, "Once the rules are right: mailward panic off.")


def _directory(path: Path) -> Finding:
    """Whether files can be made there, by making one without a name."""
    try:
        with tempfile.TemporaryFile(dir=path):
            return Finding(Grade.GOOD, f"{path} can be written to")
    except OSError as error:
        return Finding(Grade.BAD, f"{path} cannot be written to: {error.strerror}", "Make it, for the gateway's user.")
