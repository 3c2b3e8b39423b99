"""DNS records: turns the answer section of a reply, as each library gives it, into the records of an Answer. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dns.message
import dns.name
import dns.rdataclass
import pycares
from msgspec import Struct

from gateway.system.dnscache import Answer, Status

CNAME = "CNAME"
MAX_ALIASES = 16  # (CNAME) that follow on one another; recursive servers give up sooner, and honest names have three


class Record(Struct, frozen=True):
    """One record of a reply. `value` is the target of a CNAME, and otherwise as in an Answer."""

    owner: str
    rrtype: str
    ttl: int
    value: Any


def read_answer(records: Iterable[Record], name: str, rrtype: str) -> Answer:
    """The records that answer the question, found by following its aliases; others that a server put beside them are
    not looked at. Aliases that lead back to themselves, or to more than MAX_ALIASES, are a failure of the domain (RFC
    1034 section 3.6.2)."""
    records = tuple(records)
    aliases = {record.owner: record for record in records if record.rrtype == CNAME}
    followed: dict[str, int] = {}
    while name in aliases:
        if name in followed or len(followed) == MAX_ALIASES:
            return Answer(Status.SERVFAIL)
        followed[name] = aliases[name].ttl
        name = aliases[name].value
    found = [record for record in records if record.rrtype == rrtype and record.owner == name]
    if not found:
        return Answer(Status.NODATA)
    ttl = min([*followed.values(), *(record.ttl for record in found)])
    return Answer(Status.OK, tuple(record.value for record in found), float(ttl))


def from_ares(result: pycares.DNSResult) -> Iterable[Record]:
    for record in result.answer:
        if record.type in _ARES and record.record_class == pycares.QUERY_CLASS_IN:
            rrtype, value = _ARES[record.type]
            yield Record(_host(record.name), rrtype, record.ttl, value(record.data))


def from_dnspython(reply: dns.message.Message) -> Iterable[Record]:
    for rrset in reply.answer:
        value = _DNSPYTHON.get(rrset.rdtype.name)
        if value is not None and rrset.rdclass == dns.rdataclass.IN:
            for rdata in rrset:
                yield Record(_shown(rrset.name), rrset.rdtype.name, rrset.ttl, value(rdata))


def _host(name: str | bytes) -> str:
    """A name out of a reply; c-ares escapes what is not printable, and pycares gives bytes where it is not ASCII."""
    text = name if isinstance(name, str) else name.decode("ascii", "backslashreplace")
    return text.lower().removesuffix(".")


def _shown(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


_ARES: Mapping[int, tuple[str, Callable[[Any], Any]]] = {
    pycares.QUERY_TYPE_A: ("A", lambda data: data.addr),
    pycares.QUERY_TYPE_AAAA: ("AAAA", lambda data: data.addr),
    pycares.QUERY_TYPE_CNAME: (CNAME, lambda data: _host(data.cname)),
    pycares.QUERY_TYPE_MX: ("MX", lambda data: (data.priority, _host(data.exchange))),
    pycares.QUERY_TYPE_PTR: ("PTR", lambda data: _host(data.dname)),
    pycares.QUERY_TYPE_TXT: ("TXT", lambda data: data.data),
}

_DNSPYTHON: Mapping[str, Callable[[Any], Any]] = {
    "A": lambda rdata: rdata.address,
    "AAAA": lambda rdata: rdata.address,
    CNAME: lambda rdata: _shown(rdata.target),
    "MX": lambda rdata: (rdata.preference, _shown(rdata.exchange)),
    "PTR": lambda rdata: _shown(rdata.target),
    "TXT": lambda rdata: b"".join(rdata.strings),
}
