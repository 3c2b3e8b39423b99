"""DNS lists: turns a client's address and its sender's names into what block and allow lists say of them (RFC 5782).

What it says is which lists have an entry; what becomes of a client is for the rules. Read check.py first.
"""

from gateway.checks.dnslists.check import DnsListsCheck, address_lists, domain_lists
from gateway.checks.dnslists.result import FACTS, DnsListsResult, Listing, ListStatus, ListsWord
from gateway.checks.dnslists.settings import About, DnsListSettings, Kind, ListName

__all__ = [
    "FACTS",
    "About",
    "DnsListSettings",
    "DnsListsCheck",
    "DnsListsResult",
    "Kind",
    "ListName",
    "ListStatus",
    "Listing",
    "ListsWord",
    "address_lists",
    "domain_lists",
]
