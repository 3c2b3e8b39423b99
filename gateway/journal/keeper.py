"""The keeper: the supervisor's part of the journal. Starts its process, and again where it ends by itself; holds both
ends of the feed, so that workers never notice."""

import asyncio
import logging
import signal
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence

from gateway.journal.feed import pair
from gateway.system.crew import GROWN_UP, backoff

END_SECONDS = 5.0  # for the process to write what is left, and once more after it was told to hurry

log = logging.getLogger("mailward.supervisor")


class Keeper:
    """Keeps one process of the journal alive."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        on_end: Callable[[int, str], None],
        end_seconds: float = END_SECONDS,
    ) -> None:
        """`command` gets the number of the feed. `on_end` is told of each process that has ended, and how: "ended",
        "failed" or "killed"."""
        self.feed, self._taking = pair()
        self._command = command
        self._environment = environment
        self._on_end = on_end
        self._end_seconds = end_seconds
        self._process: Process | None = None
        self._young_ends = 0
        self._is_renewing = False
        self._over = asyncio.Event()
        self._gone = asyncio.Event()

    async def keep(self) -> None:
        """Until `end` is called and the process has ended."""
        while True:
            started = time.monotonic()
            await self._live()
            if self._over.is_set():
                break
            if self._is_renewing:
                self._is_renewing = False
                continue
            self._young_ends = 0 if time.monotonic() - started > GROWN_UP else self._young_ends + 1
            await _happens(self._over, backoff(self._young_ends))
        self._gone.set()
        self._taking.close()

    def renew(self) -> None:
        """Have another process go on, with the configuration as it is now. What is on the way waits for it."""
        if self._process and not self._is_renewing:
            self._is_renewing = True
            self._send(signal.SIGTERM)

    async def end(self) -> None:
        """Let it write what the workers have left, since they are gone, and end. Returns when it has."""
        self._over.set()
        self.feed.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if await _happens(self._gone, self._end_seconds):
                return
            self._send(number)
        await self._gone.wait()

    async def _live(self) -> None:
        """One process, from its start to its end."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                str(self._taking.fileno()),
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                pass_fds=(self._taking.fileno(),),
                process_group=0,
            )
        except OSError as error:
            log.error("cannot start the journal: %s", error)
            return
        self._process = process
        status = await process.wait()
        self._process = None
        how = self._how(status)
        level = logging.INFO if how == "ended" else logging.ERROR
        values = {"process": process.pid, "how": how, "status": status}
        log.log(level, "journal ended", extra={"values": values})
        self._on_end(process.pid, how)

    def _how(self, status: int) -> str:
        """SIGTERM ends a process that is told to end before it listens to signals."""
        if status == 0 or (status == -signal.SIGTERM and (self._is_renewing or self._over.is_set())):
            return "ended"
        return "killed" if status < 0 else "failed"

    def _send(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
