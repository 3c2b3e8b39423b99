"""The supervisor: the parent process. Owns the listening sockets and turns signals into the life of its workers.

SIGHUP renews the workers one by one while the port stays open; SIGTERM and SIGINT drain them; one that ends by itself
or stands still is replaced. It touches no mail, so that nothing in a message can bring it down.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from socket import socket

from msgspec import Struct
from pydantic import Field

from gateway.journal.keeper import Keeper
from gateway.settings import Section
from gateway.system import listening, systemd
from gateway.system.board import Board
from gateway.system.crew import MOST, Crew, log
from gateway.system.hostcounts import SHOWN
from gateway.system.listening import Listener, Opening
from gateway.system.metrics import HostMetrics
from gateway.system.servicefile import ServiceFile
from gateway.system.statuspage import PROMETHEUS, Page, serve_pages
from gateway.system.workerprocess import Cause, Ending, Estate, Limits, WorkerProcess, start_worker

FEEDS = 3  # times that the watchdog is fed within the interval at which systemd would act


class SupervisorSettings(Section):
    """The table [workers]: the processes of one host. Its changes need a restart; a reload does not see them."""

    workers: int = Field(default=0, ge=0, le=1024)
    """Number of worker processes; 0 means one for each core that the service may use."""

    event_loop: str = Field(default="uvloop", pattern="^(uvloop|asyncio)$")
    """"uvloop", or "asyncio" for the slower loop of the standard library (used as well where uvloop is missing)."""

    start_seconds: float = Field(default=30, gt=0)
    """Seconds in which a worker must be ready."""

    heartbeat_seconds: float = Field(default=1, gt=0)
    """Seconds between two signs of life of a worker's event loop."""

    silence_seconds: float = Field(default=20, gt=0)
    """Seconds without a sign of life after which a worker is killed and replaced."""

    drain_seconds: float = Field(default=30, ge=0)
    """Seconds that transactions get to finish when a worker is told to end; those before their final dot then get
    421."""

    finish_seconds: float = Field(default=750, ge=0)
    """Seconds that work past the sender's final dot gets beyond drain_seconds, before the worker is killed: the
    transfer_timeout and the final_timeout of a route. systemd's TimeoutStopSec must be above the sum."""

    status_listen: str = "127.0.0.1:9125"
    """HOST:PORT at which /metrics and /healthz are answered over HTTP, without any authentication; "" for none."""

    @property
    def number(self) -> int:
        """Of workers."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def limits(self) -> Limits:
        return Limits(self.start_seconds, self.silence_seconds, self.drain_seconds + self.finish_seconds)


class Plan(Struct, frozen=True):
    """What the supervisor is to run."""

    settings: SupervisorSettings
    listen: tuple[tuple[str, Opening], ...]  # each a "HOST:PORT"; not looked at where systemd has passed sockets
    command: tuple[str, ...]  # starts a worker; what it inherits is added to it
    check: Callable[[], Sequence[str]]  # what is wrong with the configuration as it is now on the disk
    runtime_directory: Path  # for the numbers of the workers; this service alone writes there
    counted: int = 4096  # things that the workers may have to count at once, such as the addresses of clients
    service_file: Path | None = None  # by which commands of this host find the service and the end of its reloads
    journal: tuple[str, ...] = ()  # starts the process of the journal; empty where there is none


class Sockets(Struct, frozen=True):
    """What the supervisor listens with: the mail sockets, for the workers, and its own for the status page."""

    mail: tuple[Listener, ...]
    status: tuple[socket, ...]

    def names(self) -> dict[str, list[str]]:
        """Where they listen, for the log."""
        mail = {opening: [entry.socket for entry in self.mail if entry.opening is opening] for opening in Opening}
        sockets = {"listen": mail[Opening.BANNER], "status": self.status, "listen_tls": mail[Opening.TLS]}
        return {name: [listening.name(sock) for sock in found] for name, found in sockets.items() if found}


def supervise(plan: Plan) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status: 0 after a drain, 1 if it could not start."""
    metrics = HostMetrics(plan.runtime_directory / "metrics")
    try:
        sockets = _open_sockets(plan)
        metrics.clear()
        board = Board.make(regions=MOST * plan.settings.number, keys=plan.counted)
    except (OSError, ValueError) as error:
        log.critical("cannot start: %s", error)
        return 1
    return asyncio.run(Supervisor(plan, sockets, metrics, board).run())


