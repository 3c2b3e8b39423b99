"""What was measured, as a table to read and as JSON to keep and to compare."""

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.measured import Goal, Measured, Side
from tests.bench.series import Point

HEADS = ("what", "median", "range", "unit", "goal", "met")
POINT_HEADS = ("load", "system", "letters/s", "range", "CPU ms a letter", "median ms", "p99 ms", "faults", "passes")
MET = {True: "yes", False: "NO", None: ""}


def row(measured: Measured) -> tuple[str, ...]:
    low, high = min(measured.values), max(measured.values)
    spread = "" if low == high else f"{_short(low)} to {_short(high)}"
    goal = str(measured.goal or "")
    return (measured.name, _short(measured.median), spread, measured.unit, goal, MET[measured.is_met])


def point_row(point: Point) -> tuple[str, ...]:
    rate, cpu, p50, p99 = (
        _short(statistics.median(values)) for values in (point.rate, point.cpu, point.p50, point.p99)
    )
    faults = str(point.lost + point.repeated + sum(point.failures.values()))
    passes = ", ".join(f"{name} {share:.0%}" for name, share in point.passed.items() if share)
    spread = f"{_short(min(point.rate))} to {_short(max(point.rate))}"
    return (point.load, point.system, rate, spread, cpu, p50, p99, faults, passes)


def overview(points: Sequence[Point]) -> str:
    """A table of letters a second, and of CPU milliseconds a letter, of each system under each load."""
    loads = list(dict.fromkeys(point.load for point in points))
    rows: dict[str, list[str]] = {point.system: [point.system] for point in points}
    for point in points:
        rate, cpu = statistics.median(point.rate), statistics.median(point.cpu)
        rows[point.system].append(f"{_short(rate)} ({_short(cpu)})" if cpu else _short(rate))
    return table(["letters/s (CPU ms)", *loads], list(rows.values()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Of Markdown, in columns."""
    everything = [heads, *rows]
    widths = [max(len(line[column]) for line in everything) for column in range(len(heads))]
    lines = [" | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in everything]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Of one run. `write` and `read` are inverses of each other."""

    machine: Mapping[str, str]
    measured: Sequence[Measured]
    points: Sequence[Point] = ()


def write(report: Report, into: Path, name: str) -> Path:
    """A file NAME-TIME.json in that directory."""
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")
    return path


def read(path: Path) -> Report:
    found = json.loads(path.read_text())
    return Report(
        machine=found["machine"],
        measured=[_measured(**one) for one in found["measured"]],
        points=[Point(**{name: _frozen(value) for name, value in point.items()}) for point in found["points"]],
    )


def _measured(name: str, unit: str, values: list[float], goal: dict[str, Any] | None) -> Measured:
    known = Goal(Side(goal["side"]), goal["value"]) if goal else None
    return Measured(name=name, unit=unit, values=tuple(values), goal=known)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _short(number: float) -> str:
    """Three digits that count."""
    if number != number or number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) >= 0.001 else f"{number:.1e}"
