"""TCP: what the kernel knows of a connection and its peer cannot hide."""

import asyncio
import fcntl
import socket
import sys
import termios


def unread(transport: asyncio.BaseTransport) -> int:
    """Octets that have come and wait in the kernel."""
    return _ask(transport, termios.FIONREAD)


def unacknowledged(transport: asyncio.BaseTransport) -> int:
    """Octets that were sent and that the peer has not acknowledged: whatever it has sent so far it sent without having
    seen them, since each of its packets acknowledges all it has received (RFC 9293 section 3.4)."""
    return _ask(transport, termios.TIOCOUTQ)


def send_with_the_end(client: socket.socket) -> None:
    """Let what is written from now on leave together with the end of the connection: one packet, which wakes the peer
    once. Only to one who says no more: octets that nobody has read at the end would reset the connection before it."""
    try:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    except OSError:
        return  # it is gone


def _ask(transport: asyncio.BaseTransport, what: int) -> int:
    """0 where there is no socket any more."""
    answer = bytearray(4)  # that can be written to: what cannot be is taken too, but after two exceptions only
    try:
        fcntl.ioctl(transport.get_extra_info("socket"), what, answer)
    except (TypeError, OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)
