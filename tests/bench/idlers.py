"""Idle clients, in a process of their own: python -m tests.bench.idlers PORT COUNT plain|TLS

Each comes from an address of its own, says EHLO and nothing more. Prints how many were let in, and stays until its
standard input ends.
"""

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.system import descriptors
from tests.support.crowd import stranger
from tests.support.wire import any_certificate

PATIENCE = 60.0  # seconds
PLAIN, TLS = "plain", "TLS"


@dataclass(frozen=True, slots=True)
class Crowd:
    wanted: int
    let_in: int


@contextlib.contextmanager
def crowd_of(port: int, count: int, way: str) -> Iterator[Crowd]:
    command = [sys.executable, "-m", "tests.bench.idlers", str(port), str(count), way]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield Crowd(count, int(process.stdout.readline()))
    finally:
        process.communicate()


def _come(port: int, source: str, context: ssl.SSLContext | None) -> socket.socket | None:
    """A client that was let in."""
    client = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
    if not client.recv(512).startswith(b"220"):
        return None
    if context:
        for command in (b"EHLO idle.example\r\n", b"STARTTLS\r\n"):
            client.sendall(command)
            client.recv(2048)
        client = context.wrap_socket(client)
    client.sendall(b"EHLO idle.example\r\n")
    return client if client.recv(2048).startswith(b"250") else None


def main() -> None:
    port, count, way = sys.argv[1:]
    descriptors.raise_limit()
    context = any_certificate() if way == TLS else None
    came = [_come(int(port), stranger(number), context) for number in range(int(count))]
    print(sum(client is not None for client in came), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
