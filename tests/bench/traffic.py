"""Traffic through a mail system: the programs in wire/ bring letters to it and take them behind it, and tell what came.

They are in C, since on a machine of few cores a generator in Python would be what is measured: both together take about
a tenth of the gateway's CPU time.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.bench.corpus import Corpus
from tests.support.spamd import free_port

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "var" / "bench"
SETTLE = 15.0  # seconds in which a next letter must reach the sink
START = 20.0  # seconds
NO_END = 1_000_000  # letters


@cache
def program(name: str) -> Path:
    """One of wire/, compiled where it is newer than what is there. Raises OSError, CalledProcessError."""
    source, target = Path(__file__).parent / "wire" / f"{name}.c", BUILT / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("no C compiler; on Debian: apt-get install gcc libc6-dev")
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-o", target, source], check=True)
    return target


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter at the sink, and what its header fields state."""

    at: float  # CLOCK_MONOTONIC
    octets: int
    spf: str
    dkim: str
    dmarc: str


@dataclass(frozen=True, slots=True)
class Sink:
    port: int
    notes: Path

    def taken(self, run: str) -> list[tuple[str, Taken]]:
        """The letters of a run, by name, each as often as it came."""
        lines = (line.split() for line in self.notes.read_text().split("\n")[:-1])
        return [
            (name, Taken(float(at), int(octets), spf, dkim, dmarc))
            for name, at, octets, spf, dkim, dmarc in lines
            if name.startswith(f"{run}-")
        ]

    def wait_for(self, run: str, count: int) -> list[tuple[str, Taken]]:
        """The same, when so many have come, or none comes any more."""
        taken, changed = self.taken(run), time.monotonic()
        while len(taken) < count and time.monotonic() - changed < SETTLE:
            time.sleep(0.1)
            before, taken = len(taken), self.taken(run)
            changed = time.monotonic() if len(taken) != before else changed
        return taken


@contextlib.contextmanager
def sink(directory: Path) -> Iterator[Sink]:
    server = Sink(free_port(), directory / "sink.notes")
    process = subprocess.Popen([program("sink"), str(server.port), server.notes])
    try:
        wait_for_port(server.port)
        yield server
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How letters are brought."""

    kind: str = "small"
    connections: int
    each: int = 1  # letters on a connection
    seconds: float  # none is begun later
    letters: int = NO_END


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of the letters. `rate` counts those that reached the sink, until the last one did: some systems
    answer before they deliver. `milliseconds` are those of each accepted letter, from its connection on, sorted."""

    accepted: int
    rate: float
    milliseconds: Sequence[float]
    failures: Counter[str]
    lost: int  # accepted, and not at the sink
    repeated: int  # at the sink more than once
    passed: dict[str, float]  # shares of letters whose header states a pass

    def percentile(self, share: float) -> float:
        return self.milliseconds[round((len(self.milliseconds) - 1) * share)] if self.milliseconds else float("nan")


def bring(port: int, corpus: Corpus, behind: Sink, shape: Shape, name: str) -> Run:
    """Bring letters to a port; `name` is that of the run, unlike any other's."""
    fates = corpus.directory / f"{name}.fates"
    numbers = (shape.connections, shape.letters, shape.each, shape.seconds)
    arguments = [port, corpus.first, corpus.index(shape.kind), *numbers, name, fates]
    done = subprocess.run([program("load"), *map(str, arguments)], check=True, capture_output=True, text=True)
    told = [line.split(" ", 1) for line in fates.read_text().splitlines()]
    fates.unlink()
    accepted = {letter: fate.split()[1:] for letter, fate in told if fate.startswith("accepted ")}
    taken = behind.wait_for(name, len(accepted))
    times = Counter(letter for letter, _ in taken)
    seconds = max((one.at for _, one in taken), default=0.0) - float(done.stdout)
    return Run(
        accepted=len(accepted),
        rate=len(times) / seconds if taken else 0.0,
        milliseconds=sorted(float(spent[0]) for spent in accepted.values()),
        failures=Counter(fate[:60] for _, fate in told if not fate.startswith("accepted ")),
        lost=len(accepted.keys() - times.keys()),
        repeated=sum(count > 1 for count in times.values()),
        passed={
            result: sum(getattr(one, result) == "pass" for _, one in taken) / max(len(taken), 1)
            for result in ("spf", "dkim", "dmarc")
        },
    )


def wait_for_port(port: int, patience: float = START) -> None:
    """Until somebody listens there. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")
