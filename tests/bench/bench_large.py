"""Large letters: what they cost, and how long another session waits for an answer while letters of 10 MB come."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.measured import Measured, at_most
from tests.bench.ours import gateway_before
from tests.bench.series import System, side_by_side
from tests.bench.stand import Stand, standing
from tests.bench.timing import Effort
from tests.bench.traffic import Shape, bring
from tests.support.gateway import RunningGateway

SECONDS = 3.0
PAUSE = 0.002  # seconds between two questions
ALONE, BESIDE = "alone", "beside letters of 10 MB"


def measure(effort: Effort) -> Iterator[Measured]:
    waits: dict[str, list[float]] = {ALONE: [], BESIDE: []}
    with standing() as stand, gateway_before(stand.sink, stand.root / "gateway", dns=stand.dns, workers=1) as gateway:
        system = System("ours", gateway.port, (gateway.process.pid,))
        shapes = [Shape(kind=kind, connections=2, seconds=effort.seconds(SECONDS)) for kind in ("large", "huge")]
        points = list(side_by_side([system], shapes, stand.corpus, stand.sink, effort.rounds))
        for number, way in itertools.product(range(effort.rounds), (ALONE, BESIDE)):
            waits[way].append(_longest_wait(gateway, stand, effort, f"wait{number}" if way == BESIDE else ""))
    for point in points:
        yield Measured(name=f"{point.kind} letters, one worker: CPU", unit="ms", values=point.cpu)
        yield Measured(name=f"{point.kind} letters, one worker: rate", unit="letters/s", values=point.rate)
    yield Measured(name=f"longest wait for an answer, {ALONE}", unit="ms of the clock", values=tuple(waits[ALONE]))
    beside, goal = tuple(waits[BESIDE]), at_most(20)
    yield Measured(name=f"longest wait for an answer, {BESIDE}", unit="ms of the clock", values=beside, goal=goal)


def _longest_wait(gateway: RunningGateway, stand: Stand, effort: Effort, run: str) -> float:
    """Milliseconds until NOOP was answered, at most, while a run of that name is under way, if there is one."""
    shape, longest = Shape(kind="huge", connections=1, seconds=effort.seconds(SECONDS)), 0.0
    work = (gateway.port, stand.corpus, stand.sink, shape, run)
    letters = threading.Thread(target=bring, args=work) if run else threading.Thread(target=time.sleep, args=(1.0,))
    with _client(gateway.port) as client:
        letters.start()
        while letters.is_alive():
            began = time.perf_counter()
            client.sendall(b"NOOP\r\n")
            client.recv(512)
            longest = max(longest, time.perf_counter() - began)
            time.sleep(PAUSE)
    letters.join()
    return longest * 1e3


@contextmanager
def _client(port: int) -> Iterator[socket.socket]:
    """At an address of the gateway's own networks, which may ask as often as it likes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.recv(512)
        client.sendall(b"EHLO probe.example\r\n")
        client.recv(4096)
        yield client
