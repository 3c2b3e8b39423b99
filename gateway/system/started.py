"""Started: a coroutine that has run to its first wait, so that one that need not wait costs neither a task nor a timer.

Most of what a message asks DNS is in the cache. Tasks and timers for answers that are already there would cost more
than the answers.
"""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Started(Generic[T]):
    """Runs a coroutine to its first wait at once, and on from there when it is awaited: in the same task, since what it
    has begun (timeouts, task groups) belongs to that one."""

    __slots__ = ("_coroutine", "_value", "_waits_for", "is_over")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Raises what the coroutine raises before it waits."""
        self._coroutine = coroutine
        self._waits_for: Any = None
        self._value: T | None = None
        self.is_over = False
        self._step(coroutine.send, None)

    def __await__(self) -> Generator[Any, Any, T]:
        while not self.is_over:
            try:
                sent = yield self._waits_for
            except BaseException as error:  # noqa: BLE001  raised in the coroutine, which makes of it what it likes
                self._step(self._coroutine.throw, error)
            else:
                self._step(self._coroutine.send, sent)
        return cast(T, self._value)

    def _step(self, resume: Callable[[Any], Any], sent: Any) -> None:
        try:
            self._waits_for = resume(sent)
        except StopIteration as end:
            self._value = end.value
            self.is_over = True
