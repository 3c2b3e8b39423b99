"""Hosts: which spamd is asked, in which order. Pure, but for the random number it is given."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from random import Random
from typing import Annotated

from msgspec import Struct
from pydantic import AfterValidator, Field

from gateway.addresses import split_host_port
from gateway.settings import Section

UNIX = "unix://"


class TcpAddress(Struct, frozen=True):
    host: str
    port: int


class UnixAddress(Struct, frozen=True):
    path: str


def parse_address(text: str) -> TcpAddress | UnixAddress:
    """Read "HOST:PORT" or "unix:///PATH". Raises ValueError that says how it must look."""
    if not text.startswith(UNIX):
        return TcpAddress(*split_host_port(text))
    path = text.removeprefix(UNIX)
    if not PurePosixPath(path).is_absolute():
        raise ValueError("must name an absolute path: unix:///run/spamd.sock")
    return UnixAddress(path)


def _address(text: str) -> str:
    parse_address(text)
    return text


class SpamdHost(Section):
    """One spamd."""

    address: Annotated[str, AfterValidator(_address)]
    """HOST:PORT, or unix:///PATH of its socket."""
    priority: int = Field(default=1, ge=0)
    """Hosts with a lower number are asked first; the others only where none of those can answer."""
    weight: int = Field(default=1, ge=1, le=1000)
    """Its share of the messages among the hosts of the same priority."""
    concurrency: int = Field(default=5, ge=1, le=1000)
    """Messages that the whole gateway may give it at once: its --max-children, or less where others ask it too."""


def in_order(hosts: Sequence[SpamdHost], random: Random) -> Iterator[SpamdHost]:
    """All hosts in the order in which one message asks them: by priority, and within one by weighted chance."""
    for _, group in groupby(sorted(hosts, key=lambda host: host.priority), key=lambda host: host.priority):
        remaining = list(group)
        while remaining:
            [chosen] = (
                random.choices(remaining, [host.weight for host in remaining]) if len(remaining) > 1 else remaining
            )
            remaining.remove(chosen)
            yield chosen
