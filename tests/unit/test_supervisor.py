"""The crew and its workers without processes: what the supervisor decides, and when."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.supervisor import Plan, SupervisorSettings, supervise
from gateway.system.crew import LONGEST_BACKOFF, Crew, Renewal, backoff
from gateway.system.lifeline import SupervisorEnd, Word, WorkerEnd, pair
from gateway.system.listening import Opening, bind, open_listeners
from gateway.system.statuspage import Page, serve_pages
from gateway.system.workerprocess import Cause, Ending, Limits, State, WorkerProcess


class ScriptedProcess:
    """A process (asyncio.subprocess.Process) that is one end of a lifeline and does what the test says."""

    def __init__(self, pid: int, lifeline: socket.socket) -> None:
        self.pid = pid
        self.signals: list[int] = []
        self._lifeline = WorkerEnd(lifeline)
        self._socket = lifeline
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def says(self, word: Word) -> None:
        self._lifeline.say(word)

    def ends(self, status: int) -> None:
        if not self._status.done():
            self._status.set_result(status)
            self._socket.close()

    def send_signal(self, number: int) -> None:
        self.signals.append(int(number))

    def kill(self) -> None:
        self.ends(-9)

    async def wait(self) -> int:
        return await asyncio.shield(self._status)


PATIENT = Limits(start=5, silence=5, drain=5)


def scripted(pid: int = 1, limits: Limits = PATIENT) -> tuple[ScriptedProcess, WorkerProcess]:
    ours, theirs = pair()
    process = ScriptedProcess(pid, theirs)
    return process, WorkerProcess(0, process, SupervisorEnd(ours), limits)  # type: ignore[arg-type]


async def test_worker_is_ready_when_it_says_so() -> None:
    process, worker = scripted()
    watching = asyncio.create_task(worker.watch())
    process.says(Word.BEAT)
    process.says(Word.READY)
    assert await worker.is_ready()
    assert worker.beats()
    process.ends(3)
    assert await watching == Ending(Cause.FAILED, 3)
    assert worker.state is State.GONE


async def test_worker_that_ends_before_it_is_ready_never_is() -> None:
    process, worker = scripted()
    watching = asyncio.create_task(worker.watch())
    process.ends(2)
    assert not await worker.is_ready()
    await watching


@pytest.mark.parametrize(
    ("limits", "words", "drains", "cause"),
    [
        (Limits(start=0.05, silence=5, drain=5), [Word.BEAT], False, Cause.SLOW_START),
        (Limits(start=5, silence=0.05, drain=5), [Word.READY], False, Cause.SILENT),
        (Limits(start=5, silence=5, drain=0.05), [Word.READY], True, Cause.OVERDUE),
        (Limits(start=5, silence=0.05, drain=5), [Word.READY], True, Cause.SILENT),
    ],
)
async def test_worker_is_killed_at_the_deadline_of_its_state(
    limits: Limits, words: list[Word], drains: bool, cause: Cause
) -> None:
    process, worker = scripted(limits=limits)
    for word in words:
        process.says(word)
    watching = asyncio.create_task(worker.watch())
    if drains:
        await worker.is_ready()
        worker.drain()
        process.says(Word.BEAT)
    assert await watching == Ending(cause, -9)


async def test_worker_that_was_told_to_end_has_drained() -> None:
    process, worker = scripted()
    watching = asyncio.create_task(worker.watch())
    worker.drain()
    worker.drain()
    assert process.signals == [15, 15]
    process.ends(0)
    assert await watching == Ending(Cause.DRAINED, 0)


class Stage:
    """A crew of two whose processes the test holds in its hands."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.processes: list[ScriptedProcess] = []
        self.endings: list[Cause] = []
        self.spawning_fails = False
        self.starts_ready = True
        self.crew = Crew(2, spawn=self._spawn, on_end=lambda _, ending: self.endings.append(ending.cause), tasks=tasks)

    async def _spawn(self, slot: int) -> WorkerProcess:
        if self.spawning_fails:
            raise OSError("no more processes")
        ours, theirs = pair()
        process = ScriptedProcess(len(self.processes), theirs)
        self.processes.append(process)
        if self.starts_ready:
            process.says(Word.READY)
        else:
            process.ends(1)
        return WorkerProcess(slot, process, SupervisorEnd(ours), PATIENT)  # type: ignore[arg-type]

    def told_to_end(self) -> list[int]:
        return [process.pid for process in self.processes if process.signals]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        stage = Stage(tasks)
        yield stage
        stage.crew.kill()


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_crew_is_complete_once_all_are_ready(stage: Stage) -> None:
    assert await stage.crew.start()
    assert stage.crew.is_complete()
    assert stage.crew.states() == {"starting": 0, "ready": 2, "draining": 0}


