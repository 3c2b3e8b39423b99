"""A trivial service under the real supervisor: each connection is told the worker's process id, and then echoes lines.

    python -m tests.support.banner DIRECTORY [--listen HOST:PORT] [--workers N] ...

DIRECTORY/broken, a file, stands for a configuration with an error; DIRECTORY/failing for one that workers cannot start
with. The line "block" stands its worker's loop still; "work SECONDS" is work that a drain waits for.
"""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.supervisor import Plan, SupervisorSettings, supervise
from gateway.system.listening import Listener, Opening
from gateway.system.log import LogSettings, start_logging
from gateway.system.metrics import Metrics
from gateway.worker import add_arguments, inheritance, run_worker

TURNS = 20  # of the loop, more than lie between accept() and the first step of a session: one accepted last is served


class Banner:
    """A gateway.worker.Service."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._metrics = Metrics()

    async def serve(self, listeners: Sequence[Listener]) -> None:
        self._servers = [await asyncio.start_server(self._session, sock=listener.socket) for listener in listeners]

    async def drain(self, seconds: float) -> None:
        for server in self._servers:
            server.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if self._sessions and seconds:
            await asyncio.wait(self._sessions, timeout=seconds)
        for session in self._sessions.keys() - self._working:
            self._sessions[session].transport.abort()
        while self._sessions:
            await asyncio.wait(self._sessions)

    async def close(self) -> None:
        print(f"closed {os.getpid()}", file=sys.stderr)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._sessions[task] = writer
        self._metrics.connection_opened()
        try:
            writer.write(b"%d\n" % os.getpid())
            while line := await reader.readline():
                await self._obey(line.decode().split(), task)
                writer.write(line)
        finally:
            del self._sessions[task]
            self._metrics.connection_closed()
            writer.close()

    async def _obey(self, words: list[str], task: "asyncio.Task[None]") -> None:
        match words:
            case ["block"]:
                time.sleep(3600)
            case ["work", seconds]:
                self._working.add(task)
                await asyncio.sleep(float(seconds))
                self._working.discard(task)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--sockets", default="")
    known, rest = parser.parse_known_args()
    logging.captureWarnings(capture=True)
    start_logging(LogSettings(), on_drop=lambda _: None)
    settings = SupervisorSettings.model_validate_json(known.settings)
    if known.worker:
        return _work(known.directory, settings, ["--sockets", known.sockets, *rest])
    command = (sys.executable, "-m", "tests.support.banner", *sys.argv[1:], "--worker")
    return supervise(
        Plan(
            settings=settings,
            listen=((known.listen, Opening.BANNER),),
            command=command,
            check=lambda: ["banner.toml:1:1: broken"] if (known.directory / "broken").exists() else [],
            runtime_directory=known.directory,
        )
    )


def _work(directory: Path, settings: SupervisorSettings, rest: list[str]) -> int:
    if (directory / "failing").exists():
        return 2
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    async def build() -> Banner:
        return Banner()

    return run_worker(build, settings, inheritance(parser.parse_args(rest)))


if __name__ == "__main__":
    sys.exit(main())
