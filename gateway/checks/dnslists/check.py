"""The check of DNS lists: asks each for the client's address, or for the names that the client gave.

Answers, also those that there is no entry, are kept by the resolver. Addresses and names are two checks, since lists of
addresses can be asked as soon as a client is there.
"""

import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from gateway.checks.base import Subject
from gateway.checks.dnslists.judge import believed, failed, judge
from gateway.checks.dnslists.question import Question, question
from gateway.checks.dnslists.result import (
    ADDRESS_FACTS,
    ADDRESSES,
    DOMAIN_FACTS,
    DOMAINS,
    DnsListsResult,
    Listing,
    ListStatus,
)
from gateway.checks.dnslists.settings import About, DnsListSettings
from gateway.checks.dnslists.silence import Silence
from gateway.connection import Role
from gateway.facts import Fact
from gateway.system.dns import Resolver
from gateway.system.together import together, within

MISSING = 10  # answers in a row, after which a list is left out; a busy gateway has them within seconds
PAUSE = 30.0  # seconds until a list that was left out is asked about one client
SKIPPED = {
    Role.RELAY: "a relay partner brought it: the lists would judge the partner",
    Role.INTERNAL: "it comes from one of our own networks",
}


class DnsList(Struct, frozen=True, kw_only=True):
    """One list, and how long it has been silent."""

    name: str
    settings: DnsListSettings
    silence: Silence


class DnsListsCheck:
    """`name` and `facts` are those of the lists of addresses or of those of names; `clock` gives monotonic seconds."""

    def __init__(
        self,
        name: str,
        facts: tuple[Fact, ...],
        lists: Mapping[str, DnsListSettings],
        *,
        resolver: Resolver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.facts = facts
        self._lists = tuple(
            DnsList(name=each, settings=settings, silence=Silence(MISSING, PAUSE)) for each, settings in lists.items()
        )
        self._resolver = resolver
        self._clock = clock

    async def __call__(self, subject: Subject) -> DnsListsResult:
        role = subject.connection.role
        if role in SKIPPED:
            return DnsListsResult(check=self.name, skipped=SKIPPED[role])
        asked = [(each, about) for each in self._lists if (about := question(each.settings, subject))]
        listings = await together(self._ask(each, about) for each, about in asked)
        return DnsListsResult(check=self.name, listings=tuple(listings))

    async def _ask(self, dnslist: DnsList, about: Question) -> Listing:
        if not dnslist.silence.allows(self._clock()):
            reason = "it has given no answer for a while, and is left out"
            return failed(dnslist.name, dnslist.settings, ListStatus.TEMPERROR, reason)
        listing = await self._listing(dnslist, about)
        if listing.status is ListStatus.TEMPERROR:
            dnslist.silence.goes_on(self._clock())
        else:
            dnslist.silence.broken()
        return listing

    async def _listing(self, dnslist: DnsList, about: Question) -> Listing:
        seconds = dnslist.settings.timeout
        try:
            return await within(seconds, self._look_up(dnslist, about))
        except TimeoutError:
            reason = f"no answer within {seconds:g} s"
            return failed(dnslist.name, dnslist.settings, ListStatus.TEMPERROR, reason)

    async def _look_up(self, dnslist: DnsList, about: Question) -> Listing:
        listing = judge(dnslist.name, dnslist.settings, await self._resolver.query(about.name, "A"))
        if listing.status is not ListStatus.LISTED:
            return listing
        return believed(listing, await self._resolver.query(about.control, "A"))


def address_lists(lists: Mapping[str, DnsListSettings], *, resolver: Resolver) -> tuple[DnsListsCheck, ...]:
    """The check of the lists of addresses among `lists`; none where there are none."""
    of_addresses = {name: each for name, each in lists.items() if each.about is About.CLIENT}
    return (DnsListsCheck(ADDRESSES, ADDRESS_FACTS, of_addresses, resolver=resolver),) if of_addresses else ()


def domain_lists(lists: Mapping[str, DnsListSettings], *, resolver: Resolver) -> tuple[DnsListsCheck, ...]:
    """The check of the lists of names among `lists`; none where there are none."""
    of_names = {name: each for name, each in lists.items() if each.about is not About.CLIENT}
    return (DnsListsCheck(DOMAINS, DOMAIN_FACTS, of_names, resolver=resolver),) if of_names else ()