async def test_renewal_replaces_one_after_the_other(stage: Stage) -> None:
    await stage.crew.start()
    assert await stage.crew.renew() is Renewal.DONE
    assert stage.told_to_end() == [0, 1]
    assert stage.crew.is_complete()


async def test_renewal_stops_at_the_first_successor_that_fails(stage: Stage) -> None:
    await stage.crew.start()
    stage.starts_ready = False
    assert await stage.crew.renew() is Renewal.FAILED
    assert stage.told_to_end() == []
    assert len(stage.processes) == 3
    assert stage.crew.is_complete()


async def test_worker_that_ended_is_replaced_though_the_first_attempt_fails(stage: Stage) -> None:
    await stage.crew.start()
    stage.spawning_fails = True
    stage.processes[0].ends(-11)
    await settled(lambda: stage.endings == [Cause.KILLED])
    assert not stage.crew.is_complete()
    stage.spawning_fails = False
    await settled(stage.crew.is_complete)


async def test_drained_crew_stays_empty(stage: Stage) -> None:
    await stage.crew.start()
    left: list[int] = []
    draining = asyncio.create_task(stage.crew.drain(left.append))
    await settled(lambda: stage.told_to_end() == [0, 1])
    for process in stage.processes:
        process.ends(0)
        await asyncio.sleep(0)
    await draining
    assert left[0] == 2
    assert len(stage.processes) == 2
    assert not await stage.crew.start()


def test_pause_grows_with_ends_in_a_row_and_has_a_bound() -> None:
    pauses = [backoff(ends) for ends in range(1000)]
    assert pauses == sorted(pauses)
    assert pauses[1] < 1
    assert pauses[-1] == LONGEST_BACKOFF


def test_port_that_is_taken_is_named_and_nothing_stays_open() -> None:
    with bind("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            open_listeners([(address, Opening.BANNER) for address in ("127.0.0.1:0", f"127.0.0.1:{port}")], {})


def test_supervisor_that_cannot_listen_ends_with_one(tmp_path: Path) -> None:
    with bind("127.0.0.1:0") as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = SupervisorSettings(status_listen="")
        listen = ((address, Opening.BANNER),)
        plan = Plan(settings=settings, listen=listen, command=("false",), check=list, runtime_directory=tmp_path)
        assert supervise(plan) == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /here HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"),
        (b"GET /here?query HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /there HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /broken HTTP/1.1\r\n\r\n", b"500 Internal Server Error"),
        (b"POST /here HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"\xff\xfe\r\n\r\n", b"400 Bad Request"),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"400 Bad Request"),
    ],
)
async def test_status_page_answers_requests_of_every_kind(request_: bytes, status: bytes) -> None:
    sock = bind("127.0.0.1:0")
    server = await serve_pages(sock, {"/here": lambda: Page(b"text\n"), "/broken": lambda: Page(b"%d" % (1 // 0))})
    async with server:
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(request_)
        try:
            answer = await reader.read()
        except ConnectionResetError:  # what was not read of a request that is too long
            answer = b"HTTP/1.1 " + status
        assert answer.startswith(b"HTTP/1.1 " + status)
        writer.close()


def test_lifeline_without_a_reader_does_not_block() -> None:
    ours, theirs = pair()
    worker = WorkerEnd(theirs)
    for _ in range(100_000):
        worker.say(Word.BEAT)
    ours.close()
    worker.say(Word.BEAT)
    theirs.close()


async def test_worker_learns_that_its_supervisor_is_gone() -> None:
    ours, theirs = pair()
    over = asyncio.Event()
    WorkerEnd(theirs).on_end(over.set)
    os.close(ours.detach())
    await asyncio.wait_for(over.wait(), 5)
    theirs.close()
