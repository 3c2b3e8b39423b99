"""The lifeline: a socket pair between the supervisor and one worker, over which the worker's loop says that it lives.

The worker writes one octet a word. Either end learns from the end of the stream that the other process is gone, however
it went.
"""

import asyncio
import socket
from collections.abc import Callable
from enum import Enum

READ_SIZE = 4096  # octets; what a worker has said since it was last listened to


class Word(bytes, Enum):
    """What a worker may say."""

    READY = b"r"  # it has been built and listens
    BEAT = b"."  # its event loop still turns


class WorkerEnd:
    """The worker's end. It never blocks: a supervisor that does not listen must not hold up mail."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock

    def say(self, word: Word) -> None:
        try:
            self._sock.send(word.value)
        except OSError:
            return  # full: enough beats wait there; broken: the loop will see the end of the stream

    async def beat(self, interval: float) -> None:
        """Say that the loop turns, every `interval` seconds, for ever."""
        while True:
            self.say(Word.BEAT)
            await asyncio.sleep(interval)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call `call` once when the supervisor is gone. The running loop watches the lifeline until then."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            if self._is_over():
                loop.remove_reader(self._sock)
                call()

        loop.add_reader(self._sock, readable)

    def _is_over(self) -> bool:
        try:
            return self._sock.recv(READ_SIZE) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


class SupervisorEnd:
    """The supervisor's end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock

    async def hear(self) -> bytes:
        """The next words, at least one; b"" once the worker is gone."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._sock, READ_SIZE)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._sock.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: the supervisor's and the worker's."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
