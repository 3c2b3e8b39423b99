"""One of several processes that wait at a listening socket: `python -m tests.support.listener LOOP FD REPORT`.

Writes its pid into the pipe REPORT when it waits, and for each connection that it accepts. With --leave behind these it
waits no more when it is woken.
"""

import asyncio
import os
import socket
import sys

from gateway.system.rota import Rota
from tests.support.loops import FACTORIES


class Listener:
    def __init__(self, sock: socket.socket, report: int, *, leaves: bool) -> None:
        self._socket = sock
        self._report = report
        self._leaves = leaves
        self._rota = Rota(sock, self._accept)
        self._rota.begin()

    def _accept(self) -> None:
        if self._leaves:
            return self._rota.end()
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return None
        self.tell()
        return self._rota.accepted()

    def tell(self) -> None:
        os.write(self._report, b"%d\n" % os.getpid())


async def _listen(sock: socket.socket, report: int, *, leaves: bool) -> None:
    listener = Listener(sock, report, leaves=leaves)
    await asyncio.sleep(0.01)  # some turns of the loop, in which it takes its place
    listener.tell()
    await asyncio.Event().wait()


if __name__ == "__main__":
    name, fd, report, *leave = sys.argv[1:]
    with asyncio.Runner(loop_factory=FACTORIES[name]) as runner:
        runner.run(_listen(socket.socket(fileno=int(fd)), int(report), leaves=bool(leave)))
