"""What a benchmark says: one thing, measured several times in one unit, and what is promised of it."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """On which side of a goal's value its measurements have to be."""

    AT_MOST = "≤"  # a cost
    AT_LEAST = "≥"  # a yield


@dataclass(frozen=True, slots=True)
class Goal:
    side: Side
    value: float

    def is_met(self, found: float) -> bool:
        return found <= self.value if self.side is Side.AT_MOST else found >= self.value

    def __str__(self) -> str:
        return f"{self.side} {self.value:g}"


def at_most(value: float) -> Goal:
    return Goal(Side.AT_MOST, value)


def at_least(value: float) -> Goal:
    return Goal(Side.AT_LEAST, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`values` has one value a round."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the goal; None where there is none."""
        return self.goal.is_met(self.median) if self.goal else None


def ratios(ours: Iterable[float], theirs: Iterable[float]) -> tuple[float, ...]:
    """Round by round, since the machine's speed differs more between rounds than within one."""
    return tuple(our / their for our, their in zip(ours, theirs, strict=True))
