"""Serve: builds one worker out of its settings. The composition root: no logic, every part made and handed on here."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

from gateway.checks.arc import ArcCheck
from gateway.checks.dkim import DkimCheck
from gateway.checks.dmarc import DmarcCheck
from gateway.checks.iprev import IprevCheck
from gateway.checks.run import Wave
from gateway.checks.spamd import SpamdCheck
from gateway.checks.spf import SpfCheck
from gateway.config import Settings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Routes, Surroundings, build_routes
from gateway.journey import Journey
from gateway.parts import Parts, Waves
from gateway.policy.rules import RuleSet, load
from gateway.policy.shipped import shipped_rules
from gateway.realm import Realm
from gateway.record import Record
from gateway.session import SmtpSession
from gateway.smtp.front import Front
from gateway.smtp.registry import Sessions
from gateway.system.dns import DnsResolver, Resolver
from gateway.system.log import MessageLog
from gateway.system.metrics import Metrics
from gateway.system.panic import Panic
from gateway.system.spool import Spool
from gateway.system.threads import DiskThreads
from gateway.system.tls import ServerTls
from gateway.vocabulary import FACTS

SPAMD_GRACE = 5.0  # seconds beyond spamd's own timeout, after which the check itself says that it was busy
DISK_THREADS = 8  # fsyncs under way at once in one worker; a disk does not become faster with more
DISK_WAITING = 200  # messages waiting for a thread before the sender is asked to come again


def build_waves(settings: Settings, resolver: Resolver, *, clock: Callable[[], float], workers: int = 1) -> Waves:
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


def load_rules(settings: Settings) -> RuleSet:
    """The rules in force: the shipped ones and the site's. Raises RulesError with every problem."""
    shipped = [shipped_rules()] if settings.rules.shipped else []
    return load([*shipped, settings.rules.site], FACTS, lists=[settings.rules.lists])


def build_realm(settings: Settings) -> Realm:
    return Realm(domains=settings.domains, own=settings.networks.own, relays=settings.networks.relays)
