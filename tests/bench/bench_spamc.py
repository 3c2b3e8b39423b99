"""Milliseconds of CPU that one message's scoring costs the gateway: .venv/bin/python -m tests.bench.bench_spamc

The spamd is a fake in a process of its own, which answers at once; so what is measured is the client, the check around
it, and one end of a loopback connection.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from gateway.checks.base import Subject
from gateway.checks.spamd import SpamdCheck, SpamdSettings, SpamStatus
from gateway.message import Stamped
from tests.support.fakespamd import FakeSpamd, replying, scored
from tests.support.mailbytes import subject_of

SIZES = {"4 KB": 4_000, "100 KB": 100_000, "400 KB": 400_000}
REPEATS = 500
ROUNDS = 5
RUNNERS = {"asyncio": asyncio.run, "uvloop": uvloop.run}


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    settings = SpamdSettings.model_validate({"hosts": [{"address": ours.recv()}]})
    print(f"{'message':>8}" + "".join(f"{name:>10}" for name in RUNNERS))
    for name, size in SIZES.items():
        print(f"{name:>8}" + "".join(f"{_best(run, settings, size):10.3f}" for run in RUNNERS.values()))
    server.terminate()
    server.join()


def _best(run: Callable[[Coroutine[Any, Any, float]], float], settings: SpamdSettings, size: int) -> float:
    return min(run(_milliseconds(settings, size)) for _ in range(ROUNDS))


async def _milliseconds(settings: SpamdSettings, size: int) -> float:
    check, subject = SpamdCheck(settings), _subject(size)
    started = time.process_time()
    for _ in range(REPEATS):
        assert (await check(subject)).status is SpamStatus.SCORED
    return (time.process_time() - started) / REPEATS * 1e3


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


if __name__ == "__main__":
    main()
