"""Listening: turns "HOST:PORT" addresses, or what systemd passed, into listening sockets that the workers inherit."""

import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from enum import StrEnum

from msgspec import Struct

from gateway.addresses import split_host_port
from gateway.system import systemd

# Connections that wait to be accepted, enough to bridge a replaced worker; the kernel caps it at somaxconn.
BACKLOG = 1024

NAME_OF_TLS = "smtps"  # FileDescriptorName= of systemd's sockets at which clients begin with a TLS handshake


class Opening(StrEnum):
    """How connections begin."""

    BANNER = "banner"  # in the clear; TLS may follow (RFC 3207)
    TLS = "tls"  # with a handshake (RFC 8314 section 3)


class Listener(Struct, frozen=True):
    """A listening socket."""

    socket: socket.socket
    opening: Opening = Opening.BANNER


def open_listeners(addresses: Iterable[tuple[str, Opening]], environ: Mapping[str, str]) -> list[Listener]:
    """The sockets to serve: those of systemd where it passed any, else one bound to each "HOST:PORT".

    Raises OSError that names the address. All of them are non-blocking, for every process that shares them.
    """
    passed = systemd.passed_sockets(environ, os.getpid())
    if passed:
        return [Listener(adopt(entry.fd), _opening(entry)) for entry in passed]
    with ExitStack() as undo:
        bound = [Listener(undo.enter_context(bind(address)), opening) for address, opening in addresses]
        undo.pop_all()
    return bound


def _opening(passed: systemd.Passed) -> Opening:
    return Opening.TLS if passed.name == NAME_OF_TLS else Opening.BANNER


def bind(address: str) -> socket.socket:
    """A listening socket at one "HOST:PORT"; an IPv6 address takes no IPv4 connections. Raises OSError, ValueError."""
    host, port = split_host_port(address)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen at {address}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for TIME_WAIT
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {address}: {error.strerror}") from error
    sock.settimeout(0)
    return sock


def adopt(fd: int) -> socket.socket:
    """Take over an inherited file descriptor; processes that we start do not get it unless told so."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.settimeout(0)
    return sock


def name(sock: socket.socket) -> str:
    """Where a socket listens, as people write it; a Unix socket by its path."""
    where = sock.getsockname()
    if not isinstance(where, tuple):
        return str(where)
    return f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"
