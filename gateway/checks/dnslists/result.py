"""DNS lists result: what the lists said, as facts, for the Authentication-Results field, and as a report."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from gateway.authres.field import MethodResult, Property
from gateway.checks.dnslists.settings import About, DnsListSettings, Kind
from gateway.facts import Fact, FactType, FactValue, Stage

ADDRESSES = "dnslists"  # the check of the lists of addresses
DOMAINS = "domainlists"  # and that of the lists of names
CHECKS = (ADDRESSES, DOMAINS)


class ListStatus(StrEnum):
    """What one list said (RFC 8904 section 2)."""

    LISTED = "listed"  # it has an entry that counts; RFC 8904 says "pass", since it speaks of allow lists alone
    NONE = "none"  # it has none
    TEMPERROR = "temperror"  # it gave no answer for now
    PERMERROR = "permerror"  # its answer is an error code, or not that of a list


class ListsWord(StrEnum):
    """What follows from all lists together."""

    ALLOWED = "allowed"  # an allow list has an entry, whatever the others say
    BLOCKED = "blocked"  # a block list has an entry, and no allow list has
    UNDECIDED = "undecided"  # a block list has an entry, and an allow list gave no answer for now
    TEMPERROR = "temperror"  # no list that answered has an entry, and some gave no answer for now
    PERMERROR = "permerror"  # no list that answered has an entry, and some are out of order or refuse us
    NONE = "none"  # no list has an entry


class Listing(Struct, frozen=True, kw_only=True):
    """What one list said. `codes` are the answers that count, in their order; `reason` says why there is no answer."""

    list: str  # its name
    settings: DnsListSettings
    status: ListStatus
    codes: tuple[str, ...] = ()
    reason: str = ""

    def is_entry_of(self, kind: Kind) -> bool:
        return self.status is ListStatus.LISTED and self.settings.kind is kind

    @property
    def has_failed(self) -> bool:
        return self.status in (ListStatus.TEMPERROR, ListStatus.PERMERROR)

    @property
    def words(self) -> tuple[str, ...]:
        """The codes by their names, where they have some: "zen:pbl", "zen:127.0.0.2"."""
        return tuple(dict.fromkeys(f"{self.list}:{self._named(code)}" for code in self.codes))

    def _named(self, code: str) -> str:
        return next((word for pattern, word in self.settings.names.items() if code in pattern), code)


class DnsListsResult(Struct, frozen=True, kw_only=True):
    """What all lists of a check said. `skipped` says why none was asked, and is empty otherwise."""

    check: str  # ADDRESSES or DOMAINS
    listings: tuple[Listing, ...] = ()
    skipped: str = ""

    @property
    def result(self) -> ListsWord:
        if self._lists(Kind.ALLOW):
            return ListsWord.ALLOWED
        if self._lists(Kind.BLOCK):
            return ListsWord.UNDECIDED if self._allow_list_is_silent else ListsWord.BLOCKED
        statuses = {listing.status for listing in self.listings}
        if ListStatus.TEMPERROR in statuses:
            return ListsWord.TEMPERROR
        return ListsWord.PERMERROR if ListStatus.PERMERROR in statuses else ListsWord.NONE

    def facts(self) -> dict[str, FactValue]:
        if self.skipped:
            return {}
        return {
            f"{self.check}.result": str(self.result),
            f"{self.check}.blocked": self._lists(Kind.BLOCK),
            f"{self.check}.allowed": self._lists(Kind.ALLOW),
            f"{self.check}.listings": tuple(word for listing in self.listings for word in listing.words),
            f"{self.check}.failed": tuple(listing.list for listing in self.listings if listing.has_failed),
        }

    def authres(self) -> tuple[MethodResult, ...]:
        return tuple(map(_dnswl, filter(_is_dnswl, self.listings)))

    def report(self) -> Any:
        if self.skipped:
            return [{"result": "none", "reason": self.skipped}]
        return list(self._reports())

    @property
    def _allow_list_is_silent(self) -> bool:
        return any(
            listing.status is ListStatus.TEMPERROR and listing.settings.kind is Kind.ALLOW for listing in self.listings
        )

    def _lists(self, kind: Kind) -> tuple[str, ...]:
        return tuple(listing.list for listing in self.listings if listing.is_entry_of(kind))

    def _reports(self) -> Iterator[dict[str, Any]]:
        for listing in self.listings:
            yield {
                "result": listing.status.value,
                "list": listing.list,
                "kind": listing.settings.kind.value,
                "about": listing.settings.about.value,
                "listings": list(listing.words),
                "reason": listing.reason,
            }


def _is_dnswl(listing: Listing) -> bool:
    return listing.settings.kind is Kind.ALLOW and listing.settings.about is About.CLIENT


def _dnswl(listing: Listing) -> MethodResult:
    """RFC 8904 section 2; there is no method for block lists."""
    codes = (Property("policy", "ip", ",".join(listing.codes)),) if listing.codes else ()
    return MethodResult(
        method="dnswl",
        result="pass" if listing.status is ListStatus.LISTED else listing.status.value,
        reason=listing.reason,
        properties=(Property("dns", "zone", listing.settings.zone), *codes),
    )


def declared(check: str, what: str) -> tuple[Fact, ...]:
    """The facts of a check of that name, about that."""
    return (
        Fact(
            f"{check}.result",
            FactType.STRING,
            Stage.RCPT,
            f"What DNS lists say of {what}; allowed: an allow list has it, whatever block lists have; undecided: a"
            " block list has it, and an allow list gave no answer for now; skipped: none was asked, as for our networks"
            " and partners",
            "skipped",
            (*(word.value for word in ListsWord), "unavailable", "skipped"),
        ),
        Fact(f"{check}.blocked", FactType.STRINGS, Stage.RCPT, f"The names of the block lists that have {what}", ()),
        Fact(f"{check}.allowed", FactType.STRINGS, Stage.RCPT, f"The names of the allow lists that have {what}", ()),
        Fact(
            f"{check}.listings",
            FactType.STRINGS,
            Stage.RCPT,
            "What these lists answered, each with the list's name: zen:pbl, zen:127.0.0.2",
            (),
        ),
        Fact(f"{check}.failed", FactType.STRINGS, Stage.RCPT, "The names of the lists that gave no answer", ()),
    )


ADDRESS_FACTS = declared(ADDRESSES, "the client's address")
DOMAIN_FACTS = declared(DOMAINS, "the sender's domain or the HELO name")
FACTS = (*ADDRESS_FACTS, *DOMAIN_FACTS)
