"""Descriptors: turns the bound on the open files of a process into the number of client connections it has room for."""

import resource

EACH = 2  # of a connection: its socket, and the spool file of a large message
SPARE = 256  # for all else: next hops, spamd, DNS, the log, certificates, listening sockets


def raise_limit() -> int:
    """Let this process, and those it starts, open as many files as the system lets it; gives their number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # above what the kernel allows (fs.nr_open), or forbidden: it stays as it is
        return soft
    return hard


def limit() -> int:
    """How many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def highest() -> int:
    """What this process may raise its limit to."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def connections_within(descriptors: int) -> int:
    """Of clients, at least one."""
    return max((descriptors - SPARE) // EACH, 1)


def needed_for(connections: int) -> int:
    """Descriptors for so many clients."""
    return connections * EACH + SPARE
