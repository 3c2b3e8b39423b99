"""Waiting for what happens soon, with a bound."""

import asyncio
from collections.abc import Callable

PATIENCE = 5.0  # seconds


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; TimeoutError where it does not."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
