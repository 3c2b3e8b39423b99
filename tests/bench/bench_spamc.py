"""What one message's scoring costs the gateway.

The spamd is a fake in a process of its own, which answers at once; so what is measured is the client, the check around
it, and one end of a loopback connection.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection

import uvloop
from msgspec.structs import replace

from gateway.checks.base import Subject
from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.checks.spamresult import SpamStatus
from gateway.message import Stamped
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alternate, awaiting
from tests.support.fakespamd import FakeSpamd, replying, scored
from tests.support.mailbytes import subject_of

SIZES = {"4 KB": 4_000, "100 KB": 100_000, "400 KB": 400_000}


def measure(effort: Effort) -> Iterator[Measured]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    settings = SpamdSettings.model_validate({"hosts": [{"address": ours.recv()}]})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        check = SpamdCheck(settings)
        tasks = {
            name: Task(awaiting(runner, partial(_score, check, _subject(size))), 500) for name, size in SIZES.items()
        }
        times = alternate(effort, **tasks)
    server.terminate()
    server.join()
    for name, values in times.items():
        yield Measured(name=f"scoring, {name}, without spamd's part", unit="ms", values=values)


async def _score(check: SpamdCheck, subject: Subject) -> None:
    assert (await check(subject)).status is SpamStatus.SCORED


def _subject(size: int) -> Subject:
    header = b"From: ann@example.org\r\nSubject: A letter\r\n"
    subject = subject_of(header + b"\r\n" + b"A line of a letter, as long as lines are.\r\n" * (size // 43))
    assert subject.message
    return replace(subject, copy=Stamped(header=header, message=subject.message))


def _serve(pipe: Connection) -> None:
    async def serve() -> None:
        async with FakeSpamd(replying(scored())) as spamd:
            pipe.send(spamd.address)
            await asyncio.Event().wait()

    uvloop.run(serve())
