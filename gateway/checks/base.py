"""What a check is: a question about a subject that is answered with a result, never with an exception or a decision.

To add a check: one module here with its settings, its result, its declared facts and its class; one line in the waves
of gateway/serve.py, and one in gateway/vocabulary.py.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace

from gateway.author import Author
from gateway.authres.field import MethodResult
from gateway.connection import Connection
from gateway.envelope import Envelope
from gateway.facts import Fact, FactValue
from gateway.message import Message, Stamped


class Result(Protocol):
    """What a check found. A result that is told of many messages may say it in what was made once."""

    def facts(self) -> Mapping[str, FactValue]:
        """The values of the facts that the check declares; those that do not apply may be left out."""
        ...

    def authres(self) -> tuple[MethodResult, ...]:
        """What goes into the Authentication-Results field."""
        ...

    def report(self) -> Any:
        """The result for `mailward check --json` and the log: made of dict, list, str, int, float, bool and None."""
        ...


class Subject(Struct, frozen=True):
    """What the checks of one wave are asked about. `results` holds those of the waves before, by the check's name."""

    connection: Connection
    envelope: Envelope
    message: Message | None = None  # None before DATA
    author: Author | None = None  # of the From field; None before DATA
    copy: Stamped | None = None  # what scanners see; None before the message is stamped
    results: Mapping[str, Result] | None = None
    unscanned_by: str = ""  # the id of the rule that has it not scored by spamd

    def knowing(self, results: Mapping[str, Result]) -> "Subject":
        """The same for checks that see what those of the waves before have found."""
        return replace(self, results=results)


class Check(Protocol):
    """Asks one question. It may look things up; what it makes of the answers is for a pure function beside it."""

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> tuple[Fact, ...]: ...

    async def __call__(self, subject: Subject) -> Result: ...


@runtime_checkable
class PromptCheck(Check, Protocol):
    """A check that can often answer without waiting: it need not ask, or what it asks of DNS was asked for another
    message. That spares its coroutine, and a task where it is asked ahead."""

    def known(self, subject: Subject) -> Result | None:
        """The answer, or None where it has to be waited for."""
        ...


class Unavailable(Struct, frozen=True):
    """The result of a check that could not answer: it failed or its deadline passed. Never a pass."""

    check: str
    reason: str

    def facts(self) -> dict[str, FactValue]:
        return {f"{self.check}.result": "unavailable"}

    def authres(self) -> tuple[MethodResult, ...]:
        return ()

    def report(self) -> Any:
        return {"result": "unavailable", "reason": self.reason}
