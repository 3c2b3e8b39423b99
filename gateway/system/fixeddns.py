"""Fixed DNS: a table of records to a resolver (gateway.system.dns.Resolver) that asks nobody. What is not in the table
is not there: a name with other records has none of that type, and any other name does not exist.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.system.dns import IMPOSSIBLE, Answer, Status, is_name

TTL = 300.0  # seconds

FAULTS: Mapping[str, Status] = {"servfail": Status.SERVFAIL, "timeout": Status.TIMEOUT}
"""Words that may stand in place of records."""


class FixedDns:
    """The table has, by name and type, what is written in zone files: texts; an MX record is "10 mail.example.org"."""

    def __init__(self, table: Mapping[str, Mapping[str, Sequence[str] | str]]) -> None:
        """Raises ValueError where a record is none."""
        self._answers = {
            (_folded(name), rrtype): _answer(rrtype, records)
            for name, types in table.items()
            for rrtype, records in types.items()
        }
        self._names = {name for name, _ in self._answers}

    async def query(self, name: str, rrtype: str) -> Answer:
        return self._look_up(_folded(name), rrtype)

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return self._look_up(_folded(name), rrtype)

    def _look_up(self, name: str, rrtype: str) -> Answer:
        if not is_name(name):
            return IMPOSSIBLE
        missing = Answer(Status.NODATA if name in self._names else Status.NXDOMAIN)
        return self._answers.get((name, rrtype), missing)


def _answer(rrtype: str, records: Sequence[str] | str) -> Answer:
    if isinstance(records, str):
        if records not in FAULTS:
            raise ValueError(f'"{records}" is neither a list of records nor one of {", ".join(FAULTS)}')
        return Answer(FAULTS[records])
    return Answer(Status.OK, tuple(_record(rrtype, record) for record in records), TTL)


def _record(rrtype: str, text: Any) -> Any:
    if rrtype not in ("A", "AAAA", "MX", "PTR", "TXT") or not isinstance(text, str):
        raise ValueError(f"{text!r} is no record of type {rrtype}")
    if rrtype == "TXT":
        return text.encode()
    if rrtype != "MX":
        return _folded(text)
    preference, _, host = text.partition(" ")
    if not preference.isdecimal():
        raise ValueError(f'"{text}" is no MX record, such as "10 mail.example.org"')
    return int(preference), _folded(host)


def _folded(name: str) -> str:
    return name.lower().removesuffix(".")
