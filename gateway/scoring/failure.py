"""Failure: why spamd gave no answer, as a value."""

from enum import StrEnum

from msgspec import Struct


class Fault(StrEnum):
    """Why there is no reply of spamd."""

    UNREACHABLE = "unreachable"  # no connection: refused, no such socket, or not in time
    SHORTAGE = "shortage"  # no connection, because we have no descriptor, port or memory left
    TIMEOUT = "timeout"  # connected, but no whole reply in time
    BROKEN = "broken"  # connected, but it broke off before the reply was whole
    NONSENSE = "nonsense"  # what came cannot be believed
    REFUSED = "refused"  # it answered with an error code


class Failure(Struct, frozen=True):
    fault: Fault
    reason: str  # for the log

    def __str__(self) -> str:
        return f"{self.fault}: {self.reason}" if self.reason else self.fault.value
