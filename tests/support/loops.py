"""Tests that must hold on both event loops: what asyncio and uvloop do with transports differs."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

FACTORIES = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Turn an asynchronous test into two, one a loop."""

    def run(event_loop_name: str, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=FACTORIES[event_loop_name]) as runner:
            runner.run(test(**fixtures))

    own = inspect.signature(test).parameters.values()
    name = inspect.Parameter("event_loop_name", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = inspect.Signature([*own, name])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    run.pytestmark = [*getattr(test, "pytestmark", []), pytest.mark.parametrize("event_loop_name", FACTORIES).mark]  # type: ignore[attr-defined]
    return run
