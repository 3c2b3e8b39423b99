"""Reticence: who has told the log of a trouble does not tell it of the same again for a while."""

import asyncio

SILENCE = 60.0  # seconds between two lines about the same trouble


class Reticence:
    """Made inside a running event loop. It remembers each trouble, so there may be only a few kinds of them."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._ends: dict[str, float] = {}

    def may_tell_of(self, trouble: str) -> bool:
        """Whether to say it now; then it is taken as said."""
        now = self._now()
        if now < self._ends.get(trouble, 0.0):
            return False
        self._ends[trouble] = now + SILENCE
        return True