class Supervisor:
    """The parent process at work."""

    def __init__(self, plan: Plan, sockets: Sockets, metrics: HostMetrics, board: Board) -> None:
        self._plan = plan
        self._sockets = sockets
        self._metrics = metrics
        self._board = board
        self._notifier = systemd.Notifier(os.environ.get("NOTIFY_SOCKET", ""))
        self._environment = _worker_environment(os.environ, metrics)
        self._journal = Keeper(plan.journal, self._environment, on_end=self._journal_ended) if plan.journal else None
        self._service = _service_file(plan.service_file) if plan.service_file else None
        self._stops = 0  # how often we were told to stop
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> int:
        async with asyncio.TaskGroup() as tasks:
            if self._journal:
                tasks.create_task(self._journal.keep())
            self._crew = self._gather_crew(tasks)
            self._listen_to_signals()
            pages = [await serve_pages(sock, self._page_table()) for sock in self._sockets.status]
            started = await self._start()
            reloading = tasks.create_task(self._reload_when_told())
            feeding = tasks.create_task(self._feed_watchdog())
            if started:
                await self._stop.wait()
            reloading.cancel()
            await self._drain()
            if self._journal:
                await self._journal.end()
            log.info("stopped")
            feeding.cancel()
            for page in pages:
                page.close()
        return 0 if started or self._stops else 1

    def _gather_crew(self, tasks: asyncio.TaskGroup) -> Crew:
        plan, environment = self._plan, self._environment
        feed = self._journal.feed if self._journal else None

        async def spawn(slot: int) -> WorkerProcess:
            estate = Estate(self._sockets.mail, self._board, self._board.hand_out(), feed)
            try:
                return await start_worker(slot, plan.command, estate, environment, plan.settings.limits)
            except BaseException:
                self._board.take_back(estate.region)
                raise

        return Crew(plan.settings.number, spawn=spawn, on_end=self._worker_ended, tasks=tasks)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        """The first time drains the workers, the second hurries them, the third kills them."""
        self._stops += 1
        self._stop.set()
        if self._stops == 1:
            return self._notifier.stopping("Told to stop")
        log.warning("told to stop once more: %s", "hurrying the workers" if self._stops == 2 else "killing the workers")
        return self._crew.hurry() if self._stops == 2 else self._crew.kill()

    async def _start(self) -> bool:
        """Start the workers; one that fails now is an error of the configuration, so nothing is tried again."""
        starting = asyncio.ensure_future(self._crew.start())
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        started = starting.done() and starting.result()
        starting.cancel()
        if started:
            log.info("ready", extra={"values": self._sockets.names()})
            self._notifier.ready(self._status())
        elif not self._stops:
            log.critical("a worker did not start, so nothing is served")
        return started

    async def _reload_when_told(self) -> None:
        """Serve one SIGHUP after the other; those that come during a reload make one more."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._notifier.reloading("Reloading")
            if self._service:
                self._service.begin()
            outcome = await self._reloaded()
            if self._service:
                self._service.end(outcome)
            log.info("reload", extra={"values": {"outcome": outcome}})
            self._metrics.reloaded(outcome)
            self._notifier.ready(self._status())

    async def _reloaded(self) -> str:
        try:
            problems = self._plan.check()
        except Exception:  # noqa: BLE001  whatever it is, the old workers go on
            log.exception("the configuration could not be checked")
            return "refused"
        for problem in problems:
            log.error("configuration: %s", problem)
        if problems:
            return "refused"
        if self._journal:
            self._journal.renew()  # before the workers, so that it knows the facts that theirs are of
        return await self._crew.renew()

    async def _drain(self) -> None:
        self._notifier.stopping("Draining")
        for listener in self._sockets.mail:
            listener.socket.close()
        await self._crew.drain(lambda left: self._notifier.status(f"Draining, workers left: {left}"))

    async def _feed_watchdog(self) -> None:
        interval = systemd.watchdog_interval(os.environ, os.getpid())
        while interval:
            if self._crew.beats():
                self._notifier.watchdog()
            await asyncio.sleep(interval / FEEDS)

    def _worker_ended(self, worker: WorkerProcess, ending: Ending) -> None:
        level = logging.INFO if ending.cause is Cause.DRAINED else logging.ERROR
        values = {"worker": worker.pid, "cause": ending.cause.value, "status": ending.status}
        log.log(level, "worker ended", extra={"values": values})
        self._board.take_back(worker.region)
        self._notifier.status(self._status())
        try:
            self._metrics.worker_ended(worker.pid, ending.cause)
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("the numbers of worker %d are lost: %s", worker.pid, error)

    def _journal_ended(self, pid: int, how: str) -> None:
        try:
            self._metrics.journal_ended(pid, how)
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("the numbers of the journal's process %d are lost: %s", pid, error)

    def _status(self) -> str:
        return "Workers: " + ", ".join(f"{number} {state}" for state, number in self._crew.states().items() if number)

    def _page_table(self) -> Mapping[str, Callable[[], Page]]:
        return {"/metrics": self._metrics_page, "/healthz": self._health_page}

    def _metrics_page(self) -> Page:
        self._metrics.workers(self._crew.states())
        self._metrics.in_use({name: self._board.total(self._board.key(name)) for name in SHOWN})
        return Page(self._metrics.page(), PROMETHEUS)

    def _health_page(self) -> Page:
        healthy = self._crew.is_complete() and not self._stops
        status = "200 OK" if healthy else "503 Service Unavailable"
        return Page(f"{self._status()}\n".encode(), status=status)


def _service_file(path: Path) -> ServiceFile | None:
    """What else it is good for does not keep the service from running."""
    try:
        return ServiceFile(path)
    except OSError as error:
        log.warning("%s: `mailward rules reload` will not find this service: %s", path, error.strerror)
        return None


def _open_sockets(plan: Plan) -> Sockets:
    """Raises OSError, ValueError."""
    mail = tuple(listening.open_listeners(plan.listen, os.environ))
    where = plan.settings.status_listen
    return Sockets(mail=mail, status=(listening.bind(where),) if where else ())


def _worker_environment(environ: Mapping[str, str], metrics: HostMetrics) -> dict[str, str]:
    """Ours, without what systemd has told the supervisor alone."""
    ours = (*systemd.LISTEN_VARIABLES, *systemd.NOTIFY_VARIABLES)
    return {name: value for name, value in environ.items() if name not in ours} | metrics.environment()
