"""TCP: what the kernel knows of a connection and its peer cannot hide."""

import asyncio
import fcntl
import sys
import termios

NOTHING = bytes(4)


def unread(transport: asyncio.BaseTransport) -> int:
    """Octets that have come and wait in the kernel."""
    return _ask(transport, termios.FIONREAD)


def unacknowledged(transport: asyncio.BaseTransport) -> int:
    """Octets that were sent and that the peer has not acknowledged: whatever it has sent so far it sent without having
    seen them, since each of its packets acknowledges all it has received (RFC 9293 section 3.4)."""
    return _ask(transport, termios.TIOCOUTQ)


def _ask(transport: asyncio.BaseTransport, what: int) -> int:
    """0 where there is no socket any more."""
    try:
        answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), what, NOTHING)
    except (AttributeError, OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)
