"""Listening: turns "HOST:PORT" addresses, or what systemd passed, into listening sockets that the workers inherit."""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from gateway.addresses import split_host_port
from gateway.system import systemd

BACKLOG = (
    1024  # connections that wait to be accepted, enough to bridge a replaced worker; the kernel caps it at somaxconn
)


def open_sockets(addresses: Sequence[str], environ: Mapping[str, str]) -> list[socket.socket]:
    """The sockets to serve: those of systemd where it passed any, else one bound to each address.

    Raises OSError that names the address. All of them are non-blocking, for every process that shares them.
    """
    passed = systemd.passed_sockets(environ, os.getpid())
    if passed:
        return [adopt(entry.fd) for entry in passed]
    with ExitStack() as undo:
        bound = [undo.enter_context(bind(address)) for address in addresses]
        undo.pop_all()
    return bound


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
