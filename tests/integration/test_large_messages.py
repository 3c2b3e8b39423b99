"""A message of 50 MiB through the whole gateway: what it costs in memory is a buffer, not the message."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, dns_process, running_gateway

SPOOL_MEMORY = 256 * 1024  # [limits] spool_memory
BEYOND = 2 * 1024 * 1024
LINE = b"x" * 74 + b"\r\n"
HEADER = b"From: a@sender.example\r\nSubject: large\r\n\r\n"
CHUNK = LINE * 10_000


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    with dns_process(tmp_path / "dns", 'sender.example. 60 IN TXT "v=spf1 -all"\n') as dns:
        more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
        with running_gateway(tmp_path / "gateway", dns=dns, more=more) as running:
            yield running


def worker_of(gateway: RunningGateway) -> Path:
    """The worker's directory in /proc."""
    pid = gateway.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return Path("/proc") / worker


def resident(process: Path, key: str) -> int:
    """VmRSS, octets in memory now, or VmHWM, the most there were."""
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


class Client:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=("127.0.0.9", 0))
        self._file = self._socket.makefile("rb")
        self.replies(1)
        self.say(b"EHLO client.example\r\n", 1)
        self.say(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<alice@example.org>\r\n", 2)

    def say(self, octets: bytes, count: int) -> bytes:
        self._socket.sendall(octets)
        return self.replies(count)

    def replies(self, count: int) -> bytes:
        line = b""
        while count:
            line = self._file.readline()
            count -= line[3:4] == b" "
        return line

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def by_data(client: Client, chunks: int) -> bytes:
    client.say(b"DATA\r\n", 1)
    client.say(HEADER, 0)
    for _ in range(chunks):
        client.say(CHUNK, 0)
    return client.say(b".\r\n", 1)


def by_bdat(client: Client, chunks: int) -> bytes:
    client.say(b"BDAT %d\r\n%s" % (len(HEADER), HEADER), 1)
    for _ in range(chunks):
        client.say(b"BDAT %d\r\n%s" % (len(CHUNK), CHUNK), 1)
    return client.say(b"BDAT 0 LAST\r\n", 1)


def by_bdat_at_once(client: Client, chunks: int) -> bytes:
    client.say(b"BDAT %d LAST\r\n%s" % (len(HEADER) + chunks * len(CHUNK), HEADER), 0)
    for _ in range(chunks):
        client.say(CHUNK, 0)
    return client.replies(1)


@pytest.mark.parametrize("send", [by_data, by_bdat, by_bdat_at_once])
def test_large_message_needs_little_memory(
    gateway: RunningGateway, tmp_path: Path, send: Callable[[Client, int], bytes]
) -> None:
    def bring(chunks: int) -> None:
        client = Client(gateway.port)
        assert send(client, chunks).startswith(b"250 2.0.0 Stored"), chunks
        client.close()

    for _ in range(5):
        bring(0)  # everything there is has been used once
    worker = worker_of(gateway)
    (worker / "clear_refs").write_text("5")  # the most is now what there is
    before = resident(worker, "VmRSS")
    bring(68)
    assert resident(worker, "VmHWM") - before < SPOOL_MEMORY + BEYOND
    stored = max((tmp_path / "mail").rglob("new/*"), key=lambda path: path.stat().st_size)
    octets = stored.read_bytes()
    assert len(octets) > 49 << 20
    assert octets.endswith(HEADER + CHUNK * 68)
