"""A counting server to stand behind the gateway, in a process of its own: it takes every message and notes which.

    with counting_sink(tmp_path) as sink:
        ...                       # bring messages of tests.support.load to a gateway whose route is sink.endpoint
        sink.kill()               # as `kill -9` does; sink.start() lets it listen on the same port again
        sink.taken()              # how often each message was taken

A message is noted at its final dot, before the 250 is said: the server has what is in the journal, whoever was killed.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from tests.support.letters import read_letter
from tests.support.spamd import free_port

PATIENCE = 20.0  # seconds to start

_OFFERS = b"250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE\r\n250 SMTPUTF8\r\n"
_END = b"\r\n.\r\n"


class _Session(asyncio.Protocol):
    """`pause` seconds pass between the note and the 250."""

    def __init__(self, journal: int, pause: float) -> None:
        self._journal = journal
        self._pause = pause
        self._buffer = bytearray()
        self._is_data = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.example.org ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        searched = max(len(self._buffer) - len(_END), 0)
        self._buffer += data
        while self._take_message(searched) if self._is_data else self._take_command():
            searched = 0

    def _take_command(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        verb = bytes(line[:4]).upper()
        if verb == b"DATA":
            self._is_data = True
            self._transport.write(b"354 Go on\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 2.0.0 Bye\r\n")
            self._transport.close()
        else:
            self._transport.write(_OFFERS if verb == b"EHLO" else b"250 2.0.0 Ok\r\n")
        return True

    def _take_message(self, searched: int) -> bool:
        end = self._buffer.find(_END, searched)
        if end < 0:
            return False
        octets = bytes(self._buffer[: end + 2]).replace(b"\r\n.", b"\r\n")
        del self._buffer[: end + len(_END)]
        self._is_data = False
        os.write(self._journal, b"%s\n" % read_letter(octets))
        self._loop.call_later(self._pause, self._confirm)
        return True

    def _confirm(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"250 2.0.0 Ok: queued as 1\r\n")


async def _serve(port: int, journal: Path, pause: float) -> None:
    fd = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Session(fd, pause), "127.0.0.1", port)
    await asyncio.Event().wait()


@dataclass
class Sink:
    """A sink that is running, or was killed."""

    port: int
    journal: Path
    pause: float
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def endpoint(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.support.sink", str(self.port), str(self.journal), str(self.pause)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            assert time.monotonic() < deadline, "the sink did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def taken(self) -> Counter[str]:
        """How often each message was taken, by its name. A message that was not whole has another name."""
        return Counter(self.journal.read_text().split("\n")[:-1]) if self.journal.exists() else Counter()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@contextlib.contextmanager
def counting_sink(directory: Path, *, pause: float = 0.0) -> Iterator[Sink]:
    """Run a sink until the end of the block."""
    sink = Sink(free_port(), directory / "journal", pause)
    sink.start()
    try:
        yield sink
    finally:
        sink.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("journal", type=Path)
    parser.add_argument("pause", type=float)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(arguments.port, arguments.journal, arguments.pause))


if __name__ == "__main__":
    main()
