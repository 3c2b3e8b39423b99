"""Checks that do as a test tells them: answer, wait, or fail; each remembers what it was asked about."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.authres.field import MethodResult
from gateway.checks.base import Result, Subject
from gateway.facts import Fact, FactValue


@dataclass(frozen=True)
class Said:
    """A result with these facts."""

    values: Mapping[str, FactValue] = field(default_factory=dict)

    def facts(self) -> dict[str, FactValue]:
        return dict(self.values)

    def authres(self) -> tuple[MethodResult, ...]:
        return ()

    def report(self) -> Any:
        return {name: str(value) for name, value in self.values.items()}


@dataclass
class ScriptedCheck:
    """Gives `answer` after `delay` seconds; an exception is raised instead. It begins by waiting for `gate`, if any."""

    name: str
    answer: Result | Exception = field(default_factory=Said)
    delay: float = 0.0
    gate: asyncio.Event | None = None
    facts: tuple[Fact, ...] = ()
    asked: list[Subject] = field(default_factory=list)
    cancelled: int = 0

    async def __call__(self, subject: Subject) -> Result:
        self.asked.append(subject)
        try:
            if self.gate:
                await self.gate.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class ScriptedPromptCheck(ScriptedCheck):
    """Knows `at_hand` without waiting; an exception is raised instead."""

    at_hand: Result | Exception | None = None

    def known(self, subject: Subject) -> Result | None:
        if isinstance(self.at_hand, Exception):
            raise self.at_hand
        return self.at_hand
