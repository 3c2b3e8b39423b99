"""Judge: turns the answers of DNS into what a list says (RFC 5782). Pure.

Lists die: their zones are sold, and then answer every question with the address of a web server, or with a listing.
"""

from ipaddress import IPv4Address

from gateway.checks.dnslists.codes import is_refusal
from gateway.checks.dnslists.result import Listing, ListStatus
from gateway.checks.dnslists.settings import DnsListSettings
from gateway.system.dns import Answer

MAX_CODES = 16  # of one answer; honest lists give a handful, and every one is looked at and shown


def judge(name: str, settings: DnsListSettings, answer: Answer) -> Listing:
    """What the list of that name says with its answer."""
    if answer.is_temporary:
        return failed(name, settings, ListStatus.TEMPERROR, f"no answer from DNS: {answer.status.value}")
    answers = sorted(set(answer.records), key=IPv4Address)
    if refusal := next(filter(is_refusal, answers), ""):
        return failed(name, settings, ListStatus.PERMERROR, f"it answers {refusal}, which is no listing")
    codes = [code for code in answers if any(code in pattern for pattern in settings.listed)]
    status = ListStatus.LISTED if codes else ListStatus.NONE
    return Listing(list=name, settings=settings, status=status, codes=tuple(codes[:MAX_CODES]))


def believed(listing: Listing, control: Answer) -> Listing:
    """The listing, unless the list has what no list may have, and so has everything (RFC 5782 section 5)."""
    if control.is_temporary:
        reason = f"no answer from DNS about its test entry: {control.status.value}"
        return failed(listing.list, listing.settings, ListStatus.TEMPERROR, reason)
    if control.records:
        reason = "it has an entry that no list may have (RFC 5782 section 5), and so perhaps every entry"
        return failed(listing.list, listing.settings, ListStatus.PERMERROR, reason)
    return listing


def failed(name: str, settings: DnsListSettings, status: ListStatus, reason: str) -> Listing:
    return Listing(list=name, settings=settings, status=status, reason=reason)
