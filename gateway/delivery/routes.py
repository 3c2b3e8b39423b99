"""Routes: turns the configuration of next hops into the next hop of a domain."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from operator import and_
from pathlib import Path

from msgspec import Struct, field

from gateway.delivery.base import NextHop
from gateway.delivery.client import Terms, tls_context
from gateway.delivery.downstream import Manner, Patience, SmtpRoute, Verification
from gateway.delivery.endpoint import parse_endpoint
from gateway.delivery.maildir import MaildirHop, MaildirNames
from gateway.delivery.pool import Bounds, Pool
from gateway.delivery.settings import DEFAULT_ROUTE, MAILDIR, DomainSettings, RouteSettings
from gateway.domain import configured_for
from gateway.system.board import Region
from gateway.system.burst import AT_ONCE, Burst

__all__ = ["DEFAULT_ROUTE", "DomainSettings", "RouteSettings", "Routes", "Surroundings", "build_routes"]


class Surroundings(Struct, frozen=True):
    """What routes need of the process they are in."""

    hostname: str  # ours, for EHLO and the names of files
    disk: Executor  # where calls that wait for a disk run
    region: Region = field(default_factory=Region.private)  # where workers share the connections of a route
    network_of: Callable[[IPv4Address | IPv6Address], str] = str  # names who takes turns where these are waited for
    burst: Burst = AT_ONCE  # what is said to next hops goes through it


class _Route(Struct, frozen=True):
    """A next hop for the domains that are verified live, and one for the others; both share their connections."""

    live: NextHop
    unverified: NextHop


class _Table(Struct, frozen=True):
    """The next hop of each domain as it is configured, and that of the others."""

    of_domains: Mapping[str, NextHop]
    default: NextHop | None

    @property
    def hops(self) -> tuple[NextHop, ...]:
        return (*self.of_domains.values(), *((self.default,) if self.default else ()))

    def hop_for(self, domain: str) -> NextHop | None:
        """The next hop of a domain in lower case, which must be one of ours: no route says that mail is accepted.
        "example.org" stands for itself, ".example.org" for every name below it, the longest first."""
        return configured_for(domain, self.of_domains) or self.default


class Routes:
    """The next hop of each domain. A route is the same object for all its domains, so their recipients can share
    mail."""

    def __init__(self, table: _Table, by_rules: Mapping[str, _Table], pools: Iterable[Pool]) -> None:
        self.hop_for = table.hop_for
        self._by_rules = by_rules  # those that rules may choose, by their name
        self._pools = tuple(pools)
        self._all = tuple({id(hop): hop for each in (table, *by_rules.values()) for hop in each.hops}.values())

    def named(self, name: str, domain: str) -> NextHop | None:
        """The next hop of that name, which a rule chose for mail to that domain; verified live where the domain is."""
        table = self._by_rules.get(name)
        return table.hop_for(domain) if table else None

    @property
    def carries(self) -> frozenset[str]:
        """The extensions, by their keyword for EHLO, that every next hop is known to have at this time."""
        return reduce(and_, [hop.carries for hop in self._all]) if self._all else frozenset()

    @property
    def are_one(self) -> bool:
        """All mail has the same next hop."""
        return len(self._all) == 1

    @property
    def share_transactions(self) -> bool:
        """Recipients with the same next hop may share a transaction, whichever it is."""
        return all(hop.shares_transactions for hop in self._all)

    async def learn(self) -> None:
        """Find out what hosts offer to which no mail went lately."""
        async with asyncio.TaskGroup() as asking:
            for pool in self._pools:
                asking.create_task(pool.learned.ask())

    def close(self) -> None:
        """Close the connections that wait; those in use are closed when they are done."""
        for pool in self._pools:
            pool.close()


def build_routes(
    routes: Mapping[str, RouteSettings],
    domains: Mapping[str, DomainSettings],
    surroundings: Surroundings,
    *,
    by_rules: Collection[str] = (),
) -> Routes:
    """The routes that the configuration names, of which rules may choose those of `by_rules`. A domain without settings
    has the route "default". Raises OSError where a file of authorities cannot be read."""
    pools: list[Pool] = []
    built = {name: _build(name, settings, surroundings, pools) for name, settings in routes.items()}
    default = built.get(DEFAULT_ROUTE)
    table = _Table(
        {domain: _choose(built[settings.route], settings) for domain, settings in domains.items()},
        default.live if default else None,
    )
    chosen = {
        name: _Table({domain: _choose(route, settings) for domain, settings in domains.items()}, route.live)
        for name, route in built.items()
        if name in by_rules
    }
    return Routes(table, chosen, pools)


def _choose(route: _Route, domain: DomainSettings) -> NextHop:
    return route.live if domain.verify else route.unverified


def _build(name: str, settings: RouteSettings, surroundings: Surroundings, pools: list[Pool]) -> _Route:
    if settings.hosts[0].startswith(MAILDIR):
        root = Path(settings.hosts[0].removeprefix(MAILDIR))
        maildir = MaildirHop(name, root, disk=surroundings.disk, names=MaildirNames(surroundings.hostname))
        return _Route(live=maildir, unverified=maildir)
    pool = build_pool(
        name, settings, hostname=surroundings.hostname, region=surroundings.region, burst=surroundings.burst
    )
    pools.append(pool)
    live, unverified = (
        SmtpRoute(name, pool, _manner(settings, verification), network_of=surroundings.network_of)
        for verification in Verification
    )
    return _Route(live=live, unverified=unverified)


def build_pool(name: str, settings: RouteSettings, *, hostname: str, region: Region, burst: Burst = AT_ONCE) -> Pool:
    bounds = Bounds(
        connections=settings.max_connections,
        held=settings.max_held,
        wait=settings.command_timeout,
        idle=settings.idle_timeout,
        age=settings.max_age,
        messages=settings.max_messages,
        dead=settings.retry_dead,
    )
    endpoints, terms = tuple(map(parse_endpoint, settings.hosts)), build_terms(settings, hostname, burst)
    return Pool(endpoints, terms, bounds, name=name, region=region)


def build_terms(settings: RouteSettings, hostname: str, burst: Burst = AT_ONCE) -> Terms:
    return Terms(
        hostname=hostname,
        tls=settings.tls,
        context=tls_context(settings.tls, settings.tls_authorities),
        connect=settings.connect_timeout,
        command=settings.command_timeout,
        burst=burst,
    )


def _manner(settings: RouteSettings, verification: Verification) -> Manner:
    return Manner(
        protocol=parse_endpoint(settings.hosts[0]).protocol,
        identify=settings.identify,
        verification=verification,
        patience=Patience(hold=settings.hold, transfer=settings.transfer_timeout, final=settings.final_timeout),
    )
