"""A case of SPF: who connects with which HELO and MAIL FROM, as the check sees it, and a zone of an openspf suite."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from gateway.checks.base import Subject
from gateway.connection import Connection, Role
from gateway.envelope import Address, Envelope
from gateway.system.dns import Status
from tests.support.dnstable import Question

TYPES = ("A", "AAAA", "MX", "PTR", "TXT")


def spf_subject(ip: str, helo: str, mail_from: str, *, role: Role = Role.STRANGER) -> Subject:
    """The subject of a check. `mail_from` is taken apart at its last "@" and need not be a valid path."""
    local, _, domain = mail_from.rpartition("@")
    return Subject(
        connection=Connection(id="c", ip=ip_address(ip), port=40000, role=role, opened=0.0, helo=helo),
        envelope=Envelope(id="e", sender=Address(local=local, domain=domain.lower()) if mail_from else None),
    )


def suite_table(zonedata: Mapping[str, Iterable[Any]]) -> dict[Question, Any]:
    """The table of a scenario's zone. A record of type SPF stands for one of TXT, unless the name has one or says NONE;
    TIMEOUT is what happens to every other type of its name."""
    table: dict[Question, Any] = {}
    for name, entries in zonedata.items():
        records = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
        has_txt = any(rrtype == "TXT" for rrtype, _ in records)
        for rrtype, value in records:
            if value == "NONE" or (rrtype == "SPF" and has_txt):
                continue
            rrtype = "TXT" if rrtype == "SPF" else rrtype
            table.setdefault((name.lower(), rrtype), []).append(_record(rrtype, value))
        if "TIMEOUT" in entries:
            table = {(name.lower(), rrtype): Status.TIMEOUT for rrtype in TYPES} | table
    return table


def _record(rrtype: str, value: Any) -> Any:
    if rrtype == "TXT":
        return "".join([value] if isinstance(value, str) else value).encode()
    if rrtype == "MX":
        return (value[0], value[1])
    if rrtype == "CNAME":
        return value.removesuffix(".")
    return value
