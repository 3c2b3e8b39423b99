"""Routes: turns the configuration of next hops into the next hop of a domain."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from gateway.delivery.base import NextHop
from gateway.delivery.client import Terms, tls_context
from gateway.delivery.downstream import Manner, Patience, SmtpRoute, Verification
from gateway.delivery.endpoint import parse_endpoint
from gateway.delivery.maildir import MaildirHop, MaildirNames
from gateway.delivery.pool import Bounds, Pool
from gateway.delivery.settings import DEFAULT_ROUTE, MAILDIR, DomainSettings, RouteSettings

__all__ = ["DEFAULT_ROUTE", "DomainSettings", "RouteSettings", "Routes", "Surroundings", "build_routes"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What routes need of the process they are in."""

    hostname: str  # ours, for EHLO and the names of files
    disk: Executor  # where calls that wait for a disk run


@dataclass(frozen=True, slots=True)
class _Route:
    """A next hop for the domains that are verified live, and one for the others; both share their connections."""

    live: NextHop
    unverified: NextHop


class Routes:
    """The next hop of each domain. A route is the same object for all its domains, so their recipients can share
    mail."""

    def __init__(self, hops: Mapping[str, NextHop], default: NextHop | None, pools: Iterable[Pool]) -> None:
        self._hops = hops  # by the domain as it is configured
        self._default = default
        self._pools = tuple(pools)

    def hop_for(self, domain: str) -> NextHop | None:
        """The next hop of a domain in lower case, which must be one of ours: no route says that mail is accepted.
        "example.org" stands for itself, ".example.org" for every name below it, the longest first."""
        return self._hops.get(domain) or self._nearest_above(domain) or self._default

    def close(self) -> None:
        """Close the connections that wait; those in use are closed when they are done."""
        for pool in self._pools:
            pool.close()

    def _nearest_above(self, domain: str) -> NextHop | None:
        dot = domain.find(".", 1)
        while dot > 0:
            if hop := self._hops.get(domain[dot:]):
                return hop
            dot = domain.find(".", dot + 1)
        return None


def build_routes(
    routes: Mapping[str, RouteSettings], domains: Mapping[str, DomainSettings], surroundings: Surroundings
) -> Routes:
    """The routes that the configuration names. A domain without settings has the route "default". Raises OSError
    where a file of authorities cannot be read."""
    pools: list[Pool] = []
    built = {name: _build(name, settings, surroundings, pools) for name, settings in routes.items()}
    hops = {domain: _choose(built[settings.route], settings) for domain, settings in domains.items()}
    default = built.get(DEFAULT_ROUTE)
    return Routes(hops, default.live if default else None, pools)


def _choose(route: _Route, domain: DomainSettings) -> NextHop:
    return route.live if domain.verify else route.unverified


def _build(name: str, settings: RouteSettings, surroundings: Surroundings, pools: list[Pool]) -> _Route:
    if settings.hosts[0].startswith(MAILDIR):
        root = Path(settings.hosts[0].removeprefix(MAILDIR))
        maildir = MaildirHop(name, root, disk=surroundings.disk, names=MaildirNames(surroundings.hostname))
        return _Route(live=maildir, unverified=maildir)
    pool = build_pool(settings, surroundings.hostname)
    pools.append(pool)
    live, unverified = (SmtpRoute(name, pool, _manner(settings, verification)) for verification in Verification)
    return _Route(live=live, unverified=unverified)


def build_pool(settings: RouteSettings, hostname: str) -> Pool:
    bounds = Bounds(
        connections=settings.max_connections,
        held=settings.max_held,
        wait=settings.command_timeout,
        idle=settings.idle_timeout,
        age=settings.max_age,
        messages=settings.max_messages,
        dead=settings.retry_dead,
    )
    return Pool(tuple(map(parse_endpoint, settings.hosts)), build_terms(settings, hostname), bounds)


def build_terms(settings: RouteSettings, hostname: str) -> Terms:
    return Terms(
        hostname=hostname,
        tls=settings.tls,
        context=tls_context(settings.tls, settings.tls_authorities),
        connect=settings.connect_timeout,
        command=settings.command_timeout,
    )


def _manner(settings: RouteSettings, verification: Verification) -> Manner:
    return Manner(
        protocol=parse_endpoint(settings.hosts[0]).protocol,
        identify=settings.identify,
        verification=verification,
        patience=Patience(hold=settings.hold, transfer=settings.transfer_timeout, final=settings.final_timeout),
    )
