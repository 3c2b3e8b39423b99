"""What a program's processes have used, by /proc: CPU time and memory, those that have ended meanwhile counted too."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

TICK = 1000 / os.sysconf("SC_CLK_TCK")  # milliseconds


def tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for task in _tasks(pid):
        for child in _read(task / "children").split():
            yield from tree(int(child))


def cpu(pids: Iterable[int]) -> float:
    """Milliseconds of CPU of processes and of their children that have ended."""
    return sum(map(_of_process, pids))


def pss(pids: Iterable[int]) -> float:
    """KiB of memory; what processes share is shared out among them."""
    lines = (line for pid in pids for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _of_process(pid: int) -> float:
    """The larger figure is right: the first is exact and lacks threads that have ended, the second is cut to a tick."""
    by_thread = sum(int((_read(task / "schedstat") or "0").split()[0]) for task in _tasks(pid)) / 1e6
    user, system, of_children, of_children_in_system = _times(pid)
    return max(by_thread, user + system) + of_children + of_children_in_system


def _times(pid: int) -> tuple[float, float, float, float]:
    """utime, stime, cutime and cstime of proc(5); the last two are of children that have ended."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(") ")[2].split()[11:15] or ("0",) * 4
    user, system, of_children, of_children_in_system = (int(field) * TICK for field in fields)
    return user, system, of_children, of_children_in_system


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
